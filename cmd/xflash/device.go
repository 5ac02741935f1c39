package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"xflash/internal/simphone"
	"xflash/sin"
	"xflash/usbproto"
	"xflash/usbproto/libusb"
	"xflash/usbproto/s1"
)

// connection is a phone in flash mode that a command talks to.
type connection struct {
	*s1.Session
	sim *simphone.Phone // of a simulated phone, else nil
}

func (c *connection) Close() error {
	err := c.Session.Close()
	if c.sim != nil {
		err = errors.Join(err, c.sim.Close())
	}
	return err
}

// flashMode opens the phone that --device names, in flash mode.
func (a *app) flashMode(ctx context.Context, opt s1.Options) (*connection, error) {
	conn, sim, err := a.pipe(ctx)
	if err != nil {
		return nil, err
	}
	if conn, err = a.traced(conn, usbproto.ModeFlash); err != nil {
		return nil, err
	}
	session, err := s1.Open(ctx, conn, opt)
	if err != nil {
		err = errors.Join(err, conn.Close())
		if sim != nil {
			err = errors.Join(err, sim.Close())
		}
		return nil, err
	}
	return &connection{session, sim}, nil
}

// pipe opens the byte pipe to the phone.
func (a *app) pipe(ctx context.Context) (usbproto.Conn, *simphone.Phone, error) {
	switch kind, rest, _ := strings.Cut(a.device, ":"); kind {
	case "sim":
		sim, err := a.simulated(rest)
		if err != nil {
			return nil, nil, err
		}
		if !sim.OnBus() {
			return nil, nil, errors.Join(&failure{exit: exitNoPhone, code: "other-mode", what: "the simulated phone is in fastboot mode",
				hints: []string{"leave mode=fastboot out of --device"}}, sim.Close())
		}
		return sim.Conn(), sim, nil
	case "bridge":
		conn, err := usbproto.DialBridge(ctx, rest)
		if err != nil {
			return nil, nil, &failure{exit: exitNoPhone, code: "no-phone", what: "nobody answers at " + rest,
				text: wrap(err.Error(), a.ui.width(), ""), hints: []string{`the other side must run first, for example "xflash sim z3c --listen ` + rest + `"`}}
		}
		return conn, nil, nil
	case "replay":
		conn, err := a.replay(rest)
		return conn, nil, err
	case "tcp", "udp":
		return nil, nil, usageError{fmt.Errorf("%s: is fastboot over a network; flash mode needs a phone on USB, a simulated one or a pipe given as bridge:HOST:PORT", a.device)}
	}
	conn, _, err := a.usb(ctx, usbproto.ModeFlash)
	return conn, nil, err
}

// usb finds the phone that is in a mode on the bus.
func (a *app) usb(ctx context.Context, mode usbproto.Mode) (usbproto.Conn, usbproto.Device, error) {
	selector, err := usbproto.ParseSelector(a.device)
	if err != nil {
		return nil, usbproto.Device{}, usageError{err}
	}
	bus, err := libusb.New(libusb.Options{SmallRequests: a.small})
	if err != nil {
		return nil, usbproto.Device{}, err
	}
	device, err := usbproto.Find(ctx, bus, selector, mode)
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
// those of a simulated phone. anyRoot is true for a simulated phone that takes all.
func (a *app) roots(files []string) (set *sin.RootSet, anyRoot bool, err error) {
	if spec, ok := strings.CutPrefix(a.device, "sim:"); ok {
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
