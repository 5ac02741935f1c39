package restore

import (
	"fmt"
	"slices"
	"strings"

	"xflash/internal/phone"
	"xflash/sin"
	"xflash/sin/gpt"
)

// The partition layout of a bundle becomes the phone's partition table, and the images are
// judged by it. So it is judged first (internal/phone/PHONES.md §3.3): a layout that drops,
// moves, shrinks or renames what belongs to this one phone would lose it, whoever signed it.

// storageDevice is the only device that the known phones have.
const storageDevice = 0

// backupSectors is the room of the second copy of the table at the end of the storage.
const backupSectors = 33

// firstSector is the first one after the table at the start of the storage.
const firstSector = 34

type layoutJudge struct {
	family *phone.Family
	loader *sin.Loader // of the bundle; nil when there is none
	refuse func(what, why string)
}

// layout judges every table of a layout, because only the phone decides which one it
// accepts, and then the one that this phone accepts.
func (j *layoutJudge) layout(l *sin.Layout, on *Storage, written func(label string) bool) {
	own := on != nil && len(on.Entries) > 0
	for _, table := range l.Tables {
		if table.Device != storageDevice {
			j.refuse(fmt.Sprintf("it has a partition table for device %d", table.Device), "these phones have one storage device, 0, and would refuse the file")
			continue
		}
		j.againstFamily(table.Entries, own)
		if own {
			j.againstPhone(table.Entries, on.Entries, written)
		}
	}
	if taken := j.taken(l, on); own && taken != nil {
		j.keeps(taken.Entries, on.Entries, written)
	}
}

// protected reports whether a partition belongs to this one phone, so that its place and
// size must stay.
func (j *layoutJudge) protected(label string) bool {
	part, _ := j.family.Partition(label)
	switch part.Class {
	case phone.Identity, phone.Untouched, phone.Modem:
		return true
	}
	_, never := phone.NeverWritten(label)
	return never
}

func (j *layoutJudge) bootChain(label string) bool {
	part, _ := j.family.Partition(label)
	return part.Class == phone.BootChain
}

// label names an entry by its GUID where that is known, else as the table does.
func (j *layoutJudge) label(e gpt.Entry) string {
	if l := j.family.LabelOf(e.Unique); l != "" {
		return l
	}
	return e.Name
}

// loaderTable is the labels that the loader looks for in a layout, which it refuses with
// 801C003B when one is missing: its boot sets and their second copies.
func (j *layoutJudge) loaderTable() (labels []string) {
	sets := j.family.MustBePresent()
	if j.loader != nil {
		if row, known := j.family.LoaderByVersion(j.loader.Version); known {
			sets = slices.Concat(row.Sets...)
		}
	}
	for _, l := range sets {
		labels = append(labels, l, phone.Alternate+l)
	}
	return labels
}

// againstFamily compares a table with the known facts about the family. Where the phone tells
// its own table, a partition that it does not have is not missed.
func (j *layoutJudge) againstFamily(table []gpt.Entry, own bool) {
	names := map[string]bool{}
	first := -1
	for i, e := range table {
		if !e.Used() {
			continue
		}
		if first < 0 || e.First < table[first].First {
			first = i
		}
		if names[e.Name] {
			j.refuse(fmt.Sprintf("it calls two partitions %q", e.Name), "programs that find partitions by name would find the wrong one")
		}
		names[e.Name] = true
		if e.First < firstSector {
			j.refuse(fmt.Sprintf("its partition %s starts at sector %d, inside the partition table", e.Name, e.First), "the table would overwrite it")
		}
		j.name(e, own)
	}
	for _, label := range j.required(own) {
		part, _ := j.family.Partition(label)
		i := slices.IndexFunc(table, func(e gpt.Entry) bool { return e.Used() && j.label(e) == label })
		switch {
		case i < 0:
			j.refuse("it has no partition "+label, "the phone would lose it: "+part.Note)
		case table[i].Size() < part.Size:
			j.refuse(fmt.Sprintf("its partition %s has %d bytes instead of %d", label, table[i].Size(), part.Size), part.Note)
		case label == "TA" && i != first && !own:
			j.refuse("TA is not its first partition", part.Note)
		}
	}
}

// name refuses an entry whose label and GUID do not belong together. A label that the
// family's data do not have is left to the phone's own table where there is one.
func (j *layoutJudge) name(e gpt.Entry, own bool) {
	known := j.family.LabelOf(e.Unique)
	_, listed := j.family.Partition(e.Name)
	_, ours := j.family.Partition(known)
	switch proven := j.family.GUIDOf(e.Name); {
	case known == e.Name, known != "" && j.sameImage(known, e.Name):
	case known != "" && (listed || ours && !own):
		j.refuse(fmt.Sprintf("it calls the partition %s %q", known, e.Name), "by its identifier it is "+known)
	case known == "" && !proven.IsZero() && slices.Contains(j.required(own), e.Name):
		j.refuse(fmt.Sprintf("its partition %s has the identifier %s instead of %s", e.Name, e.Unique, proven), "the loader uses the identifier and would not find the partition")
	}
}

