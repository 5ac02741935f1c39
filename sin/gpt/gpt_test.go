package gpt_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"testing"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin/gpt"
)

// disk is a small in-memory disk.
type disk []byte

func (d disk) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > int64(len(d)) {
		return 0, io.ErrShortWrite
	}
	return copy(d[off:], p), nil
}

func (d disk) read() (*Table, error) { return Read(bytes.NewReader(d), int64(len(d))) }

func guid(t testing.TB, s string) GUID {
	t.Helper()
	g, err := ParseGUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

const testSectors = 4096

func testTable(t testing.TB) *Table {
	linux := guid(t, "0FC63DAF-8483-4772-8E79-3D69D8477DE4")
	return &Table{
		DiskGUID: guid(t, "98101B32-BBE2-4BF2-A06E-2BB33D000C20"),
		Sectors:  testSectors,
		Entries: []Entry{
			{Type: linux, Unique: guid(t, "2F50DBC8-FC14-93E4-4A9D-496FBA338B45"), First: 34, Last: 99, Name: "boot"},
			{},
			{Type: linux, Unique: guid(t, "DBE0B276-4DB9-4A0D-ACA7-00684DE9C467"), First: 100, Last: testSectors - 35, Attr: 1 << 60, Name: "FOTAKernel"},
		},
	}
}

func testDisk(t testing.TB) disk {
	t.Helper()
	d := make(disk, testSectors*SectorSize)
	if err := WriteGPT(d, testTable(t)); err != nil {
		t.Fatal(err)
	}
	return d
}

// The bytes of `system` on disk are given in sin/FORMAT.md §4.4.
func TestGUIDOrder(t *testing.T) {
	g := guid(t, "f9cdf7ba-b834-a72a-f1c9-d6e0c0983896")
	if got := hex.EncodeToString(g[:]); got != "baf7cdf934b82aa7f1c9d6e0c0983896" {
		t.Errorf("disk order %s", got)
	}
	if got := g.String(); got != "F9CDF7BA-B834-A72A-F1C9-D6E0C0983896" {
		t.Errorf("String %s", got)
	}
	for _, bad := range []string{"", "F9CDF7BA-B834-A72A-F1C9-D6E0C098389", "F9CDF7BAB-834-A72A-F1C9-D6E0C0983896",
		"{9CDF7BA-B834-A72A-F1C9-D6E0C098389}", "F9CDF7BA-B834-A72A-F1C9-D6E0C09838-6", "F9CDF7BG-B834-A72A-F1C9-D6E0C0983896"} {
		if _, err := ParseGUID(bad); !errors.Is(err, ErrGUID) {
			t.Errorf("ParseGUID(%q): %v", bad, err)
		}
	}
}

func TestEntryLayout(t *testing.T) {
	e := testTable(t).Entries[2]
	b, err := AppendEntry([]byte("x"), e)
	if err != nil || len(b) != 1+EntrySize {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	b = b[1:]
	if u := binary.LittleEndian.Uint64(b[32:]); u != 100 {
		t.Errorf("first sector %d", u)
	}
	if u := binary.LittleEndian.Uint64(b[40:]); u != testSectors-35 {
		t.Errorf("last sector %d", u)
	}
	if b[55] != 0x10 || string(b[56:64]) != "F\x00O\x00T\x00A\x00" || b[76] != 0 {
		t.Errorf("attributes or name: % x", b[48:80])
	}
	back, err := ParseEntry(b)
	if err != nil || back != e {
		t.Errorf("got %+v, %v", back, err)
	}
	if e.Offset() != 51200 || e.Size() != (testSectors-35-100+1)*512 {
		t.Errorf("offset %d size %d", e.Offset(), e.Size())
	}
	if _, err := ParseEntry(b[:127]); !errors.Is(err, ErrEntryShort) {
		t.Errorf("short entry: %v", err)
	}
	for _, name := range []string{"a\x00b", "0123456789012345678901234567890123456", "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀"} {
		if _, err := AppendEntry(nil, (Entry{Name: name})); !errors.Is(err, ErrName) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	for _, name := range []string{"012345678901234567890123456789012345", "ÄÖ😀"} {
		b, err := AppendEntry(nil, Entry{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if back, _ := ParseEntry(b); back.Name != name {
			t.Errorf("name %q came back as %q", name, back.Name)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	got, err := testDisk(t).read()
	if err != nil {
		t.Fatal(err)
	}
	want := testTable(t)
	if got.DiskGUID != want.DiskGUID || got.Sectors != want.Sectors || len(got.Entries) != len(want.Entries) {
		t.Fatalf("got %+v", got)
	}
	for i := range want.Entries {
		if got.Entries[i] != want.Entries[i] {
			t.Errorf("entry %d: %+v", i, got.Entries[i])
		}
	}
	if e, ok := got.ByName("FOTAKernel"); !ok || e.First != 100 {
		t.Errorf("ByName: %+v %v", e, ok)
	}
	if e, ok := got.ByUnique(want.Entries[0].Unique); !ok || e.Name != "boot" {
		t.Errorf("ByUnique: %+v %v", e, ok)
	}
	if _, ok := got.ByName(""); ok {
		t.Error("an unused entry was found by its empty name")
	}
	if _, ok := got.ByUnique(GUID{}); ok {
		t.Error("an unused entry was found by its zero GUID")
	}
}

// resum repairs the header checksum after a deliberate change, so that the
// check after it is reached.
func resum(d disk, sector int) {
	h := d[sector*SectorSize:]
	clear(h[16:20])
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
}

func TestReadFindsDamage(t *testing.T) {
	const last = testSectors - 1
	put32 := func(sector, at int, v uint32) func(disk) {
		return func(d disk) {
			binary.LittleEndian.PutUint32(d[sector*SectorSize+at:], v)
			resum(d, sector)
		}
	}
	flip := func(at int) func(disk) { return func(d disk) { d[at] ^= 0x40 } }
	for _, c := range []struct {
		name, where string
		offset      int64
		cause       error
		damage      func(disk)
	}{
		{"MBR signature", "protective MBR", 0, ErrMBR, flip(511)},
		{"MBR type", "protective MBR", 0, ErrMBR, flip(450)},
		{"primary signature", "primary table", 512, ErrSignature, flip(512)},
		{"primary header", "primary table", 512, ErrHeaderCRC, flip(512 + 60)},
		{"primary entries", "primary table", 1024, ErrEntriesCRC, flip(1024 + 40)},
		{"unused entry", "primary table", 1024, ErrEntriesCRC, flip(34*512 - 1)},
		{"backup signature", "backup table", last * 512, ErrSignature, flip(last*512 + 3)},
		{"backup header", "backup table", last * 512, ErrHeaderCRC, flip(last*512 + 60)},
		{"backup entries", "backup table", (last - 32) * 512, ErrEntriesCRC, flip((last - 32) * 512)},
		{"revision", "primary table", 512, ErrHeader, put32(1, 8, 0x00020000)},
		{"header size small", "primary table", 512, ErrHeader, put32(1, 12, 91)},
		{"header size large", "primary table", 512, ErrHeader, put32(1, 12, 513)},
		{"entry size", "primary table", 512, ErrEntryCount, put32(1, 84, 256)},
		{"no entries", "primary table", 512, ErrEntryCount, put32(1, 80, 0)},
		{"too many entries", "primary table", 512, ErrEntryCount, put32(1, 80, 0xFFFFFFFF)},
		{"entries past usable", "primary table", 512, ErrPlace, put32(1, 80, 129)},
		{"entries on the header", "primary table", 512, ErrPlace, put32(1, 72, 1)},
		{"entries far away", "primary table", 512, ErrPlace, put32(1, 76, 0xFFFFFFFF)},
		{"header elsewhere", "primary table", 512, ErrPlace, put32(1, 24, 2)},
		{"twin elsewhere", "primary table", 512, ErrPlace, put32(1, 32, last-1)},
		{"usable past the disk", "primary table", 512, ErrPlace, put32(1, 48, last)},
		{"backup entries in data", "backup table", last * 512, ErrPlace, put32(last, 72, 50)},
		{"other disk GUID", "backup table", last * 512, ErrDiffer, put32(last, 56, 7)},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := testDisk(t)
			c.damage(d)
			_, err := d.read()
			var where *Error
			if !errors.Is(err, c.cause) || !errors.As(err, &where) {
				t.Fatalf("got %v, want %v", err, c.cause)
			}
			if where.Where != c.where || where.Offset != c.offset {
				t.Errorf("placed at %s %d, want %s %d", where.Where, where.Offset, c.where, c.offset)
			}
		})
	}
}

func TestReadSize(t *testing.T) {
	d := testDisk(t)
	for _, size := range []int64{-1, 0, 511, (MinSectors - 1) * 512, testSectors*512 - 1} {
		if _, err := Read(bytes.NewReader(d), size); !errors.Is(err, ErrTruncated) {
			t.Errorf("size %d: %v", size, err)
		}
	}
	if _, err := Read(bytes.NewReader(d[:len(d)-600]), int64(len(d))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut disk: %v", err)
	}
}

func TestCheckEntries(t *testing.T) {
	a := testTable(t).Entries[0]
	b := testTable(t).Entries[2]
	with := func(change func(a, b *Entry)) []Entry {
		x, y := a, b
		change(&x, &y)
		return []Entry{y, {}, x} // on purpose not in order of sectors
	}
	if err := CheckEntries(with(func(a, b *Entry) {})); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		entries []Entry
		index   int
		cause   error
	}{
		{with(func(a, b *Entry) { a.Last = 100 }), 0, ErrOverlap},
		{with(func(a, b *Entry) { a.Last = 1 << 40 }), 0, ErrOverlap},
		{with(func(a, b *Entry) { b.First = 34 }), 2, ErrOverlap},
		{with(func(a, b *Entry) { a.Last = 33 }), 2, ErrRange},
		{with(func(a, b *Entry) { b.Last = 1 << 63 }), 0, ErrRange},
		{with(func(a, b *Entry) { a.Unique = b.Unique }), 2, ErrDuplicate},
	} {
		err := CheckEntries(c.entries)
		var which *EntryError
		if !errors.Is(err, c.cause) || !errors.As(err, &which) || which.Index != c.index {
			t.Errorf("got %v, want partition %d: %v", err, c.index+1, c.cause)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Table)
		cause  error
	}{
		{"tiny disk", func(t *Table) { t.Sectors = MinSectors - 1 }, ErrTruncated},
		{"absurd disk", func(t *Table) { t.Sectors = 1 << 60 }, ErrTruncated},
		{"129 entries", func(t *Table) { t.Entries = make([]Entry, 129) }, ErrTooMany},
		{"in the primary table", func(t *Table) { t.Entries[0].First = 33 }, ErrUsable},
		{"in the backup table", func(t *Table) { t.Entries[2].Last += 2 }, ErrUsable},
		{"overlap", func(t *Table) { t.Entries[2].First-- }, ErrOverlap},
		{"name", func(t *Table) { t.Entries[2].Name = "\x00" }, ErrName},
	} {
		table, d := testTable(t), make(disk, testSectors*SectorSize)
		c.change(table)
		if err := WriteGPT(d, table); !errors.Is(err, c.cause) {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(bytes.Trim(d, "\x00")) != 0 {
			t.Errorf("%s: something was written", c.name)
		}
	}
	short := make(disk, 100*SectorSize)
	if err := WriteGPT(short, testTable(t)); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("writer's error is lost: %v", err)
	}
}

func TestWriteLeavesTheRest(t *testing.T) {
	d := bytes.Repeat([]byte{0xA5}, testSectors*SectorSize)
	if err := WriteGPT(disk(d), testTable(t)); err != nil {
		t.Fatal(err)
	}
	usable := d[34*512 : (testSectors-33)*512]
	if n := bytes.Count(usable, []byte{0xA5}); n != len(usable) {
		t.Errorf("%d bytes of the usable area were changed", len(usable)-n)
	}
}

// edges is a disk of which only the two ends are stored; the middle reads as zero.
type edges struct {
	head, tail []byte
	size       int64
}

func (d edges) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), max(0, d.size-off)))
	for i := range n {
		p[i] = 0
		if at := off + int64(i); at < int64(len(d.head)) {
			p[i] = d.head[at]
		} else if at -= d.size - int64(len(d.tail)); at >= 0 {
			p[i] = d.tail[at]
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func FuzzRead(f *testing.F) {
	whole := testDisk(f)
	const edge = 34 * SectorSize
	f.Add([]byte(whole[:edge]), []byte(whole[len(whole)-edge:]), uint32(testSectors))
	f.Add([]byte(whole[:edge]), []byte{}, uint32(testSectors))
	f.Add([]byte{}, []byte{}, uint32(0))
	f.Fuzz(func(t *testing.T, head, tail []byte, sectors uint32) {
		d := edges{head, tail, int64(sectors) * SectorSize}
		table, err := Read(d, d.size)
		if err != nil {
			return
		}
		for _, e := range table.Entries {
			if e.Used() && (e.Offset() < 0 || e.Size() <= 0 || e.Offset()+e.Size() > d.size) {
				t.Errorf("accepted a partition outside the disk: %+v", e)
			}
		}
	})
}
