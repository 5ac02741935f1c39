package trimarea

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"math/rand/v2"
	"slices"
	"testing"
)

// rawUnit and rawPart describe an image in the words of sin-ftf-format.md §12.
type rawUnit struct {
	number uint32
	state  uint32
	data   string
}

type rawPart struct {
	block, partition, index, n int
	units                      []rawUnit
}

// adler is the checksum spelled out, independent of the package under test.
func adler(b []byte) uint32 {
	lo, hi := uint32(1), uint32(0)
	for _, c := range b {
		lo = (lo + uint32(c)) % 65521
		hi = (hi + lo) % 65521
	}
	return hi<<16 | lo
}

// build lays an image out by hand.
func build(parts ...rawPart) []byte {
	b := bytes.Repeat([]byte{0xFF}, 2<<20)
	for _, p := range parts {
		block := b[p.block*0x20000 : (p.block+1)*0x20000]
		copy(block, []byte{0xC1, 0xE9, 0xF8, 0x3B, 0, 0, 0, 0, byte(p.partition), byte(p.index), byte(p.partition), byte(p.n)})
		at := 12
		for _, u := range p.units {
			binary.LittleEndian.PutUint32(block[at:], u.number)
			binary.LittleEndian.PutUint32(block[at+4:], uint32(len(u.data)))
			copy(block[at+8:], []byte{0xC1, 0xE9, 0xF8, 0x3B})
			binary.LittleEndian.PutUint32(block[at+12:], u.state)
			copy(block[at+16:], u.data)
			at += 16 + (len(u.data)+3)/4*4
		}
		seal(b, p.block)
	}
	return b
}

// seal sets the checksum of a block.
func seal(b []byte, block int) {
	head := b[block*0x20000:]
	size := min((int(head[11])+1)*2048, 0x20000)
	binary.LittleEndian.PutUint32(head[4:], adler(head[8:size]))
}

const live = 0xFFFFFFFF

func sample() []byte {
	return build(
		rawPart{0, 1, 0, 0xFF, []rawUnit{{1877, live, "calibration"}}},
		rawPart{3, 2, 1, 0, []rawUnit{{2210, 0xFFFFFF14, "D5833"}}},
		rawPart{2, 2, 0, 1, []rawUnit{
			{2003, live, "hardware"},
			{2404, 0x15151515, "gone"},
			{2210, live, "D5803"},
			{2212, 0xFFFFFF11, ""},
			{66667, live, "0123456789abcdef"},
		}},
	)
}

func mustParse(t testing.TB, b []byte) *Image {
	t.Helper()
	im, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func want(t *testing.T, im *Image, partition int, number uint32, data string) {
	t.Helper()
	if u, ok := im.Unit(partition, number); !ok || string(u.Data) != data {
		t.Errorf("unit %d is %q, %v; want %q", number, u.Data, ok, data)
	}
}

func numbers(im *Image, partition int) (n []uint32) {
	for _, u := range im.Units(partition) {
		n = append(n, u.Number)
	}
	return n
}

func TestParse(t *testing.T) {
	raw := sample()
	im := mustParse(t, raw)
	want(t, im, Trim, 1877, "calibration")
	want(t, im, Misc, 2003, "hardware")
	want(t, im, Misc, 2210, "D5833") // the later part wins, although its block lies anywhere
	want(t, im, Misc, 2212, "")
	if _, ok := im.Unit(Misc, 2404); ok {
		t.Error("a deleted unit is found")
	}
	if _, ok := im.Unit(Trim, 2003); ok {
		t.Error("a unit of the other partition is found")
	}
	if got := numbers(im, Misc); !slices.Equal(got, []uint32{2003, 2210, 2212, 66667}) {
		t.Errorf("units %d", got)
	}
	u, _ := im.Unit(Misc, 2003)
	if u.Offset != 2*0x20000+12+16 || u.Partition != Misc || u.Number != 2003 {
		t.Errorf("%+v", u)
	}
	if !bytes.Equal(im.Encode(), raw) {
		t.Error("an untouched image is not encoded as it was")
	}
	u.Data[0] = 'X'
	raw[0] = 'X'
	want(t, im, Misc, 2003, "hardware")
	if !im.HasPartition(Trim) || !im.HasPartition(Misc) || mustParse(t, build()).HasPartition(Misc) {
		t.Error("HasPartition")
	}
}

func TestParseRefuses(t *testing.T) {
	put := func(at int, v uint32, block int) func([]byte) []byte {
		return func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[at:], v)
			seal(b, block)
			return b
		}
	}
	for _, c := range []struct {
		name   string
		damage func([]byte) []byte
		cause  error
		offset int64
		unit   uint32
	}{
		{"empty", func([]byte) []byte { return nil }, ErrSize, -1, 0},
		{"one byte short", func(b []byte) []byte { return b[:len(b)-1] }, ErrSize, -1, 0},
		{"one byte long", func(b []byte) []byte { return append(b, 0) }, ErrSize, -1, 0},
		{"flipped bit", func(b []byte) []byte { b[2*0x20000+100] ^= 1; return b }, ErrChecksum, 2 * 0x20000, 0},
		{"flipped in unused room", func(b []byte) []byte { b[2*0x20000+4095] ^= 1; return b }, ErrChecksum, 2 * 0x20000, 0},
		{"partition 3", put(2*0x20000+8, 0x01030003, 2), ErrPartition, 2 * 0x20000, 0},
		{"same part", put(3*0x20000+8, 0x00020002, 3), ErrSamePart, 3 * 0x20000, 0},
		{"length", put(2*0x20000+16, 4096-12-16+1, 2), ErrLength, 2*0x20000 + 12, 2003},
		{"huge length", put(2*0x20000+16, 0xFFFFFFFF, 2), ErrLength, 2*0x20000 + 12, 2003},
	} {
		_, err := Parse(c.damage(sample()))
		var at *Error
		if !errors.Is(err, c.cause) || !errors.As(err, &at) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.cause)
			continue
		}
		if at.Offset != c.offset || at.Unit != c.unit || at.InUnit != (c.unit != 0) {
			t.Errorf("%s: %+v", c.name, at)
		}
	}
	// Behind the size in use anything may stand.
	b := sample()
	b[2*0x20000+4096] ^= 1
	mustParse(t, b)
	// A unit may fill its part to the last byte.
	mustParse(t, put(2*0x20000+16, 4096-12-16, 2)(sample()))
}

