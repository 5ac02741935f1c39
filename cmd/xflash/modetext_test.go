package main

import (
	"strings"
	"testing"

	"xflash/usbproto"
)

func TestModelsOf(t *testing.T) {
	for _, c := range []struct {
		vid, pid uint16
		want     string // the first model
	}{
		{0x0fce, 0x01bb, "D5803"},
		{0x0fce, 0xb1bb, "D5803"},
		{0x0fce, 0xadde, ""}, // the boot modes tell no model
		{0x0fce, 0x91bb, ""},
		{0x18d1, 0x01bb, ""},
	} {
		models := modelsOf(plugged(c.vid, c.pid, "1-2", ""))
		if c.want == "" && len(models) > 0 || c.want != "" && (len(models) == 0 || models[0] != c.want) {
			t.Errorf("%04x:%04x: %v, want %q", c.vid, c.pid, models, c.want)
		}
	}
}

// Every mode has words of its own: a sentence, and keys for both boot modes.
func TestModeTexts(t *testing.T) {
	seen := map[string]usbproto.Mode{}
	for m := usbproto.ModeUnknown; m <= usbproto.ModeOther; m++ {
		text := textOf(m).describe
		if other, double := seen[text]; double || text == "" {
			t.Errorf("modes %d and %d share the text %q", m, other, text)
		}
		seen[text] = m
		if !strings.HasSuffix(text, ".") {
			t.Errorf("not a sentence: %q", text)
		}
		keys := keysTo(m, usbproto.ModeFlash)
		if !strings.Contains(keys, "Volume Down") || !strings.Contains(keys, "green") {
			t.Errorf("%s: keys into flash mode: %q", m, keys)
		}
		if keys := keysTo(m, usbproto.ModeFastboot); !strings.Contains(keys, "Volume Up while") || !strings.Contains(keys, "blue") {
			t.Errorf("%s: keys into fastboot: %q", m, keys)
		}
		if keys := keysTo(m, usbproto.ModeMTP); keys != "" {
			t.Errorf("%s: no key leads to MTP, but: %q", m, keys)
		}
		if byMenu := strings.Contains(keys, "menu"); byMenu != m.Android() {
			t.Errorf("%s: a menu to switch off: %t", m, byMenu)
		}
	}
	if textOf(-1) != textOf(usbproto.ModeUnknown) || textOf(usbproto.ModeOther+1) != textOf(usbproto.ModeUnknown) {
		t.Error("a number outside the modes must read as an unknown mode")
	}
}
