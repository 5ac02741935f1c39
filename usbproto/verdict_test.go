package usbproto

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

var verdicts = []struct {
	name string
	v    Verdict
}{
	{"nothing on the bus", Verdict{Kind: NothingThere, Want: ModeFlash}},
	{"nothing on the bus, fastboot wanted", Verdict{Kind: NothingThere, Want: ModeFastboot}},
	{"nobody at the port", Verdict{Kind: NothingThere, Want: ModeFlash, Devices: []Device{fastboot}, Selector: Selector{Port: "1-4"}}},
	{"nobody of that serial number", Verdict{Kind: NothingThere, Want: ModeFlash, Devices: []Device{flashing}, Selector: Selector{Serial: "CB5A9999ZF"}}},
	{"fastboot instead of flash mode", Verdict{Kind: OtherMode, Want: ModeFlash, Devices: []Device{fastboot}}},
	{"flash mode instead of fastboot", Verdict{Kind: OtherMode, Want: ModeFastboot, Devices: []Device{flashing}}},
	{"Android", Verdict{Kind: OtherMode, Want: ModeFlash, Devices: []Device{android}}},
	{"a model of 2017", Verdict{Kind: OtherMode, Want: ModeFlash, Devices: []Device{newer}}},
	{"Qualcomm's emergency mode", Verdict{Kind: OtherMode, Want: ModeFlash, Devices: []Device{plugged(vendorQualcomm, 0x9008, "1-2", "")}}},
	{"Sony's emergency mode", Verdict{Kind: OtherMode, Want: ModeFlash, Devices: []Device{plugged(vendorSony, 0xade5, "1-2", "")}}},
	{"a recovery with Google's id", Verdict{Kind: OtherMode, Want: ModeFlash, Devices: []Device{plugged(vendorGoogle, 0xd001, "1-2", "")}}},
	{"two phones in other modes", Verdict{Kind: OtherMode, Want: ModeFlash, Devices: []Device{fastboot, android}}},
	{"no access", Verdict{Kind: NoAccess, Want: ModeFlash, Devices: []Device{flashing}}},
	{"no access for root", Verdict{Kind: NoAccess, Want: ModeFlash, Devices: []Device{flashing}, Root: true}},
	{"busy with adb", Verdict{Kind: Busy, Want: ModeFastboot, Devices: []Device{fastboot}, Holders: []Holder{{4711, "adb"}}}},
	{"busy with two programs", Verdict{Kind: Busy, Want: ModeFlash, Devices: []Device{flashing}, Holders: []Holder{{12, "xflash"}, {4711, "phonetool"}}}},
	{"busy with somebody", Verdict{Kind: Busy, Want: ModeFlash, Devices: []Device{flashing}}},
	{"two phones", Verdict{Kind: Ambiguous, Want: ModeFlash, Devices: []Device{flashing, flashing2}}},
}

// said is a verdict as a command shows it.
func said(v *Verdict) string {
	s := "xflash: " + v.Error() + "\n"
	if text := v.Text(); text != "" {
		s += text + "\n"
	}
	for _, h := range v.Hints() {
		s += "hint: " + h + "\n"
	}
	return s
}

// The texts are in testdata/verdicts.txt, so that they can be read as people see them.
func TestVerdictTexts(t *testing.T) {
	golden, err := os.ReadFile("testdata/verdicts.txt")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range verdicts {
		fmt.Fprintf(&b, "== %s\n%s\n", c.name, said(&c.v))
	}
	got, want := strings.Split(b.String(), "\n"), strings.Split(string(golden), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("testdata/verdicts.txt differs from line %d on; all texts now:\n%s", i+1, b.String())
		}
	}
}

// Rules for all texts: the first line is lower case without a full stop, lines fit a
// terminal, there are one to three next steps, and no serial number is given away.
func TestVerdictRules(t *testing.T) {
	texts := map[string]string{}
	for _, c := range verdicts {
		v := &c.v
		if first := v.Error(); strings.ToLower(first[:1]) != first[:1] || strings.HasSuffix(first, ".") || strings.Contains(first, "\n") {
			t.Errorf("%s: %q", c.name, first)
		}
		if n := len(v.Hints()); n < 1 || n > 3 {
			t.Errorf("%s: %d next steps", c.name, n)
		}
		for _, line := range strings.Split(v.Text(), "\n") {
			if (len(line) > 78 || !strings.HasPrefix(line, "  ")) && line != "" && !strings.Contains(UdevRule(), line) {
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
	if !errors.Is(&Verdict{Kind: NoAccess, Err: cause}, cause) {
		t.Error("the cause is lost")
	}
	for k := NothingThere; k <= Ambiguous; k++ { // a value that nobody filled in must not panic
		if said(&Verdict{Kind: k}) == "" {
			t.Error("no text")
		}
	}
}
