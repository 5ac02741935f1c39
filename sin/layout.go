package sin

import (
	"encoding/binary"
	"fmt"

	"xflash/sin/gpt"
)

// maxLayout bounds the payload of a partition layout; real ones are below 100 KiB.
const maxLayout = 4 << 20

// Layout is the payload of type 0x24: the partition tables for the storages that a
// model was built with (FORMAT.md §4.4). Its integers are little-endian.
type Layout struct{ Tables []LayoutTable }

// LayoutTable is one partition table. The loader makes the protective MBR, both GPT
// headers and their checksums itself.
type LayoutTable struct {
	Device  uint32 // device or LUN number
	Entries []gpt.Entry
}

// End is the number of sectors of 512 bytes that the disk must have at least.
func (t LayoutTable) End() uint64 {
	var end uint64
	for _, e := range t.Entries {
		if e.Used() {
			end = max(end, e.Last+1)
		}
	}
	return end
}

// ParseLayout reads a layout from the payload of a SIN; offsets in errors count from
// at, the place of the payload in its file. It checks what the phone does not: that
// all tables lie inside the payload.
func ParseLayout(payload []byte, at int64) (*Layout, error) {
	le := binary.LittleEndian
	if len(payload) < 8 || len(payload) > maxLayout {
		return nil, fail(BadLayout, at, "a layout of %d bytes", len(payload))
	}
	if payload[0] != 2 || payload[2] != 1 {
		return nil, fail(BadLayout, at, "the format is %d/%d; only 2/1 is known to work", payload[0], payload[2])
	}
	count := le.Uint32(payload[4:])
	if count == 0 {
		return nil, fail(BadLayout, at+4, "it has no partition table")
	}
	l, pos := &Layout{}, 8
	for i := range count {
		if len(payload)-pos < 8 {
			return nil, fail(BadLayout, at+int64(pos), "the payload ends before partition table %d of %d", i+1, count)
		}
		t := LayoutTable{Device: le.Uint32(payload[pos:])}
		n := int64(le.Uint32(payload[pos+4:]))
		if n*gpt.EntrySize > int64(len(payload)-pos-8) {
			return nil, fail(BadLayout, at+int64(pos)+4, "%d entries of partition table %d run past the payload", n, i+1)
		}
		if n == 0 {
			return nil, fail(BadLayout, at+int64(pos)+4, "partition table %d is empty", i+1)
		}
		pos += 8
		start := pos
		t.Entries = make([]gpt.Entry, n)
		for k := range t.Entries {
			e, err := gpt.ParseEntry(payload[pos:])
			if err != nil {
				return nil, err
			}
			t.Entries[k] = e
			pos += gpt.EntrySize
		}
		if err := gpt.CheckEntries(t.Entries); err != nil {
			return nil, &Error{Reason: BadLayout, Offset: at + int64(start), Block: -1, Detail: fmt.Sprintf("partition table %d", i+1), Err: err}
		}
		l.Tables = append(l.Tables, t)
	}
	return l, nil
}

// Pick chooses as the loader does: of the tables for a device the one with the largest
// end that still fits a disk of that many sectors of 512 bytes. It is nil when no table
// fits, which the loader refuses with 801C003D.
func (l *Layout) Pick(device uint32, sectors uint64) *LayoutTable {
	var best *LayoutTable
	for i := range l.Tables {
		t := &l.Tables[i]
		if t.Device == device && t.End() <= sectors && (best == nil || t.End() > best.End()) {
			best = t
		}
	}
	return best
}
