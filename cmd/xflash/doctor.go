package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"xflash/usbproto"
	"xflash/usbproto/libusb"
)

// waitModes are the modes that can be waited and looked for by name.
var waitModes = map[string][]usbproto.Mode{"flashmode": usbproto.FlashModes, "fastboot": {usbproto.ModeFastboot}, "adb": {usbproto.ModeADB}}

func modeNamed(name string) ([]usbproto.Mode, error) {
	m, ok := waitModes[name]
	if !ok {
		return nil, usageError{fmt.Errorf("%q is not one of flashmode, fastboot, adb", name)}
	}
	return m, nil
}

func newDoctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor [flashmode|fastboot|adb]",
		Short: "find out why this computer does not see your phone",
		Long: `Looks at this computer's USB bus and at every Sony phone on it, without touching any: mode,
port, hubs on the way, speed, controller, whether you may use the phone, and which program
is using it. Ends with the one next step to a phone in flash mode, or in the mode you name.
--device picks one phone by its serial number or port.

Exit code 0 means that you can use a phone as it is. Otherwise the exit code is that of a
command that needs the phone: 3 no phone in this mode, 4 no permission, 5 in use by another
program.`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, words []string) error {
			want := usbproto.FlashModes
			if len(words) > 0 {
				var err error
				if want, err = modeNamed(words[0]); err != nil {
					return err
				}
			}
			selector, err := a.busSelector()
			if err != nil {
				return err
			}
			return a.doctor(usbproto.LookAtBus(os.Getenv("UMOCKDEV_DIR"), "/proc"), selector, want)
		},
	}
}

// told is a failure of which everything has been shown.
func told(f *failure) error {
	f.quiet = true
	return f
}

// doctor shows what the bus shows. A missing phone is the error that the command would end
// with that needs the phone, in the same words.
func (a *app) doctor(c usbproto.BusReport, selector usbproto.Selector, want []usbproto.Mode) error {
	next := "nothing: the phone can be used as it is"
	var missing *failure
	if err := stateOf(c, selector, want...); err != nil {
		missing = classify(err)
		next = missing.hints[0]
	}
	if a.ui.json {
		phones := []map[string]any{}
		for _, p := range c.Phones {
			row := map[string]any{"path": p.Path(), "mode": p.Mode.String(), "controller": p.Controller, "speed": p.Speed, "hubs": p.Hubs,
				"autosuspend": p.Autosleep, "node": p.Node(), "access": p.Access == nil, "holders": append([]usbproto.Holder{}, p.Holders...)}
			phones = append(phones, row)
		}
		answer := map[string]any{"type": "doctor", "bus": c.Bus, "kernel": c.Kernel, "phones": phones, "next": next, "ready": missing == nil}
		if missing == nil {
			return a.ui.resultJSON(answer)
		}
		answer["exit"], answer["code"], answer["hints"] = missing.exit, missing.code, missing.hints
		return errors.Join(a.ui.resultJSON(answer), told(missing))
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
		a.ui.hanging("  way        ", fmt.Sprintf("%s, %s, %s on the way", orUnknown(p.Controller, "the controller does not say"), p.Speed, countOf(p.Hubs, "hub")))
		access := "yes, " + p.Node()
		if p.Access != nil {
			access = "NO: " + p.Access.Error()
		}
		a.ui.hanging("  access     ", access)
		for _, h := range p.Holders {
			a.ui.hanging("  used by    ", fmt.Sprintf("%s (process %d)", h.Program, h.PID))
		}
		if p.Mode == usbproto.ModeFlash2017 {
			a.ui.hanging("  fastboot   ", `"fastboot devices" lists it as ????????????, but this is flash mode and fastboot commands do not work in it; for fastboot hold Volume Up instead of Volume Down`)
		}
		if p.Autosleep {
			a.ui.hanging("  sleep      ", "the kernel may suspend it when it is idle; that is normal and does no harm")
		}
	}
	if missing == nil {
		a.ui.hanging("next step    ", next)
		return nil
	}
	a.ui.hanging("state        ", missing.what)
	for i, hint := range missing.hints {
		label := "next step    "
		if i > 0 {
			label = "otherwise    "
		}
		a.ui.hanging(label, hint)
	}
	return told(missing)
}

func newWaitCommand(a *app) *cobra.Command {
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "wait flashmode|fastboot|adb",
		Short: "wait until a phone appears in a mode",
		Long: `Waits until a phone is on the bus in flash mode, in fastboot mode or with adb, and prints
its port. --device picks the phone by its serial number, or by its port, which stays the
same when the phone changes its mode. Exit code 3 means that none appeared in time.`,
		Example: `  xflash wait flashmode && xflash restore D5803_23.5.A.1.291.ftf --yes`,
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) error {
			mode, err := modeNamed(words[0])
			if err != nil {
				return err
			}
			return a.wait(cmd.Context(), mode, limit)
		},
	}
	cmd.Flags().DurationVar(&limit, "timeout", time.Minute, "how long to wait")
	return cmd
}

func (a *app) wait(ctx context.Context, want []usbproto.Mode, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d, err := a.waitFor(ctx, func(*usbproto.NoPhoneError) {}, want...)
	var none *usbproto.NoPhoneError
	switch {
	case ctx.Err() != nil && errors.As(err, &none):
		// The final state of the bus is reported in the words of every other command.
		f := classify(err)
		f.code, f.what = "timed-out", fmt.Sprintf("after %s: %s", limit, f.what)
		return f
	case err != nil:
		return err
	case a.ui.json:
		return a.ui.resultJSON(map[string]any{"type": "found", "path": d.Path(), "mode": d.Mode.String()})
	}
	a.ui.result("%s: %s\n", d.Path(), d.Mode)
	return nil
}

// waitFor looks at the bus until a phone is there in one of these modes, and tells each time why
// there is none. When the time is over, the last of these is the error. Each look opens libusb
// again, since without udev it learns of nothing that was plugged in later.
func (a *app) waitFor(ctx context.Context, tell func(*usbproto.NoPhoneError), want ...usbproto.Mode) (usbproto.Device, error) {
	selector, err := a.busSelector()
	if err != nil {
		return usbproto.Device{}, err
	}
	none := &usbproto.NoPhoneError{Want: want[0], Selector: selector}
	for {
		d, err := look(ctx, selector, want...)
		var seen *usbproto.NoPhoneError
		switch {
		case errors.As(err, &seen) && (seen.Kind == usbproto.NothingThere || seen.Kind == usbproto.OtherMode):
			none = seen
			tell(none)
		case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled):
			return d, err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return d, none
			}
			return d, context.Cause(ctx)
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func look(ctx context.Context, selector usbproto.Selector, want ...usbproto.Mode) (usbproto.Device, error) {
	bus, err := libusb.New(libusb.Options{})
	if err != nil {
		return usbproto.Device{}, err
	}
	d, err := usbproto.Find(ctx, bus, selector, want...)
	return d, errors.Join(err, bus.Close())
}
