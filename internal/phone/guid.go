package phone

import (
	"io/fs"
	"slices"

	"xflash/sin/gpt"
)

// provenGUID is a unique GUID that loaders hold in their own code. An entry without
// families is the same wherever it occurs. Labels of hyp, pmic, sbl2 and sbl3 are those of
// their public types, so they are an inference (PHONES.md §3.2).
type provenGUID struct {
	Label     string   `json:"label"`
	Families  []string `json:"families"`
	GUID      gpt.GUID `json:"guid"`
	Alternate gpt.GUID `json:"alternate"` // of the second copy, which an update of the boot chain writes first
}

func (k *knowledge) loadGUIDs(files fs.FS) error {
	var data struct {
		Partitions []provenGUID `json:"partitions"`
	}
	if err := decode(files, "guids.json", &data); err != nil {
		return err
	}
	k.guids = data.Partitions
	return nil
}

// prove gives a family the GUIDs that loaders prove for it.
func (k *knowledge) prove(f *Family) {
	for _, p := range k.guids {
		if len(p.Families) == 0 || slices.Contains(p.Families, f.Name) {
			f.proven = append(f.proven, p)
		}
	}
	for i, p := range f.Partitions {
		if p.GUID.IsZero() {
			f.Partitions[i].GUID = f.GUIDOf(p.Label)
		}
	}
}

// Alternate is how the labels of the second copies of the boot chain start, where the
// labels are known; elsewhere it is only our name for them.
const Alternate = "alt_"

// LabelOf names the partition with a unique GUID, by what loaders prove and then by the
// family's own data; "" when neither knows it. Whatever a partition layout calls such a
// partition, a loader uses the GUID.
func (f *Family) LabelOf(g gpt.GUID) string {
	if g.IsZero() {
		return ""
	}
	for _, p := range f.proven {
		switch {
		case p.GUID == g:
			return p.Label
		case p.Alternate == g:
			return Alternate + p.Label
		}
	}
	for _, p := range f.Partitions {
		if p.GUID == g {
			return p.Label
		}
	}
	return ""
}

// GUIDOf is the proven unique GUID of a partition, zero when none is.
func (f *Family) GUIDOf(label string) gpt.GUID {
	for _, p := range f.proven {
		switch {
		case p.Label == label:
			return p.GUID
		case Alternate+p.Label == label:
			return p.Alternate
		}
	}
	return gpt.GUID{}
}
