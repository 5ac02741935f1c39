package main

import (
	"fmt"
	"os"
	"strings"

	"xflash/usbproto"
)

// noPhoneText tells more: the phones that the error is about, and what it means. Its lines begin
// with two blanks and are at most 78 characters long, but for the udev rule, which has to
// be copied as it is.
func noPhoneText(v *usbproto.NoPhoneError) string {
	var b strings.Builder
	for _, d := range v.Devices {
		b.WriteString(paragraph(titleOf(d)))
	}
	switch v.Kind {
	case usbproto.NothingThere:
		if len(v.Devices) == 0 {
			b.WriteString(paragraph("Nothing on the USB bus is a phone in a mode that xflash knows. A phone that is switched off, or only charges, cannot be seen."))
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
			b.WriteString(paragraph(textOf(d.Mode).describe))
		}
		google = google || d.VID == usbproto.VendorGoogle
	}
	if google {
		b.WriteString(paragraph("Ids that begin with 18d1 are used by custom ROMs on Sony phones and by phones of other makers."))
	}
	return b.String()
}

func accessText(v *usbproto.NoPhoneError) string {
	if v.Root {
		return paragraph("The phone is there, but even root may not open " + firstOf(v).Node() + ". This is a container that was not given the device.")
	}
	return paragraph("The phone is there and in the right mode, but this user may not open "+firstOf(v).Node()+". This udev rule lets whoever sits at the computer use it:") +
		udevRule
}

func busyText(v *usbproto.NoPhoneError) string {
	if len(v.Holders) == 0 {
		return paragraph("Which program that is could not be seen: those of other users are visible only to root.")
	}
	var b strings.Builder
	for _, h := range v.Holders {
		b.WriteString(paragraph(fmt.Sprintf("%s is open in %s, process %d.", firstOf(v).Node(), h.Program, h.PID)))
	}
	return b.String()
}

// noPhoneHints are one to three next steps, the likeliest first.
func noPhoneHints(v *usbproto.NoPhoneError) []string {
	switch {
	case v.Kind == usbproto.NothingThere && len(v.Devices) > 0:
		hints := []string{"name the one that is there: --device " + firstOf(v).Path()}
		if v.Selector.Serial != "" {
			hints = append(hints, "in flash mode a phone does not tell its serial number: name it by its port")
		}
		return hints
	case v.Kind == usbproto.NothingThere:
		return []string{
			keysTo(usbproto.ModeUnknown, v.Want),
			"try another cable, and a port of the computer itself instead of a hub, best a USB 2 port",
			"if its light only blinks red, leave it at a wall charger for two hours and try again",
		}
	case v.Kind == usbproto.OtherMode:
		return otherHints(v)
	case v.Kind == usbproto.NoAccess && v.Root:
		return []string{"run xflash outside of the container, or start the container with the right to USB devices (character devices 189:*)"}
	case v.Kind == usbproto.NoAccess:
		return []string{
			"save the rule as /etc/udev/rules.d/" + udevFile + ", run \"sudo udevadm control --reload\", and plug the phone in again",
			"on Debian and Ubuntu, the package android-sdk-platform-tools-common has such a rule too",
			"over ssh, where nobody sits at the computer, run xflash with sudo",
		}
	case v.Kind == usbproto.Busy:
		return busyHints(v)
	}
	return []string{"name one of them, for example with --device " + firstOf(v).Path(), "or unplug all but one"}
}

func otherHints(v *usbproto.NoPhoneError) []string {
	var hints []string
	for _, d := range v.Devices {
		hint := keysTo(d.Mode, v.Want)
		if d.Mode == usbproto.ModeFlash2017 && v.Want == usbproto.ModeFlash {
			hint = "use a program for Xperia phones from 2017 on, such as newflasher"
		}
		if len(v.Devices) > 1 {
			hint = d.Path() + ": " + hint
		}
		hints = append(hints, hint)
	}
	switch firstOf(v).Mode {
	case usbproto.ModeEmergency:
		hints = append(hints, "if it comes back in this mode, it is beyond xflash and needs a workshop with Sony's tools")
	case usbproto.ModeEDL, usbproto.ModeDump:
		hints = append(hints, "if it comes back in this mode, it is beyond xflash; see the programs qdl and edl")
	}
	return hints[:min(len(hints), 3)]
}

// freeing says how programs that are known to take phones let go of them, by the names
// that /proc gives them (ecosystem.md §2.2 row 13).
var freeing = map[string]string{
	"adb":             `stop it with "adb kill-server"`,
	"fastboot":        "let fastboot finish what it does",
	"xflash":          "let the other xflash finish what it does; stopping it may leave the phone half flashed",
	"gvfsd-mtp":       "eject the phone in the file manager",
	"gvfs-mtp-volume": "close the file manager",
	"fwupd":           `stop it with "sudo systemctl stop fwupd"`,
	"ModemManager":    `stop it with "sudo systemctl stop ModemManager"`,
	"VirtualBoxVM":    "take the phone away from the virtual machine, in its menu Devices, USB",
	"qemu-system-x86": "take the phone away from the virtual machine",
}

func busyHints(v *usbproto.NoPhoneError) []string {
	var hints []string
	for _, h := range v.Holders {
		how, known := freeing[h.Program]
		if !known {
			how = fmt.Sprintf("end %s, if it may be ended: kill %d", h.Program, h.PID)
		}
		hints = append(hints, how)
	}
	if len(hints) == 0 {
		return []string{"see which one: sudo fuser -v " + firstOf(v).Node(), "close file managers, phone programs and virtual machines, and try again"}
	}
	return hints[:min(len(hints), 3)]
}

// paragraph breaks text into lines of at most 78 characters that begin with two blanks.
func paragraph(text string) string {
	var b strings.Builder
	line := " "
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > 78 && line != " " {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}

func firstOf(v *usbproto.NoPhoneError) usbproto.Device {
	if len(v.Devices) == 0 {
		return usbproto.Device{}
	}
	return v.Devices[0]
}

// noBusHints say what to do on a machine without USB, one step each.
var noBusHints = []string{
	"run xflash on the computer that the phone is plugged into, outside of containers and virtual machines",
	"or give this machine the bus: a container needs /dev/bus/usb, a virtual machine a USB controller that the phone is passed to",
	"to look around without a phone, use a simulated one: --device sim:z3c",
}

// nextStep is the one thing to do about a bus, in a sentence; want is the mode that is
// wished for.
func nextStep(c usbproto.BusReport, want usbproto.Mode) string {
	if !c.Bus {
		return "run xflash on the computer that the phone is plugged into: this one has no USB bus, as many containers and virtual machines"
	}
	if len(c.Phones) == 0 {
		return "plug the phone in: " + keysTo(usbproto.ModeUnknown, want) + ". If nothing appears, try another cable (many only charge) and a port at the back of the computer, without a hub"
	}
	for _, p := range c.Phones {
		switch {
		case p.Mode != want:
			continue
		case p.Access != nil && os.IsPermission(p.Access):
			return `give yourself the right to use the phone: "xflash udev --install" as root, then plug it in again`
		case p.Access != nil:
			return "plug the phone in again: its file cannot be opened (" + p.Access.Error() + ")"
		case len(p.Holders) > 0:
			return "end " + p.Holders[0].Program + ", which has the phone open"
		}
		return "nothing: the phone at " + p.Path() + " can be used"
	}
	return "bring the phone into " + want.String() + ": " + keysTo(c.Phones[0].Mode, want)
}
