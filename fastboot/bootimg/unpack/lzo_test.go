package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// lzopFile is a container of one block, which is not packed when packed is nil.
func lzopFile(flags uint32, data, packed []byte) []byte {
	head := []byte{0x10, 0x30, 0x20, 0xA0, 0x09, 0x40, 1, 5}
	head = binary.BigEndian.AppendUint32(head, flags)
	head = append(head, make([]byte, 12)...) // mode, time
	head = append(head, 0)                   // no name
	b := append([]byte(lzoMagic), head...)
	b = binary.BigEndian.AppendUint32(b, adler32.Checksum(head))
	stored := packed == nil
	if stored {
		packed = data
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(packed)))
	if flags&lzoAdlerData != 0 {
		b = binary.BigEndian.AppendUint32(b, adler32.Checksum(data))
	}
	b = append(b, packed...)
	return binary.BigEndian.AppendUint32(b, 0)
}

// TestLZO1X: blocks made by hand, an instruction each, and what they must give.
func TestLZO1X(t *testing.T) {
	end := []byte{17, 0, 0}
	run := func(n int) []byte { // n bytes in one run at the start of a block
		b := []byte{byte(n + 17)}
		for i := range n {
			b = append(b, byte('a'+i%26))
		}
		return b
	}
	text := func(n int) string { return string(run(n)[1:]) }
	long := bytes.Repeat([]byte("0123456789"), 2000)
	// 20000 literals: a zero code, zero bytes of 255 each, and the rest.
	count := len(long) - 3 - 15
	longRun := append(append([]byte{0}, make([]byte, (count-1)/255)...), byte((count-1)%255+1))
	longRun = append(longRun, long...)
	for name, c := range map[string]struct {
		block []byte
		want  string
	}{
		"nothing":                    {end, ""},
		"a first run":                {slices.Concat(run(5), end), text(5)},
		"a run of four":              {slices.Concat([]byte{1}, []byte("wxyz"), end), "wxyz"},
		"a long run":                 {slices.Concat(longRun, end), string(long)},
		"match of 3 bytes":           {slices.Concat(run(5), []byte{0x40 | 1<<2, 0}, end), "abcdedec"[:7] + "d"},
		"match of 8 bytes":           {slices.Concat(run(10), []byte{0xE0 | 7<<2, 0}, end), text(10) + text(10)[2:10]},
		"match into itself":          {slices.Concat(run(4), []byte{0xE0, 0}, end), "abcd" + "dddddddd"},
		"literals after a match":     {slices.Concat(run(4), []byte{0x40 | 2, 0}, []byte("XY"), end), "abcd" + "ddd" + "XY"},
		"2 bytes after literals":     {slices.Concat(run(4), []byte{0x40 | 1, 0}, []byte("X"), []byte{1 << 2, 1}, end), "abcd" + "ddd" + "X" + "cd"},
		"2 bytes after a short run":  {slices.Concat([]byte{17 + 3}, []byte("pqr"), []byte{2 << 2, 0}, end), "pqrpq"},
		"within 16 KiB":              {slices.Concat(run(9), []byte{32 | 4, 8 << 2, 0}, end), text(9) + text(9)[:6]},
		"within 16 KiB, long":        {slices.Concat(run(9), []byte{32, 0, 7, 0, 0}, end), text(9) + strings.Repeat("i", 2+31+255+7)},
		"3 bytes at 2 KiB after run": {slices.Concat(longRun, []byte{0, 0}, end), string(long) + string(long[len(long)-2049:][:3])},
		"beyond 16 KiB":              {slices.Concat(longRun, []byte{16 | 3, 1 << 2, 0}, end), string(long) + string(long[len(long)-16385:][:5])},
		"beyond 16 KiB, long":        {slices.Concat(longRun, []byte{16, 10, 1 << 2, 0}, end), string(long) + string(long[len(long)-16385:][:2+7+10])},
	} {
		got := make([]byte, len(c.want))
		if err := lzo1x(got, c.block); err != nil || string(got) != c.want {
			if len(got) > 100 {
				got = got[len(got)-100:]
			}
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if len(c.want) == 0 {
			continue
		}
		if err := lzo1x(got[1:], c.block); err == nil {
			t.Errorf("%s in too little room", name)
		}
		if err := lzo1x(make([]byte, len(c.want)+1), c.block); err == nil {
			t.Errorf("%s in too much room", name)
		}
		if err := lzo1x(got, append(slices.Clone(c.block), 0)); err == nil {
			t.Errorf("%s and a byte more", name)
		}
		for n := range min(len(c.block), 64) {
			if err := lzo1x(got, c.block[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes are enough", name, n, len(c.block))
			}
		}
	}
	for name, block := range map[string][]byte{
		"a match before the start":  slices.Concat(run(4), []byte{0x40 | 4<<2, 0}, end),
		"a match as the first code": {16, 1, 4, 0},
		"zeros without an end":      make([]byte, 1000),
	} {
		if err := lzo1x(make([]byte, 100), block); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestLZOChecksums: containers of lzop in every form of checksum, with a byte changed in the
// middle of the data, are damaged; without checksums nobody can tell.
func TestLZOChecksums(t *testing.T) {
	data := make([]byte, 4<<10) // does not compress
	_, _ = rand.NewChaCha8([32]byte{9}).Read(data)
	data = append(data, bytes.Repeat([]byte("kernel "), 1<<12)...)
	for _, args := range [][]string{{"-9"}, {"-1"}, {"--crc32"}, {"-C"}, {"--crc32", "-C"}} {
		packed := pack(t, data, "lzop", append([]string{"-c"}, args...)...)
		if got, err := all(t, packed, LZO, enough); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%q: %d bytes, %v", args, len(got), err)
		}
		packed[len(packed)/2] ^= 1
		if _, err := all(t, packed, LZO, enough); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q, damaged: %v", args, err)
		}
	}
	many := pack(t, bytes.Repeat(data, 40), "lzop", "-c") // blocks of 256 KiB
	if got, err := all(t, append(slices.Clone(many), many...), LZO, enough); err != nil || len(got) != 80*len(data) {
		t.Errorf("two files in one: %d bytes, %v", len(got), err)
	}
	// Inside a kernel four bytes of size follow the end mark.
	if got, used, err := First(append(slices.Clone(many), 1, 2, 3, 4), LZO, enough); err != nil || used != len(many) || len(got) != 40*len(data) {
		t.Errorf("%d bytes of %d used, %d out, %v", used, len(many), len(got), err)
	}
}

// FuzzLZO1X: a block never writes past the room for it, whatever is in it.
func FuzzLZO1X(f *testing.F) {
	f.Add([]byte{21, 'a', 'b', 'c', 'd', 0xE0, 0, 17, 0, 0}, uint16(12))
	f.Add([]byte{1, 'w', 'x', 'y', 'z', 32, 0, 7, 0, 0, 17, 0, 0}, uint16(300))
	f.Fuzz(func(t *testing.T, block []byte, size uint16) {
		room := bytes.Repeat([]byte{0xA5}, int(size)+16)
		_ = lzo1x(room[:size], block)
		if !bytes.Equal(room[size:], bytes.Repeat([]byte{0xA5}, 16)) {
			t.Fatal("it writes past its room")
		}
	})
}
