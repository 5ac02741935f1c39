package sin_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"testing"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
	"xflash/sin/gpt"
)

// seeds are small files of every kind, whole and nearly whole.
func seeds(f *testing.F) [][]byte {
	s, _ := signer(f, "S1_SW", 3)
	image, _ := signedFile(f)
	layout, err := LayoutPayload(&Layout{Tables: []LayoutTable{{Entries: []gpt.Entry{partition(1, "TA", 34, 99)}}}})
	if err != nil {
		f.Fatal(err)
	}
	a, err := testAuthority()
	if err != nil {
		f.Fatal(err)
	}
	loader := bytes.Join([][]byte{[]byte("\x7fELF\x001277-2052\x00MSM8974AB_22\x00GPTP\x00ADDR\x00"), a.Root}, nil)
	return [][]byte{
		image,
		build(f, Builder{Type: TypeLayout, Signer: s}, BytesPayload(layout)),
		build(f, Builder{Type: TypeLoader, Signer: s}, BytesPayload(loader)),
		build(f, Builder{Type: TypeLayout, HashType: SHA1, BlockSize: 100, Blob: dummyBlob}, BytesPayload(pat(300))),
		build(f, Builder{Version: 1, Type: TypeSpare12, BlockSize: 0x20040, Blob: dummyBlob}, Payload{Head: infoVector, Body: BytesPayload(pat(100)).Body}),
		build(f, Builder{Version: 2, Type: TypeLoader12, Blob: dummyBlob}, BytesPayload(pat(100))),
		image[:len(image)-1], append(bytes.Clone(image), 0), image[:30], {},
	}
}

// FuzzReadHeader: a header that is accepted is the bytes that were read, and its
// blocks follow each other up to the end of the file.
func FuzzReadHeader(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s, int64(len(s)))
		f.Add(s, int64(-1))
	}
	f.Fuzz(func(t *testing.T, file []byte, size int64) {
		r := bytes.NewReader(file)
		h, err := ReadHeader(r, size)
		if err != nil && !errors.As(err, new(*Error)) {
			t.Fatalf("%T: %v", err, err)
		}
		if err != nil {
			return
		}
		if read := file[:len(file)-r.Len()]; !bytes.Equal(h.Raw, read) {
			t.Fatalf("read %d bytes, the header has %d", len(read), len(h.Raw))
		}
		next := int64(len(h.Raw))
		for i, b := range h.Blocks {
			if b.Offset != next || b.Length < 1 || h.BlockAt(b.Offset) != i || h.BlockAt(b.Offset+b.Length-1) != i {
				t.Fatalf("block %d: %+v, expected at %d", i, b, next)
			}
			next += b.Length
		}
		if len(h.Blocks) == 0 || next != h.Size() || size >= 0 && size != next || h.BlockAt(next) != -1 {
			t.Fatalf("%d blocks up to %d, size %d", len(h.Blocks), next, size)
		}
		_, _ = h.Verify(nil)
	})
}

// FuzzMap: the data of an accepted map lie one after the other, and nothing is
// written twice.
func FuzzMap(f *testing.F) {
	join := func(tags ...[]byte) []byte { return bytes.Join(tags, nil) }
	f.Add(join(gptp(1), addr(0, 10, 0), lz4a(10, 100, 20, 100), fill(200, 8, 5)), int64(30))
	f.Add(join(gptp(1), addr(5, 10, 1<<40), gptp(2), addr(15, 10, 0)), int64(25))
	f.Add(join(tag("MTKP", append([]byte("boot"), make([]byte, 12)...)), tag("ADDR", be64(0), be64(4), be64(0), be32(1), make([]byte, 20))), int64(4))
	f.Add(join(gptp(1), tag("MTKM", be64(0), be64(4), be64(4), be64(0), be64(4), be64(5), be32(0), be32(0))), int64(9))
	f.Add(join(gptp(1), addr(0, 10, 9), addr(10, 10, 0)), int64(20))
	f.Fuzz(func(t *testing.T, list []byte, data int64) {
		if data < 0 || data > 1<<50 {
			return
		}
		end := mapAt + MapFrame + int64(len(list)) + data
		m, err := ParseMap(list, mapAt, end)
		if err != nil {
			if !errors.Is(err, Because(BadMap)) {
				t.Fatal(err)
			}
			return
		}
		next, total := int64(-1), make([]int64, len(m.Targets))
		for tag := range m.Tags() {
			if tag.Kind == TagGPTP || tag.Kind == TagMTKP {
				continue
			}
			total[tag.Target] += tag.DestLen
			if tag.Kind == TagFILL {
				continue
			}
			if next >= 0 && tag.Data != next {
				t.Fatalf("data at %d, expected at %d", tag.Data, next)
			}
			next = tag.Data + tag.DataLen
		}
		if next >= 0 && next != end {
			t.Fatalf("data end at %d of %d", next, end)
		}
		for i, all := range m.Written() {
			sum, last := int64(0), int64(0)
			for _, e := range all {
				if e[0] < last || e[1] <= e[0] {
					t.Fatalf("written %v", all)
				}
				sum, last = sum+e[1]-e[0], e[1]
			}
			if sum != total[i] || last != m.Targets[i].End && sum > 0 {
				t.Fatalf("target %d: %d bytes in %v, tags write %d up to %d", i, sum, all, total[i], m.Targets[i].End)
			}
		}
	})
}

