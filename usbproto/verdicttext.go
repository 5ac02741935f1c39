package usbproto

import (
	"fmt"
	"strings"
)

// Text tells more: the phones that a verdict is about, and what it means. Its lines begin
// with two blanks and are at most 78 characters long, but for the udev rule, which has to
// be copied as it is.
func (v *Verdict) Text() string {
	var b strings.Builder
	for _, d := range v.Devices {
		b.WriteString(paragraph(d.title()))
	}
	switch v.Kind {
	case NothingThere:
		if len(v.Devices) == 0 {
			b.WriteString(paragraph("Nothing on the USB bus is a phone in a mode that xflash knows. A phone that is switched off, or only charges, cannot be seen."))
		}
	case OtherMode:
		b.WriteString(describe(v.Devices))
	case NoAccess:
		b.WriteString(v.accessText())
	case Busy:
		b.WriteString(v.busyText())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// describe tells about each mode once.
func describe(devices []Device) string {
	var b strings.Builder
	told := map[Mode]bool{}
	google := false
	for _, d := range devices {
		if !told[d.Mode] {
			told[d.Mode] = true
			b.WriteString(paragraph(d.Mode.Describe()))
		}
		google = google || d.VID == vendorGoogle
	}
	if google {
		b.WriteString(paragraph("Ids that begin with 18d1 are used by custom ROMs on Sony phones and by phones of other makers."))
	}
	return b.String()
}

func (v *Verdict) accessText() string {
	if v.Root {
		return paragraph("The phone is there, but even root may not open " + v.first().node() + ". This is a container that was not given the device.")
	}
	return paragraph("The phone is there and in the right mode, but this user may not open "+v.first().node()+". This udev rule lets whoever sits at the computer use it:") +
		UdevRule()
}

func (v *Verdict) busyText() string {
	if len(v.Holders) == 0 {
		return paragraph("Which program that is could not be seen: those of other users are visible only to root.")
	}
	var b strings.Builder
	for _, h := range v.Holders {
		b.WriteString(paragraph(fmt.Sprintf("%s is open in %s, process %d.", v.first().node(), h.Program, h.PID)))
	}
	return b.String()
}

// Hints are one to three next steps, the likeliest first.
func (v *Verdict) Hints() []string {
	switch {
	case v.Kind == NothingThere && len(v.Devices) > 0:
		hints := []string{"name the one that is there: --device " + v.first().Path()}
		if v.Selector.Serial != "" {
			hints = append(hints, "in flash mode a phone does not tell its serial number: name it by its port")
		}
		return hints
	case v.Kind == NothingThere:
		return []string{
			ModeUnknown.KeysTo(v.Want),
			"try another cable, and a port of the computer itself instead of a hub, best a USB 2 port",
			"if its light only blinks red, leave it at a wall charger for two hours and try again",
		}
	case v.Kind == OtherMode:
		return v.otherHints()
	case v.Kind == NoAccess && v.Root:
		return []string{"run xflash outside of the container, or start the container with the right to USB devices (character devices 189:*)"}
	case v.Kind == NoAccess:
		return []string{
			"save the rule as /etc/udev/rules.d/" + UdevFile + ", run \"sudo udevadm control --reload\", and plug the phone in again",
			"on Debian and Ubuntu, the package android-sdk-platform-tools-common has such a rule too",
			"over ssh, where nobody sits at the computer, run xflash with sudo",
		}
	case v.Kind == Busy:
		return v.busyHints()
	}
	return []string{"name one of them, for example with --device " + v.first().Path(), "or unplug all but one"}
}

func (v *Verdict) otherHints() []string {
	var hints []string
	for _, d := range v.Devices {
		hint := d.Mode.KeysTo(v.Want)
		if d.Mode == ModeFlash2017 && v.Want == ModeFlash {
			hint = "use a program for Xperia phones from 2017 on, such as newflasher"
		}
		if len(v.Devices) > 1 {
			hint = d.Path() + ": " + hint
		}
		hints = append(hints, hint)
	}
	switch v.first().Mode {
	case ModeEmergency:
		hints = append(hints, "if it comes back in this mode, it is beyond xflash and needs a workshop with Sony's tools")
	case ModeEDL, ModeDump:
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

func (v *Verdict) busyHints() []string {
	var hints []string
	for _, h := range v.Holders {
		how, known := freeing[h.Program]
		if !known {
			how = fmt.Sprintf("end %s, if it may be ended: kill %d", h.Program, h.PID)
		}
		hints = append(hints, how)
	}
	if len(hints) == 0 {
		return []string{"see which one: sudo fuser -v " + v.first().node(), "close file managers, phone programs and virtual machines, and try again"}
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
