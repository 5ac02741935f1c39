package main

import (
	"context"
	"errors"
	"net"

	"xflash/internal/simphone"
	"xflash/internal/usbsim"
)

// plugIn puts a simulated phone onto the USB bus of this computer, and keeps it there
// until it leaves or ctx ends.
func (a *app) plugIn(ctx context.Context, phone *simphone.Phone) error {
	a.ui.say("plugging it in, in flash mode; state in %s; Ctrl-C pulls the cable", phone.Dir())
	err := a.onBus(ctx, phone, usbsim.PlugVHCI)
	if errors.Is(err, usbsim.ErrNoVHCI) {
		return &failure{exit: exitNoAccess, code: "no-vhci", what: err.Error(), hints: []string{
			"as root, run: modprobe vhci-hcd; then this command as root too",
			`without root, "--usbip 127.0.0.1:3240" serves the phone to "usbip attach" of another computer`}}
	}
	return err
}

// serveUSBIP gives a simulated phone to "usbip attach", until it leaves or ctx ends.
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

// onBus makes the USB device of the phone and gives it to plug.
func (a *app) onBus(ctx context.Context, phone *simphone.Phone, plug func(context.Context, *usbsim.Device) error) error {
	device := usbsim.New(usbsim.FlashMode(), phone.Conn(), usbsim.Watch{})
	return errors.Join(plug(ctx, device), device.Close())
}