func TestSet(t *testing.T) {
	im := mustParse(t, sample())
	set := func(partition int, number uint32, data string) {
		t.Helper()
		if err := im.Set(partition, number, []byte(data)); err != nil {
			t.Fatal(err)
		}
		im = mustParse(t, im.Encode())
		want(t, im, partition, number, data)
	}
	state := func(number uint32) uint32 {
		u, _ := im.Unit(Misc, number)
		return binary.LittleEndian.Uint32(im.Encode()[u.Offset-4:])
	}
	before, _ := im.Unit(Misc, 2003)
	set(Misc, 2003, "HARDWARE")
	if after, _ := im.Unit(Misc, 2003); after.Offset != before.Offset || state(2003)&0xFF != 0x11 {
		t.Errorf("same length: moved to %d, state %08X", after.Offset, state(2003))
	}
	set(Misc, 2003, "longer than before")
	if state(2003)&0xFF != 0x14 {
		t.Errorf("other length: state %08X", state(2003))
	}
	if b := im.Encode(); binary.LittleEndian.Uint32(b[before.Offset-4:]) != 0x15151515 {
		t.Error("the old copy is not marked deleted")
	}
	set(Misc, 10100, "\x01")
	set(Misc, 2210, "D5803") // was in two parts
	if !im.Delete(Misc, 2210) || im.Delete(Misc, 2210) {
		t.Error("Delete does not tell whether there was one")
	}
	if _, ok := im.Unit(Misc, 2210); ok {
		t.Error("an older copy shows up after Delete")
	}
	set(Trim, 5, "")
	want(t, im, Trim, 1877, "calibration")
	want(t, im, Misc, 66667, "0123456789abcdef")

	same := im.Encode()
	set(Misc, 10100, "\x01")
	if !bytes.Equal(same, im.Encode()) {
		t.Error("storing what is there already changes the image")
	}
	for _, partition := range []int{0, 3, -1} {
		if err := im.Set(partition, 1, nil); !errors.Is(err, ErrPartition) {
			t.Errorf("partition %d: %v", partition, err)
		}
	}
}

// A stale unit header behind the end of the list must not come alive.
func TestSetBlanksWhatFollows(t *testing.T) {
	b := build(rawPart{0, 2, 0, 0, []rawUnit{{1, live, "four"}, {2, live, "dead"}, {3, live, "dead"}}})
	copy(b[12+20+8:], "xxxx") // ends the list behind unit 1
	seal(b, 0)
	im := mustParse(t, b)
	if got := numbers(im, Misc); !slices.Equal(got, []uint32{1}) {
		t.Fatalf("units %d", got)
	}
	if err := im.Set(Misc, 9, []byte("four")); err != nil {
		t.Fatal(err)
	}
	if got := numbers(im, Misc); !slices.Equal(got, []uint32{1, 9}) {
		t.Errorf("units %d", got)
	}
}

