package gpt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin/gpt"
)

func salvage(t *testing.T, d []byte) *Salvaged {
	t.Helper()
	s, err := Salvage(bytes.NewReader(d), int64(len(d)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// One whole copy gives the table and the size of the disk, whatever became of the other.
func TestSalvage(t *testing.T) {
	want := testTable(t)
	const end = testSectors * SectorSize
	for name, c := range map[string]struct {
		spoil           func(d disk) disk
		primary, backup error
		lost            bool
	}{
		"whole":                  {func(d disk) disk { return d }, nil, nil, false},
		"no protective MBR":      {func(d disk) disk { clear(d[:512]); return d }, nil, nil, false},
		"primary header":         {func(d disk) disk { d[512+57] ^= 1; return d }, ErrHeaderCRC, nil, false},
		"primary entries":        {func(d disk) disk { d[2*512] ^= 1; return d }, ErrEntriesCRC, nil, false},
		"backup header":          {func(d disk) disk { clear(d[end-512:]); return d }, nil, ErrSignature, false},
		"backup entries":         {func(d disk) disk { d[end-33*512] ^= 1; return d }, nil, ErrEntriesCRC, false},
		"both":                   {func(d disk) disk { d[512] ^= 1; d[end-512] ^= 1; return d }, ErrSignature, ErrSignature, true},
		"cut by a sector":        {func(d disk) disk { return d[:end-512] }, nil, ErrCutOff, false},
		"cut to the first table": {func(d disk) disk { return d[:34*512] }, nil, ErrCutOff, false},
		"grown":                  {func(d disk) disk { return append(d, make([]byte, 4096)...) }, nil, nil, false},
		"cut, primary gone":      {func(d disk) disk { d[512] ^= 1; return d[:end-512] }, ErrSignature, ErrSignature, true},
		"empty":                  {func(disk) disk { return nil }, nil, nil, true},
	} {
		s := salvage(t, c.spoil(testDisk(t)))
		if name == "empty" {
			if s.Table != nil || s.Primary == nil || s.Backup == nil {
				t.Errorf("%s: %+v", name, s)
			}
			continue
		}
		if !errors.Is(s.Primary, c.primary) || !errors.Is(s.Backup, c.backup) || (s.Table == nil) != c.lost {
			t.Errorf("%s: %+v", name, s)
		}
		wants := map[string]error{"whole": nil, "cut by a sector": ErrTooShort, "cut to the first table": ErrTooShort, "grown": ErrTooLong}
		if fault, ok := wants[name]; ok && !errors.Is(s.Fault, fault) || (s.Fault == nil) != (name == "whole") {
			t.Errorf("%s: %v", name, s.Fault)
		}
		if s.Table != nil && (!reflect.DeepEqual(s.Table, want) || s.End != end) {
			t.Errorf("%s: %+v, end %d", name, s.Table, s.End)
		}
	}
}

// Two whole copies that differ: the primary counts, and the difference is reported.
func TestSalvageDiffering(t *testing.T) {
	other := testTable(t)
	other.Entries[0].Name = "recovery"
	d, e := testDisk(t), make(disk, testSectors*SectorSize)
	if err := WriteGPT(e, other); err != nil {
		t.Fatal(err)
	}
	copy(d[len(d)-33*512:], e[len(e)-33*512:])
	s := salvage(t, d)
	if s.Primary != nil || !errors.Is(s.Backup, ErrDiffer) || s.Table.Entries[0].Name != "boot" {
		t.Errorf("%+v", s)
	}
}

func FuzzSalvage(f *testing.F) {
	d := make(disk, 128*SectorSize)
	table := testTable(f)
	table.Sectors, table.Entries = 128, table.Entries[:1]
	table.Entries[0].Last = 40
	if err := WriteGPT(d, table); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(d))
	f.Add([]byte(d[:64*SectorSize]))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Salvage(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		strict, err := Read(bytes.NewReader(data), int64(len(data)))
		if (err == nil) != (s.Fault == nil) || err == nil && (s.Primary != nil || s.Backup != nil || !reflect.DeepEqual(s.Table, strict)) {
			t.Fatalf("Read takes it, Salvage says %v, %v", s.Primary, s.Backup)
		}
		if s.Table != nil && s.Primary != nil && s.Backup != nil && !errors.Is(s.Backup, ErrDiffer) {
			t.Fatal("a table without a whole copy")
		}
	})
}

// A disk that cannot be read is not a damaged one, at whatever place reading fails.
func TestReadFailures(t *testing.T) {
	d := testDisk(t)
	fails := errors.New("cable pulled")
	for _, at := range []int64{0, 1, 2, testSectors - 1} {
		r := failsAt{bytes.NewReader(d), at * 512, fails}
		_, err := Salvage(r, int64(len(d)))
		if _, errRead := Read(r, int64(len(d))); !errors.Is(err, fails) || errors.As(err, new(*Error)) || !errors.Is(errRead, fails) ||
			!strings.Contains(err.Error(), fmt.Sprintf("at byte %d: ", at*512)) {
			t.Errorf("sector %d: %v, %v", at, err, errRead)
		}
	}
}

// failsAt is a disk whose sector at an offset cannot be read.
type failsAt struct {
	io.ReaderAt
	at  int64
	err error
}

func (f failsAt) ReadAt(p []byte, at int64) (int, error) {
	if at <= f.at && f.at < at+int64(len(p)) {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(p, at)
}
