package bootimg

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"strings"
)

// ELF is one of Sony's boot images in ELF form: stock kernels and many old
// custom ones (FORMAT.md §1.7). 32 bits, little-endian, ARM; the parts
// are program segments, told apart by type and flags.
type ELF struct {
	Ident    [16]byte // the packers write 0x61 at 7; zero means so for Build
	Flags    uint32   // of the ELF header
	Entry    uint32
	Segments []Segment
}

// Segment is one program segment.
type Segment struct {
	Type, Flags              uint32
	Offset                   uint32 // in the file; Build chooses it for 0
	VAddr, PAddr, Mem, Align uint32 // Mem 0 means as long as Data for Build
	Data                     []byte
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
	elfHeaderLen   = 52
	segmentLen     = 32
	firstSegmentAt = 4096 // where the packers put the first payload

	segLoad, segNote = 1, 4

	// Flags, with which the packers mark the parts.
	flagRamdisk = 0x80000000
	flagIPL     = 0x40000000
	flagCmdline = 0x20000000
	flagRPM     = 0x01000000
	flagAppsBL  = 0x02000000
)

// Kind tells what the segment holds, by type, flags and the magic of a table.
func (s Segment) Kind() SegmentKind {
	switch {
	case bytes.HasPrefix(s.Data, []byte(QCDTMagic)):
		return SegmentQCDT
	case s.Type == segNote && s.Flags&flagCmdline != 0:
		return SegmentCmdline
	case s.Type != segLoad:
		return SegmentOther
	}
	switch {
	case s.Flags&flagRamdisk != 0:
		return SegmentRamdisk
	case s.Flags&flagIPL != 0:
		return SegmentIPL
	case s.Flags&flagRPM != 0:
		return SegmentRPM
	case s.Flags&flagAppsBL != 0:
		return SegmentAppsBL
	}
	return SegmentKernel
}

// NewSegment makes a segment of a kind that loads at addr.
func NewSegment(k SegmentKind, addr uint32, data []byte) Segment {
	s := Segment{Type: segLoad, VAddr: addr, PAddr: addr, Data: data}
	switch k {
	case SegmentRamdisk:
		s.Flags = flagRamdisk
	case SegmentIPL:
		s.Flags = flagIPL
	case SegmentRPM:
		s.Flags = flagRPM
	case SegmentAppsBL:
		s.Flags = flagAppsBL
	case SegmentCmdline:
		s.Type, s.Flags = segNote, flagCmdline
	}
	return s
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
	le := binary.LittleEndian
	e := &ELF{Ident: [16]byte(data[:16]), Entry: le.Uint32(data[24:]), Flags: le.Uint32(data[36:])}
	table, size, count := int64(le.Uint32(data[28:])), le.Uint16(data[42:]), int64(le.Uint16(data[44:]))
	if size != segmentLen {
		return bad(ErrMalformed, 42, "program headers of %d bytes", size)
	}
	if table < elfHeaderLen || table+count*segmentLen > int64(len(data)) {
		return bad(ErrTruncated, int64(len(data)), "%d program headers at %#x", count, table)
	}
	for i := range count {
		h := data[table+i*segmentLen:]
		s := Segment{Type: le.Uint32(h), Offset: le.Uint32(h[4:]), VAddr: le.Uint32(h[8:]), PAddr: le.Uint32(h[12:]),
			Mem: le.Uint32(h[20:]), Flags: le.Uint32(h[24:]), Align: le.Uint32(h[28:])}
		end := int64(s.Offset) + int64(le.Uint32(h[16:]))
		if end > int64(len(data)) {
			return bad(ErrTruncated, int64(len(data)), "segment %d would end at %#x", i, end)
		}
		s.Data = data[s.Offset:end:end]
		e.Segments = append(e.Segments, s)
	}
	return e, nil
}

// Build puts the image together the way the public packers do: headers, then
// the first segment at 4096 and the others after each other. Segments that
// have an offset stay there.
func (e *ELF) Build() ([]byte, error) {
	le := binary.LittleEndian
	if elfHeaderLen+len(e.Segments)*segmentLen > firstSegmentAt {
		return nil, fail("Sony ELF image", ErrTooLarge, 0, "%d segments", len(e.Segments))
	}
	b := make([]byte, firstSegmentAt)
	copy(b, e.Ident[:])
	if e.Ident == [16]byte{} {
		copy(b, "\x7fELF\x01\x01\x01\x61")
	}
	for at, v := range map[int]uint16{16: 2, 18: 40, 40: elfHeaderLen, 42: segmentLen, 44: uint16(len(e.Segments))} {
		le.PutUint16(b[at:], v)
	}
	for at, v := range map[int]uint32{20: 1, 24: e.Entry, 28: elfHeaderLen, 36: e.Flags} {
		le.PutUint32(b[at:], v)
	}
	for i, s := range e.Segments {
		at := cmp.Or(int64(s.Offset), int64(len(b)))
		end := at + int64(len(s.Data))
		if end > math.MaxUint32 || at < int64(elfHeaderLen+len(e.Segments)*segmentLen) {
			return nil, fail("Sony ELF image", ErrTooLarge, at, "segment %d of %d bytes", i, len(s.Data))
		}
		if end > int64(len(b)) {
			b = append(b, make([]byte, end-int64(len(b)))...)
		}
		copy(b[at:], s.Data)
		mem := cmp.Or(s.Mem, uint32(len(s.Data)))
		for j, v := range []uint32{s.Type, uint32(at), s.VAddr, s.PAddr, uint32(len(s.Data)), mem, s.Flags, s.Align} {
			le.PutUint32(b[elfHeaderLen+i*segmentLen+4*j:], v)
		}
	}
	return b, nil
}
