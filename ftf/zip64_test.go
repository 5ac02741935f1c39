package ftf

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Members of 5 GiB with a hole as contents: sizes and offsets need zip64. The
// header of the large one has the zip64 field, has it not (as Go's archive/zip
// writes it with CreateRaw), or leaves all to the descriptor.
func TestZip64Sparse(t *testing.T) {
	const size = 5 << 30
	small := []byte("kernel image")
	crc := crc32.ChecksumIEEE(small)
	var wide, offsetOnly leWriter
	wide.put(uint16(1), uint16(16), int64(size), int64(size))
	for _, c := range []struct {
		name       string
		flags      uint16
		packed     uint32
		extra      []byte
		descriptor bool
		good       bool
	}{
		{"field", 0, full32, wide.Bytes(), false, true},
		{"no field", 0, full32, nil, false, true},
		{"descriptor", flagDescriptor, 0, nil, true, true},
		{"descriptor missing", flagDescriptor, 0, nil, false, false},
		{"small size in the header", 0, 5, nil, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "large.ftf")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var head leWriter
			head.put(uint32(sigLocal), uint16(45), c.flags, uint16(0), uint32(0), uint32(0), c.packed, c.packed,
				uint16(len("system.sin")), uint16(len(c.extra)), []byte("system.sin"), c.extra)
			second := int64(head.Len()) + size
			var tail leWriter
			if c.descriptor {
				tail.put(uint32(sigDescriptor), uint32(0), int64(size), int64(size))
			}
			kernel := second + int64(tail.Len())
			tail.put(uint32(sigLocal), uint16(20), uint16(0), uint16(0), uint32(0), crc, uint32(len(small)), uint32(len(small)),
				uint16(len("kernel.sin")), uint16(0), []byte("kernel.sin"), small)
			directory := second + int64(tail.Len())
			entry := func(name string, flags uint16, crc, packed, offset uint32, extra []byte) {
				tail.put(uint32(sigCentral), uint16(45), uint16(45), flags, uint16(0), uint32(0), crc, packed, packed,
					uint16(len(name)), uint16(len(extra)), uint16(0), uint16(0), uint16(0), uint32(0), offset, []byte(name), extra)
			}
			offsetOnly.Reset()
			offsetOnly.put(uint16(1), uint16(8), kernel)
			entry("system.sin", c.flags, 0, full32, 0, wide.Bytes())
			entry("kernel.sin", 0, crc, uint32(len(small)), full32, offsetOnly.Bytes())
			end := second + int64(tail.Len())
			tail.put(uint32(sigEnd64), uint64(44), uint16(45), uint16(45), uint32(0), uint32(0), uint64(2), uint64(2), end-directory, directory)
			tail.put(uint32(sigLocator64), uint32(0), end, uint32(1))
			tail.put(uint32(sigEnd), uint32(0), uint16(2), uint16(2), uint32(end-directory), uint32(full32), uint16(0))
			if _, err := f.WriteAt(head.Bytes(), 0); err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt(tail.Bytes(), second); err != nil {
				t.Fatal(err)
			}
			if !c.good {
				_, err := Open(path)
				want(t, err, Disagreement, "system.sin")
				return
			}
			b := mustOpen(t, path)
			if len(b.Members) != 2 || b.Members[0].Size != size {
				t.Fatalf("%+v", b.Members)
			}
			if got := contents(t, b.Members[1]); !bytes.Equal(got, small) {
				t.Fatalf("%q", got)
			}
			r, err := b.Members[0].Open()
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.CopyN(io.Discard, r, 1<<20); n != 1<<20 || err != nil {
				t.Fatal(n, err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A stored member of 4 GiB is written with its sizes after it. Whether that makes
// a sound archive is seen in a file of holes.
func TestWriteZip64(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.ftf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 4 << 30
	hole := make([]byte, 1<<20)
	z := zip.NewWriter(&sparseWriter{file: f, hole: hole})
	w, err := storedWriter(z, &zip.FileHeader{Name: "system.sin"}, size, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range size / len(hole) {
		if _, err := w.Write(hole); err != nil {
			t.Fatal(err)
		}
	}
	if err := addFile(z, file("kernel.sin", []byte("kernel"))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	b := mustOpen(t, path)
	if b.Members[0].Size != size || string(contents(t, b.Members[1])) != "kernel" {
		t.Fatalf("%+v", b.Members)
	}
}

// sparseWriter writes everything but one buffer, for which it leaves a hole.
type sparseWriter struct {
	file *os.File
	hole []byte
	at   int64
}

func (w *sparseWriter) Write(p []byte) (int, error) {
	at := w.at
	w.at += int64(len(p))
	if len(p) == len(w.hole) && &p[0] == &w.hole[0] {
		return len(p), nil
	}
	return w.file.WriteAt(p, at)
}

// Archives of another program, in the forms it can be made to write.
func TestArchivesOfInfoZip(t *testing.T) {
	program := tool(t, "zip")
	dir := t.TempDir()
	files := map[string][]byte{"system.sin": bytes.Repeat([]byte("system "), 20000), "kernel.sin": []byte("kernel"), "fota-reset.ta": []byte("02\n00000964 0001 00\n")}
	var names []string
	for name, data := range files {
		names = append(names, name)
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, args := range [][]string{{}, {"-0"}, {"-9"}, {"-fd"}, {"-fz"}, {"-X", "-0", "-fz"}, {"-k"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			path := filepath.Join(dir, fmt.Sprintf("%d.zip", i))
			cmd := exec.CommandContext(context.Background(), program, append(append(args, "-q", path), names...)...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			b := mustOpen(t, path)
			if len(b.Members) != len(files) {
				t.Fatalf("%d members", len(b.Members))
			}
			for _, m := range b.Members {
				want := files[m.Name]
				if args != nil && want == nil { // -k makes names of DOS
					want = files[string(bytes.ToLower([]byte(m.Name)))]
				}
				if len(want) > 0 && !bytes.Equal(contents(t, m), want) {
					t.Errorf("%s differs", m.Name)
				}
			}
		})
	}
}
