package mkimage

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math"

	"xflash/fastboot/bootimg"
)

// NewSegment makes a segment of a kind that loads at addr.
func NewSegment(k bootimg.SegmentKind, addr uint32, data []byte) bootimg.Segment {
	flags := map[bootimg.SegmentKind]uint32{bootimg.SegmentRamdisk: 0x80000000, bootimg.SegmentIPL: 0x40000000, bootimg.SegmentRPM: 0x01000000,
		bootimg.SegmentAppsBL: 0x02000000, bootimg.SegmentCmdline: 0x20000000}
	t := elf.PT_LOAD
	if k == bootimg.SegmentCmdline {
		t = elf.PT_NOTE
	}
	return bootimg.Segment{Prog32: elf.Prog32{Type: uint32(t), Vaddr: addr, Paddr: addr, Flags: flags[k]}, Data: data}
}

// ELF puts one of Sony's images together the way the public packers do (fastboot/bootimg/FORMAT.md
// §1.7): headers, then the first segment at 4096 and the others after each other. Segments that
// have an offset stay there.
func ELF(e *bootimg.ELF) ([]byte, error) {
	const elfHeaderLen, segmentLen, firstSegmentAt = 52, 32, 4096
	head := elf.Header32{Ident: e.Ident, Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_ARM), Version: 1, Entry: e.Entry, Phoff: elfHeaderLen,
		Flags: e.Flags, Ehsize: elfHeaderLen, Phentsize: segmentLen, Phnum: uint16(len(e.Segments))}
	if e.Ident == [16]byte{} {
		copy(head.Ident[:], "\x7fELF\x01\x01\x01\x61") // the packers write 0x61 at 7
	}
	table := int64(elfHeaderLen + len(e.Segments)*segmentLen)
	if table > firstSegmentAt {
		return nil, fmt.Errorf("%d segments do not fit", len(e.Segments))
	}
	h, _ := binary.Append(nil, binary.LittleEndian, head) // a struct of numbers
	b := make([]byte, firstSegmentAt)
	for i, s := range e.Segments {
		at := cmp.Or(int64(s.Off), int64(len(b)))
		end := at + int64(len(s.Data))
		if end > math.MaxUint32 || at < table {
			return nil, fmt.Errorf("segment %d of %d bytes does not fit at %#x", i, len(s.Data), at)
		}
		s.Off, s.Filesz = uint32(at), uint32(len(s.Data))
		s.Memsz = cmp.Or(s.Memsz, s.Filesz)
		h, _ = binary.Append(h, binary.LittleEndian, s.Prog32)
		if end > int64(len(b)) {
			b = append(b, make([]byte, end-int64(len(b)))...)
		}
		copy(b[at:], s.Data)
	}
	copy(b, h)
	return b, nil
}
