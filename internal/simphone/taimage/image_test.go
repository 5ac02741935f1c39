package taimage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"math/rand/v2"
	"slices"
	"testing"

	"xflash/internal/trimarea"
	"xflash/internal/trimarea/tatest"
)

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
	raw := tatest.Sample()
	im := mustParse(t, raw)
	want(t, im, trimarea.Trim, 1877, "calibration")
	want(t, im, trimarea.Misc, 2003, "hardware")
	want(t, im, trimarea.Misc, 2210, "D5833") // the later part wins, although its block lies anywhere
	want(t, im, trimarea.Misc, 2212, "")
	if _, ok := im.Unit(trimarea.Misc, 2404); ok {
		t.Error("a deleted unit is found")
	}
	if _, ok := im.Unit(trimarea.Trim, 2003); ok {
		t.Error("a unit of the other partition is found")
	}
	if got := numbers(im, trimarea.Misc); !slices.Equal(got, []uint32{2003, 2210, 2212, 66667}) {
		t.Errorf("units %d", got)
	}
	u, _ := im.Unit(trimarea.Misc, 2003)
	if u.Offset != 2*0x20000+12+16 || u.Partition != trimarea.Misc || u.Number != 2003 {
		t.Errorf("%+v", u)
	}
	if !bytes.Equal(im.Encode(), raw) {
		t.Error("an untouched image is not encoded as it was")
	}
	u.Data[0] = 'X'
	raw[0] = 'X'
	want(t, im, trimarea.Misc, 2003, "hardware")
	if !im.HasPartition(trimarea.Trim) || !im.HasPartition(trimarea.Misc) || mustParse(t, tatest.Build()).HasPartition(trimarea.Misc) {
		t.Error("HasPartition")
	}
}

func TestParseRefuses(t *testing.T) {
	put := func(at int, v uint32, block int) func([]byte) []byte {
		return func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[at:], v)
			tatest.Seal(b, block)
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
		{"empty", func([]byte) []byte { return nil }, trimarea.ErrSize, -1, 0},
		{"one byte short", func(b []byte) []byte { return b[:len(b)-1] }, trimarea.ErrSize, -1, 0},
		{"one byte long", func(b []byte) []byte { return append(b, 0) }, trimarea.ErrSize, -1, 0},
		{"flipped bit", func(b []byte) []byte { b[2*0x20000+100] ^= 1; return b }, trimarea.ErrChecksum, 2 * 0x20000, 0},
		{"flipped in unused room", func(b []byte) []byte { b[2*0x20000+4095] ^= 1; return b }, trimarea.ErrChecksum, 2 * 0x20000, 0},
		{"partition 3", put(2*0x20000+8, 0x01030003, 2), trimarea.ErrPartition, 2 * 0x20000, 0},
		{"same part", put(3*0x20000+8, 0x00020002, 3), trimarea.ErrSamePart, 3 * 0x20000, 0},
		{"length", put(2*0x20000+16, 4096-12-16+1, 2), trimarea.ErrLength, 2*0x20000 + 12, 2003},
		{"huge length", put(2*0x20000+16, 0xFFFFFFFF, 2), trimarea.ErrLength, 2*0x20000 + 12, 2003},
	} {
		_, err := Parse(c.damage(tatest.Sample()))
		var at *trimarea.Error
		if !errors.Is(err, c.cause) || !errors.As(err, &at) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.cause)
			continue
		}
		if at.Offset != c.offset || at.Unit != c.unit || at.InUnit != (c.unit != 0) {
			t.Errorf("%s: %+v", c.name, at)
		}
	}
	// After the size in use anything may be.
	b := tatest.Sample()
	b[2*0x20000+4096] ^= 1
	mustParse(t, b)
	// A unit may fill its part to the last byte.
	mustParse(t, put(2*0x20000+16, 4096-12-16, 2)(tatest.Sample()))
}

func TestSet(t *testing.T) {
	im := mustParse(t, tatest.Sample())
	set := func(partition int, number uint32, data string) {
		t.Helper()
		if err := im.Set(partition, number, []byte(data)); err != nil {
			t.Fatal(err)
		}
		im = mustParse(t, im.Encode())
		want(t, im, partition, number, data)
	}
	state := func(number uint32) uint32 {
		u, _ := im.Unit(trimarea.Misc, number)
		return binary.LittleEndian.Uint32(im.Encode()[u.Offset-4:])
	}
	before, _ := im.Unit(trimarea.Misc, 2003)
	set(trimarea.Misc, 2003, "HARDWARE")
	if after, _ := im.Unit(trimarea.Misc, 2003); after.Offset != before.Offset || state(2003)&0xFF != 0x11 {
		t.Errorf("same length: moved to %d, state %08X", after.Offset, state(2003))
	}
	set(trimarea.Misc, 2003, "longer than before")
	if state(2003)&0xFF != 0x14 {
		t.Errorf("other length: state %08X", state(2003))
	}
	if b := im.Encode(); binary.LittleEndian.Uint32(b[before.Offset-4:]) != 0x15151515 {
		t.Error("the old copy is not marked deleted")
	}
	set(trimarea.Misc, 10100, "\x01")
	set(trimarea.Misc, 2210, "D5803") // was in two parts
	if !im.Delete(trimarea.Misc, 2210) || im.Delete(trimarea.Misc, 2210) {
		t.Error("Delete does not tell whether there was one")
	}
	if _, ok := im.Unit(trimarea.Misc, 2210); ok {
		t.Error("an older copy shows up after Delete")
	}
	set(trimarea.Trim, 5, "")
	want(t, im, trimarea.Trim, 1877, "calibration")
	want(t, im, trimarea.Misc, 66667, "0123456789abcdef")

	same := im.Encode()
	set(trimarea.Misc, 10100, "\x01")
	if !bytes.Equal(same, im.Encode()) {
		t.Error("storing what is there already changes the image")
	}
	for _, partition := range []int{0, 3, -1} {
		if err := im.Set(partition, 1, nil); !errors.Is(err, trimarea.ErrPartition) {
			t.Errorf("partition %d: %v", partition, err)
		}
	}
}

