package phone

import (
	"testing"

	"xflash/sin/gpt"
)

func TestProvenGUIDs(t *testing.T) {
	for _, c := range []struct{ family, guid, label string }{
		{"shinano", "02841782-0268-44D8-8339-11E9E3E5045C", "TA"},
		{"viskan", "02841782-0268-44D8-8339-11E9E3E5045C", "TA"},
		{"shinano", "7EAF38FB-5939-9CB9-432A-A761CD06C9F7", "aboot"},
		{"rhine", "6E8C6805-27C9-4379-AC5F-A108E2F5B2C5", "alt_aboot"},
		{"kitakami", "FC2F7150-C671-47D7-BD26-20A421E41543", "hyp"},
		{"kitakami", "FAD12DFC-CBF1-4B7F-B948-F5F17F6D5618", ""}, // kanuti's hyp
		{"shinano", "E7E9DE43-64D4-FE09-8436-A3FEF5A78125", ""},  // fusion3's sbl2
		{"shinano", "DBE0B276-4DB9-4A0D-ACA7-00684DE9C467", "FOTAKernel"},
		{"shinano", "00000000-0000-0000-0000-000000000000", ""},
	} {
		g, err := gpt.ParseGUID(c.guid)
		if err != nil {
			t.Fatal(err)
		}
		f := familyNamed(t, c.family)
		if got := f.LabelOf(g); got != c.label {
			t.Errorf("%s %s: %q, want %q", c.family, c.guid, got, c.label)
		}
		if c.label != "" && c.label != "FOTAKernel" && f.GUIDOf(c.label) != g {
			t.Errorf("%s %s: %s", c.family, c.label, f.GUIDOf(c.label))
		}
	}
	seen := map[gpt.GUID]string{}
	for _, p := range loaded().guids {
		for _, g := range []gpt.GUID{p.GUID, p.Alternate} {
			if g.IsZero() {
				continue
			}
			if before := seen[g]; before != "" {
				t.Errorf("%s is the GUID of %s and of %s", g, before, p.Label)
			}
			seen[g] = p.Label
		}
	}
	// The family's own data may not say otherwise.
	for _, f := range Families() {
		for _, p := range f.Partitions {
			if proven := f.GUIDOf(p.Label); !proven.IsZero() && !p.GUID.IsZero() && p.GUID != proven {
				t.Errorf("%s %s: %s, loaders hold %s", f.Name, p.Label, p.GUID, proven)
			}
		}
	}
}
