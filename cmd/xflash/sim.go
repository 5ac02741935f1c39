package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"xflash/internal/simphone"
)

func newSimCommand(a *app) *cobra.Command {
	var listen, usbip, tcp, udp string
	var log, usb bool
	cmd := &cobra.Command{
		Use:   "sim PHONE[,KEY=VALUE…]",
		Short: "run a simulated phone for other programs",
		Long: `Runs a simulated phone in flash mode and serves its byte pipe over TCP, to one client
at a time. The phone checks what it receives as a real one does. With --sim-state its
storage stays in a folder: emmc.img, a raw disk, and ta.img, its trim area.

The phones are ` + strings.Join(simphone.LoaderNames(), ", ") + `: a Z3 Compact, and one for
every other loader that the project has executed. ` + strings.Join(simphone.CommandNames, ", ") + ` are phones of 2017, 2019
and 2021 with Sony's newer flash protocol; their folder has a file for each logical
unit of UFS, lun0.img and so on, with blocks of 4096 bytes, and journal.jsonl, with a
line for each write they were asked for.

--usb plugs the phone into this computer instead, through the kernel's vhci-hcd module,
and --usbip serves it to "usbip attach": any program then sees a phone on USB.

Settings: model=D5833  serial=TEXT  disk=4G  boot-ver=TEXT  otp=LOCKED|UNLOCKED|INVALID
hwconf=good|missing|no-live-bit|no-usage  2210=unknown  hello=both|none|no-boot|no-loader
maxpkt=N[:N]  root=FILE.pem (trusts this root too)  trust=any (accepts any signature)
fault=NAME[=ARG]@N with silence, unplug, replug, short-read, split, joined, late, refuse,
corrupt, card or kill at host packet N.  mode=fastboot  aboot=2013|2014|2015 (which
generation its loader is of)  locked=yes

Settings of phones of 2017 and later: model  serial  disk  root  trust  fault
storage=ufs|emmc  slot=a|b. Their faults may name a command instead of N, as in
fail=TEXT@flash:3 (the third), flash:* (each); unplug, silence and kill may happen within
one: unplug=4096@download (after so many bytes), unplug=answer+1@Sync (after one transfer
of the answer). More faults: data13, hex=upper|lower, okay-text=TEXT, zlp, two-data,
glued, pending=BYTES@0, var=NAME:VALUE, novar=NAME, hash=LENGTH|other|DIGITS, lun=N:KIB
and unit=P:U:BYTES; @* is from the start to the end.

In fastboot mode N counts commands, and there is also fault=fail=TEXT@N, stale=TEXT@0,
data-fail, data-size=N, early-okay, info=LINES, text, long, garbage and empty.`,
		Example: `  xflash sim z3c --listen 127.0.0.1:4711 --sim-state phone
  xflash info --device bridge:127.0.0.1:4711

  xflash sim z3c,aboot=2014 --fastboot-tcp 127.0.0.1:5554
  fastboot -s tcp:127.0.0.1 getvar all

  modprobe vhci-hcd; xflash sim z3c --usb`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) (err error) {
			ctx := cmd.Context()
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
			if phone.SpeaksCommands() && tcp+udp != "" {
				return usageError{errors.New(words[0] + " has no fastboot mode here")}
			}
			switch {
			case tcp != "":
				err = a.serveFastboot(ctx, phone, "tcp", tcp)
			case udp != "":
				err = a.serveFastboot(ctx, phone, "udp", udp)
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
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address to listen on; port 0 picks a free one")
	cmd.Flags().BoolVar(&usb, "usb", false, "plug the phone into this computer's USB; needs root and the module vhci-hcd")
	cmd.Flags().StringVar(&usbip, "usbip", "", `serve the phone at this address, such as 127.0.0.1:3240, to "usbip attach"`)
	cmd.Flags().StringVar(&tcp, "fastboot-tcp", "", `serve its fastboot mode at this address to "fastboot -s tcp:HOST:PORT"`)
	cmd.Flags().StringVar(&udp, "fastboot-udp", "", `serve its fastboot mode at this address to "fastboot -s udp:HOST:PORT"`)
	cmd.Flags().BoolVar(&log, "log", false, "log every packet")
	cmd.MarkFlagsMutuallyExclusive("listen", "usb", "usbip", "fastboot-tcp", "fastboot-udp")
	return cmd
}

// servePipe serves the byte pipe of a simulated phone to one client after the other.
func (a *app) servePipe(ctx context.Context, phone *simphone.Phone, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	if err := a.listening(l.Addr(), phone, "flash mode"); err != nil {
		return errors.Join(err, l.Close())
	}
	return phone.Serve(ctx, l)
}

// listening tells the address, which is a result: with port 0 it is the only way to know
// the port.
func (a *app) listening(address net.Addr, phone *simphone.Phone, mode string) error {
	if a.ui.json {
		return a.ui.resultJSON(map[string]string{"type": "listening", "address": address.String(), "state": phone.Dir()})
	}
	a.ui.result("listening on %s\n", address)
	a.ui.say("state in %s; the phone is in %s; Ctrl-C ends it", phone.Dir(), mode)
	return nil
}

// serveFastboot serves the phone's fastboot mode to one client after the other, again each time
// it restarts into it.
func (a *app) serveFastboot(ctx context.Context, phone *simphone.Phone, network, address string) error {
	for first := true; ; first = false {
		at, serve, shut, err := listenFastboot(ctx, network, address)
		if err != nil {
			return err
		}
		if first {
			if err := a.listening(at, phone, "fastboot mode"); err != nil {
				return errors.Join(err, shut())
			}
			address = at.String() // where it comes back, also after port 0
		}
		aboot := phone.Fastboot()
		if err := serve(aboot); err != nil {
			return err
		}
		if aboot.Started != "reboot-bootloader" {
			return nil
		}
		a.ui.say("it restarts into fastboot mode")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(startTime):
		}
	}
}

func listenFastboot(ctx context.Context, network, address string) (at net.Addr, serve func(*simphone.Aboot) error, shut func() error, err error) {
	if network == "udp" {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			return nil, nil, nil, err
		}
		return c.LocalAddr(), func(p *simphone.Aboot) error { return p.ServeUDP(ctx, c) }, c.Close, nil
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, nil, nil, err
	}
	return l.Addr(), func(p *simphone.Aboot) error { return p.ServeTCP(ctx, l) }, l.Close, nil
}
