package usbproto

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Bus is where phones are plugged in.
type Bus interface {
	// List gives the phones on the bus in the order of their ports, without opening any.
	List(ctx context.Context) ([]Device, error)
	// Open gives the byte pipe to a phone that List gave. A phone that may not be opened
	// or is in use gives a *NoPhoneError of kind NoAccess or Busy.
	Open(ctx context.Context, d Device) (Conn, error)
	Close() error
}

// Device is a phone on the bus.
type Device struct {
	VID, PID uint16
	Mode     Mode
	Bus      int    // number of the bus
	Address  int    // changes each time the phone is plugged in
	Port     string // bus and ports on the way, "1-2.3"; stays while the cable does
	Serial   string // empty in flash mode (usbproto/s1/PROTOCOL.md §1.3)
	Product  string // what the phone calls itself, "S1 Service" in flash mode
	Speed    string // "480 Mbit/s"
}

// Path names the phone by its place, as ParseSelector takes it: "usb:1-2.3".
func (d Device) Path() string { return "usb:" + d.Port }

// Node is the device file of the phone, /dev/bus/usb/001/005.
func (d Device) Node() string { return fmt.Sprintf("/dev/bus/usb/%03d/%03d", d.Bus, d.Address) }

// Selector chooses among phones. The zero value takes any.
type Selector struct {
	Serial string
	Port   string // "1-2.3"
}

// ParseSelector reads what a person wrote: nothing for any phone, "usb:1-2.3" for the
// phone at that port, else a serial number.
func ParseSelector(s string) (Selector, error) {
	port, ok := strings.CutPrefix(s, "usb:")
	if !ok {
		if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return Selector{}, fmt.Errorf("%q is not a serial number: it contains spaces", s)
		}
		return Selector{Serial: s}, nil
	}
	bus, ports, ok := strings.Cut(port, "-")
	for _, n := range append(strings.Split(ports, "."), bus) {
		if n == "" || strings.Trim(n, "0123456789") != "" {
			ok = false
		}
	}
	if !ok {
		return Selector{}, fmt.Errorf("%q is not a USB port: write it like usb:1-2 or usb:1-2.3", s)
	}
	return Selector{Port: port}, nil
}

// Matches reports whether the selector means a phone.
func (s Selector) Matches(d Device) bool {
	return (s.Serial == "" || s.Serial == d.Serial) && (s.Port == "" || s.Port == d.Port)
}

// Find chooses the phone to work with: the only one that fits the selector and is in one of
// the modes that are wanted. Phones in other modes do not count, they cannot be mistaken for
// it. When there is not exactly one, the error is a *NoPhoneError, with the first of the modes.
func Find(ctx context.Context, bus Bus, sel Selector, want ...Mode) (Device, error) {
	all, err := bus.List(ctx)
	if err != nil {
		return Device{}, err
	}
	return Choose(all, sel, want...)
}

// Choose is Find among phones that are listed already.
func Choose(all []Device, sel Selector, want ...Mode) (Device, error) {
	var chosen, ready []Device
	for _, d := range all {
		if !sel.Matches(d) {
			continue
		}
		chosen = append(chosen, d)
		if slices.Contains(want, d.Mode) {
			ready = append(ready, d)
		}
	}
	none := &NoPhoneError{Want: want[0], Selector: sel}
	switch {
	case len(ready) == 1:
		return ready[0], nil
	case len(ready) > 1:
		none.Kind, none.Devices = Ambiguous, ready
	case len(chosen) > 0:
		none.Kind, none.Devices = OtherMode, chosen
	default:
		none.Kind, none.Devices = NothingThere, all
	}
	return Device{}, none
}
