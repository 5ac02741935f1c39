package main

import (
	"context"
	"errors"
	"net"
	"time"

	"xflash/internal/simphone"
	"xflash/internal/usbsim"
	"xflash/usbproto"
)

// plugIn puts a simulated phone onto the USB bus of this computer, and keeps it there
// until it leaves or ctx ends.
func (a *app) plugIn(ctx context.Context, phone *simphone.Phone) error {
	a.ui.say("plugging it in; state in %s; Ctrl-C pulls the cable", phone.Dir())
	err := a.onBus(ctx, phone, usbsim.PlugVHCI)
	if errors.Is(err, usbsim.ErrNoVHCI) {
		return &failure{exit: exitNoAccess, code: "no-vhci", what: err.Error(), hints: []string{
			"as root, run: modprobe vhci-hcd; then this command as root too",
			`without root, "--usbip 127.0.0.1:3240" serves the phone to "usbip attach" on another computer`}}
	}
	return err
}

// serveUSBIP serves a simulated phone to "usbip attach", until it leaves or ctx ends.
func (a *app) serveUSBIP(ctx context.Context, phone *simphone.Phone, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return errors.Join(err, l.Close())
	}
	if a.ui.json {
		err = a.ui.resultJSON(map[string]string{"type": "listening", "address": l.Addr().String(), "state": phone.Dir(), "bus_id": usbsim.BusID})
	} else {
		a.ui.result("listening on %s\n", l.Addr())
		a.ui.say("state in %s; attach it, as root, with: usbip --tcp-port %s attach -r %s -b %s", phone.Dir(), port, host, usbsim.BusID)
	}
	if err != nil {
		return errors.Join(err, l.Close())
	}
	server := usbsim.NewServer(l)
	err = a.onBus(ctx, phone, server.Plug)
	return errors.Join(err, server.Close())
}

// startTime is how long a phone is off the bus when it starts again.
const startTime = 3 * time.Second

// onBus gives the USB device of the phone to plug, once for each mode that the phone is in
// until it is switched off: a phone in fastboot may come back in fastboot, or start.
func (a *app) onBus(ctx context.Context, phone *simphone.Phone, plug func(context.Context, *usbsim.Device) error) error {
	if phone.SpeaksCommands() {
		return a.stay(ctx, usbsim.Flash2017(), phone.Conn(), plug)
	}
	if phone.OnBus() {
		return a.stay(ctx, usbsim.FlashMode(), phone.Conn(), plug)
	}
	for {
		aboot := phone.Fastboot()
		if err := a.stay(ctx, usbsim.Fastboot(phone.Serial()), aboot.Conn(), plug); err != nil || ctx.Err() != nil {
			return err
		}
		// A phone needs some seconds to start, and the kernel to free its port.
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(startTime):
		}
		switch {
		case aboot.Started == "reboot-bootloader":
			a.ui.say("it restarts into fastboot mode")
		case aboot.Started == "boot" && (aboot.Outcome == simphone.OutcomeRuns || aboot.Outcome == simphone.OutcomeDark):
			a.ui.say("the image that it was sent runs: the phone now shows adb, which nobody answers")
			return a.stay(ctx, usbsim.Android(phone.Serial()), usbsim.Idle(), plug)
		default:
			return nil
		}
	}
}

// stay is one stay of the phone on the bus.
func (a *app) stay(ctx context.Context, id usbsim.Identity, conn usbproto.Conn, plug func(context.Context, *usbsim.Device) error) error {
	device := usbsim.New(id, conn, usbsim.Watch{})
	return errors.Join(plug(ctx, device), device.Close())
}
