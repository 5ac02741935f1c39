package trimarea

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"xflash/internal/trimarea/tatest"
)

func examine(t *testing.T, b []byte) *Survey {
	t.Helper()
	s, err := Examine(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Everything is listed, deleted units and older copies too, and what counts is what the
// phone would read.
func TestExamine(t *testing.T) {
	s := examine(t, tatest.Sample())
	if len(s.Faults) != 0 || len(s.Blocks) != 3 || s.BlockSize != 0x20000 {
		t.Fatalf("%+v", s)
	}
	type row struct {
		number         uint32
		data           string
		deleted, older bool
	}
	var got []row
	for _, u := range s.Stored {
		got = append(got, row{u.Number, string(u.Data), u.Deleted, u.Older})
	}
	want := []row{
		{1877, "calibration", false, false},
		{2003, "hardware", false, false},
		{2404, "gone", true, false},
		{2210, "D5803", false, true}, // part 1, which lies after it, has a later one
		{2212, "", false, false},
		{66667, "0123456789abcdef", false, false},
		{2210, "D5833", false, false},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
	if u, ok := s.Unit(Misc, 2210); !ok || string(u.Data) != "D5833" {
		t.Errorf("2210 is %q", u.Data)
	}
	if _, ok := s.Unit(Misc, 2404); ok {
		t.Error("a deleted unit counts")
	}
	var live []uint32
	for _, u := range s.Live(Misc) {
		live = append(live, u.Number)
	}
	if !slices.Equal(live, []uint32{2003, 2210, 2212, 66667}) {
		t.Errorf("live %v", tatest.Live)
	}
}

// A large image has blocks of 0x80000, and n = 0xFF means the whole block.
func TestExamineLarge(t *testing.T) {
	b := bytes.Repeat([]byte{0xFF}, 8<<20)
	block := b[0x80000:0x100000]
	copy(block, []byte{0xC1, 0xE9, 0xF8, 0x3B, 0, 0, 0, 0, 2, 0, 2, 0xFF})
	copy(block[12:], []byte{0xA2, 0x08, 0, 0, 5, 0, 0, 0, 0xC1, 0xE9, 0xF8, 0x3B, 0xFF, 0xFF, 0xFF, 0xFF, 'F', '5', '1', '2', '1'})
	binary.LittleEndian.PutUint32(block[4:], tatest.Adler(block[8:]))
	s := examine(t, b)
	if len(s.Faults) != 0 || len(s.Blocks) != 1 || s.Blocks[0].Size != 0x80000 || s.BlockSize != 0x80000 {
		t.Fatalf("%+v", s)
	}
	if u, ok := s.Unit(Misc, 2210); !ok || string(u.Data) != "F5121" || u.Offset != 0x80000+28 {
		t.Errorf("%+v", u)
	}
}

// Each fault is found with its place, and the rest is read anyway.
func TestExamineFaults(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(b []byte)
		cause  error
		offset int64
		unit   uint32
		count  int // units that are still read
	}{
		"a bit of a unit":     {func(b []byte) { b[2*0x20000+30] ^= 1 }, ErrChecksum, 2 * 0x20000, 0, 7},
		"the checksum":        {func(b []byte) { b[4] ^= 1 }, ErrChecksum, 0, 0, 7},
		"an unknown part":     {func(b []byte) { b[10] = 3; tatest.Seal(b, 0) }, ErrPartition, 0, 0, 7},
		"the same part twice": {func(b []byte) { b[3*0x20000+9] = 0; tatest.Seal(b, 3) }, ErrSamePart, 3 * 0x20000, 0, 7},
		"a length too large":  {func(b []byte) { b[2*0x20000+12+6] = 1; tatest.Seal(b, 2) }, ErrLength, 2*0x20000 + 12, 2003, 2},
		"a length of 4 GiB": {func(b []byte) { copy(b[16:], "\xff\xff\xff\xff"); tatest.Seal(b, 0) },
			ErrLength, 12, 1877, 6},
	} {
		b := tatest.Sample()
		c.spoil(b)
		s := examine(t, b)
		if len(s.Faults) != 1 {
			t.Errorf("%s: faults %v", name, s.Faults)
			continue
		}
		f := s.Faults[0]
		if !errors.Is(f, c.cause) || f.Offset != c.offset || f.Unit != c.unit || len(s.Stored) != c.count {
			t.Errorf("%s: %v, %d units", name, f, len(s.Stored))
		}
	}
}

func TestExamineSizes(t *testing.T) {
	for _, n := range []int{0, 1, 2<<20 - 1, 2<<20 + 1, 4 << 20, 8<<20 - 1, 8<<20 + 1} {
		if _, err := Examine(make([]byte, n)); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes: error %v", n, err)
		}
	}
	if s := examine(t, make([]byte, 2<<20)); len(s.Blocks) != 0 || len(s.Stored) != 0 {
		t.Errorf("zeros: %+v", s)
	}
}

// No bit of what a checksum covers can flip unseen.
func TestEveryFlipIsSeen(t *testing.T) {
	b := tatest.Sample()
	for at := 3 * 0x20000; at < 3*0x20000+0x800; at++ {
		for bit := range 8 {
			b[at] ^= 1 << bit
			if s := examine(t, b); len(s.Faults) == 0 && len(s.Blocks) == 3 {
				t.Fatalf("bit %d of byte %#x", bit, at)
			}
			b[at] ^= 1 << bit
			if at > 3*0x20000+64 {
				break // one bit a byte is enough where there is only filling
			}
		}
	}
}
