package fileio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// write makes a file of some bytes and gives its path.
func write(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen(t *testing.T) {
	t.Parallel()
	path := write(t, []byte("twelve bytes"))
	f, size, err := Open(path)
	if err != nil || size != 12 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	f.Close()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{pipe, filepath.Dir(path), "/dev/null"} { // a pipe without a writer must not block
		if _, _, err := Open(name); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Open(path + "-absent"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// Replace leaves the new contents with the mode asked for, or the old ones, and nothing else.
func TestReplace(t *testing.T) {
	t.Parallel()
	path := write(t, []byte("old"))
	if err := Replace(path, []byte("new"), 0o640); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	info, errStat := os.Stat(path)
	if err != nil || errStat != nil || string(data) != "new" || info.Mode() != 0o640 {
		t.Errorf("%q, %v, %v, %v", data, info.Mode(), err, errStat)
	}
	folder := filepath.Join(filepath.Dir(path), "folder")
	if err := os.MkdirAll(filepath.Join(folder, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Replace(folder, []byte("new"), 0o640); err == nil {
		t.Error("a folder was replaced")
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}

// What fails leaves what was there and nothing else.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	path := write(t, []byte("old"))
	broken := errors.New("no more")
	err := Write(path, 0o644, func(f *os.File) error {
		_, err := f.WriteString("new")
		return errors.Join(err, broken)
	})
	data, errRead := os.ReadFile(path)
	if !errors.Is(err, broken) || errRead != nil || string(data) != "old" {
		t.Errorf("%v, %q, %v", err, data, errRead)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := Write(filepath.Join(path+"-absent", "x"), 0o644, func(*os.File) error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A reader tells how far it is, and stops when its context ends, with what it has given counted.
func TestReadersStop(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	data := bytes.Repeat([]byte("x"), 1000)
	var done, doneAt int64
	r := &Reader{Context: ctx, R: bytes.NewReader(data), Progress: func(n int64) { done = n }}
	at := &ReaderAt{Context: ctx, R: bytes.NewReader(data), Progress: func(n int64) { doneAt = n }}
	buf := make([]byte, 300)
	if _, err := io.ReadFull(r, buf); err != nil || done != 300 {
		t.Errorf("%d bytes, %v", done, err)
	}
	for _, offset := range []int64{700, 0} {
		if n, err := at.ReadAt(buf, offset); n != 300 || err != nil {
			t.Errorf("at %d: %d bytes, %v", offset, n, err)
		}
	}
	if doneAt != 600 {
		t.Errorf("%d bytes at any place", doneAt)
	}
	cancel()
	if n, err := r.Read(buf); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n, err := at.ReadAt(buf, 0); n != 0 || !errors.Is(err, context.Canceled) || done != 300 || doneAt != 600 {
		t.Errorf("%d bytes, %v; told %d and %d", n, err, done, doneAt)
	}
}

// spots is a WriterAt that keeps what was written where.
type spots map[int64][]byte

func (s spots) WriteAt(p []byte, at int64) (int, error) {
	if len(p) > 0 {
		s[at] = bytes.Clone(p)
	}
	return len(p), nil
}

// Whole blocks of zeros are left out, whatever their place in the data; the rest comes in one
// piece, zeros within a block included.
func TestHoles(t *testing.T) {
	t.Parallel()
	data := make([]byte, 5*holeUnit)
	data[10] = 1              // in the first block
	data[3*holeUnit+4000] = 2 // in the fourth
	data[4*holeUnit] = 3      // in the fifth
	got := spots{}
	w := &HoleWriter{Context: context.Background(), W: got}
	for at := 0; at < len(data); { // pieces that do not keep to blocks
		n := min(5000, len(data)-at)
		if wrote, err := w.WriteAt(data[at:at+n], int64(at)); wrote != n || err != nil {
			t.Fatalf("%d of %d bytes, %v", wrote, n, err)
		}
		at += n
	}
	back := make([]byte, len(data))
	var bytesOut int
	for at, p := range got {
		copy(back[at:], p)
		bytesOut += len(p)
	}
	if !bytes.Equal(back, data) {
		t.Error("what was written is not what was given")
	}
	if bytesOut > 4*holeUnit {
		t.Errorf("%d bytes were written of %d, most of them zeros", bytesOut, len(data))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if n, err := (&HoleWriter{Context: ctx, W: got}).WriteAt(data, 0); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// CopyRange gives the bytes of a range, from a file with holes too, and reaches its end in the
// progress; one that is shorter is an error.
func TestCopyRange(t *testing.T) {
	t.Parallel()
	path := write(t, []byte("start"))
	const size = 8 << 20
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("middle"), 4<<20); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(path + "-copy")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var last int64
	if err := CopyRange(out, f, 2, size-2, func(n int64) { last = n }); err != nil || last != size-2 {
		t.Fatalf("%d bytes, %v", last, err)
	}
	for at, want := range map[int64]string{0: "art\x00", 4<<20 - 2: "middle\x00"} {
		got := make([]byte, len(want))
		if _, err := out.ReadAt(got, at); err != nil || string(got) != want {
			t.Errorf("at %d: %q, %v", at, got, err)
		}
	}
	if err := CopyRange(spots{}, f, size-1, 2, func(int64) {}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("past the end: %v", err)
	}
}
