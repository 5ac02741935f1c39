package bootimg_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"reflect"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/internal/simphone/mkimage"
)

func sonyELF() *bootimg.ELF {
	table, err := bootimg.BuildQCDT(2, 2048, []bootimg.Tree{{DTB: fdtTree().Build(), IDs: []bootimg.ID{{Platform: 194, Variant: 8, Rev: 0x10000}}}})
	if err != nil {
		panic(err)
	}
	return &bootimg.ELF{Header32: elf.Header32{Entry: 0x80208000}, Segments: []bootimg.Segment{
		mkimage.NewSegment(bootimg.SegmentKernel, 0x80208000, pattern(5000, 1)),
		mkimage.NewSegment(bootimg.SegmentRamdisk, 0x81900000, pattern(3000, 2)),
		mkimage.NewSegment(bootimg.SegmentRPM, 0x20000, pattern(100, 3)),
		mkimage.NewSegment(bootimg.SegmentQCDT, 0x81e00000, table),
		mkimage.NewSegment(bootimg.SegmentCmdline, 0, []byte("androidboot.hardware=qcom user_debug=31\x00")),
	}}
}

// TestELFLayout reads the bytes by the description of FORMAT.md §1.7, not by the parser.
func TestELFLayout(t *testing.T) {
	b, err := mkimage.ELF(sonyELF())
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if string(b[:4]) != "\x7fELF" || b[7] != 0x61 || le.Uint16(b[16:]) != 2 || le.Uint16(b[18:]) != 40 || le.Uint16(b[44:]) != 5 {
		t.Errorf("the header is % x", b[:52])
	}
	for i, want := range [][7]uint32{ // type, offset, vaddr, paddr, filesz, memsz, flags
		{1, 4096, 0x80208000, 0x80208000, 5000, 5000, 0},
		{1, 4096 + 5000, 0x81900000, 0x81900000, 3000, 3000, 0x80000000},
		{1, 4096 + 8000, 0x20000, 0x20000, 100, 100, 0x01000000},
	} {
		var got [7]uint32
		for j := range got {
			got[j] = le.Uint32(b[52+32*i+4*j:])
		}
		if got != want {
			t.Errorf("segment %d is %#x, want %#x", i, got, want)
		}
	}
	cmdline := b[52+32*4:]
	if le.Uint32(cmdline) != 4 || le.Uint32(cmdline[24:]) != 0x20000000 {
		t.Errorf("the command line segment is % x", cmdline[:32])
	}
	if !bytes.Equal(b[4096:4096+5000], pattern(5000, 1)) || !bytes.HasSuffix(b, []byte("user_debug=31\x00")) {
		t.Error("the segments do not follow each other from 4096 on")
	}
}

func TestELFRoundTrip(t *testing.T) {
	want := sonyELF()
	b, err := mkimage.ELF(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := bootimg.ParseELF(b)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []bootimg.SegmentKind
	for i, s := range got.Segments {
		kinds = append(kinds, s.Kind())
		if !bytes.Equal(s.Data, want.Segments[i].Data) {
			t.Errorf("segment %d has other data", i)
		}
	}
	if w := []bootimg.SegmentKind{bootimg.SegmentKernel, bootimg.SegmentRamdisk, bootimg.SegmentRPM, bootimg.SegmentQCDT, bootimg.SegmentCmdline}; !reflect.DeepEqual(kinds, w) {
		t.Errorf("the kinds are %v", kinds)
	}
	if got.Cmdline() != "androidboot.hardware=qcom user_debug=31" || got.Entry != want.Entry {
		t.Errorf("command line %q, entry %#x", got.Cmdline(), got.Entry)
	}
	if _, ok := got.Find(bootimg.SegmentIPL); ok {
		t.Error("an ipl is found")
	}
	again, err := mkimage.ELF(got)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("built again it differs, %v", err)
	}
}

func TestELFRefuses(t *testing.T) {
	b, err := mkimage.ELF(sonyELF())
	if err != nil {
		t.Fatal(err)
	}
	put16 := func(at int, v uint16) []byte {
		c := bytes.Clone(b)
		binary.LittleEndian.PutUint16(c[at:], v)
		return c
	}
	for name, c := range map[string]struct {
		b      []byte
		reason error
	}{
		"short":             {b[:19], bootimg.ErrWrongKind},
		"64 bits":           {append([]byte("\x7fELF\x02\x01"), b[6:]...), bootimg.ErrWrongKind},
		"other machine":     {put16(18, 62), bootimg.ErrWrongKind},
		"header cut":        {b[:51], bootimg.ErrTruncated},
		"header length":     {put16(42, 56), bootimg.ErrMalformed},
		"65535 segments":    {put16(44, 65535), bootimg.ErrTruncated},
		"table at 2³²-1":    {put32(b, 28, 0xFFFFFFFF), bootimg.ErrTruncated},
		"table in header":   {put32(b, 28, 8), bootimg.ErrTruncated},
		"segment past end":  {put32(b, 52+16, 0xFFFFFFFF), bootimg.ErrTruncated},
		"segment elsewhere": {put32(b, 52+4, 0xFFFFFFFF), bootimg.ErrTruncated},
	} {
		_, err := bootimg.ParseELF(c.b)
		wantError(t, name, err, c.reason, "")
	}
}
