package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"xflash/usbproto"
)

// plugged is a phone on a bus, as Scan lists it.
func plugged(vid, pid uint16, port, serial string) usbproto.Device {
	return usbproto.Device{VID: vid, PID: pid, Mode: usbproto.ModeOf(vid, pid), Bus: 1, Address: 7, Port: port, Serial: serial}
}

var (
	flashing  = plugged(usbproto.VendorSony, 0xadde, "1-2", "") // no serial number in flash mode
	flashing2 = plugged(usbproto.VendorSony, 0xadde, "3-1.4", "")
	inLoader  = plugged(usbproto.VendorSony, 0x0dde, "1-2", "CB5A1YPAZF")
	android   = plugged(usbproto.VendorSony, 0x51bb, "2-1", "CB5A3333ZF")
	newer     = plugged(usbproto.VendorSony, 0xb00b, "1-2", "")
)

var noPhones = []struct {
	name string
	v    usbproto.NoPhoneError
}{
	{"nothing on the bus", usbproto.NoPhoneError{Kind: usbproto.NothingThere, Want: usbproto.ModeFlash}},
	{"nothing on the bus, fastboot wanted", usbproto.NoPhoneError{Kind: usbproto.NothingThere, Want: usbproto.ModeFastboot}},
	{"nobody at the port", usbproto.NoPhoneError{Kind: usbproto.NothingThere, Want: usbproto.ModeFlash, Devices: []usbproto.Device{inLoader}, Selector: usbproto.Selector{Port: "1-4"}}},
	{"nobody of that serial number", usbproto.NoPhoneError{Kind: usbproto.NothingThere, Want: usbproto.ModeFlash, Devices: []usbproto.Device{flashing}, Selector: usbproto.Selector{Serial: "CB5A9999ZF"}}},
	{"fastboot instead of flash mode", usbproto.NoPhoneError{Kind: usbproto.OtherMode, Want: usbproto.ModeFlash, Devices: []usbproto.Device{inLoader}}},
	{"flash mode instead of fastboot", usbproto.NoPhoneError{Kind: usbproto.OtherMode, Want: usbproto.ModeFastboot, Devices: []usbproto.Device{flashing}}},
	{"Android", usbproto.NoPhoneError{Kind: usbproto.OtherMode, Want: usbproto.ModeFlash, Devices: []usbproto.Device{android}}},
	{"a model of 2017", usbproto.NoPhoneError{Kind: usbproto.OtherMode, Want: usbproto.ModeFlash, Devices: []usbproto.Device{newer}}},
	{"Qualcomm's emergency mode", usbproto.NoPhoneError{Kind: usbproto.OtherMode, Want: usbproto.ModeFlash, Devices: []usbproto.Device{plugged(usbproto.VendorQualcomm, 0x9008, "1-2", "")}}},
	{"Sony's emergency mode", usbproto.NoPhoneError{Kind: usbproto.OtherMode, Want: usbproto.ModeFlash, Devices: []usbproto.Device{plugged(usbproto.VendorSony, 0xade5, "1-2", "")}}},
	{"a recovery with Google's id", usbproto.NoPhoneError{Kind: usbproto.OtherMode, Want: usbproto.ModeFlash, Devices: []usbproto.Device{plugged(usbproto.VendorGoogle, 0xd001, "1-2", "")}}},
	{"two phones in other modes", usbproto.NoPhoneError{Kind: usbproto.OtherMode, Want: usbproto.ModeFlash, Devices: []usbproto.Device{inLoader, android}}},
	{"no access", usbproto.NoPhoneError{Kind: usbproto.NoAccess, Want: usbproto.ModeFlash, Devices: []usbproto.Device{flashing}}},
	{"no access for root", usbproto.NoPhoneError{Kind: usbproto.NoAccess, Want: usbproto.ModeFlash, Devices: []usbproto.Device{flashing}, Root: true}},
	{"busy with adb", usbproto.NoPhoneError{Kind: usbproto.Busy, Want: usbproto.ModeFastboot, Devices: []usbproto.Device{inLoader}, Holders: []usbproto.Holder{{PID: 4711, Program: "adb"}}}},
	{"busy with two programs", usbproto.NoPhoneError{Kind: usbproto.Busy, Want: usbproto.ModeFlash, Devices: []usbproto.Device{flashing}, Holders: []usbproto.Holder{{PID: 12, Program: "xflash"}, {PID: 4711, Program: "phonetool"}}}},
	{"busy with somebody", usbproto.NoPhoneError{Kind: usbproto.Busy, Want: usbproto.ModeFlash, Devices: []usbproto.Device{flashing}}},
	{"two phones", usbproto.NoPhoneError{Kind: usbproto.Ambiguous, Want: usbproto.ModeFlash, Devices: []usbproto.Device{flashing, flashing2}}},
}

// said is a verdict as a command shows it.
func said(v *usbproto.NoPhoneError) string {
	s := "xflash: " + v.Error() + "\n"
	if text := noPhoneText(v); text != "" {
		s += text + "\n"
	}
	for _, h := range noPhoneHints(v) {
		s += "hint: " + h + "\n"
	}
	return s
}

// The texts are in testdata/nophone.txt, so that they can be read as people see them.
func TestNoPhoneTexts(t *testing.T) {
	golden, err := os.ReadFile("testdata/nophone.txt")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range noPhones {
		fmt.Fprintf(&b, "== %s\n%s\n", c.name, said(&c.v))
	}
	got, want := strings.Split(b.String(), "\n"), strings.Split(string(golden), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("testdata/nophone.txt differs from line %d on; all texts now:\n%s", i+1, b.String())
		}
	}
}

// Rules for all texts: the first line is lower case without a full stop, lines fit a
// terminal, there are one to three next steps, and no serial number is given away.
func TestNoPhoneRules(t *testing.T) {
	texts := map[string]string{}
	for _, c := range noPhones {
		v := &c.v
		if first := v.Error(); strings.ToLower(first[:1]) != first[:1] || strings.HasSuffix(first, ".") || strings.Contains(first, "\n") {
			t.Errorf("%s: %q", c.name, first)
		}
		if n := len(noPhoneHints(v)); n < 1 || n > 3 {
			t.Errorf("%s: %d next steps", c.name, n)
		}
		for _, line := range strings.Split(noPhoneText(v), "\n") {
			if (len(line) > 78 || !strings.HasPrefix(line, "  ")) && line != "" && !strings.Contains(udevRule, line) {
				t.Errorf("%s: %q", c.name, line)
			}
		}
		all := said(v)
		if strings.Contains(all, "YPAZF") || strings.Contains(all, "3333ZF") {
			t.Errorf("%s: shows a serial number", c.name)
		}
		if other, double := texts[all]; double {
			t.Errorf("%s and %s have the same text", c.name, other)
		}
		texts[all] = c.name
	}
	cause := errors.New("bad access")
	if !errors.Is(&usbproto.NoPhoneError{Kind: usbproto.NoAccess, Err: cause}, cause) {
		t.Error("the cause is lost")
	}
	for k := usbproto.NothingThere; k <= usbproto.Ambiguous; k++ { // a value that nobody filled in must not panic
		if said(&usbproto.NoPhoneError{Kind: k}) == "" {
			t.Error("no text")
		}
	}
}
