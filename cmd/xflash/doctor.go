package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"xflash/usbproto"
)

// waitModes are the modes that can be waited and looked for by name.
var waitModes = map[string]usbproto.Mode{"flashmode": usbproto.ModeFlash, "fastboot": usbproto.ModeFastboot, "adb": usbproto.ModeADB}

func modeNamed(name string) (usbproto.Mode, error) {
	m, ok := waitModes[name]
	if !ok {
		return 0, usageError{fmt.Errorf("%q is none of flashmode, fastboot, adb", name)}
	}
	return m, nil
}

func newDoctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor [flashmode|fastboot]",
		Short: "why is my phone not seen, and what to do next",
		Long: `Looks at this computer's USB bus and at every Sony phone on it, without touching any: mode,
port, hubs on the way, speed, controller, whether you may use it, and which program has
it. Ends with the one next step to a phone in flash mode, or in the mode that is named.`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, words []string) error {
			want := usbproto.ModeFlash
			if len(words) > 0 {
				var err error
				if want, err = modeNamed(words[0]); err != nil {
					return err
				}
			}
			return a.doctor(usbproto.LookAtBus(), want)
		},
	}
}

func (a *app) doctor(c usbproto.Checkup, want usbproto.Mode) error {
	if a.ui.json {
		phones := []map[string]any{}
		for _, p := range c.Phones {
			row := map[string]any{"path": p.Path(), "mode": p.Mode.String(), "controller": p.Controller, "speed": p.Speed, "hubs": p.Hubs,
				"autosuspend": p.Autosleep, "node": p.Node, "access": p.Access == nil, "holders": append([]usbproto.Holder{}, p.Holders...)}
			phones = append(phones, row)
		}
		return a.ui.resultJSON(map[string]any{"type": "doctor", "bus": c.Bus, "kernel": c.Kernel, "phones": phones, "next": c.Next(want)})
	}
	state := "here"
	if !c.Bus {
		state = "NOT here"
	}
	a.ui.result("USB bus      %s\nLinux        %s\n", state, c.Kernel)
	if c.Bus && len(c.Phones) == 0 {
		a.ui.result("phones       none\n")
	}
	for _, p := range c.Phones {
		a.ui.hanging("phone        ", fmt.Sprintf("%s, %04x:%04x, in %s", p.Path(), p.VID, p.PID, p.Mode))
		a.ui.hanging("  way        ", fmt.Sprintf("%s, %s, %s on the way", orUnknown(p.Controller, "the controller does not tell"), p.Speed, many(p.Hubs, "hub")))
		access := "yes, " + p.Node
		if p.Access != nil {
			access = "NO: " + p.Access.Error()
		}
		a.ui.hanging("  access     ", access)
		for _, h := range p.Holders {
			a.ui.hanging("  used by    ", fmt.Sprintf("%s (process %d)", h.Program, h.PID))
		}
		if p.Autosleep {
			a.ui.hanging("  sleep      ", "the kernel may let it sleep when it is idle; that is usual and does no harm")
		}
	}
	a.ui.hanging("next step    ", c.Next(want))
	return nil
}

func newWaitCommand(a *app) *cobra.Command {
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "wait flashmode|fastboot|adb",
		Short: "wait until a phone is there in a mode",
		Long: `Waits until a phone is on the bus in flash mode, in fastboot mode or with adb, and tells
where. --device says which, by its serial number or its port, which stays the same while
the phone changes its mode. Exit code 3 when the time is over.`,
		Example: `  xflash wait flashmode && xflash restore D5803_23.5.A.1.291.ftf --yes`,
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) error {
			ctx, stop := firstStop(cmd.Context())
			defer stop()
			mode, err := modeNamed(words[0])
			if err != nil {
				return err
			}
			return a.wait(ctx, mode, limit)
		},
	}
	cmd.Flags().DurationVar(&limit, "timeout", time.Minute, "how long to wait")
	return cmd
}

// wait looks again and again. Each look opens libusb anew, since without udev it learns of
// nothing that was plugged in later.
func (a *app) wait(ctx context.Context, mode usbproto.Mode, limit time.Duration) error {
	selector, err := usbproto.ParseSelector(a.device)
	if err != nil {
		return usageError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		d, err := look(ctx, selector, mode)
		var none *usbproto.Verdict
		switch {
		case err == nil:
			if a.ui.json {
				return a.ui.resultJSON(map[string]any{"type": "found", "path": d.Path(), "mode": d.Mode.String()})
			}
			a.ui.result("%s: %s\n", d.Path(), d.Mode)
			return nil
		case errors.As(err, &none) && (none.Kind == usbproto.NothingThere || none.Kind == usbproto.OtherMode):
		case errors.Is(err, context.DeadlineExceeded):
		default:
			return err
		}
		select {
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return context.Cause(ctx)
			}
			keys := usbproto.ModeUnknown.KeysTo(mode)
			if keys == "" {
				keys = "start the phone, and allow USB debugging in its developer options"
			}
			return &failure{exit: exitNoPhone, code: "timed-out", what: fmt.Sprintf("no phone in %s after %s", mode, limit),
				hints: []string{keys, `"xflash doctor" tells what this computer sees`}}
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func look(ctx context.Context, selector usbproto.Selector, mode usbproto.Mode) (usbproto.Device, error) {
	bus, err := usbproto.NewUSB(usbproto.Options{})
	if err != nil {
		return usbproto.Device{}, err
	}
	d, err := usbproto.Find(ctx, bus, selector, mode)
	return d, errors.Join(err, bus.Close())
}

// udevFolder is where rules of this computer's owner stand.
const udevFolder = "/etc/udev/rules.d"

func newUdevCommand(a *app) *cobra.Command {
	var install bool
	cmd := &cobra.Command{
		Use:   "udev",
		Short: "the rule that lets you use phones without being root",
		Long: `Prints the udev rule that gives whoever sits at this computer the right to use Sony phones,
and the commands that install it. --install does it, as root.`,
		Example: `  xflash udev
  sudo xflash udev --install`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if !install {
				a.ui.result("%s", usbproto.UdevRule())
				a.ui.say("\nTo install it:\n  xflash udev | sudo tee %s\n  sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=usb", filepath.Join(udevFolder, usbproto.UdevFile))
				return nil
			}
			return a.installRule(udevFolder)
		},
	}
	cmd.Flags().BoolVar(&install, "install", false, "write the rule; needs root")
	return cmd
}

// installRule writes the rule into a folder, whole or not at all.
func (a *app) installRule(folder string) error {
	path := filepath.Join(folder, usbproto.UdevFile)
	fail := func(err error) error {
		if errors.Is(err, os.ErrPermission) {
			return &failure{exit: exitNoAccess, code: "no-access", what: "the rule can only be written by root: " + err.Error(), hints: []string{"sudo xflash udev --install"}}
		}
		return err
	}
	if old, err := os.ReadFile(path); err == nil && string(old) == usbproto.UdevRule() {
		return a.done(path + " is there already.")
	}
	f, err := os.CreateTemp(folder, ".xflash-*")
	if err != nil {
		return fail(err)
	}
	_, err = f.WriteString(usbproto.UdevRule())
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the failure before it matters
		return fail(err)
	}
	if err := a.done("Wrote " + path + "."); err != nil {
		return err
	}
	a.ui.say("Now run: udevadm control --reload && udevadm trigger --subsystem-match=usb, or plug the phone in again.")
	return nil
}
