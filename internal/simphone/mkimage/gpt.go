package mkimage

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf16"

	"xflash/sin"
	"xflash/sin/gpt"
)

// Causes in the errors of WriteGPT and AppendEntry.
var (
	ErrTooMany = errors.New("more than 128 entries")
	ErrName    = errors.New("name does not fit in 36 UTF-16 units or holds a zero")
)

// WriteGPT writes the table to a disk of t.Sectors sectors: protective MBR,
// primary table in sectors 1 to 33, backup table in the last 33. Nothing else
// on the disk is touched. Room is made for 128 entries, so partitions must lie
// in sectors 34 to Sectors-34. The backup goes first and the primary header
// last, so that a write which stops half-way leaves the old primary readable.
func WriteGPT(w io.WriterAt, t *gpt.Table) error {
	if t.Sectors < gpt.MinSectors || t.Sectors > 1<<54 {
		return &gpt.Error{Where: "primary table", Offset: gpt.SectorSize, Err: gpt.ErrTruncated}
	}
	if len(t.Entries) > gpt.Slots {
		return &gpt.Error{Where: "primary table", Offset: 2 * gpt.SectorSize, Err: ErrTooMany}
	}
	const gptHeader = 92
	const tableSectors = gpt.Slots * gpt.EntrySize / gpt.SectorSize
	last := t.Sectors - 1
	firstUsable, lastUsable := uint64(2+tableSectors), last-tableSectors-1
	wrong := func(err error) error { return &gpt.Error{Where: "primary table", Offset: 2 * gpt.SectorSize, Err: err} }
	if err := gpt.CheckEntries(t.Entries); err != nil {
		return wrong(err)
	}
	entries := make([]byte, 0, gpt.Slots*gpt.EntrySize)
	for i, e := range t.Entries {
		var err error
		if e.Used() && (e.First < firstUsable || e.Last > lastUsable) {
			err = gpt.ErrUsable
		} else {
			entries, err = AppendEntry(entries, e)
		}
		if err != nil {
			return wrong(&gpt.EntryError{Index: i, Name: e.Name, Err: err})
		}
	}
	entries = entries[:gpt.Slots*gpt.EntrySize]

	header := func(self, other, entriesLBA uint64) []byte {
		h := make([]byte, gpt.SectorSize)
		copy(h, "EFI PART")
		binary.LittleEndian.PutUint32(h[8:], 1<<16)
		binary.LittleEndian.PutUint32(h[12:], gptHeader)
		binary.LittleEndian.PutUint64(h[24:], self)
		binary.LittleEndian.PutUint64(h[32:], other)
		binary.LittleEndian.PutUint64(h[40:], firstUsable)
		binary.LittleEndian.PutUint64(h[48:], lastUsable)
		copy(h[56:72], t.DiskGUID[:])
		binary.LittleEndian.PutUint64(h[72:], entriesLBA)
		binary.LittleEndian.PutUint32(h[80:], gpt.Slots)
		binary.LittleEndian.PutUint32(h[84:], gpt.EntrySize)
		binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
		binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:gptHeader]))
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
		offset := int64(part.sector) * gpt.SectorSize
		if _, err := w.WriteAt(part.data, offset); err != nil {
			return &gpt.Error{Where: part.where, Offset: offset, Err: err}
		}
	}
	return nil
}

// protectiveMBR is one partition of type 0xEE over the whole disk, or as much
// of it as 32 bits can say.
func protectiveMBR(sectors uint64) []byte {
	mbr := make([]byte, gpt.SectorSize)
	p := mbr[446:]
	copy(p[1:], []byte{0x00, 0x02, 0x00, 0xEE, 0xFF, 0xFF, 0xFF})
	binary.LittleEndian.PutUint32(p[8:], 1)
	binary.LittleEndian.PutUint32(p[12:], uint32(min(sectors-1, 0xFFFFFFFF)))
	mbr[510], mbr[511] = 0x55, 0xAA
	return mbr
}

// AppendEntry appends the 128 bytes of an entry to dst. The only error is ErrName.
func AppendEntry(dst []byte, e gpt.Entry) ([]byte, error) {
	const gptName = 36 // UTF-16 units
	units := utf16.Encode([]rune(e.Name))
	if len(units) > gptName || strings.ContainsRune(e.Name, 0) {
		return dst, ErrName
	}
	dst = append(dst, e.Type[:]...)
	dst = append(dst, e.Unique[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, e.First)
	dst = binary.LittleEndian.AppendUint64(dst, e.Last)
	dst = binary.LittleEndian.AppendUint64(dst, e.Attr)
	for i := range gptName {
		var u uint16
		if i < len(units) {
			u = units[i]
		}
		dst = binary.LittleEndian.AppendUint16(dst, u)
	}
	return dst, nil
}

// LayoutPayload is the payload of a partition layout (sin/FORMAT.md §4.4). The error is that of a
// partition name that does not fit.
func LayoutPayload(l *sin.Layout) ([]byte, error) {
	le := binary.LittleEndian
	out := le.AppendUint32([]byte{2, 0, 1, 0}, uint32(len(l.Tables)))
	for _, t := range l.Tables {
		out = le.AppendUint32(out, t.Device)
		out = le.AppendUint32(out, uint32(len(t.Entries)))
		for _, e := range t.Entries {
			var err error
			if out, err = AppendEntry(out, e); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
