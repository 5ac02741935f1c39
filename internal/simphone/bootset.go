package simphone

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"xflash/internal/simphone/mkimage"
	"xflash/sin/gpt"
)

// A bootGroup is one row of a loader's table: an image of the boot chain, its
// partition and the alternate, and their types while one is in force and the
// other is not (usbproto/s1/PROTOCOL.md §13).
type bootGroup struct {
	primary, alternate gpt.GUID // unique ids
	inForce, spare     gpt.GUID // types
}

var spareType = mustGUID("7B33858C-7C83-41F5-8CB5-D00D3984338C")

func group(primary, alternate, inForce string) bootGroup {
	return bootGroup{mustGUID(primary), mustGUID(alternate), mustGUID(inForce), spareType}
}

// bootGroups are the rows of all loaders but for hyp (internal/phone/PHONES.md §3.2).
var bootGroups = map[string]bootGroup{
	"sbl1":   group("DC1ECC40-3FA1-D953-4088-F455A8AF9788", "BD3404CA-2D58-42F3-99A1-57974D792356", "DEA0BA2C-CBDD-4805-B4F9-F428251C3E98"),
	"s1sbl":  group("D28E12EA-2F3D-4C3C-8EB9-2E9CEE3F8FCC", "9C241432-3B47-4750-89A0-0570ECDFF209", "DB75C3C6-2BD3-46E6-BE33-EE5A20A072D7"),
	"aboot":  group("7EAF38FB-5939-9CB9-432A-A761CD06C9F7", "6E8C6805-27C9-4379-AC5F-A108E2F5B2C5", "400FFDCD-22E0-47E7-9A23-F16ED9382388"),
	"tz":     group("36BF6F26-09C2-0446-DD1D-0410FA887DDA", "52EA74FD-AEF5-404B-88A4-241E4B6171D9", "A053AA7F-40B8-4B1C-BA08-2F68AC71A4F4"),
	"rpm":    group("2E074246-C42F-F9AA-D4BE-C77831F4314B", "DDE410D3-CFFA-48E8-8185-0AE0828DF526", "098DF793-D712-413D-9D4E-89D711772228"),
	"dbi":    group("FE44EA4F-54C6-4A40-9DCF-ECE4F7523F42", "0C762340-DAAD-43C3-A63C-F6F8941A949D", "D4E0D938-B7FA-48C1-9D21-BC5ED5C4B203"),
	"s1sbl2": group("D28E12EA-2F3D-4C3C-8EB9-2E9CEE3F8FCC", "9C241432-3B47-4750-89A0-0570ECDFF209", "DB75C3C6-2BD3-46E6-BE33-EE5A20A072D7"), // fusion3's name
	"sbl2":   group("E7E9DE43-64D4-FE09-8436-A3FEF5A78125", "61194831-4FE1-494C-9CE5-0725E67ACD02", "8C6B52AD-8A9E-4398-AD09-AE916E53AE2D"),
	"sbl3":   group("1142362D-C96A-BB51-77F3-F418DED27355", "8070BBFE-CBD0-4A93-8B97-CC187304F61D", "05E044DF-92F1-4325-B69E-374A82E97D6E"),
	"pmic":   group("7C59BF35-4A72-4D30-8CFF-2693A93E93D6", "20B63BDB-8C00-4DE9-807C-F404D648F746", "C00EEF24-7709-43D6-9799-DD2B411E7A3C"),
}

var hypGroups = [...]bootGroup{
	hypKanuti: {
		mustGUID("FAD12DFC-CBF1-4B7F-B948-F5F17F6D5618"), mustGUID("C235EC3C-941E-41FD-BDBF-D2CF42A8FD33"),
		hypType, mustGUID("ADF81119-766D-4AE8-A6B9-4D6BE2B21873"),
	},
	hypKitakami: {
		mustGUID("FC2F7150-C671-47D7-BD26-20A421E41543"), mustGUID("DCEEA7C3-1B33-402C-9C54-EC959906D392"),
		hypType, spareType,
	},
}

