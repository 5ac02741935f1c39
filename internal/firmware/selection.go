package firmware

import (
	"slices"
	"strings"

	"xflash/ftf"
)

// BootSet is the name of everything that belongs to the boot delivery, partitionSet that
// of what belongs to the partition delivery, or of the partition layout alone.
const BootSet, partitionSet = "boot", "partition"

// Choose returns the members that a person named, by short name, by file name or by whole name,
// in any case; all of them without names. path is the file they are in. The error is a
// *ChoiceError.
func Choose(path string, members []*ftf.Member, names []string) (chosen []*ftf.Member, err error) {
	unused := slices.Clone(names)
	for _, m := range members {
		named := func(name string) bool { return Named(m, name) }
		if len(names) == 0 || slices.ContainsFunc(names, named) {
			chosen = append(chosen, m)
		}
		unused = slices.DeleteFunc(unused, named)
	}
	if len(unused) > 0 {
		return nil, &ChoiceError{Path: path, What: "member", Wanted: unused, Have: choices(members)}
	}
	return chosen, nil
}

// Named tells whether a name means a member.
func Named(m *ftf.Member, name string) bool {
	switch {
	case strings.EqualFold(name, BootSet) && (m.Boot || strings.EqualFold(m.Base, "boot_delivery.xml")),
		strings.EqualFold(name, partitionSet) && (m.Partition || strings.EqualFold(m.Base, "partition_delivery.xml") || strings.EqualFold(m.Short, "partition-image")):
		return true
	}
	return strings.EqualFold(name, m.Short) || strings.EqualFold(name, m.Base) || strings.EqualFold(name, m.Name)
}

// choices is what a person can name: short names, and the sets as a whole.
func choices(members []*ftf.Member) []Choice {
	var list []Choice
	for _, m := range members {
		name := m.Short
		switch {
		case m.Boot:
			name = BootSet
		case m.Partition:
			name = partitionSet
		case m.Kind != ftf.KindSIN:
			name = m.Base
		}
		if at := slices.IndexFunc(list, func(c Choice) bool { return c.Name == name }); at >= 0 {
			list[at].Bytes += m.Size
			continue
		}
		list = append(list, Choice{Name: name, Bytes: m.Size})
	}
	return list
}
