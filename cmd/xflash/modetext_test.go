package main

import (
	"testing"
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
