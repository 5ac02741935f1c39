package usbproto

import "fmt"

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
	Devices  []Device // the phones it is about; for NothingThere those that were not meant
	Want     Mode
	Selector Selector
	Holders  []Holder // for Busy: who has the phone, as far as can be seen
	Root     bool     // for NoAccess: this is root, so a udev rule changes nothing
	Err      error    // for NoAccess and Busy: what the system said
}

// Unwrap gives what the system said.
func (v *Verdict) Unwrap() error { return v.Err }

// Error is one line, lower case.
func (v *Verdict) Error() string {
	switch v.Kind {
	case NothingThere:
		switch {
		case v.Selector.Port != "":
			return "no phone is plugged in at usb:" + v.Selector.Port
		case v.Selector.Serial != "":
			return "no phone that is plugged in has the serial number " + v.Selector.Serial
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
		if len(v.Holders) > 0 {
			return fmt.Sprintf("the phone at %s is used by another program: %s (process %d)", v.first().Path(), v.Holders[0].Program, v.Holders[0].PID)
		}
		return fmt.Sprintf("the phone at %s is used by another program", v.first().Path())
	default:
		return fmt.Sprintf("%d phones are in %s, and it is not said which one is meant", len(v.Devices), v.Want)
	}
}

// first is the phone it is about; the verdicts of Open are about one.
func (v *Verdict) first() Device {
	if len(v.Devices) == 0 {
		return Device{}
	}
	return v.Devices[0]
}
