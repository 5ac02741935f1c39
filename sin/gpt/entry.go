package gpt

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf16"
)

const (
	// SectorSize is the only sector size of the phones of this program.
	SectorSize = 512
	// EntrySize is the length of an entry on disk and in a partition layout.
	EntrySize = 128

	nameUnits = 36 // UTF-16 code units of a name
)

// Causes in an *EntryError.
var (
	ErrEntryShort = errors.New("shorter than an entry of 128 bytes")
	ErrRange      = errors.New("first and last sector are not a range of the disk")
	ErrOverlap    = errors.New("shares sectors with another partition")
	ErrDuplicate  = errors.New("has the unique GUID of another partition")
)

// EntryError tells which entry of a table or layout is wrong.
type EntryError struct {
	Index int    // counted from 0; the partition number is one more
	Name  string // may be empty
	Err   error
}

func (e *EntryError) Error() string {
	return fmt.Sprintf("partition %d (%q): %v", e.Index+1, e.Name, e.Err)
}

func (e *EntryError) Unwrap() error { return e.Err }

// Entry is one partition. Sectors are counted in SectorSize bytes; Last is
// part of the partition. An entry with a zero Type is unused.
type Entry struct {
	Type, Unique GUID
	First, Last  uint64
	Attr         uint64
	Name         string // label, at most 36 UTF-16 units
}

// ParseEntry decodes the first 128 bytes of b. It judges nothing: use
// CheckEntries for ranges and overlaps. The name ends at its first zero.
func ParseEntry(b []byte) (Entry, error) {
	if len(b) < EntrySize {
		return Entry{}, ErrEntryShort
	}
	e := Entry{
		Type:   GUID(b[0:16]),
		Unique: GUID(b[16:32]),
		First:  binary.LittleEndian.Uint64(b[32:]),
		Last:   binary.LittleEndian.Uint64(b[40:]),
		Attr:   binary.LittleEndian.Uint64(b[48:]),
	}
	units := make([]uint16, 0, nameUnits)
	for i := range nameUnits {
		u := binary.LittleEndian.Uint16(b[56+2*i:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	e.Name = string(utf16.Decode(units))
	return e, nil
}

// Used tells whether the entry describes a partition.
func (e Entry) Used() bool { return !e.Type.IsZero() }

// Offset is the first byte of the partition. It is meaningful for entries that
// passed CheckEntries.
func (e Entry) Offset() int64 { return int64(e.First) * SectorSize }

// Size is the length of the partition in bytes. It is meaningful for entries
// that passed CheckEntries.
func (e Entry) Size() int64 { return int64(e.Last-e.First+1) * SectorSize }

// CheckEntries verifies that every used entry has a non-empty range whose byte
// offsets fit in 63 bits, that no two share a sector, and that no two have the
// same unique GUID (images select their partition by it). The error is an
// *EntryError.
func CheckEntries(entries []Entry) error {
	var order []int
	seen := make(map[GUID]bool, len(entries))
	for i, e := range entries {
		if !e.Used() {
			continue
		}
		if e.First > e.Last || e.Last >= math.MaxInt64/SectorSize {
			return &EntryError{i, e.Name, ErrRange}
		}
		if !e.Unique.IsZero() && seen[e.Unique] {
			return &EntryError{i, e.Name, ErrDuplicate}
		}
		seen[e.Unique] = true
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(entries[a].First, entries[b].First) })
	for k := 1; k < len(order); k++ {
		if before, e := entries[order[k-1]], entries[order[k]]; e.First <= before.Last {
			return &EntryError{order[k], e.Name, ErrOverlap}
		}
	}
	return nil
}
