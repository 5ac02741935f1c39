package sin_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"io"
	"strings"
	"testing"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
)

// readArchive walks over an archive as a sender does.
func readArchive(file []byte) (a *ArchiveReader, sizes []int64, sums [][]byte, err error) {
	a, err = OpenArchive(bytes.NewReader(file))
	for err == nil {
		var c ArchiveChunk
		if c, err = a.Next(); err != nil {
			break
		}
		sum := sha256.New()
		var n int64
		n, err = io.Copy(sum, a)
		if err == nil && n != c.Size {
			err = errors.New("a chunk of another size")
		}
		sizes, sums = append(sizes, n), append(sums, sum.Sum(nil))
	}
	if err == io.EOF {
		err = nil
	}
	return a, sizes, sums, err
}

// It sends what was checked: signature, chunks and their digests are the same.
func TestArchiveReader(t *testing.T) {
	for _, packed := range []bool{false, true} {
		b := vectorArchive()
		b.Gzip = packed
		file := buildArchive(t, b)
		a, sizes, sums, err := readArchive(file)
		if err != nil || a.Name != "system" || !bytes.Equal(a.CMS, b.CMS) || len(sizes) != 2 || sizes[1] != 106 {
			t.Fatalf("%+v, %v, %v", a, sizes, err)
		}
		report, err := check(file, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range report.Archive.Chunks {
			if c.Size != sizes[i] || !bytes.Equal(c.SHA256, sums[i]) {
				t.Errorf("chunk %d: %+v, sent %d bytes with %x", i, c, sizes[i], sums[i])
			}
		}
	}
	// A caller that does not read a chunk to its end still gets the next one.
	a, err := OpenArchive(bytes.NewReader(buildArchive(t, vectorArchive())))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"system.000", "system.001"} {
		if c, err := a.Next(); err != nil || c.Name != name {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	if _, err := a.Next(); err != io.EOF {
		t.Fatal(err)
	}
	if _, err := OpenArchive(strings.NewReader("no archive")); !errors.Is(err, Because(NotSIN)) {
		t.Fatal(err)
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(buildArchive(t, vectorArchive())); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	for cut := 40; cut < z.Len(); cut += 31 {
		if _, _, _, err := readArchive(z.Bytes()[:cut]); !errors.As(err, new(*Error)) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

// Digests that are in the signature are compared, in whatever form it is; a signature
// that holds none proves nothing and is not damage.
func TestArchiveDigests(t *testing.T) {
	b := vectorArchive()
	chunk := func(i int) []byte {
		data, err := io.ReadAll(io.NewSectionReader(b.Chunks[i], 0, b.Chunks[i].Size()))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	first, second := sha256.Sum256(chunk(0)), sha256.Sum256(chunk(1))
	signature := func(parts ...[]byte) []byte {
		return append([]byte{0x30, 0x82, 1, 0}, bytes.Join(parts, []byte("/"))...)
	}
	for _, c := range []struct {
		name   string
		cms    []byte
		signed Signed
		bad    string
	}{
		{"both", signature(first[:], second[:]), SignedListed, ""},
		{"none", signature([]byte("another form")), SignedUnknown, ""},
		{"the second is another", signature(first[:], make([]byte, 32)), SignedUnknown, "system.001"},
	} {
		b := vectorArchive()
		b.CMS = c.cms
		report, err := check(buildArchive(t, b), -1, nil)
		switch {
		case c.bad == "" && (err != nil || report.Archive.Signed != c.signed):
			t.Errorf("%s: %v, %v", c.name, report.Archive.Signed, err)
		case c.bad != "" && (!errors.Is(err, Because(CorruptBlock)) || !strings.Contains(err.Error(), c.bad)):
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// A digest of another kind counts when the container names that kind.
	sum := NewChunkHash(&CMS{Digest: "SHA-384"})
	_, _ = sum.Write([]byte("chunk"))
	want := sha512.Sum384([]byte("chunk"))
	if !sum.In(want[:]) || NewChunkHash(nil).In(want[:]) {
		t.Error("SHA-384 is not found where the container names it")
	}
}

// The fingerprint changes with the signature, and with each chunk.
func TestFingerprint(t *testing.T) {
	print := func(change func(b *ArchiveBuilder)) string {
		b := vectorArchive()
		change(&b)
		report, err := check(buildArchive(t, b), -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(report.Archive.Fingerprint())
	}
	same := print(func(*ArchiveBuilder) {})
	if again := print(func(b *ArchiveBuilder) { b.Gzip = true }); again != same {
		t.Error("packing changes it")
	}
	for name, change := range map[string]func(b *ArchiveBuilder){
		"signature": func(b *ArchiveBuilder) { b.CMS[7]++ },
		"chunk":     func(b *ArchiveBuilder) { b.Chunks = b.Chunks[:1] },
		"content":   func(b *ArchiveBuilder) { b.Chunks[1] = section(sparseImage(8, sparseChunk{0xCAC3, 8, nil})) },
	} {
		if print(change) == same {
			t.Errorf("another %s has the same fingerprint", name)
		}
	}
}

// Several raw chunks are for the phone alone: whole, and not to be unpacked.
func TestSeveralRawChunks(t *testing.T) {
	b := ArchiveBuilder{Name: "boot", CMS: []byte{0}, Chunks: []*io.SectionReader{section(pat(600)), section(pat(700))}}
	file := buildArchive(t, b)
	report, err := check(file, -1, nil)
	if err != nil || len(report.Archive.Chunks) != 2 || !strings.Contains(report.Notes[len(report.Notes)-1].Text, "several raw chunks") {
		t.Fatalf("%+v, %v", report, err)
	}
	var out memory
	if _, err := Unpack(context.Background(), bytes.NewReader(file), -1, &out, UnpackOptions{}); !errors.Is(err, Because(BadArchive)) {
		t.Fatal(err)
	}
}

type memory struct{}

func (*memory) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// FuzzArchiveReader: the walk of the sender accepts nothing that the check refuses for its
// form, and both see the same chunks.
func FuzzArchiveReader(f *testing.F) {
	b := vectorArchive()
	f.Add(buildArchive(f, b))
	b.Gzip = true
	f.Add(buildArchive(f, b))
	f.Add(buildArchive(f, ArchiveBuilder{Name: "partitionimage_0", CMS: []byte{0}, Chunks: []*io.SectionReader{section(pat(600))}}))
	f.Fuzz(func(t *testing.T, file []byte) {
		a, sizes, sums, err := readArchive(file)
		if err != nil {
			if !errors.As(err, new(*Error)) {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		report, err := Check(context.Background(), bytes.NewReader(file), -1, CheckOptions{MaxOutput: 1 << 20})
		var bad *Error
		if errors.As(err, &bad) && bad.Reason == BadArchive && !strings.Contains(bad.Detail, "partition of") || report == nil || report.Archive == nil {
			t.Fatalf("sent, and refused by the check: %v", err)
		}
		if report.Archive.Name != a.Name {
			t.Fatalf("%q and %q", report.Archive.Name, a.Name)
		}
		for i, c := range report.Archive.Chunks {
			if c.SHA256 != nil && (c.Size != sizes[i] || !bytes.Equal(c.SHA256, sums[i])) {
				t.Fatalf("chunk %d differs", i)
			}
		}
	})
}
