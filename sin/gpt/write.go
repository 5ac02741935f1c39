package gpt

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

const (
	signature  = "EFI PART"
	revision   = 0x00010000
	mbrTypeGPT = 0xEE
)

// Write writes the table to a disk of t.Sectors sectors: protective MBR,
// primary table in sectors 1 to 33, backup table in the last 33. Nothing else
// on the disk is touched. Room is made for 128 entries, so partitions must lie
// in sectors 34 to Sectors-34. The backup goes first and the primary header
// last, so that a write which stops half-way leaves the old primary readable.
func Write(w io.WriterAt, t *Table) error {
	if t.Sectors < MinSectors || t.Sectors > 1<<54 {
		return &Error{"primary table", SectorSize, ErrTruncated}
	}
	if len(t.Entries) > Slots {
		return &Error{"primary table", 2 * SectorSize, ErrTooMany}
	}
	last := t.Sectors - 1
	firstUsable, lastUsable := uint64(2+tableSectors), last-tableSectors-1
	if err := checkPlaced(t.Entries, firstUsable, lastUsable); err != nil {
		return &Error{"primary table", 2 * SectorSize, err}
	}
	entries := make([]byte, 0, Slots*EntrySize)
	for i, e := range t.Entries {
		var err error
		if entries, err = e.AppendTo(entries); err != nil {
			return &Error{"primary table", 2 * SectorSize, &EntryError{i, e.Name, err}}
		}
	}
	entries = entries[:Slots*EntrySize]

	header := func(self, other, entriesLBA uint64) []byte {
		h := make([]byte, SectorSize)
		copy(h, signature)
		binary.LittleEndian.PutUint32(h[8:], revision)
		binary.LittleEndian.PutUint32(h[12:], headerSize)
		binary.LittleEndian.PutUint64(h[24:], self)
		binary.LittleEndian.PutUint64(h[32:], other)
		binary.LittleEndian.PutUint64(h[40:], firstUsable)
		binary.LittleEndian.PutUint64(h[48:], lastUsable)
		copy(h[56:72], t.DiskGUID[:])
		binary.LittleEndian.PutUint64(h[72:], entriesLBA)
		binary.LittleEndian.PutUint32(h[80:], Slots)
		binary.LittleEndian.PutUint32(h[84:], EntrySize)
		binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
		binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:headerSize]))
		return h
	}
	for _, part := range []struct {
		where  string
		sector uint64
		data   []byte
	}{
		{"backup table", last - tableSectors, entries},
		{"backup table", last, header(last, 1, last-tableSectors)},
		{"protective MBR", 0, protectiveMBR(t.Sectors)},
		{"primary table", 2, entries},
		{"primary table", 1, header(1, last, 2)},
	} {
		offset := int64(part.sector) * SectorSize
		if _, err := w.WriteAt(part.data, offset); err != nil {
			return &Error{part.where, offset, err}
		}
	}
	return nil
}

// protectiveMBR is one partition of type 0xEE over the whole disk, or as much
// of it as 32 bits can say.
func protectiveMBR(sectors uint64) []byte {
	mbr := make([]byte, SectorSize)
	p := mbr[446:]
	copy(p[1:], []byte{0x00, 0x02, 0x00, mbrTypeGPT, 0xFF, 0xFF, 0xFF})
	binary.LittleEndian.PutUint32(p[8:], 1)
	binary.LittleEndian.PutUint32(p[12:], uint32(min(sectors-1, 0xFFFFFFFF)))
	mbr[510], mbr[511] = 0x55, 0xAA
	return mbr
}
