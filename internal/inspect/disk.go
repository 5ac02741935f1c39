package inspect

import (
	"context"
	"errors"
	"io"
	"strings"

	"xflash/internal/phone"
	"xflash/sin/gpt"
)

// Disk is the partition table of a whole-disk dump.
type Disk struct {
	Sectors    uint64      `json:"sectors"` // of 512 bytes
	GUID       string      `json:"guid,omitempty"`
	Primary    string      `json:"primary"` // ok, or what is wrong with this copy of the table
	Backup     string      `json:"backup"`
	Family     string      `json:"family,omitempty"` // whose partition names these are
	Partitions []Partition `json:"partitions,omitempty"`
}

// Partition is a partition of a disk or of a partition layout, with its place on the
// safe list of the family (internal/phone/PHONES.md §3.6).
type Partition struct {
	Number  int    `json:"number"`
	Label   string `json:"label"`
	Offset  int64  `json:"offset"` // bytes
	Size    int64  `json:"size"`
	GUID    string `json:"guid"`            // its own, by which images select it
	Class   string `json:"class,omitempty"` // identity, bootchain, system, rescue, userdata, modem, never
	Verdict string `json:"verdict,omitempty"`
	Content Kind   `json:"content,omitempty"`
	Note    string `json:"note,omitempty"`
	Warning string `json:"warning,omitempty"`
}

// isDisk reports whether a file starts like a disk with a GUID partition table: with
// the table in sector 1, or with the protective MBR alone.
func isDisk(head []byte) bool {
	const protective, firstType = 0xEE, 446 + 4
	return len(head) >= 2*gpt.SectorSize && string(head[gpt.SectorSize:gpt.SectorSize+8]) == gptMagic ||
		len(head) >= gpt.SectorSize && head[510] == 0x55 && head[511] == 0xAA && head[firstType] == protective
}

const gptMagic = "EFI PART"

// disk inspects a whole-disk dump: its tables and the start of each partition.
func (in *inspector) disk(ctx context.Context, rep *Report, s source) error {
	rep.Kind, rep.Title = KindDisk, "whole-disk dump"
	rep.Disk = &Disk{Sectors: uint64(s.size / gpt.SectorSize)}
	found, err := gpt.Salvage(s.at, s.size)
	if err != nil {
		return err
	}
	rep.Disk.Primary, rep.Disk.Backup = copyState(found.Primary), copyState(found.Backup)
	var entries []gpt.Entry
	end := max(s.size, found.End)
	if found.Table != nil {
		entries, rep.Disk.GUID = found.Table.Entries, found.Table.DiskGUID.String()
	}
	var bad *gpt.Error
	switch errors.As(found.Fault, &bad); {
	case bad == nil:
		rep.whole("both partition tables have the right checksums and agree; they do not cover the content of the partitions")
	case errors.Is(bad, gpt.ErrTooShort):
		rep.wrong("truncated", bad.Offset, bad.Error())
	case errors.Is(bad, gpt.ErrTooLong):
		rep.wrong("trailing data", bad.Offset, bad.Error())
	default:
		rep.wrong("bad partition table", bad.Offset, bad.Error())
	}
	family := familyOf(entries)
	if family != nil {
		rep.Disk.Family = family.Name
		rep.forFamily(family, "its partition labels are those of this family; other families may have the same", nil)
	}
	rep.Disk.Partitions = partitions(entries, family)
	rep.Layouts = []Layout{tableLayout("disk", uint64(end)/gpt.SectorSize, entries)}
	if end > s.size {
		rep.Layouts[0].missing(s.size, end)
	}
	var identity []string
	for i := range rep.Disk.Partitions {
		p := &rep.Disk.Partitions[i]
		if p.Warning != "" {
			identity = append(identity, p.Label)
		}
		if err := in.partition(ctx, rep, p, s); err != nil {
			return err
		}
	}
	rep.Warning = diskWarning(identity)
	return nil
}

// partition looks at what is in a partition.
func (in *inspector) partition(ctx context.Context, rep *Report, p *Partition, s source) error {
	size := min(p.Size, s.size-p.Offset)
	if size <= 0 || in.depth > 1 {
		return nil
	}
	inner := &inspector{Options: Options{Roots: in.Roots, ShowIDs: in.ShowIDs, Progress: in.Progress}, depth: in.depth}
	child, err := inner.file(ctx, fileSource(p.Label, io.NewSectionReader(s.at, p.Offset, size), size))
	if err != nil {
		return err
	}
	p.Content = child.Kind
	if child.Kind != KindUnknown && child.Kind != KindEmpty {
		rep.Contents = append(rep.Contents, child)
	}
	// The trim area identifies the phone better than any name.
	if child.TrimArea != nil && child.TrimArea.Model != "" {
		rep.For = append(child.For, rep.For...)
	}
	return nil
}

