package main

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/explain"
	"xflash/usbproto"
)

func newDevicesCommand(a *app) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "devices [--known [MODEL...]]",
		Short: "list phones, their modes, and the keys to other modes",
		Long: `Lists the Sony phones on the USB bus, the mode of each, and the keys that lead to flash
mode. It neither opens nor changes a phone.

--known lists the models that xflash knows instead, and says whether it can restore each.
With a MODEL, such as E5823, it adds the order of the flash and the source.`,
		Args: func(cmd *cobra.Command, words []string) error {
			if all {
				return nil
			}
			return args(cobra.NoArgs)(cmd, words)
		},
		RunE: func(cmd *cobra.Command, words []string) error {
			if all {
				return a.listKnown(words)
			}
			selector, err := a.busSelector()
			if err != nil {
				return err
			}
			all, err := usbproto.Scan(os.Getenv("UMOCKDEV_DIR"))
			if err != nil {
				return err
			}
			devices := slices.DeleteFunc(slices.Clone(all), func(d usbproto.Device) bool { return !selector.Matches(d) })
			if len(devices) == 0 {
				return &usbproto.NoPhoneError{Kind: usbproto.NothingThere, Devices: all, Want: usbproto.ModeFlash, Selector: selector}
			}
			return a.listDevices(devices)
		},
	}
	cmd.Flags().BoolVar(&all, "known", false, "list the models that xflash knows, and what it can do for each")
	return cmd
}

func (a *app) listDevices(devices []usbproto.Device) error {
	if a.ui.json {
		type row struct {
			usbproto.Device
			Models []string
			Path   string `json:"path"`
			Mode   string `json:"mode"`
		}
		rows := []row{}
		for _, d := range devices {
			d.Serial = a.masked(d.Serial)
			rows = append(rows, row{d, modelsOf(d), d.Path(), d.Mode.String()})
		}
		return a.ui.resultJSON(map[string]any{"type": "devices", "devices": rows})
	}
	for _, d := range devices {
		name := cmp.Or(strings.Join(modelsOf(d), " or "), d.Product, "Sony phone")
		a.ui.result("%-14s %04x:%04x  %-16s %s\n", d.Path(), d.VID, d.PID, d.Mode, printable(name))
		switch {
		case d.Mode == usbproto.ModeFlash2017:
			a.ui.result("    %s\n", wrap(explain.OfMode(d.Mode).Describe, a.ui.width()-4, "    "))
		case d.Mode != usbproto.ModeFlash:
			steps := (strings.Join(explain.StepsTo(d.Mode, usbproto.ModeFlash), "; "))
			a.ui.result("    %s\n", wrap(explain.OfMode(d.Mode).Describe+" For flash mode: "+steps+".", a.ui.width()-4, "    "))
		}
	}
	return nil
}
