package explain

import (
	"strings"
	"testing"

	"xflash/usbproto"
)

// Every mode has its own words: a sentence, and keys for both boot modes.
func TestModeTexts(t *testing.T) {
	seen := map[string]usbproto.Mode{}
	for m := usbproto.ModeUnknown; m <= usbproto.ModeOther; m++ {
		text := OfMode(m).Describe
		if other, double := seen[text]; double || text == "" {
			t.Errorf("modes %d and %d share the text %q", m, other, text)
		}
		seen[text] = m
		if !strings.HasSuffix(text, ".") {
			t.Errorf("not a sentence: %q", text)
		}
		keys := KeysTo(m, usbproto.ModeFlash)
		if !strings.Contains(keys, "Volume Down") || !strings.Contains(keys, "green") {
			t.Errorf("%s: keys into flash mode: %q", m, keys)
		}
		if keys := KeysTo(m, usbproto.ModeFastboot); !strings.Contains(keys, "Volume Up while") || !strings.Contains(keys, "blue") {
			t.Errorf("%s: keys into fastboot: %q", m, keys)
		}
		if keys := KeysTo(m, usbproto.ModeMTP); keys != "" {
			t.Errorf("%s: no key leads to MTP, but: %q", m, keys)
		}
		if byMenu := strings.Contains(keys, "menu"); byMenu != m.Android() {
			t.Errorf("%s: a menu to switch off: %t", m, byMenu)
		}
	}
	if OfMode(-1) != OfMode(usbproto.ModeUnknown) || OfMode(usbproto.ModeOther+1) != OfMode(usbproto.ModeUnknown) {
		t.Error("a number outside the modes must read as an unknown mode")
	}
}

// A phone that is in flash mode is not told to press the keys for it; one in a mode below is
// told to try them once, and then that it is beyond xflash.
func TestStepsDoNotGoRoundInCircles(t *testing.T) {
	for _, step := range StepsTo(usbproto.ModeFlash2017, usbproto.ModeFlash) {
		if strings.Contains(step, "hold Volume Down") {
			t.Errorf("the phone is in flash mode already: %q", step)
		}
	}
	for _, m := range []usbproto.Mode{usbproto.ModeEDL, usbproto.ModeDump, usbproto.ModeEmergency} {
		steps := StepsTo(m, usbproto.ModeFlash)
		if len(steps) < 2 || !strings.HasPrefix(steps[0], "once: ") || !strings.Contains(steps[1], "beyond xflash") {
			t.Errorf("%s: %q", m, steps)
		}
	}
	for _, want := range []usbproto.Mode{usbproto.ModeFlash, usbproto.ModeFastboot} {
		if steps := NoPhoneSteps(want); !strings.HasPrefix(steps[0], "charge the phone") {
			t.Errorf("without a phone: %q", steps)
		}
	}
}
