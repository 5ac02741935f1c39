package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"xflash/fastboot/sparse"
	"xflash/internal/bootcheck"
	"xflash/internal/phone"
	"xflash/sin"
)

// flashOptions are the flags of flash and erase.
type flashOptions struct {
	yes   bool
	stay  bool // in fastboot mode after an update
	model string
	limit int64
	slot  string    // a, b, all, other; "" is the current one
	raw   rawHeader // of flash:raw
}

func newFlashCommand(a *app) *cobra.Command {
	var o flashOptions
	cmd := &cobra.Command{
		Use:   "flash PARTITION FILE",
		Short: "write an image to a partition of a phone in fastboot mode",
		Long: `Writes an image to boot, recovery (FOTAKernel), system, cache or userdata of a phone whose
boot loader is unlocked. Before anything is sent the image is looked at: a boot image
must be one that this phone's loader takes, a file system must be one, and it must fit.
Images that are larger than one download are sent in several pieces.

Partitions that make the phone what it is (trim area, modem) and its boot chain are
refused whatever the options; "xflash restore" writes Sony's signed ones in flash mode.`,
		Example: `  xflash flash recovery twrp.img
  xflash flash system system.img`,
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, words []string) error {
			ctx, stop := firstStop(cmd.Context())
			defer stop()
			return a.oneJob(ctx, "sending "+words[0], func(ctx context.Context, c *fastbootConn) (func(context.Context) error, error) {
				return a.prepareFlash(ctx, c, words[0], imageFile{path: words[1]}, o)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.yes, "yes", false, "do not ask before user data are overwritten, or an image is written that will likely not run")
	f.StringVar(&o.model, "model", "", "model of the phone, such as D5803, when it does not tell")
	f.StringVar(&o.slot, "slot", "", "a, b, all or other, on a phone with two of each partition (default: the one in use)")
	f.Int64VarP(&o.limit, "max-download", "S", 0, "most bytes for one download (default: what the phone says)")
	return cmd
}

func newEraseCommand(a *app) *cobra.Command {
	var o flashOptions
	cmd := &cobra.Command{
		Use:   "erase PARTITION",
		Short: "erase a partition of a phone in fastboot mode",
		Long: `Erases cache, userdata, system, boot or recovery of a phone whose boot loader is unlocked.
Other partitions are refused. It asks before user data are lost.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) error {
			ctx, stop := firstStop(cmd.Context())
			defer stop()
			return a.oneJob(ctx, "", func(ctx context.Context, c *fastbootConn) (func(context.Context) error, error) {
				return a.prepareErase(ctx, c, words[0], o)
			})
		},
	}
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask before user data are lost")
	cmd.Flags().StringVar(&o.model, "model", "", "model of the phone, such as D5803, when it does not tell")
	return cmd
}

// safePartition finds a partition of the safe list by the name that fastboot has for it.
func safePartition(t bootcheck.Target, name string) (phone.Partition, error) {
	if t.Family == nil {
		return phone.Partition{}, &failure{exit: exitPolicy, code: "unknown-phone", what: "it is not known which phone this is, so nothing is written to it",
			hints: []string{"say its model with --model, as it is printed on the phone"}}
	}
	p, ok := t.Family.FastbootPartition(name)
	if ok && (p.Verdict == phone.Allow || p.Verdict == phone.Wipe) {
		return p, nil
	}
	what := fmt.Sprintf("%s is no partition of this phone that fastboot may write", name)
	hint := "the safe ones are boot, recovery, system, cache and userdata"
	if ok {
		what = fmt.Sprintf("%s is not written by fastboot: %s", p.Label, p.Note)
		if p.Verdict == phone.Bundle || p.Verdict == phone.Delivery {
			hint = `"xflash restore FILE.ftf" writes Sony's signed image of it in flash mode`
		}
	}
	return p, &failure{exit: exitPolicy, code: "not-safe", what: what, hints: []string{hint}}
}

// fits says why an image must not be written to a partition, nil when it may.
func fits(ctx context.Context, p phone.Partition, path string, r io.ReaderAt, size int64) error {
	if p.Kernel {
		return nil // looked at as a boot image
	}
	head := make([]byte, min(int64(sin.HeadSize), size))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	kind := sin.Recognize(head)
	if kind != sin.KindExt4 && kind != sin.KindSparse {
		is, hints, err := wrongFile(ctx, path, false)
		if err != nil {
			return err
		}
		if is == "" {
			is = "nothing that xflash knows"
		}
		return &failure{exit: exitPolicy, code: "wrong-content", what: fmt.Sprintf("%s: %s takes a file system image (ext4, plain or sparse), and this is %s; nothing was sent", path, p.Label, is), hints: hints}
	}
	if kind == sin.KindSparse {
		image, err := sparse.NewReader(io.NewSectionReader(r, 0, size))
		if err != nil {
			return &failure{exit: exitFile, code: "file-invalid", what: path + ": " + err.Error()}
		}
		size = image.Header().Size()
	}
	if p.Size > 0 && size > p.Size {
		return &failure{exit: exitPolicy, code: "wrong-content", what: fmt.Sprintf("%s: it makes %d bytes, and %s has %d; nothing was sent", path, size, p.Label, p.Size),
			hints: []string{`"xflash inspect ` + path + `" says more about the file`}}
	}
	return nil
}

// unlocked says of a locked phone that it takes nothing, before anything is sent.
func unlocked(t bootcheck.Target) error {
	if !t.Locked {
		return nil
	}
	return &failure{exit: exitRefused, code: "locked", what: "the phone's boot loader is locked, so fastboot writes nothing; nothing was sent",
		hints: []string{`"xflash restore FILE.ftf" works on a locked phone, in flash mode`}}
}

// oneJob opens the phone and does one thing with it.
func (a *app) oneJob(ctx context.Context, doing string, job fastbootJob) (err error) {
	c, err := a.fastbootMode(ctx, a.fastbootOptions(doing))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	act, err := job(ctx, c)
	if err != nil {
		return err
	}
	return act(ctx)
}

// safe finds a partition on the safe list of the phone that is there.
func (c *fastbootConn) safe(ctx context.Context, name, model string) (bootcheck.Target, phone.Partition, error) {
	target, err := c.facts(ctx, model)
	if err != nil {
		return target, phone.Partition{}, err
	}
	p, err := safePartition(target, name)
	return target, p, err
}

// prepareFlash looks at an image and asks what has to be asked; what it gives writes it.
func (a *app) prepareFlash(ctx context.Context, c *fastbootConn, name string, image imageFile, o flashOptions) (func(context.Context) error, error) {
	f, bytes, shut, err := image.open()
	if err != nil {
		return nil, err
	}
	c.atEnd(shut)
	target, p, err := c.safe(ctx, name, o.model)
	if err != nil {
		return nil, err
	}
	names, err := slotNames(ctx, c, name, o.slot)
	if err != nil {
		return nil, err
	}
	if err := a.admitImage(ctx, c, target, p, names[0], image, f, bytes, o.yes); err != nil {
		return nil, err
	}
	if err := a.confirmLoss(ctx, p, o.yes); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		for _, name := range names {
			if err := c.Flash(ctx, name, f, bytes, o.limit); err != nil {
				return err
			}
		}
		return a.done(fmt.Sprintf("%s is written (%s).", name, size(bytes)))
	}, nil
}