// diskWarning is the warning before anybody writes such a dump to a phone
// (internal/phone/PHONES.md §8.3).
func diskWarning(identity []string) string {
	text := "never write a whole-disk dump to another phone"
	if len(identity) > 0 {
		text += ": " + strings.Join(identity, ", ") + " belong to the one phone it was read from"
	}
	return text + ". Such a copy from phone to phone has killed one: red light, no USB in any mode, no way back"
}

// partitions lists the used entries with their class.
func partitions(entries []gpt.Entry, family *phone.Family) []Partition {
	var out []Partition
	for i, e := range entries {
		if !e.Used() || e.Last < e.First || e.Last >= 1<<54 {
			continue
		}
		p := Partition{Number: i + 1, Label: e.Name, Offset: e.Offset(), Size: e.Size(), GUID: e.Unique.String()}
		if known, ok := knownPartition(family, e.Name); ok {
			p.Class, p.Verdict, p.Note = string(known.Class), string(known.Verdict), known.Note
			if belongsToOnePhone(known) {
				p.Warning = "belongs to the one phone it was read from; never write it to another"
			}
		}
		out = append(out, p)
	}
	return out
}

// modemIdentity is the partitions with the calibration and the IMEI of one phone's
// modem. Their class is modem, because a signed image may write them; a copy may not
// (internal/phone/PHONES.md §3.6).
var modemIdentity = map[string]bool{"modemst1": true, "modemst2": true, "fsg": true}

func belongsToOnePhone(p phone.Partition) bool {
	return p.Class == phone.Identity || p.Class == phone.Untouched || modemIdentity[strings.ToLower(p.Label)]
}

// BelongsToOnePhone reports whether a copy of the partition with this label, in any case,
// belongs to the phone it was read from, as far as any family is known.
func BelongsToOnePhone(label string) bool {
	for _, f := range phone.Families() {
		for _, p := range f.Partitions {
			if strings.EqualFold(p.Label, label) && belongsToOnePhone(p) {
				return true
			}
		}
	}
	return modemIdentity[strings.ToLower(label)]
}

// knownPartition finds the known facts about a label: in the family, else in any family.
func knownPartition(family *phone.Family, label string) (phone.Partition, bool) {
	if family != nil {
		if p, ok := family.Partition(label); ok {
			return p, true
		}
	}
	for _, f := range phone.Families() {
		if p, ok := f.Partition(label); ok {
			return p, true
		}
	}
	return phone.Partition{}, false
}

// familyOf finds the family whose partitions these are: nearly all labels are known to
// it, and of families with the same labels it is that whose sizes agree. Nil when that
// does not tell one family.
func familyOf(entries []gpt.Entry) *phone.Family {
	var best *phone.Family
	bestScore, twice := 0, false
	for _, f := range phone.Families() {
		used, labels, sizes := 0, 0, 0
		for _, e := range entries {
			if !e.Used() || e.Last < e.First {
				continue
			}
			used++
			if p, ok := f.Partition(e.Name); ok {
				labels++
				if p.Size > 0 && p.Size == e.Size() {
					sizes++
				}
			}
		}
		if used < 5 || labels*10 < used*9 {
			continue
		}
		score := labels*100 + sizes
		if score > bestScore {
			best, bestScore, twice = f, score, false
		} else if score == bestScore {
			twice = true
		}
	}
	if twice {
		return nil
	}
	return best
}

// tableLayout shows a disk of that many sectors.
func tableLayout(of string, sectors uint64, entries []gpt.Entry) Layout {
	l := Layout{Of: of, Size: int64(min(sectors, 1<<54)) * gpt.SectorSize}
	const table = gpt.Slots*gpt.EntrySize + gpt.SectorSize
	l.Regions = append(l.Regions, Region{RegionTable, "", 0, gpt.SectorSize + table})
	for _, e := range entries {
		if e.Used() && e.Last >= e.First && e.Last < 1<<54 {
			l.Regions = append(l.Regions, Region{RegionPartition, e.Name, e.Offset(), e.Size()})
		}
	}
	if of == "disk" {
		l.Regions = append(l.Regions, Region{RegionTable, "", l.Size - table, table})
	}
	l.arrange()
	return l
}

// copyState says what is wrong with a copy of the table.
func copyState(err error) string {
	var bad *gpt.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &bad):
		return bad.Err.Error()
	}
	return err.Error()
}
