package sin_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
)

// unpackTo unpacks a file into memory and cuts the output to its size.
func unpackTo(t testing.TB, file []byte, opt UnpackOptions) (*Report, []byte) {
	t.Helper()
	out := &memFile{}
	report, err := Unpack(context.Background(), bytes.NewReader(file), int64(len(file)), out, opt)
	if err != nil {
		t.Fatal(err)
	}
	size := int(report.Parts[0].Size)
	if len(out.b) > size {
		t.Fatalf("%d bytes written, the size is %d", len(out.b), size)
	}
	return report, append(out.b, make([]byte, size-len(out.b))...)
}

// TestOldRoundTrip builds random partition images of versions 1 and 2 and gets them back.
func TestOldRoundTrip(t *testing.T) {
	s, roots := signer(t, "S1_SW", 1)
	rnd := rand.New(rand.NewPCG(5, 6))
	for round := range 60 {
		version := 1 + round%2
		old := &Signer{Key: s.Key, Chain: s.Chain, Hash: Hash12(byte(version))}
		b := Builder{Version: version, Type: TypeFlash12, Signer: old}
		switch rnd.IntN(3) {
		case 0:
			b.Type, b.BlockSize = TypeSpare12, 0x20000+[]int64{0x1000, 0x800, 64}[rnd.IntN(3)]
		case 1:
			b.Type, b.BlockSize = TypeSectors12, 512*(1+rnd.Int64N(100))
		default:
			b.BlockSize = 1 + rnd.Int64N(70000)
		}
		image := randomImage(rnd, 1+rnd.IntN(600000))
		p := BytesPayload(image)
		info := PartitionInfo{ID: 3, Attributes: rnd.Uint32(), Start: rnd.Uint32(), Blocks: rnd.Uint32()}
		if rnd.IntN(4) > 0 {
			p.Head = encodeInfo(info)
		} else if len(image) == PartitionInfoSize {
			continue // would be taken for one
		}
		report, got := unpackTo(t, build(t, b, p), UnpackOptions{CheckOptions: CheckOptions{Roots: roots}, Gap: 0xFF})
		if !bytes.Equal(got, image) {
			t.Fatalf("round %d, type %v: %d bytes, want %d", round, b.Type, len(got), len(image))
		}
		if (report.Info != nil) != (p.Head != nil) || report.Info != nil && *report.Info != info {
			t.Fatalf("round %d: info %+v, want %+v", round, report.Info, info)
		}
		if !report.Trust.Proven() || report.Header.Version != version {
			t.Fatalf("round %d: %+v", round, report.Trust)
		}
	}
}

// TestOldGaps fills what no block writes.
func TestOldGaps(t *testing.T) {
	file := build(t, Builder{Version: 2, Type: TypeFlash12, BlockSize: 100, Address: 1000, Blob: dummyBlob}, BytesPayload(pat(250)))
	// Move the last block up by 50 bytes: its destination is in the third entry of the list.
	list := file[15:]
	binary.BigEndian.PutUint32(list[2*41:], 1250)
	out := &memFile{}
	report, err := Unpack(context.Background(), bytes.NewReader(file), -1, out, UnpackOptions{Gap: 0xFF})
	if !errors.Is(err, Because(CertificateDamaged)) { // the dummy blob, nothing else
		t.Fatal(err)
	}
	want := bytes.Join([][]byte{bytes.Repeat([]byte{0xFF}, 1000), pat(250)[:200], bytes.Repeat([]byte{0xFF}, 50), pat(250)[200:]}, nil)
	if !bytes.Equal(out.b, want) || report.Parts[0].Size != 1300 {
		t.Errorf("%d bytes, size %d", len(out.b), report.Parts[0].Size)
	}
}

// TestOldRules breaks each rule of a header of versions 1 and 2 once.
func TestOldRules(t *testing.T) {
	good := build(t, Builder{Version: 2, Type: TypeFlash12, BlockSize: 100, Blob: dummyBlob}, BytesPayload(pat(250)))
	be := binary.BigEndian
	entry := func(i int) int { return 15 + 41*i }
	for _, c := range []struct {
		name   string
		change func(b []byte)
		at     int64
		want   string // empty: only a note
	}{
		{"reserved word", func(b []byte) { b[8] = 1 }, 7, ""},
		{"second header", func(b []byte) { b[1] = 1 }, 1, "second header"},
		{"type 16", func(b []byte) { b[6] = 16 }, 6, "type 0x10"},
		{"header length 0", func(b []byte) { be.PutUint32(b[2:], 0) }, 2, "header length is 0"},
		{"huge header", func(b []byte) { be.PutUint32(b[2:], 1<<31) }, 2, "header length"},
		{"no list", func(b []byte) { be.PutUint32(b[11:], 0) }, 11, "hash list of 0 bytes"},
		{"huge list", func(b []byte) { be.PutUint32(b[11:], 1<<31) }, 11, "does not fit"},
		{"SHA-1 in version 2", func(b []byte) { b[entry(1)+8] = 20 }, int64(entry(1)) + 8, "20 bytes"},
		{"empty block", func(b []byte) { be.PutUint32(b[entry(1)+4:], 0) }, int64(entry(1)), "is empty"},
		{"past 32 bits", func(b []byte) { be.PutUint32(b[entry(2):], 0xFFFFFFFE) }, int64(entry(2)), "past 32 bits"},
		{"backwards", func(b []byte) { be.PutUint32(b[entry(2):], 0) }, int64(entry(2)), "ends at 0xc8"},
		{"overlap", func(b []byte) { be.PutUint32(b[entry(1):], 99) }, int64(entry(1)), "ends at 0x64"},
		{"huge certificate", func(b []byte) { be.PutUint32(b[entry(3):], 1<<31) }, int64(entry(3)), "certificate of"},
	} {
		bad := bytes.Clone(good)
		c.change(bad)
		h, err := ReadHeader(bytes.NewReader(bad), int64(len(bad)))
		if c.want == "" {
			if err != nil || len(h.Notes) != 1 || h.Notes[0].Offset != c.at {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Reason != Malformed || e.Offset != c.at || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q at %d", c.name, err, c.want, c.at)
		}
	}
	if err := (Builder{Version: 1, Type: TypeLoader12, Address: 0xFFFFFFF0, Blob: dummyBlob}).Build(&bytes.Buffer{}, BytesPayload(pat(100))); err == nil {
		t.Error("a block past 32 bits was built")
	}
}

// TestNotOld: a file is not of version 1 or 2 because of its first byte.
func TestNotOld(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		b := make([]byte, 512)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		b[0] = byte(1 + rnd.IntN(2))
		if v := Detect(b); v != 0 {
			t.Fatalf("% x is taken for version %d", b[:24], v)
		}
		if _, err := ReadHeader(bytes.NewReader(b), -1); !errors.Is(err, Because(NotSIN)) {
			t.Fatalf("% x: %v", b[:24], err)
		}
	}
}

func encodeInfo(p PartitionInfo) (out []byte) {
	for _, v := range []uint32{p.ID, p.Attributes, p.Start, p.Blocks} {
		out = binary.LittleEndian.AppendUint32(out, v)
	}
	return out
}
