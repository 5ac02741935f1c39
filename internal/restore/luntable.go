package restore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"xflash/sin"
	"xflash/sin/gpt"
)

// lunTable is the partition table of a logical unit, as a file of the bundle holds it. That
// those files hold the first copy of a GPT is inferred from their size
// (usbproto/command/PROTOCOL.md §5.3), so one in another form is not damaged.
type lunTable struct {
	size  int64            // bytes of the storage that it is made for; 0 when it does not say
	end   int64            // one past the last byte of its partitions
	sizes map[string]int64 // bytes of the partitions, by label
}

// maxTable is larger than the first copy of any table, in bytes.
const maxTable = 64 << 10

// readTable reads the table of an archive that was found whole; nil when it has another form.
func (it *Item) readTable() (*lunTable, error) {
	r, err := it.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	a, err := sin.OpenArchive(r)
	if err != nil {
		return nil, err
	}
	if _, err := a.Next(); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(a, maxTable))
	if err != nil {
		return nil, err
	}
	for _, block := range []int64{4096, 512} {
		if t := parseLUNTable(b, block); t != nil {
			return t, nil
		}
	}
	return nil, nil
}

// parseLUNTable reads the first copy of a GPT: one block of MBR, the header, the entries. nil
// when it is none, or a checksum is wrong.
func parseLUNTable(b []byte, block int64) *lunTable {
	const headerSize = 92
	if int64(len(b)) < 2*block || !bytes.HasPrefix(b[block:], []byte("EFI PART")) {
		return nil
	}
	le := binary.LittleEndian
	h := bytes.Clone(b[block : block+headerSize])
	sum, other, entriesAt := le.Uint32(h[16:]), le.Uint64(h[32:]), le.Uint64(h[72:])
	count, each := le.Uint32(h[80:]), le.Uint32(h[84:])
	clear(h[16:20])
	if le.Uint32(h[12:]) != headerSize || crc32.ChecksumIEEE(h) != sum || entriesAt < 2 || entriesAt > maxTable || each != gpt.EntrySize {
		return nil
	}
	start, length := int64(entriesAt)*block, int64(count)*gpt.EntrySize
	if start > int64(len(b)) || length > int64(len(b))-start || crc32.ChecksumIEEE(b[start:start+length]) != le.Uint32(h[88:]) {
		return nil
	}
	t := &lunTable{sizes: map[string]int64{}}
	if other > 0 {
		t.size = bytesTo(other, block)
	}
	for entries := b[start : start+length]; len(entries) > 0; entries = entries[gpt.EntrySize:] {
		e, err := gpt.ParseEntry(entries)
		if err != nil || !e.Used() || e.Last < e.First {
			continue // the phone gives a last partition without an end the rest
		}
		t.end = max(t.end, bytesTo(e.Last, block))
		t.sizes[e.Name] = bytesTo(e.Last-e.First, block)
	}
	return t
}

// bytesTo is the number of bytes up to the end of a block; the most there is when it is more.
func bytesTo(last uint64, block int64) int64 {
	if last >= uint64(math.MaxInt64/block) {
		return math.MaxInt64
	}
	return int64(last+1) * block
}

// contradicts says why a table is not for the storage that the name of its file tells, "" when
// it is. Without a size in the name its content has to tell it.
func (f tableFile) contradicts() string {
	t := f.item.lun
	switch {
	case t == nil && f.kib == 0:
		return "says neither by its name nor by a content that can be read for which storage it is made"
	case t == nil, f.kib == 0:
		return ""
	}
	return t.unfit(f.kib * 1024)
}

// unfit says why a table is not for a storage of a size in bytes, "" when it is.
func (t *lunTable) unfit(size int64) string {
	switch {
	case t.size != 0 && t.size != size:
		return fmt.Sprintf("holds a table for a storage of %d KiB instead of %d", t.size/1024, size/1024)
	case t.end > size:
		return fmt.Sprintf("has partitions up to %d KiB, and the storage ends at %d", t.end/1024, size/1024)
	}
	return ""
}

// tableSize is the room in bytes that the bundle's tables give a partition of a phone of 2017
// or later: those chosen for the phone, else the one with the most; false when they have none of
// that name.
func (j *judge) tableSize(partition string) (size int64, found bool) {
	for _, it := range j.fw.Items {
		if _, chosen := j.tables.files[it]; it.lun == nil || j.tables.files != nil && !chosen {
			continue
		}
		if n, ok := it.lun.sizes[partition]; ok {
			size, found = max(size, n), true
		}
	}
	return size, found
}
