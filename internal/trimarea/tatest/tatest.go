// Package tatest lays out trim-area images by hand, for tests.
package tatest

import (
	"bytes"
	"encoding/binary"
)

// Unit and Part describe an image by hand (internal/trimarea/FORMAT.md).
type Unit struct {
	Number uint32
	State  uint32
	Data   string
}

// A Part is one block in use.
type Part struct {
	Block, Partition, Index, N int
	Units                      []Unit
}

// NewUnit is a unit with its state word.
func NewUnit(number, state uint32, data string) Unit { return Unit{number, state, data} }

// Block is a block in use by one part of a partition; its checksum covers (n+1) times 2048 bytes.
func Block(block, partition, index, n int, units ...Unit) Part {
	return Part{block, partition, index, n, units}
}

// Adler is the checksum spelled out, independent of the package under test.
func Adler(b []byte) uint32 {
	lo, hi := uint32(1), uint32(0)
	for _, c := range b {
		lo = (lo + uint32(c)) % 65521
		hi = (hi + lo) % 65521
	}
	return hi<<16 | lo
}

// Build lays an image out by hand.
func Build(parts ...Part) []byte {
	b := bytes.Repeat([]byte{0xFF}, 2<<20)
	for _, p := range parts {
		block := b[p.Block*0x20000 : (p.Block+1)*0x20000]
		copy(block, []byte{0xC1, 0xE9, 0xF8, 0x3B, 0, 0, 0, 0, byte(p.Partition), byte(p.Index), byte(p.Partition), byte(p.N)})
		at := 12
		for _, u := range p.Units {
			binary.LittleEndian.PutUint32(block[at:], u.Number)
			binary.LittleEndian.PutUint32(block[at+4:], uint32(len(u.Data)))
			copy(block[at+8:], []byte{0xC1, 0xE9, 0xF8, 0x3B})
			binary.LittleEndian.PutUint32(block[at+12:], u.State)
			copy(block[at+16:], u.Data)
			at += 16 + (len(u.Data)+3)/4*4
		}
		Seal(b, p.Block)
	}
	return b
}

// Seal sets the checksum of a block.
func Seal(b []byte, block int) {
	head := b[block*0x20000:]
	size := min((int(head[11])+1)*2048, 0x20000)
	binary.LittleEndian.PutUint32(head[4:], Adler(head[8:size]))
}

// Live is the state of a unit as the factory wrote it.
const Live = 0xFFFFFFFF

// Sample is an image with every kind of unit: in two parts, deleted, rewritten, empty.
func Sample() []byte {
	return Build(
		Part{0, 1, 0, 0xFF, []Unit{{1877, Live, "calibration"}}},
		Part{3, 2, 1, 0, []Unit{{2210, 0xFFFFFF14, "D5833"}}},
		Part{2, 2, 0, 1, []Unit{
			{2003, Live, "hardware"},
			{2404, 0x15151515, "gone"},
			{2210, Live, "D5803"},
			{2212, 0xFFFFFF11, ""},
			{66667, Live, "0123456789abcdef"},
		}},
	)
}