// A stale unit header after the end of the list must not come alive.
func TestSetBlanksWhatFollows(t *testing.T) {
	b := tatest.Build(tatest.Block(0, 2, 0, 0, tatest.NewUnit(1, tatest.Live, "four"), tatest.NewUnit(2, tatest.Live, "dead"), tatest.NewUnit(3, tatest.Live, "dead")))
	copy(b[12+20+8:], "xxxx") // ends the list after unit 1
	tatest.Seal(b, 0)
	im := mustParse(t, b)
	if got := numbers(im, trimarea.Misc); !slices.Equal(got, []uint32{1}) {
		t.Fatalf("units %d", got)
	}
	if err := im.Set(trimarea.Misc, 9, []byte("four")); err != nil {
		t.Fatal(err)
	}
	if got := numbers(im, trimarea.Misc); !slices.Equal(got, []uint32{1, 9}) {
		t.Errorf("units %d", got)
	}
}

func TestNew(t *testing.T) {
	im := New()
	b := im.Encode()
	if len(b) != 2<<20 || !im.HasPartition(trimarea.Trim) || !im.HasPartition(trimarea.Misc) || len(im.Units(trimarea.Misc)) != 0 {
		t.Fatalf("%d bytes", len(b))
	}
	if !bytes.Equal(b, tatest.Build(tatest.Block(0, 1, 0, 0xFF), tatest.Block(1, 2, 0, 0))) {
		t.Error("an empty image differs from one laid out by hand")
	}
}

func TestFull(t *testing.T) {
	im := New()
	const most = trimarea.BlockSize - 12 - 16
	if err := im.Set(trimarea.Misc, 1, make([]byte, most+1)); !errors.Is(err, ErrFull) {
		t.Errorf("longer than a block: %v", err)
	}
	// One block belongs to partition 1, the others take one such unit each.
	for n := range uint32(trimarea.Blocks - 1) {
		if err := im.Set(trimarea.Misc, n, bytes.Repeat([]byte{byte(n)}, most)); err != nil {
			t.Fatalf("unit %d: %v", n, err)
		}
	}
	before := im.Encode()
	for _, u := range []struct {
		number uint32
		length int
	}{{99, 1}, {3, 0}, {3, most - 4}} {
		var which *trimarea.Error
		err := im.Set(trimarea.Misc, u.number, make([]byte, u.length))
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
	if err := im.Set(trimarea.Misc, 3, []byte("short")); err != nil {
		t.Fatal(err)
	}
	im = mustParse(t, im.Encode())
	want(t, im, trimarea.Misc, 3, "short")
	want(t, im, trimarea.Misc, 14, string(bytes.Repeat([]byte{14}, most)))
}

// Many random changes: the image must always agree with a plain map.
func TestRandomChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	im, model := New(), map[uint32][]byte{}
	for range 200 {
		number := rng.Uint32N(40)
		if rng.IntN(5) == 0 {
			_, there := model[number]
			if im.Delete(trimarea.Misc, number) != there {
				t.Fatalf("Delete(%d) does not say %v", number, there)
			}
			delete(model, number)
			continue
		}
		data := make([]byte, rng.IntN(9000))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		if err := im.Set(trimarea.Misc, number, data); err != nil {
			t.Fatal(err)
		}
		model[number] = data
	}
	im = mustParse(t, im.Encode())
	units := im.Units(trimarea.Misc)
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
	raw := tatest.Sample()
	block := func(n int) []byte { return raw[n*trimarea.BlockSize:][:0x200] }
	f.Add(block(2), block(3), uint32(2003), []byte("HARDWARE"))
	f.Add(block(3), block(2), uint32(2210), []byte("longer than it was"))
	f.Add(block(0), []byte{}, uint32(1), []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte, number uint32, data []byte) {
		raw := tatest.Build()
		copy(raw[:trimarea.BlockSize], first)
		copy(raw[trimarea.BlockSize:2*trimarea.BlockSize], second)
		// Checksums are repaired, or nothing after them would be reached.
		for block := range 2 {
			if start := block * trimarea.BlockSize; binary.LittleEndian.Uint32(raw[start:]) == magic {
				size := min((int(raw[start+11])+1)*sizeStep, trimarea.BlockSize)
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
		others := im.Units(trimarea.Misc)
		if err := im.Set(trimarea.Misc, number, data); err != nil {
			if !errors.Is(err, ErrFull) || !bytes.Equal(im.Encode(), raw) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		back, err := Parse(im.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := back.Unit(trimarea.Misc, number); !ok || !bytes.Equal(u.Data, data) {
			t.Fatalf("unit %d is %x", number, u.Data)
		}
		for _, o := range others {
			if u, ok := back.Unit(trimarea.Misc, o.Number); o.Number != number && (!ok || !bytes.Equal(u.Data, o.Data)) {
				t.Fatalf("unit %d was lost", o.Number)
			}
		}
	})
}
