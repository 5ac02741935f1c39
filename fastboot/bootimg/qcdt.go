package bootimg

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// QCDTMagic starts a table of device trees.
const QCDTMagic = "QCDT"

// Table is a QCDT table (FORMAT.md §2.1), little-endian: which device
// tree is for which device.
type Table struct {
	Version uint32 // 1 to 3
	Entries []TableEntry
	data    []byte
}

// TableEntry says where the tree for an id is. Several may name the same tree.
type TableEntry struct {
	ID
	Offset uint32 // from the start of the table, bytes
	Size   uint32 // bytes, the filling up to a page included
}

const qcdtHeaderLen = 12

// qcdtEntryLen is the length of an entry by version.
var qcdtEntryLen = map[uint32]int{1: 20, 2: 24, 3: 40}

// ParseQCDT reads the table at the start of data. The trees are not looked at;
// DTB checks them one by one, so that a table with one bad entry can be described.
// With ErrUnsupported the table is returned with its version.
func ParseQCDT(data []byte) (*Table, error) {
	bad := func(reason error, at int64, format string, args ...any) error {
		return fail("QCDT table", reason, at, format, args...)
	}
	if !bytes.HasPrefix(data, []byte(QCDTMagic)) {
		return nil, bad(ErrWrongKind, 0, "starts with % x", data[:min(4, len(data))])
	}
	if len(data) < qcdtHeaderLen {
		return nil, bad(ErrTruncated, int64(len(data)), "the header has %d bytes", qcdtHeaderLen)
	}
	le := binary.LittleEndian
	t := &Table{Version: le.Uint32(data[4:]), data: data}
	entry, ok := qcdtEntryLen[t.Version]
	if !ok {
		return t, bad(ErrUnsupported, 4, "version %d", t.Version)
	}
	count := int64(le.Uint32(data[8:]))
	if end := qcdtHeaderLen + count*int64(entry); end > int64(len(data)) {
		return t, bad(ErrTruncated, int64(len(data)), "%d entries end at %#x", count, end)
	}
	t.Entries = make([]TableEntry, count)
	for i := range t.Entries {
		words := data[qcdtHeaderLen+i*entry:]
		next := func() uint32 {
			v := le.Uint32(words)
			words = words[4:]
			return v
		}
		e := &t.Entries[i]
		e.Platform, e.Variant = next(), next()
		if t.Version >= 2 {
			e.Subtype = next()
		}
		e.Rev = next()
		if t.Version == 3 {
			e.PMIC = [4]uint32{next(), next(), next(), next()}
		}
		e.Offset, e.Size = next(), next()
	}
	return t, nil
}

// DTB returns the tree of an entry, its filling included, and checks that it lies
// within the table and starts a device tree that fits.
func (t *Table) DTB(e TableEntry) ([]byte, error) {
	end := int64(e.Offset) + int64(e.Size)
	if end > int64(len(t.data)) {
		return nil, fail("QCDT table", ErrTruncated, int64(len(t.data)), "the tree for %v would end at %#x", e.ID, end)
	}
	b := t.data[e.Offset:end:end]
	if FDTSize(b) == 0 {
		return nil, fail("QCDT table", ErrMalformed, int64(e.Offset), "no complete device tree of up to %d bytes here for %v", e.Size, e.ID)
	}
	return b, nil
}

// Tree is a device tree with the ids it is for.
type Tree struct {
	DTB []byte
	IDs []ID
}

// Trees returns each tree of the table once, in the order in which they are in it.
func (t *Table) Trees() ([]Tree, error) {
	var trees []Tree
	seen := map[[2]uint32]int{} // place and size to index
	entries := slices.Clone(t.Entries)
	slices.SortStableFunc(entries, func(a, b TableEntry) int { return int(int64(a.Offset) - int64(b.Offset)) })
	for _, e := range entries {
		key := [2]uint32{e.Offset, e.Size}
		i, ok := seen[key]
		if !ok {
			b, err := t.DTB(e)
			if err != nil {
				return nil, err
			}
			i, seen[key] = len(trees), len(trees)
			trees = append(trees, Tree{DTB: b})
		}
		trees[i].IDs = append(trees[i].IDs, e.ID)
	}
	return trees, nil
}

// BuildQCDT makes a table: entries sorted, a zero word after them, each tree
// once and filled up to a page. Loaders of shinano phones accept version 2, and 1
// (FORMAT.md §2.1). What a version cannot say of an id is refused.
func BuildQCDT(version uint32, pageSize int, trees []Tree) ([]byte, error) {
	bad := func(reason error, format string, args ...any) ([]byte, error) {
		return nil, fail("QCDT table", reason, 0, format, args...)
	}
	entry, ok := qcdtEntryLen[version]
	if !ok {
		return bad(ErrUnsupported, "version %d", version)
	}
	if !soundPageSize(uint32(pageSize)) {
		return bad(ErrMalformed, "page size %d", pageSize)
	}
	count := 0
	for _, t := range trees {
		count += len(t.IDs)
	}
	page := int64(pageSize)
	at := roundUp(qcdtHeaderLen+int64(count*entry)+4, page)
	var entries []TableEntry
	for i, t := range trees {
		if FDTSize(t.DTB) == 0 {
			return bad(ErrMalformed, "tree %d of %d bytes is not a device tree", i, len(t.DTB))
		}
		size := roundUp(int64(len(t.DTB)), page)
		if at+size > 1<<31 {
			return bad(ErrTooLarge, "more than 2 GiB of trees")
		}
		for _, id := range t.IDs {
			if version < 2 && id.Subtype != 0 || version < 3 && id.PMIC != [4]uint32{} {
				return bad(ErrTooLarge, "an entry of version %d cannot hold %v", version, id)
			}
			entries = append(entries, TableEntry{ID: id, Offset: uint32(at), Size: uint32(size)})
		}
		at += size
	}
	slices.SortStableFunc(entries, func(a, b TableEntry) int { return a.ID.Compare(b.ID) })

	b := make([]byte, 0, at)
	b = append(b, QCDTMagic...)
	put := func(words ...uint32) {
		for _, w := range words {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
	}
	put(version, uint32(count))
	for _, e := range entries {
		put(e.Platform, e.Variant)
		if version >= 2 {
			put(e.Subtype)
		}
		put(e.Rev)
		if version == 3 {
			put(e.PMIC[:]...)
		}
		put(e.Offset, e.Size)
	}
	fill := func() { b = append(b, make([]byte, roundUp(int64(len(b)), page)-int64(len(b)))...) }
	put(0)
	fill()
	for _, t := range trees {
		b = append(b, t.DTB...)
		fill()
	}
	return b, nil
}