// sameImage reports whether two labels are names of one partition, as s1sbl and s1sbl2 are.
func (j *layoutJudge) sameImage(a, b string) bool {
	a, alternateA := strings.CutPrefix(a, phone.Alternate)
	b, alternateB := strings.CutPrefix(b, phone.Alternate)
	return alternateA == alternateB && j.family.SameImage(a, b)
}

// required is the labels that a table must have.
func (j *layoutJudge) required(own bool) (labels []string) {
	ta, _ := j.family.Partition("TA")
	for _, part := range j.family.Partitions {
		switch part.Class {
		case phone.Identity, phone.Untouched, phone.Modem:
			// The phone's own table says it where there is one. Without, the data count, as
			// far as they come from a phone: then they have the size of TA.
			if part.Label == "TA" || !own && (ta.Size > 0 || part.Class == phone.Modem) {
				labels = append(labels, part.Label)
			}
		}
	}
	return append(labels, j.loaderTable()...)
}

// againstPhone compares a table with the phone's own: what belongs to this one phone must be
// equal, place included; the boot chain must be there, and stays where it is unless it is
// written again.
func (j *layoutJudge) againstPhone(table, own []gpt.Entry, written func(string) bool) {
	for _, e := range own {
		if !e.Used() {
			continue
		}
		label := j.label(e)
		chain := j.bootChain(label)
		if !chain && !j.protected(label) {
			continue
		}
		i := slices.IndexFunc(table, func(n gpt.Entry) bool { return n.Used() && n.Unique == e.Unique })
		switch {
		case i < 0:
			j.refuse(fmt.Sprintf("it has no partition with the identifier of this phone's %s", e.Name), "the phone would lose it")
		case table[i].Name != e.Name && !(chain && table[i].Name == label):
			j.refuse(fmt.Sprintf("it calls this phone's partition %s %q", e.Name, table[i].Name), "")
		case chain && (written(strings.TrimPrefix(label, phone.Alternate)) || table[i].First == e.First && table[i].Last >= e.Last):
		case table[i].First != e.First || table[i].Last != e.Last:
			j.refuse(fmt.Sprintf("it has the partition %s at sectors %d to %d; on this phone it is at %d to %d",
				e.Name, table[i].First, table[i].Last, e.First, e.Last), "its content would be lost, and a rescue cannot bring it back")
		}
	}
	// Nor may one of another place be given a protected name.
	for _, n := range table {
		if !n.Used() || !j.protected(j.label(n)) {
			continue
		}
		if !slices.ContainsFunc(own, func(e gpt.Entry) bool { return e.Used() && e.Unique == n.Unique }) {
			j.refuse(fmt.Sprintf("it has a partition %s that this phone does not have", n.Name), "the layout is for another model or was changed")
		}
	}
}

// taken is the table that the loader will accept: of those that fit the storage the one with
// the largest end. nil without a phone.
func (j *layoutJudge) taken(l *sin.Layout, on *Storage) *sin.LayoutTable {
	if on == nil || on.Sectors == 0 {
		return nil
	}
	taken := l.Pick(storageDevice, on.Sectors)
	if taken == nil {
		j.refuse(fmt.Sprintf("none of its partition tables fits this phone's storage of %d sectors", on.Sectors), "the phone would refuse it with 801C003D; the bundle is for a model with more storage")
		return nil
	}
	if taken.End() > on.Sectors-min(on.Sectors, backupSectors) {
		j.refuse(fmt.Sprintf("its partitions end at sector %d, where the second copy of the table of this phone's %d sectors is", taken.End(), on.Sectors), "")
	}
	for i := range l.Tables {
		if t := &l.Tables[i]; t.Device == storageDevice && t.End() == taken.End() && !slices.Equal(t.Entries, taken.Entries) {
			j.refuse("two of its partition tables are for storage of the same size and differ", "it is unknown which one the phone would accept")
		}
	}
	return taken
}

// keeps refuses a table under which a partition that is not written again would lose its
// content.
func (j *layoutJudge) keeps(table, own []gpt.Entry, written func(string) bool) {
	for _, e := range own {
		if !e.Used() {
			continue
		}
		label := j.label(e)
		i := slices.IndexFunc(table, func(n gpt.Entry) bool { return n.Used() && n.Unique == e.Unique })
		switch {
		case i < 0:
			j.refuse(fmt.Sprintf("it has no partition with the identifier of this phone's %s", e.Name), "its content would be lost")
		case written(strings.TrimPrefix(label, phone.Alternate)):
		case table[i].First != e.First || table[i].Last < e.Last:
			j.refuse(fmt.Sprintf("it moves or shrinks the partition %s, which is not written again", e.Name), "its content would be lost")
		case label == "userdata" && table[i].Last != e.Last:
			// The last 16 KiB of userdata are the footer of its encryption.
			j.refuse("it changes the size of userdata", "apps, photos and settings would be lost; --wipe agrees to that")
		}
	}
}
