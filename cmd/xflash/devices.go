package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/explain"
	"xflash/internal/phone"
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
			a.ui.hanging("    ", explain.OfMode(d.Mode).Describe)
		case d.Mode != usbproto.ModeFlash:
			steps := strings.Join(explain.StepsTo(d.Mode, usbproto.ModeFlash), "; ")
			a.ui.hanging("    ", explain.OfMode(d.Mode).Describe+" For flash mode: "+steps+".")
		}
	}
	return nil
}

// modelsOf lists the model codes that share the USB id of a phone that runs Android.
func modelsOf(d usbproto.Device) []string {
	if d.VID != usbproto.VendorSony || !d.Mode.Android() {
		return nil
	}
	var codes []string
	for _, m := range phone.ByUSB(d.PID) {
		codes = append(codes, m.Code)
	}
	return codes
}

// titleOf names a phone: "usb:1-2.3, fastboot (0fce:0dde)", and its model where the id
// gives it away.
func titleOf(d usbproto.Device) string {
	s := fmt.Sprintf("%s, %s (%04x:%04x)", d.Path(), d.Mode, d.VID, d.PID)
	models := modelsOf(d)
	if len(models) == 0 {
		return s
	}
	codes := strings.Join(models, " or ")
	if _, m, ok := phone.ByModel(models[0]); ok { // one id is one name with several codes
		return fmt.Sprintf("%s, %s (%s)", s, m.Name, codes)
	}
	return s + ", " + codes
}
