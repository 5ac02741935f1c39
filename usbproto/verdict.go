package usbproto

import (
	"fmt"
	"strings"
)

// VerdictKind is why there is no phone to work with.
type VerdictKind int

// The kinds. Each has its own text and its own next step.
const (
	NothingThere VerdictKind = iota // no phone, or none that the selector means
	OtherMode                       // the phone is in another mode
	NoAccess                        // the user may not open it
	Busy                            // another program has it
	Ambiguous                       // more than one fits
)

// Verdict says why there is no phone to work with, for programs by its fields and for
// people by its texts.
type Verdict struct {
	Kind     VerdictKind
	Devices  []Device // the phones it is about; for NothingThere those that the selector left out
	Want     Mode
	Selector Selector
	Holders  []Holder // for Busy: who has the phone, as far as can be seen
	Err      error    // for NoAccess and Busy: what the system said
}

// Error is one line, lower case.
func (v *Verdict) Error() string {
	switch v.Kind {
	case NothingThere:
		switch {
		case v.Selector.Port != "":
			return "no phone is plugged in at usb:" + v.Selector.Port
		case v.Selector.Serial != "":
			return "no phone has the serial number " + v.Selector.Serial
		}
		return "no phone is plugged in"
	case OtherMode:
		if len(v.Devices) == 1 {
			return fmt.Sprintf("the phone is in %s, not in %s", v.Devices[0].Mode, v.Want)
		}
		return fmt.Sprintf("%d phones are plugged in, but none is in %s", len(v.Devices), v.Want)
	case NoAccess:
		return "no permission to use the phone at " + v.first().Path()
	case Busy:
		s := "another program uses the phone at " + v.first().Path()
		if len(v.Holders) > 0 {
			s += ": " + v.Holders[0].Program
		}
		return s
	default:
		return fmt.Sprintf("%d phones are plugged in, and it is not clear which one is meant", len(v.Devices))
	}
}

// Unwrap gives what the system said.
func (v *Verdict) Unwrap() error { return v.Err }

func (v *Verdict) first() Device {
	if len(v.Devices) == 0 {
		return Device{}
	}
	return v.Devices[0]
}

// Text tells more: the phones it is about and what the verdict means. Lines are at most
// 78 characters long and begin with two blanks, but for the udev rule.
func (v *Verdict) Text() string {
	var b strings.Builder
	for _, d := range v.Devices {
		b.WriteString(paragraph(d.title()))
	}
	switch v.Kind {
	case NothingThere:
		b.WriteString(v.nothingText())
	case OtherMode:
		b.WriteString(v.otherText())
	case NoAccess:
		b.WriteString(v.accessText())
	case Busy:
		b.WriteString(v.busyText())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (v *Verdict) nothingText() string {
	if len(v.Devices) > 0 {
		return paragraph("This is what is plugged in instead.")
	}
	return paragraph("Nothing on the USB bus is a phone in any mode that xflash knows. A phone that is off, or only charges, does not show up.")
}

func (v *Verdict) otherText() string {
	var b strings.Builder
	told := map[Mode]bool{}
	for _, d := range v.Devices {
		if !told[d.Mode] {
			told[d.Mode] = true
			b.WriteString(paragraph(d.Mode.Describe()))
		}
	}
	for _, d := range v.Devices {
		if d.VID == vendorGoogle {
			b.WriteString(paragraph("Ids that begin with 18d1 are used by custom ROMs on Sony phones and by other makers."))
			break
		}
	}
	return b.String()
}

func (v *Verdict) accessText() string {
	return paragraph("The phone is there and in the right mode, but this user may not open "+v.first().node()+".") +
		paragraph("This rule, in /etc/udev/rules.d/"+UdevFile+", lets whoever sits at the computer use it:") +
		"\n" + UdevRule()
}

func (v *Verdict) busyText() string {
	var b strings.Builder
	for _, h := range v.Holders {
		b.WriteString(paragraph(fmt.Sprintf("It is open in %s, process %d.", h.Program, h.PID)))
	}
	if len(v.Holders) == 0 {
		b.WriteString(paragraph("It could not be seen which program that is; programs of other users are visible to root only."))
	}
	return b.String()
}

// Hints are one to three next steps, the likeliest first.
func (v *Verdict) Hints() []string {
	switch v.Kind {
	case NothingThere:
		return v.nothingHints()
	case OtherMode:
		return v.otherHints()
	case NoAccess:
		return []string{
			"save the rule, then run: sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=usb",
			"or, over ssh and without a desktop, run xflash with sudo",
		}
	case Busy:
		return v.busyHints()
	default:
		return []string{"name one: --device " + v.first().Path(), "or unplug all the others"}
	}
}

func (v *Verdict) nothingHints() []string {
	if len(v.Devices) > 0 {
		hints := []string{"name one of these: --device " + v.first().Path()}
		if v.Selector.Serial != "" {
			hints = append(hints, "in flash mode a phone does not tell its serial number: choose it by its port")
		}
		return hints
	}
	return []string{
		ModeUnknown.KeysTo(v.Want),
		"try another cable, and a port of the computer itself instead of a hub, best a USB 2 port",
		"when its light only blinks red, charge it at a wall charger for two hours without unplugging, and try again",
	}
}

func (v *Verdict) otherHints() []string {
	var hints []string
	for _, d := range v.Devices {
		hint := d.Mode.KeysTo(v.Want)
		if len(v.Devices) > 1 {
			hint = d.Path() + ": " + hint
		}
		hints = append(hints, hint)
	}
	return hints[:min(len(hints), 3)]
}

// freeing says how the programs that are known to take phones let go of them
// (ecosystem.md §2.2 row 13).
var freeing = map[string]string{
	"adb":          "adb kill-server",
	"gvfsd-mtp":    "gio mount -u of the phone, or eject it in the file manager",
	"fwupd":        "sudo systemctl stop fwupd",
	"ModemManager": "sudo systemctl stop ModemManager",
}

func (v *Verdict) busyHints() []string {
	var hints []string
	for _, h := range v.Holders {
		how, known := freeing[h.Program]
		if !known {
			how = fmt.Sprintf("kill %d", h.PID)
		}
		hints = append(hints, "make it let go: "+how)
	}
	if len(hints) == 0 {
		hints = []string{"see who it is: sudo fuser -v " + v.first().node(), "close file managers, phone tools and virtual machines, then try again"}
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

