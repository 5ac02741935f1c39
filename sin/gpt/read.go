package gpt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// Read reads and verifies the table of a disk of size bytes: the protective
// MBR, checksums of both headers and both entry arrays, that each copy says
// where it is, that the two agree, and that the partitions lie inside the
// usable sectors without overlap. Errors are *Error (with an *EntryError, a cause of
// this package or io.ErrUnexpectedEOF inside) or those of r. At most 128 KiB are read per copy.
func Read(r io.ReaderAt, size int64) (*Table, error) {
	if size < MinSectors*SectorSize || size%SectorSize != 0 {
		return nil, &Error{"primary table", SectorSize, ErrTruncated}
	}
	sectors := uint64(size / SectorSize)
	if err := readMBR(r); err != nil {
		return nil, err
	}
	primary, err := readCopy(r, "primary table", 1, sectors-1)
	if err != nil {
		return nil, err
	}
	backup, err := readCopy(r, "backup table", sectors-1, 1)
	if err != nil {
		return nil, err
	}
	if !primary.agrees(backup) {
		return nil, &Error{"backup table", size - SectorSize, ErrDiffer}
	}
	return primary.table()
}

func readMBR(r io.ReaderAt) error {
	var mbr [SectorSize]byte
	if err := readFull(r, mbr[:], 0, "protective MBR"); err != nil {
		return err
	}
	if mbr[510] == 0x55 && mbr[511] == 0xAA {
		for p := 446; p < 510; p += 16 {
			if mbr[p+4] == mbrTypeGPT {
				return nil
			}
		}
	}
	return &Error{"protective MBR", 0, ErrMBR}
}

// tableCopy is one of the two tables as found, header checked.
type tableCopy struct {
	where                   string
	self, other             uint64 // sectors of the two headers
	disk                    GUID
	firstUsable, lastUsable uint64
	entriesLBA              uint64
	slots, sum              uint32 // number of entries and their checksum
	entries                 []byte
}

func (c *tableCopy) offset() int64 { return int64(c.self) * SectorSize }

// readCopy reads the table whose header is at sector self and whose twin has its header at
// sector other; of 0 is where the header says, anywhere after it.
func readCopy(r io.ReaderAt, where string, self, other uint64) (*tableCopy, error) {
	c, err := readHeader(r, where, self)
	if err != nil {
		return nil, err
	}
	if other != 0 && c.other != other || other == 0 && (c.other <= self || c.other >= 1<<54) {
		return nil, &Error{where, c.offset(), ErrPlace}
	}
	return c, c.readEntries(r)
}

// readHeader reads the header at a sector and believes its checksum only.
func readHeader(r io.ReaderAt, where string, self uint64) (*tableCopy, error) {
	offset := int64(self) * SectorSize
	fail := func(cause error) (*tableCopy, error) { return nil, &Error{where, offset, cause} }

	var h [SectorSize]byte
	if err := readFull(r, h[:], offset, where); err != nil {
		return nil, err
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(h[at:]) }
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(h[at:]) }
	if string(h[:8]) != signature {
		return fail(ErrSignature)
	}
	if u32(8) != revision || u32(12) < headerSize || u32(12) > SectorSize {
		return fail(ErrHeader)
	}
	sum := u32(16)
	summed := bytes.Clone(h[:u32(12)])
	clear(summed[16:20])
	if crc32.ChecksumIEEE(summed) != sum {
		return fail(ErrHeaderCRC)
	}
	c := &tableCopy{
		where: where, self: self, other: u64(32),
		disk:        GUID(h[56:72]),
		firstUsable: u64(40),
		lastUsable:  u64(48),
		entriesLBA:  u64(72),
		slots:       u32(80),
		sum:         u32(88),
	}
	if u32(84) != EntrySize || c.slots == 0 || c.slots > maxSlots {
		return fail(ErrEntryCount)
	}
	if u64(24) != self {
		return fail(ErrPlace)
	}
	return c, nil
}

// readEntries reads the entries of a copy. They are between the header and the usable
// sectors, on the side of the disk where the copy lives.
func (c *tableCopy) readEntries(r io.ReaderAt) error {
	length := uint64(c.slots) * EntrySize
	tableEnd := (length + SectorSize - 1) / SectorSize
	low, high := uint64(2), c.firstUsable
	if c.self > c.other {
		low, high = c.lastUsable+1, c.self
	}
	if c.firstUsable > c.lastUsable || c.lastUsable >= max(c.self, c.other) ||
		c.entriesLBA < low || c.entriesLBA >= high || high-c.entriesLBA < tableEnd {
		return &Error{c.where, c.offset(), ErrPlace}
	}
	c.entries = make([]byte, length)
	offset := int64(c.entriesLBA) * SectorSize
	if err := readFull(r, c.entries, offset, c.where); err != nil {
		return err
	}
	if crc32.ChecksumIEEE(c.entries) != c.sum {
		return &Error{c.where, offset, ErrEntriesCRC}
	}
	return nil
}

// agrees tells whether two copies describe the same partitions.
func (c *tableCopy) agrees(d *tableCopy) bool {
	return c.disk == d.disk && c.firstUsable == d.firstUsable && c.lastUsable == d.lastUsable && bytes.Equal(c.entries, d.entries)
}

// table is what a copy describes.
func (c *tableCopy) table() (*Table, error) {
	t := &Table{DiskGUID: c.disk, Sectors: max(c.self, c.other) + 1}
	used := 0
	for raw := range slices.Chunk(c.entries, EntrySize) {
		e, err := ParseEntry(raw)
		if err != nil {
			return nil, err
		}
		if t.Entries = append(t.Entries, e); e.Used() {
			used = len(t.Entries)
		}
	}
	t.Entries = t.Entries[:used]
	err := CheckEntries(t.Entries)
	for i, e := range t.Entries {
		if err == nil && e.Used() && (e.First < c.firstUsable || e.Last > c.lastUsable) {
			err = &EntryError{i, e.Name, ErrUsable}
		}
	}
	if err != nil {
		return nil, &Error{c.where, int64(c.entriesLBA) * SectorSize, err}
	}
	return t, nil
}

// readFull reads all of p. The end of the disk is an *Error; other failures get their place.
func readFull(r io.ReaderAt, p []byte, offset int64, where string) error {
	n, err := r.ReadAt(p, offset)
	switch {
	case n == len(p): // ReadAt may report io.EOF together with the last byte
		return nil
	case err == io.EOF:
		return &Error{where, offset + int64(n), io.ErrUnexpectedEOF}
	}
	return fmt.Errorf("%s at byte %d: %w", where, offset+int64(n), err)
}