// slotNames are the names of a partition in the slots that are meant: its own name on a
// phone without slots.
func slotNames(ctx context.Context, c *fastbootConn, name, slot string) ([]string, error) {
	has, err := c.HasSlots(ctx, name)
	if err != nil {
		return nil, err
	}
	if !has {
		if slot != "" {
			return nil, &failure{exit: exitPolicy, code: "no-slots", what: "this phone has one " + name + " only, and no slots; nothing was sent", hints: []string{"leave --slot out"}}
		}
		return []string{name}, nil
	}
	current, err := c.CurrentSlot(ctx)
	if err != nil {
		return nil, err
	}
	other := map[string]string{"a": "b", "b": "a"}[current]
	switch slot {
	case "":
		slot = current
	case "other":
		slot = other
	case "all":
		return []string{name + "_a", name + "_b"}, nil
	}
	if slot != "a" && slot != "b" {
		return nil, usageError{fmt.Errorf("%q is no slot: a, b, all or other", slot)}
	}
	return []string{name + "_" + slot}, nil
}

// admitImage says why an image must not be written to a partition, or would be refused.
func (a *app) admitImage(ctx context.Context, c *fastbootConn, target bootcheck.Target, p phone.Partition, name string, image imageFile, r io.ReaderAt, size int64, yes bool) error {
	told, err := c.PartitionSize(ctx, name)
	if err != nil {
		return err
	}
	if told > 0 {
		p.Size = told
	}
	if err := fits(ctx, p, image.name(), r, size); err != nil {
		return err
	}
	if err := unlocked(target); err != nil {
		return err
	}
	if p.Kernel {
		return a.admitBoot(ctx, image, p, target, yes)
	}
	return nil
}