var hypType = mustGUID("E1A6A689-0C8D-4CC6-B4E8-55A4320FBD8A")

// group is the row of an image in this loader's table; false when it is in no set.
func (m *loaderModel) group(label string) (bootGroup, bool) {
	for _, set := range m.sets {
		if slices.Contains(set, label) {
			return m.row(label), true
		}
	}
	return bootGroup{}, false
}

// row is the ids of a boot image, in a set or not.
func (m *loaderModel) row(label string) bootGroup {
	if label == "hyp" {
		return hypGroups[m.hypervisor]
	}
	return bootGroups[label]
}

// setOf finds the set and the label of a boot image by its partition's unique id.
func (m *loaderModel) setOf(id gpt.GUID) (set []string, label string) {
	for _, set := range m.sets {
		for _, label := range set {
			if m.row(label).primary == id {
				return set, label
			}
		}
	}
	return nil, ""
}

// alternate is the partition that an image for e is written to, when it belongs to a
// set and the disk has its alternate.
func (s *session) alternate(e gpt.Entry) gpt.Entry {
	if _, label := s.model.setOf(e.Unique); label != "" {
		if other, ok := s.phone.disk.table().ByUnique(s.model.row(label).alternate); ok {
			return other
		}
	}
	return e
}

// written counts a boot image that was stored well. With the last one of its set the
// whole set comes into force. The count is in the loader's memory only.
func (s *session) written(id gpt.GUID) status {
	set, label := s.model.setOf(id)
	if label == "" {
		return 0
	}
	if s.bootDone == nil {
		s.bootDone = map[string]bool{}
	}
	s.bootDone[label] = true
	for _, other := range set {
		if !s.bootDone[other] {
			return 0
		}
	}
	maps.DeleteFunc(s.bootDone, func(label string, _ bool) bool { return slices.Contains(set, label) })
	s.note(fmt.Sprintf("boot set %v comes into force", set))
	return s.putInForce(set)
}

// putInForce switches the types to the alternates, copies them to the primaries, and
// switches back. Whoever cuts the power at any time leaves one whole set in force.
func (s *session) putInForce(set []string) status {
	d := s.phone.disk
	if !d.setTypes(s.model, set, true) {
		return statusCardTimeout
	}
	for _, label := range set {
		row := s.model.row(label)
		from, ok := d.table().ByUnique(row.alternate)
		to, ok2 := d.table().ByUnique(row.primary)
		if !ok || !ok2 {
			continue // this disk has no alternate: the image is there already
		}
		source, target := &Partition{d, from}, &Partition{d, to}
		length := min(from.Size(), to.Size())
		if _, err := io.Copy(io.NewOffsetWriter(target, 0), io.NewSectionReader(source, 0, length)); err != nil {
			return statusCardTimeout
		}
	}
	if !d.setTypes(s.model, set, false) {
		return statusCardTimeout
	}
	return 0
}

// setTypes writes the partition table with the types that put a set's alternates or
// primaries into force.
func (d *disk) setTypes(m *loaderModel, set []string, alternates bool) bool {
	table := *d.table()
	table.Entries = slices.Clone(table.Entries)
	for _, label := range set {
		row := m.row(label)
		for i := range table.Entries {
			e := &table.Entries[i]
			switch {
			case e.Unique == row.primary && alternates, e.Unique == row.alternate && !alternates:
				e.Type = row.spare
			case e.Unique == row.primary, e.Unique == row.alternate:
				e.Type = row.inForce
			}
		}
	}
	if mkimage.WriteGPT(d.file, &table) != nil {
		return false
	}
	d.loadTable()
	return true
}

// InForce opens the partition that the phone starts this boot image from: the
// alternate while a new set is being copied, or else the one with that label.
func (p *Phone) InForce(label string) (*Partition, error) {
	if row, ok := p.kind.loader.group(label); ok && p.disk.table() != nil {
		if e, ok := p.disk.table().ByUnique(row.alternate); ok && e.Type == row.inForce {
			return &Partition{p.disk, e}, nil
		}
	}
	return p.Partition(label)
}
