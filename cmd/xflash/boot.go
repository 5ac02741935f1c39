package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"xflash/fastboot"
	"xflash/internal/bootcheck"
	"xflash/internal/restore"
)

// bootOptions are the flags of boot.
type bootOptions struct {
	check, repack, yes, force, onePiece bool

	out, model string
}

func newBootCommand(a *app) *cobra.Command {
	var o bootOptions
	cmd := &cobra.Command{
		Use:   "boot IMAGE",
		Short: "start a boot or recovery image, after saying whether the phone will accept it",
		Long: `Checks a boot image, says whether this phone's loader will accept it and what happens
then, and starts it. It does not send an image that the phone would refuse: if it can
repair the image from its own parts, it offers to start the repaired one instead.
Starting an image changes nothing on the phone.

--check sends nothing and needs no phone; --model names the model. --repack writes the
repaired image to a file. Exit code 8 means that the phone would refuse (or refused) the
image, 6 that it is not a boot image.`,
		Example: `  xflash boot twrp.img
  xflash boot twrp.img --check --model D5803
  xflash boot twrp.img --repack -o fixed.img --model D5803`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			ctx := cmd.Context()
			if o.check || o.repack {
				return a.bootWithoutPhone(ctx, paths[0], o)
			}
			image := imageFile{path: paths[0]}
			return a.oneJob(ctx, "sending "+filepath.Base(image.path), func(ctx context.Context, c *fastbootConn) (act, error) {
				return a.prepareBoot(ctx, c, image, o)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.check, "check", false, "say what the phone would do, and send nothing; needs no phone")
	f.BoolVar(&o.repack, "repack", false, "write the repaired image to a file; needs no phone")
	f.BoolVar(&o.onePiece, "one-piece", false, "with --repack: join the ids into one device tree after the kernel, instead of writing a table")
	f.StringVarP(&o.out, "output", "o", "", "file for --repack (default: IMAGE with -fixed before its ending)")
	f.StringVar(&o.model, "model", "", "model of the phone, such as D5803, if no phone is connected or it does not tell")
	f.BoolVar(&o.yes, "yes", false, "start the repaired image without asking")
	f.BoolVar(&o.force, "force", false, "send the image as it is, although the phone will refuse it")
	cmd.MarkFlagsMutuallyExclusive("check", "repack")
	return cmd
}

// notAnImage is the failure of a file that is not a boot image; is says what it seems to be.
func notAnImage(ctx context.Context, path, is string) error {
	known, hints, err := wrongFile(ctx, path, true)
	if err != nil {
		return err
	}
	if known != "" {
		is = known
	}
	return &failure{exit: exitFile, code: "not-an-image", what: path + " is not a boot image, but " + is, hints: hints}
}

// diagnose reads an image and looks at it for a phone.
func diagnose(ctx context.Context, image imageFile, t bootcheck.Target) (*bootcheck.Diagnosis, error) {
	data, err := image.bytes(ctx)
	if err != nil {
		return nil, err
	}
	d, err := bootcheck.Diagnose(data, t)
	var not *bootcheck.NotAnImage
	if errors.As(err, &not) {
		err = notAnImage(ctx, image.name(), not.Is)
	}
	return d, err
}

// bootWithoutPhone is --check and --repack.
func (a *app) bootWithoutPhone(ctx context.Context, path string, o bootOptions) error {
	target, err := wantedModel(o.model)
	if err != nil {
		return err
	}
	image, err := imageFile{path: path}.plain(ctx)
	if err != nil {
		return err
	}
	d, err := diagnose(ctx, image, target)
	if err != nil {
		return err
	}
	if err := a.showDiagnosis(path, d, target); err != nil {
		return err
	}
	if o.repack {
		return a.repack(path, o, d, target)
	}
	return refusalPredicted(imageFile{path: path}, d)
}

// wantedModel is the phone that --model names: every diagnosis is for one.
func wantedModel(model string) (bootcheck.Target, error) {
	if model == "" {
		return bootcheck.Target{}, usageError{errors.New("--model is missing: name the phone, as in --model D5803")}
	}
	t := targetOf(model)
	if t.Family == nil {
		return t, usageError{fmt.Errorf("--model %s: unknown model code", model)}
	}
	return t, nil
}

// refusalPredicted is the failure of an image that the phone would refuse, nil for others.
func refusalPredicted(image imageFile, d *bootcheck.Diagnosis) error {
	if !d.Refused() {
		return nil
	}
	f := &failure{exit: exitRefused, code: "would-be-refused", what: image.name() + ": the phone would refuse it; nothing was sent"}
	if d.Curable() && image.path != "" {
		f.hints = []string{"xflash boot " + image.path + " --repack makes an image that the phone accepts"}
	}
	return f
}

// repack writes the repaired image.
func (a *app) repack(path string, o bootOptions, d *bootcheck.Diagnosis, t bootcheck.Target) error {
	repair, out := bootcheck.Repair, o.out
	if o.onePiece {
		repair = bootcheck.RepairOnePiece
	}
	fixed, err := repair(d, t)
	if err != nil {
		return notRepairable(path, d, err)
	}
	if out == "" {
		ending := filepath.Ext(path)
		out = strings.TrimSuffix(path, ending) + "-fixed" + ending
	}
	err = saved(out, func(f *os.File) error { _, err := f.Write(fixed.Image); return err })
	if err != nil {
		return err
	}
	if a.ui.json {
		return a.ui.resultJSON(map[string]any{"type": "repaired", "file": out, "changes": fixed.Changes, "rules": fixed.Diagnosis.Rules()})
	}
	a.ui.result("\nWrote %s, %s:\n", out, size(int64(len(fixed.Image))))
	for _, c := range fixed.Changes {
		a.ui.hanging("  - ", c)
	}
	return nil
}

// notRepairable says of a repair that did not happen what that means.
func notRepairable(path string, d *bootcheck.Diagnosis, err error) error {
	var not *bootcheck.NotRepairable
	if !errors.As(err, &not) {
		return err
	}
	if !d.Refused() {
		return &failure{exit: exitOther, code: "nothing-to-repair", what: path + ": " + not.Reason + "; no file was written"}
	}
	return &failure{exit: exitRefused, code: "not-repairable", what: path + ": " + not.Error(), hints: []string{"get an image made for this phone"}}
}

// prepareBoot looks at an image and offers its repair; what it gives starts the image.
func (a *app) prepareBoot(ctx context.Context, c *fastbootConn, image imageFile, o bootOptions) (act, error) {
	target, err := c.facts(ctx, o.model)
	if err != nil {
		return nil, err
	}
	if target.Family == nil {
		a.ui.warn("this phone gives an unknown name; add --model, as in --model D5803, to check the image for that model")
	}
	if image, err = image.plain(ctx); err != nil {
		return nil, err
	}
	d, err := diagnose(ctx, image, target)
	if err != nil {
		return nil, err
	}
	if err := a.showDiagnosis(image.name(), d, target); err != nil {
		return nil, err
	}
	data, err := image.bytes(ctx)
	if err != nil {
		return nil, err
	}
	if d.Refused() && !o.force {
		fixed, err := a.offerRepair(ctx, image, d, target, "Start the repaired image?", o.yes)
		if err != nil {
			return nil, err
		}
		data, d = fixed.Image, fixed.Diagnosis
	}
	return func(ctx context.Context) error { return a.start(ctx, c, data, d) }, nil
}

// offerRepair repairs an image that the phone would refuse, when the owner wants that.
func (a *app) offerRepair(ctx context.Context, image imageFile, d *bootcheck.Diagnosis, t bootcheck.Target, question string, yes bool) (*bootcheck.Repaired, error) {
	if !d.Curable() {
		return nil, refusalPredicted(image, d)
	}
	fixed, err := bootcheck.Repair(d, t)
	if err != nil {
		return nil, notRepairable(image.name(), d, err)
	}
	a.showRepair(fixed)
	if !yes && a.ui.asks() {
		if yes, err = a.ui.agrees(ctx, question); err != nil {
			return nil, err
		}
	}
	if !yes {
		return nil, refusalPredicted(image, d)
	}
	return fixed, nil
}

// showRepair says what a repair changes.
func (a *app) showRepair(fixed *bootcheck.Repaired) {
	a.ui.say("\nIt can be repaired from its own parts:")
	for _, change := range fixed.Changes {
		a.ui.say("%s", wrap("  - "+change, a.ui.width(), "    "))
	}
}

// start sends an image and starts it.
func (a *app) start(ctx context.Context, c *fastbootConn, data []byte, d *bootcheck.Diagnosis) error {
	if err := c.Boot(ctx, bytes.NewReader(data), int64(len(data))); err != nil {
		return foretold(err, d)
	}
	if !a.ui.json {
		a.ui.result("The phone accepted the image and starts it.\n")
	}
	c.then = func(ctx context.Context) error { return a.started(ctx, c) }
	return nil
}

// started tells what becomes of the phone.
func (a *app) started(ctx context.Context, c *fastbootConn) error {
	after, err := a.afterOkay(ctx, c)
	if err != nil {
		return err
	}
	if a.ui.json {
		return a.ui.resultJSON(map[string]any{"type": "done", "answer": "OKAY", "then": after})
	}
	a.ui.hanging("", bootTexts[after])
	return nil
}

// foretold adds to a refusal which rule predicted it, or that none did.
func foretold(err error, d *bootcheck.Diagnosis) error {
	var refusal *fastboot.Refusal
	f := fastbootFailure(err)
	if f == nil || !errors.As(err, &refusal) || refusal.Command != "boot" {
		return err
	}
	var loaders, rules []string
	for _, g := range bootcheck.Generations {
		if d.Answers[g] == strings.TrimSpace(refusal.Text) {
			loaders = append(loaders, g.String())
		}
	}
	for _, finding := range d.Findings {
		if finding.Severity == bootcheck.Fails || finding.Severity == bootcheck.Warning && strings.HasPrefix(finding.Rule, "D") {
			rules = append(rules, finding.Rule)
		}
	}
	text := "The check of the image did not predict this answer. Please report it, with --trace and the image."
	if len(loaders) > 0 && len(rules) > 0 {
		text = fmt.Sprintf("The check predicted this: by rule %s, loaders of %s give this answer to the image.", strings.Join(rules, ", "), strings.Join(loaders, ", "))
	}
	f.text = strings.TrimRight(f.text, "\n") + "\n" + wrap(text, 80, "")
	if d.Curable() {
		f.hints = append(f.hints, "the same command without --force offers the repaired image")
	}
	return f
}

// fastbootOptions show what the loader says and how far a download is.
func (a *app) fastbootOptions(what string) fastboot.Options {
	show := newProgress(a.ui)
	return fastboot.Options{
		Info:     func(line string) { a.ui.say("(phone) %s", printable(line)) },
		Progress: func(sent, total int64) { show.file(what, "", sent, total) },
		Log:      func(text string) { a.ui.say("note: %s", printable(text)) },
		Stalled:  func(command string) { show.event(restore.Stalled{Doing: printable(command)}) },
	}
}

// showDiagnosis prints what was found, worst first as it is in the image.
func (a *app) showDiagnosis(path string, d *bootcheck.Diagnosis, t bootcheck.Target) error {
	if a.ui.json {
		answers := map[string]string{}
		for _, g := range bootcheck.Generations {
			answers[g.String()] = d.Answers[g]
		}
		findings := append([]bootcheck.Finding{}, d.Findings...)
		return a.ui.resultJSON(map[string]any{"type": "diagnosis", "file": path, "model": t.Model.Code, "refused": d.Refused(),
			"repairable": d.Improvable(), "verdict": d.Verdict(t), "accepted_by": d.AcceptedBy(), "answers": answers, "findings": findings, "trees": d.Trees})
	}
	a.ui.result("%s\n", wrap(printable(path+": "+d.Verdict(t)), a.ui.width(), "  "))
	for _, tree := range d.Trees {
		where := map[string]string{"table": "in the table", "appended": "after the kernel"}[tree.Where]
		a.ui.hanging("  device tree   ", fmt.Sprintf("%s, %s, %s", tree.Model, where, tree.Form))
	}
	for _, f := range d.Findings {
		lead := map[bootcheck.Severity]string{bootcheck.Fails: "REFUSED", bootcheck.Useless: "UNUSABLE", bootcheck.Warning: "warning", bootcheck.Info: "note"}[f.Severity]
		a.ui.hanging(fmt.Sprintf("  %-8s %-4s ", lead, f.Rule), f.Text)
		if f.Next != "" {
			a.ui.hanging("                → ", f.Next)
		}
	}
	return nil
}
