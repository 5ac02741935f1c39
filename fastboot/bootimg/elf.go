package bootimg

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
)

// ELF is one of Sony's boot images in ELF form: stock kernels and many old
// custom ones (FORMAT.md §1.7). 32 bits, little-endian, ARM; the parts
// are program segments, told apart by type and flags.
type ELF struct {
	elf.Header32
	Segments []Segment
}

// Segment is one program segment.
type Segment struct {
	elf.Prog32
	Data []byte
}

// SegmentKind is what a segment holds.
type SegmentKind int

// Kinds of segments.
const (
	SegmentOther SegmentKind = iota
	SegmentKernel
	SegmentRamdisk
	SegmentIPL
	SegmentRPM // firmware of the resource and power manager
	SegmentAppsBL
	SegmentCmdline
	SegmentQCDT // a device tree table, of 2013 and later; recognised by its magic
)

var segmentNames = [...]string{"other", "kernel", "ramdisk", "ipl", "rpm firmware", "appsbl", "command line", "device tree table"}

// String names the kind.
func (k SegmentKind) String() string { return segmentNames[k] }

const (
	elfHeaderLen = 52
	segmentLen   = 32
	flagCmdline  = 0x20000000 // of a note
)

// loadFlags mark the parts that are loaded; the kernel has none of them.
var loadFlags = []struct {
	flag uint32
	kind SegmentKind
}{{0x80000000, SegmentRamdisk}, {0x40000000, SegmentIPL}, {0x01000000, SegmentRPM}, {0x02000000, SegmentAppsBL}}

// Kind tells what the segment holds, by type, flags and the magic of a table.
func (s Segment) Kind() SegmentKind {
	switch {
	case bytes.HasPrefix(s.Data, []byte(QCDTMagic)):
		return SegmentQCDT
	case s.Type == uint32(elf.PT_NOTE) && s.Flags&flagCmdline != 0:
		return SegmentCmdline
	case s.Type != uint32(elf.PT_LOAD):
		return SegmentOther
	}
	for _, f := range loadFlags {
		if s.Flags&f.flag != 0 {
			return f.kind
		}
	}
	return SegmentKernel
}

// Find returns the first segment of a kind.
func (e *ELF) Find(k SegmentKind) (Segment, bool) {
	for _, s := range e.Segments {
		if s.Kind() == k {
			return s, true
		}
	}
	return Segment{}, false
}

// Cmdline is the kernel command line, empty when the image has none.
func (e *ELF) Cmdline() string {
	s, _ := e.Find(SegmentCmdline)
	return strings.TrimRight(cString(s.Data), "\n")
}

// IsSonyELF reports whether data start like such an image. 20 bytes are enough.
func IsSonyELF(data []byte) bool {
	return len(data) >= 20 && string(data[:4]) == "\x7fELF" && data[4] == 1 && data[5] == 1 &&
		binary.LittleEndian.Uint16(data[16:]) == 2 && binary.LittleEndian.Uint16(data[18:]) == 40
}

// ParseELF takes such an image apart.
func ParseELF(data []byte) (*ELF, error) {
	bad := func(reason error, at int64, format string, args ...any) (*ELF, error) {
		return nil, fail("Sony ELF image", reason, at, format, args...)
	}
	if !IsSonyELF(data) {
		return bad(ErrWrongKind, 0, "not an ELF file for 32-bit ARM")
	}
	if len(data) < elfHeaderLen {
		return bad(ErrTruncated, int64(len(data)), "the header has %d bytes", elfHeaderLen)
	}
	e := &ELF{}
	_, _ = binary.Decode(data, binary.LittleEndian, &e.Header32) // there is enough of it
	if e.Phentsize != segmentLen {
		return bad(ErrMalformed, 42, "program headers of %d bytes", e.Phentsize)
	}
	table, count := int64(e.Phoff), int64(e.Phnum)
	if table < elfHeaderLen || table+count*segmentLen > int64(len(data)) {
		return bad(ErrTruncated, int64(len(data)), "%d program headers at %#x", count, table)
	}
	for i := range count {
		var s Segment
		_, _ = binary.Decode(data[table+i*segmentLen:], binary.LittleEndian, &s.Prog32) // there is enough of it
		end := int64(s.Off) + int64(s.Filesz)
		if end > int64(len(data)) {
			return bad(ErrTruncated, int64(len(data)), "segment %d would end at %#x", i, end)
		}
		s.Data = data[s.Off:end:end]
		e.Segments = append(e.Segments, s)
	}
	return e, nil
}
