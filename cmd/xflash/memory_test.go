package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pierrec/lz4/v4"

	"xflash/fastboot/sparse"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
	"xflash/sin/gpt"
)

// mostMemory is what no file may make the program need, however large it is or says it is
// (tests 2 and 40 of docs/contributing.md §5).
const mostMemory = 64 << 20

// peak runs the program on the command line and gives its largest resident size in bytes
// and its exit code. A process that Go starts would count the size of the test itself, so
// the program time (Debian package time) starts and measures it.
func peak(t *testing.T, dir string, args ...string) (int64, int) {
	t.Helper()
	cmd := program(t, dir, args...)
	size := filepath.Join(dir, "size")
	cmd.Args = append([]string{"time", "-q", "-f", "%M", "-o", size, cmd.Path}, args...)
	cmd.Path, cmd.Dir = "/usr/bin/time", dir
	out, err := cmd.CombinedOutput()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Fatal(err)
	}
	t.Logf("%v: %d, %.300s", args, cmd.ProcessState.ExitCode(), out)
	text, err := os.ReadFile(size)
	if err != nil {
		t.Fatal(err)
	}
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || kilobytes == 0 {
		t.Fatalf("%q: %v", text, err)
	}
	return kilobytes << 10, cmd.ProcessState.ExitCode()
}

// A system image of 4 GiB, packed by LZ4, and one that says so in a few bytes.
func TestMemoryOfLargeFiles(t *testing.T) {
	if _, err := os.Stat("/usr/bin/time"); err != nil {
		t.Skip("the program that measures memory is missing (Debian package time)")
	}
	dir := t.TempDir()
	write := func(name string, fill func(w io.Writer)) {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		fill(f)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := s.authority.Issue("S1_SW", 4)
	if err != nil {
		t.Fatal(err)
	}

	const piece = 4 << 20
	size := int64(4 << 30)
	if testing.Short() {
		size = 512 << 20
	}
	raw := bytes.Repeat([]byte("xflash needs little memory "), piece/27+1)[:piece]
	block := make([]byte, lz4.CompressBlockBound(piece))
	n, err := lz4.CompressBlock(raw, block, nil)
	if err != nil {
		t.Fatal(err)
	}
	image := mkimage.MapBuilder{HashType: sin.SHA256}
	image.Select(gpt.GUID{1})
	for i := range size / piece {
		image.Packed(block[:n], bytes.NewReader(raw), 0, i*piece, piece)
	}
	payload, err := image.Payload()
	if err != nil {
		t.Fatal(err)
	}
	write("large.sin", func(w io.Writer) {
		if err := (mkimage.Builder{Type: sin.TypeImage, Signer: signer}).Build(w, payload); err != nil {
			t.Fatal(err)
		}
	})
	write("bomb.simg", func(w io.Writer) { // 4 GiB of a pattern in 44 bytes
		le := binary.LittleEndian
		b := append(le.AppendUint32(nil, sparse.Magic), 1, 0, 0, 0, 28, 0, 12, 0)
		for _, v := range []uint32{4096, 1 << 20, 1, 0, uint32(sparse.Fill), 1 << 20, 16, 0x61626364} {
			b = le.AppendUint32(b, v)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	})
	write("bomb.ftf", func(w io.Writer) { writeBomb(t, w, "system.sin", size) })
	write("TA.zip", func(w io.Writer) { writeBomb(t, w, "TA.img", size/4) })

	for _, c := range []struct {
		exit int
		args []string
	}{
		{exitOK, []string{"verify", "large.sin"}},
		{exitOK, []string{"inspect", "large.sin"}},
		{exitOK, []string{"unpack", "large.sin", "-o", "out", "--sparse"}},
		{exitFile, []string{"verify", "bomb.ftf"}},
		{exitOK, []string{"inspect", "bomb.ftf"}},
		{exitFile, []string{"restore", "bomb.ftf", "--device", "sim:z3c", "--yes"}},
		{exitOK, []string{"inspect", "bomb.simg"}},
		{exitFile, []string{"ta", "list", "TA.zip"}},
	} {
		used, exit := peak(t, dir, c.args...)
		if exit != c.exit {
			t.Errorf("%v: exit code %d, want %d", c.args, exit, c.exit)
		}
		if used > mostMemory {
			t.Errorf("%v: %.1f MiB", c.args, float64(used)/(1<<20))
		}
		t.Logf("%v: %.1f MiB", c.args, float64(used)/(1<<20))
	}
}

// writeBomb makes a zip of one member that unpacks to n zeros, a multiple of 16 MiB. Each
// 16 MiB pack to the same bytes, so they are packed once.
func writeBomb(t *testing.T, w io.Writer, name string, n int64) {
	t.Helper()
	const piece = 16 << 20
	var packed bytes.Buffer
	f, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, piece)); err != nil {
		t.Fatal(err)
	}
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	end := []byte{1, 0, 0, 0xFF, 0xFF} // an empty stored block that is the last one
	z := zip.NewWriter(w)
	m, err := z.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Deflate, UncompressedSize64: uint64(n),
		CompressedSize64: uint64(n/piece*int64(packed.Len()) + int64(len(end)))})
	if err != nil {
		t.Fatal(err)
	}
	for range n / piece {
		if _, err := m.Write(packed.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Write(end); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}
