package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"xflash/internal/simphone"
	"xflash/sin"
	"xflash/usbproto"
	"xflash/usbproto/command"
	"xflash/usbproto/libusb"
)

// flashPhone is a phone in flash mode to which nothing was said yet.
type flashPhone struct {
	conn usbproto.Conn
	sim  *simphone.Phone // of a simulated phone, else nil
	mode usbproto.Mode   // one of usbproto.FlashModes, which tells the protocol
}

func (p *flashPhone) close(err error) error {
	err = errors.Join(err, p.conn.Close())
	if p.sim != nil {
		err = errors.Join(err, p.sim.Close())
	}
	return err
}

// commands starts the conversation with a phone of 2017 or later.
func (a *app) commands(ctx context.Context, p *flashPhone, opt command.Options) (*command.Session, error) {
	opt.Log = func(text string) { a.ui.say("%s", printable(text)) }
	return command.Open(ctx, p.conn, opt)
}

// notOnBus are the kinds of phones that --device names and that are not on this computer's USB bus.
var notOnBus = []string{"sim", "bridge", "tcp", "udp", "replay"}

// elsewhere is the kind of the phone that --device names and where it is; "" for one on the USB bus.
func (a *app) elsewhere() (kind, where string) {
	kind, where, _ = strings.Cut(a.device, ":")
	if !slices.Contains(notOnBus, kind) {
		return "", ""
	}
	return kind, where
}

// busSelector is the phone that --device names, for commands that look at the USB bus only.
func (a *app) busSelector() (usbproto.Selector, error) {
	if kind, _ := a.elsewhere(); kind != "" {
		return usbproto.Selector{}, usageError{fmt.Errorf("--device %s is not on this computer's USB bus, and this command looks only there", a.device)}
	}
	selector, err := usbproto.ParseSelector(a.device)
	if err != nil {
		return selector, usageError{err}
	}
	return selector, nil
}

// flashPhone opens the byte pipe to the phone that --device names, when it is in one of these modes, with a recorder
// around it when --trace asks for one.
func (a *app) flashPhone(ctx context.Context, want ...usbproto.Mode) (*flashPhone, error) {
	p, err := a.flashPipe(ctx, want)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(want, p.mode) {
		return nil, p.close(otherProtocol(p.mode))
	}
	if p.conn, err = a.traced(p.conn, p.mode); err != nil {
		if p.sim != nil {
			err = errors.Join(err, p.sim.Close())
		}
		return nil, err
	}
	return p, nil
}

func otherProtocol(mode usbproto.Mode) error {
	what := "this phone speaks the flash protocol of 2017 and later; this is for older phones"
	if mode == usbproto.ModeFlash {
		what = "this phone speaks the flash protocol of 2010 to 2016; this is for phones of 2017 and later"
	}
	return &failure{exit: exitNoPhone, code: "other-mode", what: what, hints: []string{"\"xflash info\" identifies the phone"}}
}

// flashPipe opens the byte pipe. Where nothing tells the protocol it is the wanted one, or found out.
func (a *app) flashPipe(ctx context.Context, want []usbproto.Mode) (*flashPhone, error) {
	switch kind, rest := a.elsewhere(); kind {
	case "sim":
		sim, err := a.simulated(rest)
		if err != nil {
			return nil, err
		}
		if !sim.OnBus() {
			return nil, errors.Join(&failure{exit: exitNoPhone, code: "other-mode", what: "the simulated phone is in fastboot mode",
				hints: []string{"leave mode=fastboot out of --device"}}, sim.Close())
		}
		p := &flashPhone{sim.Conn(), sim, usbproto.ModeFlash}
		if sim.SpeaksCommands() {
			p.mode = usbproto.ModeFlash2017
		}
		return p, nil
	case "bridge":
		conn, err := usbproto.DialBridge(ctx, rest)
		if err != nil {
			return nil, &failure{exit: exitNoPhone, code: "no-phone", what: "nobody answers at " + rest,
				text: wrap(err.Error(), a.ui.width(), ""), hints: []string{`start the other side first, for example "xflash sim z3c --listen ` + rest + `"`}}
		}
		if len(want) == 1 {
			return &flashPhone{conn: conn, mode: want[0]}, nil
		}
		return greeted(ctx, conn)
	case "replay":
		replay, err := a.replay(rest)
		if err != nil {
			return nil, err
		}
		p := &flashPhone{conn: replay, mode: usbproto.ModeFlash}
		if first := replay.FirstSent(); len(first) > 0 && first[0] >= 'A' { // a command is a word; a packet starts with a zero
			p.mode = usbproto.ModeFlash2017
		}
		return p, nil
	case "tcp", "udp":
		return nil, usageError{fmt.Errorf("%s: is fastboot over a network; flash mode needs a phone on USB, a simulated phone or a pipe as bridge:HOST:PORT", a.device)}
	}
	conn, device, err := a.usb(ctx, want...)
	return &flashPhone{conn: conn, mode: device.Mode}, err
}

// usb finds the phone on the bus that is in one of these modes.
func (a *app) usb(ctx context.Context, want ...usbproto.Mode) (usbproto.Conn, usbproto.Device, error) {
	selector, err := a.busSelector()
	if err != nil {
		return nil, usbproto.Device{}, err
	}
	bus, err := libusb.New(libusb.Options{SmallRequests: a.small})
	if err != nil {
		return nil, usbproto.Device{}, err
	}
	device, err := usbproto.Find(ctx, bus, selector, want...)
	if err != nil {
		return nil, device, err
	}
	conn, err := bus.Open(ctx, device)
	a.trace.device = device
	return conn, device, err
}

// simulated makes or loads the simulated phone of a specification such as
// "z3c,hwconf=missing".
func (a *app) simulated(spec string) (*simphone.Phone, error) {
	options, err := simphone.ParseSpec(spec)
	if err != nil {
		return nil, usageError{err}
	}
	options.Dir = a.simState
	options.OnKill = killSelf
	return simphone.Open(options)
}

// roots are the certificates that the person trusts besides Sony's: those of --root, and
// those of a simulated phone. anyRoot is true for a simulated phone that accepts all.
func (a *app) roots(files []string) (set *sin.RootSet, anyRoot bool, err error) {
	if kind, spec := a.elsewhere(); kind == "sim" {
		options, err := simphone.ParseSpec(spec)
		if err != nil {
			return nil, false, usageError{err}
		}
		files, anyRoot = append(files, options.RootFiles...), options.TrustAny
	}
	set = &sin.RootSet{}
	for _, name := range files {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, false, err
		}
		if err := set.AddPEM(pem); err != nil {
			return nil, false, fmt.Errorf("%s: %w", name, err)
		}
	}
	return set, anyRoot, nil
}

// killSelf is a power cut for a simulated phone and the program at once, for tests.
func killSelf() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }
