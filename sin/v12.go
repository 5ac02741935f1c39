package sin

import (
	"encoding/binary"
	"math"
)

// The fixed parts of a header of version 1 or 2 (FORMAT.md §2.1): 15 bytes
// before the hash list, and the length of the certificate blob after it. The two
// versions differ in their hash function only.
const (
	fixed12   = 15
	minimum12 = fixed12 + 4
	maxType12 = 0x0F
)

// Payload types of versions 1 and 2 (FORMAT.md §2.3).
const (
	TypeLoader12  PayloadType = 0x00 // one block, its destination is the load address
	TypeBoot12    PayloadType = 0x03 // the same for a boot loader
	TypeFlash12   PayloadType = 0x09 // partition without spare bytes
	TypeSpare12   PayloadType = 0x0A // NAND partition with spare bytes
	TypeTable12   PayloadType = 0x0E // partition table
	TypeSectors12 PayloadType = 0x0F // eMMC partition, destinations in sectors of 512 bytes
)

// hash12 is the hash function of a version.
func hash12(version byte) HashType {
	if version == 1 {
		return SHA1
	}
	return SHA256
}

// looksLike12 counts how much of the start of a file is as in a header of version 1 or
// 2, which has no magic: of five marks, those that can be seen and those that are right.
func looksLike12(head []byte) (right, seen int) {
	mark := func(end int, ok func() bool) {
		if len(head) >= end {
			seen++
			if ok() {
				right++
			}
		}
	}
	if len(head) == 0 || head[0] != 1 && head[0] != 2 {
		return 0, 1
	}
	be, hashLen := binary.BigEndian, hash12(head[0]).Size()
	mark(2, func() bool { return head[1] == 0 })
	mark(6, func() bool { n := be.Uint32(head[2:]); return n > minimum12 && n <= maxHeader })
	mark(11, func() bool { return head[6] <= maxType12 && be.Uint32(head[7:]) == 0 })
	mark(15, func() bool { n := be.Uint32(head[11:]); return n > 0 && n <= maxHeader && n%uint32(9+hashLen) == 0 })
	mark(24, func() bool { return int(head[23]) == hashLen })
	return right, seen
}

// readHeader12 reads a header of version 1 or 2; its first 4 bytes are in hr.
func readHeader12(hr *headerReader) (*Header, error) {
	err := hr.need(fixed12 + 9)
	right, seen := looksLike12(hr.buf)
	if right < min(seen, 3) {
		return nil, fail(NotSIN, 0, "the first byte is that of version %d, but the rest is not", hr.buf[0])
	}
	if err != nil {
		return nil, err
	}
	be := binary.BigEndian
	headerLen, listLen := int64(be.Uint32(hr.buf[2:])), int64(be.Uint32(hr.buf[11:]))
	switch {
	case headerLen < minimum12 || headerLen > maxHeader:
		return nil, fail(Malformed, 2, "the header length is %d; it must be %d to %d", headerLen, minimum12, maxHeader)
	case minimum12+listLen > headerLen:
		return nil, fail(Malformed, 11, "a hash list of %d bytes does not fit in a header of %d", listLen, headerLen)
	}
	return hr.sections(headerLen, fixed12, listLen, 2, func(h *Header) *Error {
		h.Version, h.Type, h.HashType = int(hr.buf[0]), PayloadType(hr.buf[6]), hash12(hr.buf[0])
		return h.parse12(h.Raw[fixed12 : fixed12+listLen])
	})
}

// parse12 checks the fields of the header and reads the hash list.
func (h *Header) parse12(list []byte) *Error {
	if reserved := binary.BigEndian.Uint32(h.Raw[7:]); reserved != 0 {
		h.note(7, "the reserved word is %#x", reserved)
	}
	switch {
	case h.Raw[1] != 0:
		return fail(Malformed, 1, "it announces a second header, which no known file has")
	case h.Type > maxType12:
		return fail(Malformed, 6, "payload type %#02x does not exist in version %d", uint8(h.Type), h.Version)
	}
	size := 9 + h.HashType.Size()
	if len(list) == 0 || len(list)%size != 0 {
		return fail(Malformed, 11, "a hash list of %d bytes is not a whole number of %d-byte entries", len(list), size)
	}
	h.Blocks = make([]Block, 0, len(list)/size)
	for at := 0; at < len(list); at += size {
		entry, offset := list[at:at+size], int64(fixed12+at)
		dest, length := binary.BigEndian.Uint32(entry), binary.BigEndian.Uint32(entry[4:])
		if int(entry[8]) != h.HashType.Size() {
			return fail(Malformed, offset+8, "a hash has %d bytes, but hashes of version %d have %d", entry[8], h.Version, h.HashType.Size())
		}
		if length > math.MaxUint32-dest {
			return fail(Malformed, offset, "a block of %d bytes for %#x ends past 32 bits", length, dest)
		}
		if err := h.addBlock(offset, int64(length), entry[9:]); err != nil {
			return err
		}
		h.Blocks[len(h.Blocks)-1].Dest = int64(dest)
	}
	return h.place12()
}

// spareData is how many data bytes a NAND block holds besides its spare bytes.
const spareData = 0x20000

// place12 turns the destinations of a partition into offsets in a dump of it. They must
// ascend and not overlap. A loader's destination is an address and stays as it is.
func (h *Header) place12() *Error {
	if h.Type == TypeLoader12 || h.Type == TypeBoot12 {
		return nil
	}
	first := 0
	if h.HasPartitionInfo() {
		first = 1
	}
	spare, end := int64(0), int64(0)
	if h.Type == TypeSpare12 && len(h.Blocks) > first && h.Blocks[first].Length > spareData {
		spare = h.Blocks[first].Length % spareData
	}
	for i := first; i < len(h.Blocks); i++ {
		b := &h.Blocks[i]
		if h.Type == TypeSectors12 {
			b.Dest *= 512
		}
		b.Dest += int64(i-first) * spare // a dump keeps the spare bytes of the blocks before
		if b.Dest < end {
			e := fail(Malformed, int64(fixed12+i*(9+h.HashType.Size())), "it is at %#x, but the one before ends at %#x", b.Dest, end)
			e.Block = i
			return e
		}
		end = b.Dest + b.Length
	}
	return nil
}

// PartitionInfo is the first block of a partition image of version 1 or 2
// (FORMAT.md §2.2). It is not part of the image.
type PartitionInfo struct {
	ID         uint32 // partition or its kind: 3 on NAND
	Attributes uint32
	Start      uint32 // first block in the flash
	Blocks     uint32 // their number
}

// partitionInfoSize is the length of that block.
const partitionInfoSize = 16

// HasPartitionInfo reports whether the first block of the payload is a PartitionInfo.
func (h *Header) HasPartitionInfo() bool {
	return h.Version < 3 && h.Type != TypeLoader12 && h.Type != TypeBoot12 &&
		len(h.Blocks) > 0 && h.Blocks[0].Length == partitionInfoSize && h.Blocks[0].Dest == 0
}

// parsePartitionInfo reads the block; its words are little-endian.
func parsePartitionInfo(b []byte) *PartitionInfo {
	le := binary.LittleEndian
	return &PartitionInfo{ID: le.Uint32(b), Attributes: le.Uint32(b[4:]), Start: le.Uint32(b[8:]), Blocks: le.Uint32(b[12:])}
}