// FuzzLayout: an accepted layout encodes to something that reads back as the same.
func FuzzLayout(f *testing.F) {
	for _, l := range []Layout{
		{Tables: []LayoutTable{{Entries: []gpt.Entry{partition(1, "TA", 34, 99), partition(2, "boot", 100, 199)}}}},
		{Tables: []LayoutTable{{Device: 1, Entries: []gpt.Entry{partition(1, "a", 1, 1)}}, {Device: 2, Entries: []gpt.Entry{partition(1, "b", 1, 1)}}}},
	} {
		payload, err := LayoutPayload(&l)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
		f.Add(payload[:len(payload)-1])
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		l, err := ParseLayout(payload, 0)
		if err != nil {
			if !errors.Is(err, Because(BadLayout)) {
				t.Fatal(err)
			}
			return
		}
		again, err := LayoutPayload(l)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseLayout(again, 0); err != nil || len(back.Tables) != len(l.Tables) {
			t.Fatalf("%+v, %v", back, err)
		}
		for _, table := range l.Tables {
			if best := l.Pick(table.Device, table.End()); best == nil || best.End() != table.End() {
				t.Fatalf("a disk of %d sectors gets %+v", table.End(), best)
			}
		}
	})
}

// FuzzArchive reads versions 4 and 5; the version 4 is made of the tar archive here, so
// that its checksum is right.
func FuzzArchive(f *testing.F) {
	vector := buildArchive(f, vectorArchive())
	f.Add(vector, true)
	f.Add(vector, false)
	f.Add(bytes.Join([][]byte{member(f, "boot.cms", '0', []byte{0x30}), member(f, "boot.000", 0, []byte("ANDROID!")), make([]byte, 1024)}, nil), false)
	f.Add(vector[:len(vector)-600], true)
	f.Fuzz(func(t *testing.T, tar []byte, packed bool) {
		if !IsTar(tar) {
			return
		}
		file := tar
		if packed {
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			if _, err := w.Write(tar); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			file = z.Bytes()
		}
		const limit = 1 << 20
		out := &memFile{}
		opt := UnpackOptions{Gap: 0xFF, CheckOptions: CheckOptions{MaxOutput: limit}}
		report, err := Unpack(context.Background(), bytes.NewReader(file), -1, out, opt)
		if err != nil && !errors.As(err, new(*Error)) {
			t.Fatalf("%T: %v", err, err)
		}
		if len(out.b) > limit {
			t.Fatalf("wrote up to %d", len(out.b))
		}
		if err == nil && (len(report.Archive.Chunks) == 0 || len(report.Parts) != 1 || report.Trust.Proven()) {
			t.Fatalf("accepted: %+v", report.Archive)
		}
	})
}

// FuzzCheck: nothing is accepted that is not whole, whatever the verdict is its reason
// is one of ours, and Unpack never writes past the limit.
func FuzzCheck(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, file []byte, sized bool) {
		size := int64(-1)
		if sized {
			size = int64(len(file))
		}
		const limit = 1 << 20
		out := &memFile{}
		opt := UnpackOptions{Gap: 0xFF, CheckOptions: CheckOptions{MaxOutput: limit, Workers: 2}}
		opt.Open = func(Target) (io.WriterAt, error) { return out, nil }
		report, err := Unpack(context.Background(), bytes.NewReader(file), size, nil, opt)
		if err != nil && !errors.As(err, new(*Error)) {
			t.Fatalf("%T: %v", err, err)
		}
		if len(out.b) > max(limit, len(file)) {
			t.Fatalf("wrote up to %d", len(out.b))
		}
		if err == nil && report.Archive == nil && (report.Header.Size() != int64(len(file)) || report.Trust.State == TrustNothing || report.DamagedCount > 0) {
			t.Fatalf("accepted: %+v", report)
		}
		if errors.Is(err, Because(NotSIN)) != (report == nil) && report != nil {
			t.Fatalf("report %+v with %v", report, err)
		}
	})
}
