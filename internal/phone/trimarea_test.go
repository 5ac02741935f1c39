package phone_test

import (
	"testing"

	"xflash/internal/phone"
	"xflash/internal/trimarea"
)

// Two tables speak about units: what they are, and whether they may be written.
// What the first calls never to be written, the second must not allow.
func TestVerdictsAgreeWithDanger(t *testing.T) {
	writable := 0
	for number := range uint32(0x10000) {
		v := phone.UnitVerdict(number)
		if v.Verdict == phone.Never {
			continue
		}
		writable++
		if m, ok := trimarea.Describe(trimarea.Misc, number); !ok || m.Danger == trimarea.DangerNever {
			t.Errorf("unit %d may be written (%s) but is %q, danger %s", number, v.Verdict, m.Text, m.Danger)
		}
	}
	if writable == 0 {
		t.Error("no unit may be written at all")
	}
}
