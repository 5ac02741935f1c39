package restore

import (
	"context"
	"errors"
	"fmt"

	"xflash/internal/phone"
	"xflash/sin"
	"xflash/sin/gpt"
	"xflash/usbproto/s1"
)

// Storage is what a phone reports about its storage, through the loader, before anything
// is written. Both values may be missing.
type Storage struct {
	Sectors uint64      `json:"sectors,omitempty"` // of 512 bytes; 0 when the phone did not tell
	Entries []gpt.Entry `json:"entries,omitempty"` // its partition table; nil when it could not be read
}

// readStorage asks the loader that runs. A phone that refuses, or whose answer does not hold
// together, has told nothing; only a broken transfer is an error.
func readStorage(ctx context.Context, s *s1.Session) (*Storage, error) {
	st := &Storage{Sectors: s.Info().Sectors()}
	entries, err := s.ReadTable(ctx)
	if err != nil && !refused(err) && !errors.Is(err, s1.ErrTable) {
		return nil, err
	}
	st.Entries = entries
	return st, nil
}

// checkStorage judges a plan once more by what the running loader tells of the phone's
// storage, before anything is written.
func (p *Plan) checkStorage(ctx context.Context, s *s1.Session) error {
	var send []*Item
	for _, step := range p.Steps {
		if step.Kind == StepImage && step.load.item != nil {
			send = append(send, step.load.item)
		}
	}
	if len(send) == 0 || s.Stage() != s1.StageLoader {
		return nil
	}
	on, err := readStorage(ctx, s)
	if err != nil {
		return err
	}
	ps, _ := p.fw.judgeStorage(on, send)
	return ps.orNil()
}

// Place is where an image writes.
type Place struct {
	Label string // the partition; "" when nobody knows it
	Size  int64  // its room in bytes; 0 when that is unknown
	// Missing is set when there is a partition table and the partition is not in it. The
	// loader refuses such an image with 801C003B.
	Missing bool
}

// Tables are the partition tables that images are judged by.
type Tables struct {
	family *phone.Family
	tables [][]gpt.Entry
	one    bool // which of several tables counts is decided by the phone, so one that fits is enough
}

// tables finds what images are judged by: the table of the bundle's layout that the
// loader will accept if the layout is sent, the phone's own if it is not. on is nil when no
// phone was asked.
func (fw *Firmware) tables(on *Storage, sent bool) Tables {
	t := Tables{family: fw.Family}
	switch {
	case !sent && on != nil && len(on.Entries) > 0:
		t.tables = [][]gpt.Entry{on.Entries}
	case fw.Layout == nil:
	case on != nil && on.Sectors > 0:
		if taken := fw.Layout.Pick(0, on.Sectors); taken != nil {
			t.tables = [][]gpt.Entry{taken.Entries}
		}
	default:
		t.one = on == nil
		for _, table := range fw.Layout.Tables {
			t.tables = append(t.tables, table.Entries)
		}
	}
	return t
}

// place resolves a target: by the GUIDs that loaders prove and the family's data, then by the label that the tables
// give the GUID. The loader uses the GUID, too.
func (t Tables) place(target sin.Target) Place {
	p := Place{Label: target.Name}
	if p.Label == "" {
		p.Label = t.family.LabelOf(target.GUID)
	}
	found := 0
	for _, table := range t.tables {
		e := find(table, target)
		if e == nil {
			continue
		}
		if p.Label == "" {
			p.Label = e.Name
		}
		if size := e.Size(); found == 0 || t.one && size > p.Size || !t.one && size < p.Size {
			p.Size = size
		}
		found++
	}
	switch {
	case len(t.tables) == 0:
		part, _ := t.family.Partition(p.Label)
		p.Size = part.Size
	case found == 0, !t.one && found < len(t.tables):
		p.Missing = true
	}
	return p
}

// find is the entry that an image selects: by unique GUID, on MediaTek phones by label.
func find(table []gpt.Entry, target sin.Target) *gpt.Entry {
	for i, e := range table {
		if e.Used() && (target.Name == "" && e.Unique == target.GUID || target.Name != "" && e.Name == target.Name) {
			return &table[i]
		}
	}
	return nil
}

// fits says why an image does not fit its partition, "" when it does. One loader, that of
// the Xperia ZR, does not look: it writes past the end into whatever follows
// (usbproto/s1/PROTOCOL.md §14.3), so this comparison is the only one.
func (p Place) fits(target sin.Target) string {
	switch {
	case p.Missing:
		return fmt.Sprintf("it writes the partition %s, which is not in the partition table", target)
	case p.Size > 0 && target.End > p.Size:
		return fmt.Sprintf("it writes %d bytes to %s, which holds %d", target.End, p.Label, p.Size)
	}
	return ""
}
