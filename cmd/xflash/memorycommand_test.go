package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"

	"xflash/fastboot/sparse"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/testcms"
	"xflash/internal/simphone/xperifirm"
)

// A super of 5 GiB, a file of more than 4 GiB in chunks as large as a phone of 2021 accepts,
// is checked and sent within the memory of any other file. Layer: the long one.
func TestMemoryOfLargeSuper(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 5 GiB")
	}
	if _, err := os.Stat("/usr/bin/time"); err != nil {
		t.Skip("the program that measures memory is missing (Debian package time)")
	}
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	fw, err := xperifirm.Make(dir, xperifirm.Options{Phone: "1iii", Authority: s.authority, Without: []string{"super"}})
	if err != nil {
		t.Fatal(err)
	}
	const chunks, blocks = 7, 187 << 10 // of 4096 bytes, 748 MiB a chunk
	super := mkimage.ArchiveBuilder{Name: "super"}
	content := testcms.Content{Name: "super", Build: "61.2.A.0.382"}
	for i := range chunks {
		chunk := zeroChunk(i*blocks, blocks, (chunks+1)*blocks)
		sum := sha256.New()
		if _, err := io.Copy(sum, chunk); err != nil {
			t.Fatal(err)
		}
		super.Chunks, content.Chunks = append(super.Chunks, chunk), append(content.Chunks, sum.Sum(nil))
	}
	signer, err := s.authority.Issue(testcms.Subject(testcms.Commercial, fw.Facts.Suffix), 1)
	if err != nil {
		t.Fatal(err)
	}
	if super.CMS, err = testcms.Sign(signer, content); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(fw.Folder, "super_X-FLASH-ALL-"+fw.Facts.Suffix+".sin"))
	if err != nil {
		t.Fatal(err)
	}
	w := &holeWriter{f: f}
	if err := super.Build(w); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(w.at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if w.at < 5<<30 {
		t.Fatalf("the file has %d bytes", w.at)
	}
	for _, args := range [][]string{
		{"restore", fw.Folder, "--dry-run", "--model", fw.Facts.Product},
		{"restore", fw.Folder, "--yes", "-q", "--device", "sim:1iii,root=" + s.root, "--sim-state", filepath.Join(dir, "phone")},
	} {
		if size, exit := peak(t, dir, args...); exit != exitOK || size > mostMemory {
			t.Errorf("%v: exit code %d, %d MiB", args[2:], exit, size>>20)
		}
	}
}

// zeros is a sparse image with one raw chunk of zeros.
type zeros struct {
	head, tail []byte
	size       int64
}

// zeroChunk writes blocks from one on, of a partition of so many in all.
func zeroChunk(from, blocks, all int) *io.SectionReader {
	le := binary.LittleEndian
	chunk := func(kind sparse.ChunkType, n, size int) (b []byte) {
		for _, v := range []uint32{uint32(kind), uint32(n), uint32(size)} {
			b = le.AppendUint32(b, v)
		}
		return b
	}
	z := zeros{head: append(le.AppendUint32(nil, sparse.Magic), 1, 0, 0, 0, 28, 0, 12, 0)}
	for _, v := range []int{4096, all, 3, 0} {
		z.head = le.AppendUint32(z.head, uint32(v))
	}
	z.head = append(z.head, chunk(sparse.DontCare, from, 12)...)
	z.head = append(z.head, chunk(sparse.Raw, blocks, 12+blocks*4096)...)
	z.tail = chunk(sparse.DontCare, all-from-blocks, 12)
	z.size = int64(len(z.head)+len(z.tail)) + int64(blocks)*4096
	return io.NewSectionReader(z, 0, z.size)
}

func (z zeros) ReadAt(p []byte, at int64) (int, error) {
	clear(p)
	if at < int64(len(z.head)) {
		copy(p, z.head[at:])
	}
	end := z.size - int64(len(z.tail))
	for i, c := range z.tail {
		if to := end + int64(i) - at; to >= 0 && to < int64(len(p)) {
			p[to] = c
		}
	}
	return len(p), nil
}

// holeWriter leaves holes where zeros are written.
type holeWriter struct {
	f  *os.File
	at int64
}

func (w *holeWriter) Write(p []byte) (int, error) {
	if len(bytes.Trim(p, "\x00")) > 0 {
		if _, err := w.f.WriteAt(p, w.at); err != nil {
			return 0, err
		}
	}
	w.at += int64(len(p))
	return len(p), nil
}
