package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/explain"
	"xflash/internal/restore"
	"xflash/usbproto/s1"
)

// maxErrorText bounds what is read from standard input: a log, not a file by mistake.
const maxErrorText = 1 << 20

func newExplainCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain TEXT…",
		Short: "explain an error text of a phone, a log or another tool",
		Long: `Explains what a phone means by an error: the whole answer, only its number, or a
paste from the log of Flashtool, newflasher or fastboot. With "-" the text comes
from standard input.`,
		Example: `  xflash explain 'ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021";'
  xflash explain 80080021
  xflash explain - < flashtool.log`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, words []string) error {
			text := strings.Join(words, " ")
			if text == "-" {
				data, err := io.ReadAll(io.LimitReader(a.ui.in, maxErrorText))
				if err != nil {
					return err
				}
				text = string(data)
			}
			return a.explain(text)
		},
	}
}

func (a *app) explain(text string) error {
	found := explain.Explain(text)
	if a.ui.json {
		return a.ui.resultJSON(map[string]any{"type": "explanations", "explanations": found})
	}
	if len(found) == 0 {
		return &failure{exit: exitOther, code: "nothing-found", what: "there is no error of a phone in this text",
			hints: []string{`give the line that begins with ERR_SEVERITY, a number like 80080021, or what stands after "FAILED (remote:"`}}
	}
	for i, e := range found {
		if i > 0 {
			a.ui.result("\n")
		}
		a.ui.result("%s\n", strings.TrimRight(e.Text(a.ui.width()), "\n"))
	}
	return nil
}

// refusalFacts is what is known when the phone refused a step: the file's certificate and
// the phone's own configuration decide which cause it is.
func refusalFacts(e *restore.StepError, r *s1.Refusal) explain.Facts {
	f := explain.Facts{Text: r.Raw, What: e.Step.Name, Issuer: e.Step.Issuer, Subject: e.Step.Signer}
	if e.Step.Member != "" {
		f.What = e.Step.Member
	}
	switch r.Command {
	case s1.CmdHeader:
		f.Step = "header"
	case s1.CmdData:
		f.Step = "data"
	case s1.CmdOpenTA, s1.CmdCloseTA, s1.CmdReadUnit, s1.CmdWriteUnit:
		f.Step = "unit"
	}
	if e.Info == nil {
		return f
	}
	f.Roots = e.Info.Roots()
	roles, sent := e.Info.HWConfig()
	switch {
	case !sent:
		f.HWConfig = explain.HWConfigAbsent
	case len(roles) == 0:
		f.HWConfig = explain.HWConfigEmpty
	default:
		f.HWConfig = explain.HWConfigPresent
	}
	for _, role := range roles {
		f.Roles = append(f.Roles, explain.Role{Name: role.Name, AID: role.AID, Flags: role.Flags})
	}
	return f
}
