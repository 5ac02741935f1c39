package simphone

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"xflash/internal/simphone/mkimage"
	"xflash/sin/gpt"
)

// A lunTable is the partition table of one logical unit with blocks of any size: UFS has
// 4096 bytes, eMMC 512. LBAs in it count those blocks.
type lunTable struct {
	block   int64
	disk    gpt.GUID
	last    uint64 // the block of the second header
	entries []gpt.Entry
}

const (
	tableEntries   = 128
	tableEntrySize = 128
	tableHeader    = 92 // bytes of a header under its checksum
)

// entryBlocks is how many blocks the entries take.
func entryBlocks(block int64) uint64 { return uint64(tableEntries * tableEntrySize / block) }

// tableBytes is how long the first copy is: MBR, header and entries. With blocks of 4096
// bytes that is 0x6000, the size of a real partitionimage chunk.
func tableBytes(block int64) int { return int(block) * int(2+entryBlocks(block)) }

// primary is the first copy, as firmware carries it.
func (t *lunTable) primary() ([]byte, error) {
	b := make([]byte, tableBytes(t.block))
	b[446+4], b[510], b[511] = 0xEE, 0x55, 0xAA
	binary.LittleEndian.PutUint32(b[446:], 0x00020000)
	binary.LittleEndian.PutUint32(b[446+4:], 0xFFFFFFEE)
	binary.LittleEndian.PutUint32(b[446+8:], 1)
	binary.LittleEndian.PutUint32(b[446+12:], uint32(min(t.last, math.MaxUint32)))
	entries, err := t.encodeEntries()
	if err != nil {
		return nil, err
	}
	copy(b[2*t.block:], entries)
	copy(b[t.block:], t.header(1, t.last, 2, entries))
	return b, nil
}

func (t *lunTable) encodeEntries() ([]byte, error) {
	if len(t.entries) > tableEntries {
		return nil, fmt.Errorf("%d partitions", len(t.entries))
	}
	b := make([]byte, 0, tableEntries*tableEntrySize)
	for _, e := range t.entries {
		var err error
		if b, err = mkimage.AppendEntry(b, e); err != nil {
			return nil, err
		}
	}
	return b[:cap(b)], nil
}

func (t *lunTable) header(self, other, entriesAt uint64, entries []byte) []byte {
	h := make([]byte, tableHeader)
	copy(h, "EFI PART\x00\x00\x01\x00")
	le := binary.LittleEndian
	le.PutUint32(h[12:], tableHeader)
	le.PutUint64(h[24:], self)
	le.PutUint64(h[32:], other)
	le.PutUint64(h[40:], 2+entryBlocks(t.block))
	le.PutUint64(h[48:], t.last-entryBlocks(t.block)-1)
	copy(h[56:], t.disk[:])
	le.PutUint64(h[72:], entriesAt)
	le.PutUint32(h[80:], tableEntries)
	le.PutUint32(h[84:], tableEntrySize)
	le.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h))
	return h
}

// parseLUNTable reads a first copy. Its checksums must be right and its partitions must
// lie between its own ends without overlapping.
func parseLUNTable(b []byte, block int64) (*lunTable, error) {
	if len(b) < tableBytes(block) {
		return nil, errors.New("the table is too short")
	}
	le := binary.LittleEndian
	h := bytes.Clone(b[block : block+tableHeader])
	sum := le.Uint32(h[16:])
	le.PutUint32(h[16:], 0)
	entries := b[2*block : tableBytes(block)]
	switch {
	case !bytes.HasPrefix(h, []byte("EFI PART\x00\x00\x01\x00")) || le.Uint32(h[12:]) != tableHeader || crc32.ChecksumIEEE(h) != sum:
		return nil, errors.New("the header is wrong")
	case le.Uint64(h[24:]) != 1 || le.Uint64(h[72:]) != 2 || le.Uint32(h[80:]) != tableEntries || le.Uint32(h[84:]) != tableEntrySize:
		return nil, errors.New("the header has another form")
	case crc32.ChecksumIEEE(entries) != le.Uint32(h[88:]):
		return nil, errors.New("the entries are wrong")
	}
	t := &lunTable{block: block, last: le.Uint64(h[32:])}
	copy(t.disk[:], h[56:])
	first, last := le.Uint64(h[40:]), le.Uint64(h[48:])
	if first < 2+entryBlocks(block) || last < first || last >= t.last || t.last > math.MaxInt64/uint64(block) {
		return nil, errors.New("the usable blocks are wrong")
	}
	for at := 0; at < len(entries); at += tableEntrySize {
		e, err := gpt.ParseEntry(entries[at : at+tableEntrySize])
		if err != nil {
			return nil, err
		}
		if !e.Used() {
			continue
		}
		if e.First < first || e.Last > last || e.Last < e.First {
			return nil, fmt.Errorf("partition %s lies outside", e.Name)
		}
		t.entries = append(t.entries, e)
	}
	return t, gpt.CheckEntries(t.entries)
}

// write puts both copies onto a unit of size bytes. A table that was made for a smaller
// one is moved to the end, as any partitioning program would do.
func (t *lunTable) write(w io.WriterAt, size int64) error {
	moved := *t
	moved.last = uint64(size/t.block) - 1
	first, err := moved.primary()
	if err != nil {
		return err
	}
	if _, err := w.WriteAt(first, 0); err != nil {
		return err
	}
	entries := first[2*t.block:]
	at := moved.last - entryBlocks(t.block)
	if _, err := w.WriteAt(entries, int64(at)*t.block); err != nil {
		return err
	}
	end := make([]byte, t.block)
	copy(end, moved.header(moved.last, 1, at, entries))
	_, err = w.WriteAt(end, int64(moved.last)*t.block)
	return err
}

// inSectors is the table in sectors of 512 bytes, which is how partitions of all phones
// are opened here.
func (t *lunTable) inSectors() *gpt.Table {
	per := uint64(t.block / gpt.SectorSize)
	u := &gpt.Table{DiskGUID: t.disk, Sectors: (t.last + 1) * per}
	for _, e := range t.entries {
		e.First, e.Last = e.First*per, (e.Last+1)*per-1
		u.Entries = append(u.Entries, e)
	}
	return u
}
