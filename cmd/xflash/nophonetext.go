package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"xflash/internal/explain"
	"xflash/usbproto"
)

// noPhoneText tells more: the phones that the error is about, and what it means. Its lines
// start with two blanks and have at most 78 characters.
func noPhoneText(v *usbproto.NoPhoneError) string {
	var b strings.Builder
	for _, d := range v.Devices {
		b.WriteString(paragraph(titleOf(d)))
	}
	switch v.Kind {
	case usbproto.NothingThere:
		if len(v.Devices) == 0 {
			b.WriteString(paragraph("No phone on the USB bus is in a mode that xflash knows. A phone that is off, or only charging, does not appear there."))
		}
	case usbproto.OtherMode:
		b.WriteString(describe(v.Devices))
	case usbproto.NoAccess:
		b.WriteString(accessText(v))
	case usbproto.Busy:
		b.WriteString(busyText(v))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// describe tells about each mode once.
func describe(devices []usbproto.Device) string {
	var b strings.Builder
	told := map[usbproto.Mode]bool{}
	google := false
	for _, d := range devices {
		if !told[d.Mode] {
			told[d.Mode] = true
			b.WriteString(paragraph(explain.OfMode(d.Mode).Describe))
		}
		google = google || d.VID == usbproto.VendorGoogle
	}
	if google {
		b.WriteString(paragraph("Ids that start with 18d1 are used by custom ROMs on Sony phones and by phones of other makers."))
	}
	return b.String()
}

func accessText(v *usbproto.NoPhoneError) string {
	if v.Root {
		return paragraph("The phone is there, but even root may not open " + firstOf(v).Node() + ". This container has no access to the device.")
	}
	return paragraph("The phone is there and in the right mode, but this user may not open " + firstOf(v).Node() + ". A udev rule can give you that right.")
}

func busyText(v *usbproto.NoPhoneError) string {
	if len(v.Holders) == 0 {
		return paragraph("xflash could not see which program: only root sees those of other users.")
	}
	var b strings.Builder
	for _, h := range v.Holders {
		b.WriteString(paragraph(fmt.Sprintf("%s is open in %s, process %d.", firstOf(v).Node(), printable(h.Program), h.PID)))
	}
	return b.String()
}

// noPhoneHints are one to three next steps, the likeliest first.
func noPhoneHints(v *usbproto.NoPhoneError) []string {
	switch {
	case v.Kind == usbproto.NothingThere && len(v.Devices) > 0:
		hints := []string{"name the phone that is connected: --device " + firstOf(v).Path()}
		if v.Selector.Serial != "" {
			hints = append(hints, "a phone in flash mode does not tell its serial number: name its port instead")
		}
		return hints
	case v.Kind == usbproto.NothingThere:
		return explain.NoPhoneSteps(v.Want)
	case v.Kind == usbproto.OtherMode:
		return otherHints(v)
	case v.Kind == usbproto.NoAccess && v.Root:
		return []string{"run xflash outside the container, or start the container with access to USB devices (character devices 189:*)"}
	case v.Kind == usbproto.NoAccess:
		return explain.RightsSteps
	case v.Kind == usbproto.Busy:
		return busyHints(v)
	}
	return []string{"name one of them, for example with --device " + firstOf(v).Path(), "or unplug all but one"}
}

func otherHints(v *usbproto.NoPhoneError) []string {
	if len(v.Devices) == 1 {
		return explain.StepsTo(v.Devices[0].Mode, v.Want)
	}
	var hints []string
	for _, d := range v.Devices {
		hints = append(hints, d.Path()+": "+explain.StepsTo(d.Mode, v.Want)[0])
	}
	return hints[:min(len(hints), 3)]
}

// freeing says how programs that are known to take phones let go of them, by the names
// that /proc gives them (usbproto/libusb/NOTES.md §9 row 13).
var freeing = map[string]string{
	"adb":             `stop it with "adb kill-server"`,
	"fastboot":        "let fastboot finish",
	"xflash":          "let the other xflash finish; stopping it may leave the phone half flashed",
	"gvfsd-mtp":       "eject the phone in the file manager",
	"gvfs-mtp-volume": "close the file manager",
	"fwupd":           `stop it with "sudo systemctl stop fwupd"`,
	"ModemManager":    `stop it with "sudo systemctl stop ModemManager"`,
	"VirtualBoxVM":    "release the phone from the virtual machine, in its menu Devices, USB",
	"qemu-system-x86": "release the phone from the virtual machine",
}

func busyHints(v *usbproto.NoPhoneError) []string {
	var hints []string
	for _, h := range v.Holders {
		how, known := freeing[h.Program]
		if !known {
			how = fmt.Sprintf("stop %s, if you can do without it: kill %d", printable(h.Program), h.PID)
		}
		hints = append(hints, how)
	}
	if len(hints) == 0 {
		return []string{"find out which: sudo fuser -v " + firstOf(v).Node(), "close file managers, phone programs and virtual machines, then try again"}
	}
	return hints[:min(len(hints), 3)]
}

// paragraph breaks text into lines of at most 78 characters that start with two blanks.
func paragraph(text string) string { return wrap("  "+text, 78, "  ") + "\n" }

func firstOf(v *usbproto.NoPhoneError) usbproto.Device {
	if len(v.Devices) == 0 {
		return usbproto.Device{}
	}
	return v.Devices[0]
}

// noBusHints say what to do on a machine without USB, one step each.
var noBusHints = []string{
	"run xflash on the computer that the phone is plugged into, outside containers and virtual machines",
	"give this machine the bus: a container needs /dev/bus/usb, a virtual machine needs a USB controller with the phone passed through",
	"to try xflash without a phone, use a simulated one: --device sim:z3c",
}

// stateOf is what a look at the bus says to a program that wants a phone in a mode: nil
// when there is one to work with, else the error that opening it would give.
func stateOf(c usbproto.BusReport, sel usbproto.Selector, want ...usbproto.Mode) error {
	if !c.Bus {
		return &usbproto.NoBusError{}
	}
	var phones []usbproto.Device
	for _, p := range c.Phones {
		phones = append(phones, p.Device)
	}
	d, err := usbproto.Choose(phones, sel, want...)
	if err != nil {
		return err
	}
	for _, p := range c.Phones {
		none := &usbproto.NoPhoneError{Devices: []usbproto.Device{d}, Want: want[0], Selector: sel, Root: os.Getuid() == 0, Err: p.Access, Holders: p.Holders}
		switch {
		case p.Path() != d.Path():
			continue
		case errors.Is(p.Access, fs.ErrPermission):
			none.Kind = usbproto.NoAccess
			return none
		case p.Access != nil:
			return &usbproto.TransferError{Op: "open", Device: d.Path(), Err: p.Access}
		case len(p.Holders) > 0:
			none.Kind = usbproto.Busy
			return none
		}
	}
	return nil
}
