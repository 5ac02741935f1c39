package usbproto

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestParseSelector(t *testing.T) {
	for _, c := range []struct {
		text string
		want Selector
	}{
		{"", Selector{}},
		{"usb:1-2", Selector{Port: "1-2"}},
		{"usb:10-2.3.14", Selector{Port: "10-2.3.14"}},
		{"CB5A1YPAZF", Selector{Serial: "CB5A1YPAZF"}},
		{"1-2", Selector{Serial: "1-2"}}, // a serial number may look like this
	} {
		if got, err := ParseSelector(c.text); got != c.want || err != nil {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
	}
	for _, text := range []string{"usb:", "usb:1", "usb:-2", "usb:1-", "usb:1-2.", "usb:1-.2", "usb:a-2", "usb:1-2:1.0", "usb:1-2-3", "usb:1/2", "usb: 1-2", "two words", "tab\t", "\x00"} {
		if got, err := ParseSelector(text); err == nil {
			t.Errorf("%q was taken for %+v", text, got)
		}
	}
}

// fakeBus is a bus with these phones plugged in.
type fakeBus struct {
	phones []Device
	err    error
}

func (b fakeBus) List(context.Context) ([]Device, error) { return b.phones, b.err }
func (b fakeBus) Open(context.Context, Device) (Conn, error) {
	return nil, errors.New("not to be opened")
}
func (b fakeBus) Close() error { return nil }

// plugged makes a device as List would.
func plugged(vid, pid uint16, port, serial string) Device {
	return Device{VID: vid, PID: pid, Mode: ModeOf(vid, pid), Bus: 1, Address: 7, Port: port, Serial: serial}
}

var (
	flashing  = plugged(VendorSony, 0xadde, "1-2", "") // no serial number in flash mode
	flashing2 = plugged(VendorSony, 0xadde, "3-1.4", "")
	fastboot  = plugged(VendorSony, 0x0dde, "1-2", "CB5A1YPAZF")
	fastboot2 = plugged(VendorSony, 0x0dde, "1-3", "CB5A2222ZF")
	android   = plugged(VendorSony, 0x51bb, "2-1", "CB5A3333ZF")
	newer     = plugged(VendorSony, 0xb00b, "1-2", "")
)

func TestFind(t *testing.T) {
	type answer struct {
		device  Device
		kind    NoPhoneKind
		devices []Device
	}
	found := func(d Device) answer { return answer{device: d} }
	none := func(k NoPhoneKind, d ...Device) answer { return answer{kind: k, devices: d} }
	bySerial, byPort := func(s string) Selector { return Selector{Serial: s} }, func(s string) Selector { return Selector{Port: s} }
	for _, c := range []struct {
		name   string
		phones []Device
		sel    Selector
		want   Mode
		answer answer
	}{
		{"the only phone", []Device{flashing}, Selector{}, ModeFlash, found(flashing)},
		{"nothing", nil, Selector{}, ModeFlash, none(NothingThere)},
		{"another mode", []Device{fastboot}, Selector{}, ModeFlash, none(OtherMode, fastboot)},
		{"the other way round", []Device{flashing}, Selector{}, ModeFastboot, none(OtherMode, flashing)},
		{"2017 is not 2016", []Device{newer}, Selector{}, ModeFlash, none(OtherMode, newer)},
		{"two that fit", []Device{flashing, flashing2}, Selector{}, ModeFlash, none(Ambiguous, flashing, flashing2)},
		{"two, one chosen by its port", []Device{flashing, flashing2}, byPort("3-1.4"), ModeFlash, found(flashing2)},
		{"two, one chosen by its serial number", []Device{fastboot, fastboot2}, bySerial("CB5A2222ZF"), ModeFastboot, found(fastboot2)},
		{"a phone in Android cannot be meant", []Device{flashing, android}, Selector{}, ModeFlash, found(flashing)},
		{"two, both in another mode", []Device{fastboot, android}, Selector{}, ModeFlash, none(OtherMode, fastboot, android)},
		{"nobody at the port", []Device{flashing}, byPort("1-3"), ModeFlash, none(NothingThere, flashing)},
		{"a port is not a prefix", []Device{flashing}, byPort("1-2.1"), ModeFlash, none(NothingThere, flashing)},
		{"nobody of that name", []Device{flashing}, bySerial("CB5A1YPAZF"), ModeFlash, none(NothingThere, flashing)},
		{"chosen, but in another mode", []Device{flashing, android}, byPort("2-1"), ModeFlash, none(OtherMode, android)},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Find(t.Context(), fakeBus{phones: c.phones}, c.sel, c.want)
			if c.answer.device.VID != 0 {
				if err != nil || d.Path() != c.answer.device.Path() {
					t.Fatalf("got %+v, %v", d, err)
				}
				return
			}
			var v *NoPhoneError
			if !errors.As(err, &v) {
				t.Fatalf("got %v", err)
			}
			same := slices.EqualFunc(v.Devices, c.answer.devices, func(a, b Device) bool { return a.Path() == b.Path() })
			if v.Kind != c.answer.kind || !same || v.Want != c.want || v.Selector != c.sel {
				t.Errorf("got %+v", v)
			}
		})
	}
	broken := errors.New("no /sys")
	if _, err := Find(t.Context(), fakeBus{err: broken}, Selector{}, ModeFlash); !errors.Is(err, broken) {
		t.Errorf("the error of the bus became %v", err)
	}
}
