package firmware

import (
	"slices"
	"strings"

	"xflash/ftf"
)

// BootSet is the name of everything that belongs to the boot delivery, partitionSet that
// of what belongs to the partition delivery, or of the partition layout alone.
const BootSet, partitionSet = "boot", "partition"

// Selection is the members that a person named: by short name, by file name, by whole
// name, in any case.
type Selection struct {
	wanted []string
	found  map[string]bool
}

// NewSelection selects what the names mean; with no names everything.
func NewSelection(wanted []string) *Selection { return &Selection{wanted, map[string]bool{}} }

// Has tells whether a member is wanted; with no names given all are.
func (s *Selection) Has(m *ftf.Member) bool {
	has := len(s.wanted) == 0
	for _, w := range s.wanted {
		if Named(m, w) {
			s.found[w], has = true, true
		}
	}
	return has
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

// Unused is the names that no member had.
func (s *Selection) Unused() []string {
	return slices.DeleteFunc(slices.Clone(s.wanted), func(w string) bool { return s.found[w] })
}

// Choices is what a person can name: short names, and the sets as a whole.
func Choices(members []*ftf.Member) []Choice {
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
