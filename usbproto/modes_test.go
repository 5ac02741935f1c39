package usbproto

import (
	"fmt"
	"testing"
)

// The ids of usbproto/s1/PROTOCOL.md §1.1, internal/phone/PHONES.md §8.1 and
// usbproto/libusb/NOTES.md §8.
func TestModeOf(t *testing.T) {
	for _, c := range []struct {
		id   string
		want Mode
	}{
		{"0fce:adde", ModeFlash},
		{"0fce:0dde", ModeFastboot},
		{"0fce:b00b", ModeFlash2017},
		{"0fce:01bb", ModeMTP}, // Z3 Compact
		{"0fce:01ba", ModeMTP}, // Z3
		{"0fce:41bb", ModeDisc},
		{"0fce:51bb", ModeADB},
		{"0fce:51c0", ModeADB}, // Z3 Tablet Compact
		{"0fce:61bb", ModeADB},
		{"0fce:71bb", ModeTether},
		{"0fce:81bb", ModeADB},
		{"0fce:a1bb", ModeStorage},
		{"0fce:b1bb", ModeADB},
		{"0fce:e1bb", ModeStorage},
		{"0fce:21bb", ModeADB},
		{"0fce:31bb", ModeADB},
		{"0fce:d1bb", ModeADB},
		{"0fce:11bb", ModeOther},
		{"0fce:91bb", ModeOther},
		{"0fce:9dde", ModeEmergency},
		{"0fce:ade3", ModeEmergency},
		{"0fce:ade5", ModeEmergency},
		{"0fce:aded", ModeEmergency},
		{"0fce:1dde", ModeOther}, {"0fce:5dde", ModeOther}, {"0fce:8dde", ModeOther}, {"0fce:bdde", ModeOther}, {"0fce:fdde", ModeOther},
		{"0fce:f165", ModeOther}, {"0fce:f0aa", ModeOther}, {"0fce:ffff", ModeOther},
		{"05c6:9008", ModeEDL},
		{"05c6:900e", ModeDump},
		{"05c6:9006", ModeDump},
		{"05c6:9091", ModeUnknown}, // a modem
		{"18d1:d00d", ModeGeneric},
		{"18d1:4ee7", ModeADB},
		{"18d1:d001", ModeADB},
		{"18d1:4ee1", ModeUnknown},
		{"1d6b:0002", ModeUnknown}, // a hub
		{"046d:adde", ModeUnknown}, // Sony's number, another vendor
	} {
		var vid, pid uint16
		if _, err := fmt.Sscanf(c.id, "%x:%x", &vid, &pid); err != nil {
			t.Fatal(err)
		}
		if got := ModeOf(vid, pid); got != c.want {
			t.Errorf("%s is %q, want %q", c.id, got, c.want)
		}
	}
}

// Every mode has its own name, which fits into "the phone is in …".
func TestModeNames(t *testing.T) {
	seen := map[string]Mode{}
	for m := ModeUnknown; m <= ModeOther; m++ {
		if other, double := seen[m.String()]; double || m.String() == "" {
			t.Errorf("modes %d and %d share the name %q", m, other, m)
		}
		seen[m.String()] = m
	}
	if Mode(-1).String() != ModeUnknown.String() || (ModeOther+1).String() != ModeUnknown.String() {
		t.Error("a number outside the modes must read as an unknown mode")
	}
}
