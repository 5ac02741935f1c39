package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"xflash/internal/bootcheck"
	"xflash/internal/phone"
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
boot loader is unlocked. It checks the image before it sends anything: a boot image must
be one that the loader writes, a file system image must hold a file system, and the image
must fit. If the phone will probably not start a boot image, it asks first and offers a
repair. It sends images larger than one download in several pieces.

No option makes it write the partitions that identify a phone (trim area, modem) or its
boot chain; "xflash restore" writes Sony's signed images of those in flash mode.`,
		Example: `  xflash flash recovery twrp.img
  xflash flash system system.img`,
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, words []string) error {
			return a.oneJob(cmd.Context(), "sending "+words[0], func(ctx context.Context, c *fastbootConn) (act, error) {
				return a.prepareFlash(ctx, c, words[0], imageFile{path: words[1]}, o)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.yes, "yes", false, "do not ask before overwriting user data or writing an image that will probably not run")
	f.StringVar(&o.model, "model", "", "model of the phone, such as D5803, if the phone does not tell")
	f.StringVar(&o.slot, "slot", "", "a, b, all or other, on a phone with two slots (default: the one in use)")
	f.Int64VarP(&o.limit, "max-download", "S", 0, "most bytes in one download (default: what the phone says)")
	return cmd
}

func newEraseCommand(a *app) *cobra.Command {
	var o flashOptions
	cmd := &cobra.Command{
		Use:   "erase PARTITION",
		Short: "erase a partition of a phone in fastboot mode",
		Long: `Erases cache, userdata, system, boot or recovery of a phone whose boot loader is unlocked,
and no other partition. It asks before it erases user data.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) error {
			return a.oneJob(cmd.Context(), "", func(ctx context.Context, c *fastbootConn) (act, error) {
				return a.prepareErase(ctx, c, words[0], o)
			})
		},
	}
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask before erasing user data")
	cmd.Flags().StringVar(&o.model, "model", "", "model of the phone, such as D5803, if the phone does not tell")
	return cmd
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
	return c.do(ctx, act)
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

// prepareFlash looks at an image and asks what must be asked; what it gives writes it.
func (a *app) prepareFlash(ctx context.Context, c *fastbootConn, name string, image imageFile, o flashOptions) (act, error) {
	target, p, err := c.safe(ctx, name, o.model)
	if err != nil {
		return nil, err
	}
	names, err := slotNames(ctx, c, name, o.slot)
	if err != nil {
		return nil, err
	}
	image, err = a.admitImage(ctx, c, target, p, names[0], image, o.yes)
	if err != nil {
		return nil, err
	}
	if err := a.confirmLoss(ctx, p, o.yes); err != nil {
		return nil, err
	}
	f, bytes, shut, err := image.open()
	if err != nil {
		return nil, err
	}
	c.atEnd(shut)
	return func(ctx context.Context) error {
		for _, name := range names {
			if err := c.Flash(ctx, name, f, bytes, o.limit); err != nil {
				return err
			}
		}
		if p.Label == target.Family.Recovery && !a.ui.json {
			a.ui.say("%s", wrap(recoveryKeys, a.ui.width(), ""))
		}
		return a.done(fmt.Sprintf("%s is written (%s).", name, size(bytes)))
	}, nil
}

// recoveryKeys say how the recovery is started, and where it cannot be (internal/phone/PHONES.md
// §3.7, §8).
const recoveryKeys = `To start the recovery: switch the phone off, then hold Volume Down and Power until it vibrates. Boot loaders from before 2015 cannot start it from there: "xflash boot FILE" starts it once, and a full "xflash restore" of the newest firmware installs a newer boot loader.`

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
		return nil, usageError{fmt.Errorf("%q is not a slot: a, b, all or other", slot)}
	}
	return []string{name + "_" + slot}, nil
}

func (a *app) prepareErase(ctx context.Context, c *fastbootConn, name string, o flashOptions) (act, error) {
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
