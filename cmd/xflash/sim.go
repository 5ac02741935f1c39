package main

import (
	"context"
	"errors"
	"net"

	"github.com/spf13/cobra"

	"xflash/internal/simphone"
)

func newSimCommand(a *app) *cobra.Command {
	var listen, usbip string
	var log, usb bool
	cmd := &cobra.Command{
		Use:   "sim PHONE[,KEY=VALUE…]",
		Short: "run a simulated phone for other programs",
		Long: `Runs a simulated Z3 Compact (z3c) in flash mode and gives its byte pipe to one
client after the other over TCP. It checks what it is sent as a phone does. With
--sim-state its storage stays in a folder: emmc.img, a raw disk, and ta.img, its
trim area.

With --usb the phone is plugged into this computer instead, through the kernel's
vhci-hcd module, and with --usbip it is there for "usbip attach": any program then
sees a phone on USB.

Settings: model=D5833  serial=TEXT  disk=4G  boot-ver=TEXT  otp=LOCKED|UNLOCKED|INVALID
hwconf=good|missing|no-live-bit|no-usage  2210=unknown  hello=both|none|no-boot|no-loader
maxpkt=N[:N]  root=FILE.pem (trusts this root too)  trust=any (accepts any signature)
fault=NAME[=ARG]@N with silence, unplug, short-read, split, joined, late, refuse,
corrupt, card or kill at host packet N.`,
		Example: `  xflash sim z3c --listen 127.0.0.1:4711 --sim-state phone
  xflash info --device bridge:127.0.0.1:4711

  modprobe vhci-hcd; xflash sim z3c --usb`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) (err error) {
			ctx, stop := firstStop(cmd.Context())
			defer stop()
			options, err := simphone.ParseSpec(words[0])
			if err != nil {
				return usageError{err}
			}
			options.Dir = a.simState
			options.OnKill = killSelf
			if log {
				options.Log = func(e simphone.Event) { a.ui.say("%s", e) }
			}
			phone, err := simphone.Open(options)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, phone.Close()) }()
			switch {
			case usb:
				err = a.plugIn(ctx, phone)
			case usbip != "":
				err = a.serveUSBIP(ctx, phone, usbip)
			default:
				err = a.servePipe(ctx, phone, listen)
			}
			if err != nil && ctx.Err() == nil {
				return err
			}
			a.ui.say("the phone has left the bus")
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	cmd.Flags().BoolVar(&usb, "usb", false, "plug the phone into this computer's USB; needs root and the module vhci-hcd")
	cmd.Flags().StringVar(&usbip, "usbip", "", `serve the phone at this address, such as 127.0.0.1:3240, to "usbip attach"`)
	cmd.Flags().BoolVar(&log, "log", false, "tell every packet")
	cmd.MarkFlagsMutuallyExclusive("listen", "usb", "usbip")
	return cmd
}

// servePipe gives the byte pipe of a simulated phone to one client after the other.
func (a *app) servePipe(ctx context.Context, phone *simphone.Phone, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	// The address is a result: with port 0 it is the only way to know the port.
	if a.ui.json {
		err = a.ui.resultJSON(map[string]string{"type": "listening", "address": l.Addr().String(), "state": phone.Dir()})
	} else {
		a.ui.result("listening on %s\n", l.Addr())
		a.ui.say("state in %s; the phone is in flash mode; Ctrl-C ends it", phone.Dir())
	}
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return phone.Serve(ctx, l)
}
