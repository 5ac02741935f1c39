package restore

import (
	"bytes"
	"fmt"
	"slices"

	"xflash/ftf"
	"xflash/internal/phone"
)

// addedResets are .ta files that xflash makes up when the bundle lacks them. Without
// fota-reset a phone may loop after a restore (internal/phone/PHONES.md §9.1), and both are one
// harmless byte.
var addedResets = []string{"cust-reset", "fota-reset"}

// aimUnits refuses .ta files that would write what belongs to one phone.
func (j *judge) aimUnits(it *Item) (ps Problems) {
	refuse := func(what, why string) { ps.refuse(it.Member, what, why, j.skipHint(it)) }
	if meaning, known := phone.TAFileByName(it.Short); known && meaning.Never {
		if !j.fw.command() { // part of Sony's downloads of 2017 and later, where it stays behind
			refuse("it is a SIM-lock file", meaning.Reason)
		}
		return ps
	}
	if it.TAPartition != 2 && len(it.Units) > 0 {
		refuse(fmt.Sprintf("it would write trim-area partition %d", it.TAPartition), phone.CalibrationReason)
		return ps
	}
	for _, u := range it.Units {
		if rule := phone.UnitVerdict(u.Unit); rule.Verdict == phone.Never && rule.Known {
			refuse(fmt.Sprintf("line %d would write trim-area unit %d", u.Line, u.Unit), rule.Reason)
		}
	}
	return ps
}

// units returns the verdict on a .ta file that is wanted. Of a file outside the boot set the
// units of the allow list are sent; a file of the boot set holds nothing but boot
// configuration.
func (j *judge) units(it *Item) verdict {
	want := phone.Allow
	if it.Boot {
		if why := j.boot.leavesOut(it); why != "" {
			return verdict{leftOut: why}
		}
		want = phone.Delivery
	}
	c := &cleared{item: it}
	why := "it sets no unit"
	var ps Problems
	for _, u := range it.Units {
		rule := j.unitRule(it, u)
		other := j.sameUnit(it, u.Unit)
		switch {
		case rule.Verdict != want && it.Boot:
			ps.refuse(it.Member, fmt.Sprintf("as part of the boot set it would write trim-area unit %d", u.Unit), rule.Reason, j.skipHint(it))
		case rule.Verdict != want:
			why = fmt.Sprintf("unit %d: %s", u.Unit, rule.Reason)
		case other == nil:
			c.units = append(c.units, u.Unit)
		case bytes.Equal(unitData(other, u.Unit), u.Data):
			// Sent once, by the first of them.
			if slices.Index(j.fw.Items, it) < slices.Index(j.fw.Items, other) {
				c.units = append(c.units, u.Unit)
			} else {
				why = fmt.Sprintf("%s sets unit %d to the same value", other.Member, u.Unit)
			}
		default:
			ps.refuse(it.Member, fmt.Sprintf("it sets trim-area unit %d to another value than %s", u.Unit, other.Member),
				"it is unclear which of them is meant", j.leaveOut(it))
		}
	}
	switch {
	case len(ps) > 0:
		return verdict{refused: ps}
	case len(c.units) == 0:
		return verdict{leftOut: why}
	}
	return verdict{cleared: c}
}

// sameUnit finds another wanted .ta file that sets a unit.
func (j *judge) sameUnit(it *Item, unit uint32) *Item {
	for _, other := range j.fw.Items {
		if other == it || other.Kind != ftf.KindTA || other.Problem != nil || other.Boot != it.Boot || j.leftOut(other) != "" || unitData(other, unit) == nil {
			continue
		}
		if !it.Boot || j.boot.has(other) {
			return other
		}
	}
	return nil
}

func unitData(it *Item, unit uint32) []byte {
	for _, u := range it.Units {
		if u.Unit == unit {
			return append([]byte{}, u.Data...)
		}
	}
	return nil
}
