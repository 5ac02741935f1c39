// Package sparse reads and writes Android sparse images: the form in which
// large partition images travel to a phone, with empty areas left out.
//
// A sparse image is a header and a row of chunks, each of which describes a
// run of blocks of the partition. Reader walks the chunks and checks every
// rule, Expand and Apply give the bytes of the partition, and Image cuts a raw
// or sparse image into several complete sparse images that fit a phone's
// download limit. Everything streams; nothing holds an image in memory.
//
// Sources: fastboot/bootimg/FORMAT.md §7.1 (format, splitting), sin/FORMAT.md §6
// (Sony's LZ4 chunk) and §9 (rules and limits). All numbers are little-endian.
package sparse

import (
	"encoding/binary"
	"fmt"
)

// Magic is the first word of a sparse image; the file starts 3A FF 26 ED.
const Magic = 0xED26FF3A

// Limits of what is accepted.
const (
	MaxBlockSize = 64 << 20 // bytes (sin/FORMAT.md §9)
	MaxSize      = 1 << 40  // expanded bytes; no phone has that much storage, and no bomb gets further
)

const (
	headerLen = 28 // bytes that are defined; a file may say more, the surplus is skipped
	chunkLen  = 12
)

// ChunkType says what a chunk does with its blocks.
type ChunkType uint16

// Chunk types. LZ4 is Sony's own, in images of 2017 and later phones.
const (
	Raw      ChunkType = 0xCAC1 // the blocks follow
	Fill     ChunkType = 0xCAC2 // four bytes follow that repeat over all blocks
	DontCare ChunkType = 0xCAC3 // nothing follows; the blocks keep what they hold
	CRC32    ChunkType = 0xCAC4 // four bytes follow: checksum of all blocks so far
	LZ4      ChunkType = 0xCAC5 // one raw LZ4 block follows that gives exactly these blocks
)

// String names the chunk type as the field does.
func (t ChunkType) String() string {
	switch t {
	case Raw:
		return "raw"
	case Fill:
		return "fill"
	case DontCare:
		return "don't care"
	case CRC32:
		return "crc32"
	case LZ4:
		return "lz4"
	}
	return fmt.Sprintf("chunk type %#04x", uint16(t))
}

// Header is the header of a sparse image, as it is in the file after the major version.
type Header struct {
	Minor           uint16 // minor version; the major version is always 1
	HeaderSize      uint16 // bytes, at least 28
	ChunkHeaderSize uint16 // bytes, at least 12
	BlockSize       uint32 // bytes, a multiple of 4
	Blocks          uint32 // of the whole partition image
	Chunks          uint32
	Checksum        uint32 // CRC-32 of the expanded image, 0 when there is none
}

// Size is the length of the expanded image in bytes.
func (h Header) Size() int64 { return int64(h.Blocks) * int64(h.BlockSize) }

// Plain reports whether both header sizes are the usual 28 and 12. Larger ones
// are legal and read here, but bootloaders of 2015 and later refuse them
// (fastboot/PROTOCOL.md §3.2) and a SIN image must not have them (sin/FORMAT.md §9).
func (h Header) Plain() bool { return h.HeaderSize == headerLen && h.ChunkHeaderSize == chunkLen }

// append adds the header in its file form, with version 1.0 and plain sizes.
func (h Header) append(b []byte) []byte {
	h.Minor, h.HeaderSize, h.ChunkHeaderSize = 0, headerLen, chunkLen
	b = append(binary.LittleEndian.AppendUint32(b, Magic), 1, 0)
	b, _ = binary.Append(b, binary.LittleEndian, h) // a struct of numbers
	return b
}

// Is reports whether a file that starts with head is a sparse image. Four bytes are enough.
func Is(head []byte) bool {
	return len(head) >= 4 && binary.LittleEndian.Uint32(head) == Magic
}