// admitBoot looks at a boot image that is to be written. One for another model is refused;
// one that the phone takes and that will likely not run is a question.
func (a *app) admitBoot(ctx context.Context, image imageFile, p phone.Partition, t bootcheck.Target, yes bool) error {
	t.Flash, t.Partition = true, p.Size
	path := image.name()
	d, err := diagnose(ctx, image, t)
	if err != nil {
		return err
	}
	if len(d.Findings) > 0 {
		if err := a.showDiagnosis(path, d, t); err != nil {
			return err
		}
	}
	if err := refusalPredicted(image, d); err != nil {
		return err
	}
	if d.Has("D6") {
		return &failure{exit: exitPolicy, code: "other-model", what: path + ": its device tree is that of another model, so it is not written to " + p.Label + "; nothing was sent",
			hints: []string{"get the image for " + t.Model.Code, `"xflash boot ` + path + `" starts it once without writing it`}}
	}
	if yes || !slices.ContainsFunc(d.Findings, func(f bootcheck.Finding) bool { return f.Severity == bootcheck.Useless }) {
		return nil
	}
	return a.confirm(ctx, "what is said above makes it likely that "+path+" will not run", "Write it to "+p.Label+" all the same?", "--yes writes it all the same")
}

// confirmLoss asks before what a person cannot get back is overwritten.
func (a *app) confirmLoss(ctx context.Context, p phone.Partition, yes bool) error {
	if p.Verdict != phone.Wipe || yes {
		return nil
	}
	return a.confirm(ctx, p.Label+" holds "+p.Note, "All of it will be lost. Go on?", "--yes says that they may be lost")
}

// confirm asks a question, where somebody is there to answer it.
func (a *app) confirm(ctx context.Context, why, question, hint string) error {
	if !a.ui.inTTY || a.ui.json {
		return &failure{exit: exitPolicy, code: "not-confirmed", what: why + "; nothing was done", hints: []string{hint}}
	}
	answer, err := a.ui.ask(ctx, strings.ToUpper(why[:1])+why[1:]+". "+question+" [y/N]")
	if err != nil {
		return err
	}
	if !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes") {
		return &failure{exit: exitPolicy, code: "not-confirmed", what: "nothing was done"}
	}
	return nil
}

func (a *app) prepareErase(ctx context.Context, c *fastbootConn, name string, o flashOptions) (func(context.Context) error, error) {
	target, p, err := c.safe(ctx, name, o.model)
	if err != nil {
		return nil, err
	}
	if err := unlocked(target); err != nil {
		return nil, err
	}
	names, err := slotNames(ctx, c, name, o.slot)
	if err != nil {
		return nil, err
	}
	if err := a.confirmLoss(ctx, p, o.yes); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		for _, name := range names {
			if err := c.Erase(ctx, name); err != nil {
				return err
			}
		}
		return a.done(name + " is erased.")
	}, nil
}

// done tells of a command that the phone took.
func (a *app) done(text string) error {
	if a.ui.json {
		return a.ui.resultJSON(map[string]any{"type": "done", "text": text})
	}
	a.ui.result("%s\n", text)
	return nil
}