func TestNew(t *testing.T) {
	im := New()
	b := im.Encode()
	if len(b) != 2<<20 || !im.HasPartition(Trim) || !im.HasPartition(Misc) || len(im.Units(Misc)) != 0 {
		t.Fatalf("%d bytes", len(b))
	}
	if !bytes.Equal(b, build(rawPart{0, 1, 0, 0xFF, nil}, rawPart{1, 2, 0, 0, nil})) {
		t.Error("an empty image differs from one laid out by hand")
	}
}

func TestFull(t *testing.T) {
	im := New()
	const most = BlockSize - 12 - 16
	if err := im.Set(Misc, 1, make([]byte, most+1)); !errors.Is(err, ErrFull) {
		t.Errorf("longer than a block: %v", err)
	}
	// One block belongs to partition 1, the others take one such unit each.
	for n := range uint32(Blocks - 1) {
		if err := im.Set(Misc, n, bytes.Repeat([]byte{byte(n)}, most)); err != nil {
			t.Fatalf("unit %d: %v", n, err)
		}
	}
	before := im.Encode()
	for _, u := range []struct {
		number uint32
		length int
	}{{99, 1}, {3, 0}, {3, most - 4}} {
		var which *Error
		err := im.Set(Misc, u.number, make([]byte, u.length))
		if u.number == 3 {
			// Its own room is free once the old copy is dropped.
			if err != nil {
				t.Errorf("unit 3 with %d bytes: %v", u.length, err)
			}
			continue
		}
		if !errors.Is(err, ErrFull) || !errors.As(err, &which) || which.Unit != u.number {
			t.Errorf("unit %d: %v", u.number, err)
		}
		if !bytes.Equal(im.Encode(), before) {
			t.Error("a refused unit changed the image")
		}
	}
	if err := im.Set(Misc, 3, []byte("short")); err != nil {
		t.Fatal(err)
	}
	im = mustParse(t, im.Encode())
	want(t, im, Misc, 3, "short")
	want(t, im, Misc, 14, string(bytes.Repeat([]byte{14}, most)))
}

// Many random changes: the image must always agree with a plain map.
func TestRandomChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	im, model := New(), map[uint32][]byte{}
	for range 200 {
		number := rng.Uint32N(40)
		if rng.IntN(5) == 0 {
			_, there := model[number]
			if im.Delete(Misc, number) != there {
				t.Fatalf("Delete(%d) does not say %v", number, there)
			}
			delete(model, number)
			continue
		}
		data := make([]byte, rng.IntN(9000))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		if err := im.Set(Misc, number, data); err != nil {
			t.Fatal(err)
		}
		model[number] = data
	}
	im = mustParse(t, im.Encode())
	units := im.Units(Misc)
	if len(units) != len(model) {
		t.Errorf("%d units, want %d", len(units), len(model))
	}
	for _, u := range units {
		if !bytes.Equal(u.Data, model[u.Number]) {
			t.Errorf("unit %d differs", u.Number)
		}
	}
}

func FuzzParse(f *testing.F) {
	raw := sample()
	block := func(n int) []byte { return raw[n*BlockSize:][:0x200] }
	f.Add(block(2), block(3), uint32(2003), []byte("HARDWARE"))
	f.Add(block(3), block(2), uint32(2210), []byte("longer than it was"))
	f.Add(block(0), []byte{}, uint32(1), []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte, number uint32, data []byte) {
		raw := build()
		copy(raw[:BlockSize], first)
		copy(raw[BlockSize:2*BlockSize], second)
		// Checksums are repaired, or nothing behind them would be reached.
		for block := range 2 {
			if start := block * BlockSize; binary.LittleEndian.Uint32(raw[start:]) == magic {
				size := min((int(raw[start+11])+1)*sizeStep, BlockSize)
				binary.LittleEndian.PutUint32(raw[start+4:], adler32.Checksum(raw[start+8:start+size]))
			}
		}
		im, err := Parse(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(im.Encode(), raw) {
			t.Fatal("an untouched image changed")
		}
		others := im.Units(Misc)
		if err := im.Set(Misc, number, data); err != nil {
			if !errors.Is(err, ErrFull) || !bytes.Equal(im.Encode(), raw) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		back, err := Parse(im.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := back.Unit(Misc, number); !ok || !bytes.Equal(u.Data, data) {
			t.Fatalf("unit %d is %x", number, u.Data)
		}
		for _, o := range others {
			if u, ok := back.Unit(Misc, o.Number); o.Number != number && (!ok || !bytes.Equal(u.Data, o.Data)) {
				t.Fatalf("unit %d was lost", o.Number)
			}
		}
	})
}
