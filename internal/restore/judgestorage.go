package restore

import (
	"fmt"
	"slices"

	"xflash/internal/phone"
	"xflash/sin"
	"xflash/sin/gpt"
)

// layoutItem finds the one partition layout that is sent, nil when none is. Two are a
// refusal: the images fit only one.
func (fw *Firmware) layoutItem(send []*Item) (it *Item, ps Problems) {
	for _, other := range send {
		if other.Type != sin.TypeLayout && other.image.Writes != phone.ToTable {
			continue
		}
		if it != nil {
			ps.refuse(other.Member, "the bundle has another partition layout: "+it.Member, "only one can be sent, and the images fit only one", otherSource)
		}
		it = other
	}
	return it, ps
}

const otherSource = "get the bundle for this model from another source"

// judgeStorage judges what the files that are sent do to the phone's storage: the partition
// layout against the family's data and, where the phone tells it, against the phone's own
// table; and every image against the table that it will meet. on is nil when no loader was
// asked. The notes say what could not be compared.
func (fw *Firmware) judgeStorage(on *Storage, send []*Item) (ps Problems, notes []string) {
	it, ps := fw.layoutItem(send)
	if len(ps) > 0 {
		return ps, nil
	}
	sent := it != nil && fw.Layout != nil
	own := on != nil && len(on.Entries) > 0
	if it == nil { // not sent, and yet what names the partitions of the images
		i := slices.IndexFunc(fw.Items, func(it *Item) bool { return it.Layout != nil && it.Layout == fw.Layout })
		if i >= 0 && !own {
			it = fw.Items[i]
		}
	}
	if it != nil && fw.Layout != nil {
		j := &layoutJudge{family: fw.Family, loader: fw.Loader}
		j.refuse = func(what, why string) {
			if !slices.ContainsFunc(ps, func(o Problem) bool { return o.What == what }) {
				ps.refuse(it.Member, what, why, otherSource)
			}
		}
		j.layout(fw.Layout, on, func(label string) bool { return fw.writes(send, label) })
	}
	if len(ps) > 0 {
		return ps, nil
	}
	switch {
	case sent && on == nil:
		notes = append(notes, "before it writes anything, xflash checks that the partition layout leaves this phone's own partitions in place")
	case sent && !own:
		notes = append(notes, "the phone does not tell its partition table, so the partition layout was compared only with the known layout of "+fw.Family.Name+" phones")
	}
	if sent && on != nil && on.Sectors == 0 {
		notes = append(notes, "the phone does not tell the size of its storage, so the images were compared with every table of the partition layout")
	}
	return fw.room(on, sent, send), notes
}

// writes reports whether an image for a partition is sent.
func (fw *Firmware) writes(send []*Item, label string) bool {
	tables := Tables{family: fw.Family}
	if fw.Layout != nil {
		for _, t := range fw.Layout.Tables {
			tables.tables = append(tables.tables, t.Entries)
		}
	}
	return slices.ContainsFunc(send, func(it *Item) bool {
		return slices.ContainsFunc(it.Targets, func(t sin.Target) bool { return tables.place(t).Label == label })
	})
}

// room refuses images that do not fit. Of the tables for storages of several sizes the
// phone decides; until it is asked, one that has room for all images is enough.
func (fw *Firmware) room(on *Storage, sent bool, send []*Item) (worst Problems) {
	all := fw.tables(on, sent)
	tries := []Tables{all}
	if on == nil && len(all.tables) > 1 {
		tries = nil
		for _, table := range all.tables {
			tries = append(tries, Tables{family: fw.Family, tables: [][]gpt.Entry{table}})
		}
	}
	for i, t := range tries {
		var ps Problems
		for _, it := range send {
			for _, target := range it.Targets {
				why := t.place(target).fits(target)
				if why == "" && on != nil {
					why = fw.misnamed(on.Entries, target)
				}
				if why != "" {
					ps.refuse(it.Member, why, "the file is not for this phone", otherSource)
				}
			}
		}
		if i == 0 || len(ps) < len(worst) {
			worst = ps
		}
	}
	return worst
}

// misnamed refuses a target that the bundle knows under another label than the phone: it
// was cleared for the wrong partition.
func (fw *Firmware) misnamed(own []gpt.Entry, target sin.Target) string {
	phones := Tables{family: fw.Family, tables: [][]gpt.Entry{own}}.place(target)
	bundles := fw.tables(nil, true).place(target)
	if len(own) == 0 || phones.Missing || bundles.Label == "" || bundles.Label == phones.Label {
		return ""
	}
	return fmt.Sprintf("it would write the partition %s of this phone, which the bundle calls %q", phones.Label, bundles.Label)
}
