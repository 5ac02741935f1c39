package usbproto

import "fmt"

// NoPhoneKind tells the causes of a NoPhoneError apart.
type NoPhoneKind int

// The causes.
const (
	NothingThere NoPhoneKind = iota // no phone, or none that the selector means
	OtherMode                       // the phone is in another mode
	NoAccess                        // the user may not open it
	Busy                            // another program has it
	Ambiguous                       // more than one fits
)

// NoPhoneError says why there is no phone to work with.
type NoPhoneError struct {
	Kind     NoPhoneKind
	Devices  []Device // the phones it is about; for NothingThere those that were not meant
	Want     Mode
	Selector Selector
	Holders  []Holder // for Busy: who has the phone, as far as can be seen
	Root     bool     // for NoAccess: this is root, so a udev rule changes nothing
	Err      error    // for NoAccess and Busy: what the system said
}

// Unwrap returns what the system said.
func (e *NoPhoneError) Unwrap() error { return e.Err }

// Error is one line, lower case.
func (e *NoPhoneError) Error() string {
	switch e.Kind {
	case NothingThere:
		switch {
		case e.Selector.Port != "":
			return "no phone is plugged in at usb:" + e.Selector.Port
		case e.Selector.Serial != "":
			return "no connected phone has the serial number " + e.Selector.Serial
		}
		return "no phone is plugged in"
	case OtherMode:
		if len(e.Devices) == 1 {
			return fmt.Sprintf("the phone is in %s, not in %s", e.Devices[0].Mode, e.Want)
		}
		return fmt.Sprintf("%d phones are plugged in, but none is in %s", len(e.Devices), e.Want)
	case NoAccess:
		return "no permission to use the phone at " + e.first().Path()
	case Busy:
		if len(e.Holders) > 0 {
			return fmt.Sprintf("the phone at %s is used by another program: %s (process %d)", e.first().Path(), e.Holders[0].Program, e.Holders[0].PID)
		}
		return fmt.Sprintf("the phone at %s is used by another program", e.first().Path())
	default:
		return fmt.Sprintf("%d phones are in %s; choose one with --device", len(e.Devices), e.Want)
	}
}

// first is the phone it is about; the errors of Open are about one.
func (e *NoPhoneError) first() Device {
	if len(e.Devices) == 0 {
		return Device{}
	}
	return e.Devices[0]
}
