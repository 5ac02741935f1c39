package gpt

import (
	"errors"
	"fmt"
)

const (
	// Slots is the number of entries that a table has room for.
	Slots = 128
	// MinSectors is the smallest disk that can hold both tables and one sector.
	MinSectors = 2*(1+tableSectors) + 2

	tableSectors = Slots * EntrySize / SectorSize
	headerSize   = 92
	signature    = "EFI PART"
	revision     = 0x00010000
	mbrTypeGPT   = 0xEE
	// maxSlots bounds what Read allocates: eight times the usual table.
	maxSlots = 1024
)

// Causes in an *Error.
var (
	ErrTruncated  = errors.New("disk is too small for a partition table")
	ErrMBR        = errors.New("no protective MBR")
	ErrSignature  = errors.New("no partition table here")
	ErrHeader     = errors.New("unknown header revision or size")
	ErrHeaderCRC  = errors.New("header checksum is wrong")
	ErrPlace      = errors.New("header gives another position or disk size")
	ErrEntryCount = errors.New("entry size or number of entries is out of range")
	ErrEntriesCRC = errors.New("checksum of the entries is wrong")
	ErrDiffer     = errors.New("primary and backup table differ")
	ErrUsable     = errors.New("a partition is outside the usable sectors")
)

// Error tells which structure on the disk is wrong and where it is.
type Error struct {
	Where  string // "protective MBR", "primary table", "backup table"
	Offset int64  // byte offset on the disk
	Err    error
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s at byte %d: %v", e.Where, e.Offset, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Table is the partition table of one disk.
type Table struct {
	DiskGUID GUID
	Sectors  uint64 // size of the disk in sectors of 512 bytes
	// Entries holds the partitions by number: entry i is partition i+1. Unused
	// entries between used ones are kept, those after the last used one are not.
	Entries []Entry
}

// ByName finds the first used entry with this label. Labels are compared
// exactly: `boot` and `Boot` are two partitions.
func (t *Table) ByName(label string) (Entry, bool) {
	for _, e := range t.Entries {
		if e.Used() && e.Name == label {
			return e, true
		}
	}
	return Entry{}, false
}

// ByUnique finds the used entry with this unique GUID, as images select it.
func (t *Table) ByUnique(g GUID) (Entry, bool) {
	for _, e := range t.Entries {
		if e.Used() && e.Unique == g {
			return e, true
		}
	}
	return Entry{}, false
}