// parseHeader reads and checks the 28 defined bytes of a header.
func parseHeader(b []byte) (Header, error) {
	if !Is(b) {
		return Header{}, fail(ErrNotSparse, 0, -1, "starts with % x", b[:min(4, len(b))])
	}
	if len(b) < headerLen {
		return Header{}, fail(ErrTruncated, int64(len(b)), -1, "the header has %d of %d bytes", len(b), headerLen)
	}
	var h Header
	_, _ = binary.Decode(b[6:], binary.LittleEndian, &h) // there is enough of it
	switch major := binary.LittleEndian.Uint16(b[4:]); {
	case major != 1:
		return h, fail(ErrMalformed, 4, -1, "major version %d; only 1 is known", major)
	case h.HeaderSize < headerLen:
		return h, fail(ErrMalformed, 8, -1, "header size %d is below %d", h.HeaderSize, headerLen)
	case h.ChunkHeaderSize < chunkLen:
		return h, fail(ErrMalformed, 10, -1, "chunk header size %d is below %d", h.ChunkHeaderSize, chunkLen)
	case h.BlockSize == 0 || h.BlockSize%4 != 0:
		return h, fail(ErrMalformed, 12, -1, "block size %d is not a multiple of 4", h.BlockSize)
	case h.BlockSize > MaxBlockSize:
		return h, fail(ErrTooLarge, 12, -1, "block size %d is above %d", h.BlockSize, MaxBlockSize)
	case h.Size() > MaxSize:
		return h, fail(ErrTooLarge, 16, -1, "%d blocks of %d bytes exceed %d bytes", h.Blocks, h.BlockSize, int64(MaxSize))
	}
	return h, nil
}

// Chunk is one chunk, with where it is and where it goes.
type Chunk struct {
	Index  int       // position in the row of chunks, from 0
	Type   ChunkType // one of the five known types
	Blocks uint32    // blocks it describes
	Offset int64     // of its header in the sparse file, bytes
	Data   int64     // bytes in the file behind its header
	Dest   int64     // of its first block in the expanded image, bytes
	Size   int64     // bytes of the expanded image it describes
	Value  uint32    // Fill: the pattern, low byte first in the image; CRC32: the checksum; set once read
}

// appendChunk adds a chunk header in its file form.
func appendChunk(b []byte, t ChunkType, blocks, data int64) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(t))
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(blocks))
	return binary.LittleEndian.AppendUint32(b, uint32(chunkLen+data))
}

// parseChunk reads the 12 defined bytes of the header of chunk number index at
// offset, with done blocks described before it, and checks it against h.
func parseChunk(b []byte, h Header, index int, offset, done int64) (Chunk, error) {
	le := binary.LittleEndian
	c := Chunk{
		Index: index, Type: ChunkType(le.Uint16(b)), Blocks: le.Uint32(b[4:]), Offset: offset,
		Data: int64(le.Uint32(b[8:])) - int64(h.ChunkHeaderSize),
		Dest: done * int64(h.BlockSize),
	}
	c.Size = int64(c.Blocks) * int64(h.BlockSize)
	bad := func(format string, args ...any) (Chunk, error) {
		return c, fail(ErrMalformed, offset, index, format, args...)
	}
	if c.Data < 0 {
		return bad("total size %d is below the chunk header size %d", le.Uint32(b[8:]), h.ChunkHeaderSize)
	}
	if done+int64(c.Blocks) > int64(h.Blocks) {
		return bad("%s chunk ends at block %d of an image of %d blocks", c.Type, done+int64(c.Blocks), h.Blocks)
	}
	want := int64(0)
	switch c.Type {
	case Raw:
		want = c.Size
	case Fill:
		want = 4
	case DontCare:
	case CRC32:
		want = 4
		if c.Blocks != 0 {
			return bad("crc32 chunk claims %d blocks", c.Blocks)
		}
	case LZ4:
		return c, checkLZ4(c)
	default:
		return bad("unknown %s", c.Type)
	}
	if c.Data != want {
		return bad("%s chunk of %d blocks has %d bytes of data, not %d", c.Type, c.Blocks, c.Data, want)
	}
	return c, nil
}
