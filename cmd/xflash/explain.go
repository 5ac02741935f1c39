package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/explain"
	"xflash/internal/restore"
	"xflash/usbproto/s1"
)

// maxErrorInput is where standard input ends: it is meant to be a log, not an image by mistake.
const maxErrorInput = 1 << 30

func newExplainCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [TEXT…|FILE|-]",
		Short: "explain an error from a phone, a log or another tool, or what you see",
		Long: `Explains what a phone means by an error. Give it the whole answer, only the number, or
lines from the log of Flashtool, newflasher, fastboot, adb or a recovery. It also knows
the errors of those programs and of the computer, and says when the phone said nothing.
A few plain words about what the phone shows work too.

The text comes from the command line, from a file, or from standard input.`,
		Example: `  xflash explain 'ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021";'
  xflash explain 80080021
  xflash explain flashtool.log
  dmesg | xflash explain
  xflash explain red light blinks`,
		Args: args(cobra.ArbitraryArgs),
		RunE: func(_ *cobra.Command, words []string) error {
			text, err := a.errorText(words)
			if err != nil {
				return err
			}
			return a.explain(text)
		},
	}
}

// errorText is the text to explain: the words, the content of the file that they name, or
// standard input.
func (a *app) errorText(words []string) (string, error) {
	if len(words) == 0 && a.ui.inTTY {
		return "", usageError{errors.New("give a text or the name of a log file, or pipe a log in")}
	}
	name := strings.Join(words, " ")
	if name != "" && name != "-" {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return name, nil
		}
	}
	var in io.Reader = a.ui.in
	if name != "" && name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		a.ui.say("%s is a file: explaining its content.", printable(name))
		in = f
	}
	return lastOf(in)
}

// lastOf reads the end of a file or of a stream, as much as is explained. It starts at an even byte, for UTF-16.
func lastOf(in io.Reader) (string, error) {
	if f, ok := in.(io.Seeker); ok {
		if size, err := f.Seek(0, io.SeekEnd); err == nil {
			if _, err := f.Seek(max(0, size-explain.MaxText)&^1, io.SeekStart); err != nil {
				return "", err
			}
		}
	}
	in = io.LimitReader(in, maxErrorInput)
	var last []byte
	for {
		part, err := io.ReadAll(io.LimitReader(in, explain.MaxText))
		last = append(last, part...)
		last = last[max(0, len(last)-explain.MaxText)&^1:]
		if err != nil || len(part) < explain.MaxText {
			return string(last), err
		}
	}
}

func (a *app) explain(text string) error {
	found := explain.Explain(text)
	if a.ui.json {
		if err := a.ui.resultJSON(map[string]any{"type": "explanations", "explanations": append([]explain.Explanation{}, found...)}); err != nil || len(found) > 0 {
			return err
		}
		return told(&failure{exit: exitOther, code: "nothing-found", what: "no error found in this text"})
	}
	if len(found) == 0 {
		return &failure{exit: exitOther, code: "nothing-found", what: "no error found in this text",
			hints: []string{`give the line with ERR_SEVERITY or "FAILED", the last lines of the program's log, a number such as 80080021, or a few words about what the phone shows ("red light blinks")`,
				`if the computer does not see the phone at all, run "xflash doctor"`}}
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
	f := explain.Facts{Text: r.Raw, What: e.Step.Name, Issuer: e.Step.Issuer, Subject: e.Step.Signer, Proven: e.Proven}
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
	f.Roles = roles
	switch {
	case !sent:
		f.HWConfig = explain.HWConfigAbsent
	case len(roles) == 0:
		f.HWConfig = explain.HWConfigEmpty
	default:
		f.HWConfig = explain.HWConfigPresent
	}
	return f
}
