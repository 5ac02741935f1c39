// Package trimarea reads, builds and changes images of the trim area (TA): the
// 2 MiB partition in which a Sony phone keeps what belongs to that one phone,
// as numbered units in two partitions, 1 "Trim" and 2 "Misc". It also knows
// what the units mean and reads the hardware configuration record of unit 2003.
//
// Facts: sin-ftf-format.md §12 and s1-protocol.md §6.3, §6.4. All integers of
// the image are little-endian. No image of a real phone was available.
package trimarea

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"slices"
)

const (
	// BlockSize is the length of a block; a part of a partition never leaves its block.
	BlockSize = 0x20000
	// Blocks is the number of blocks in an image.
	Blocks = 16
	// ImageSize is the length of an image and of the phone's TA partition: 2 MiB.
	ImageSize = Blocks * BlockSize

	// Trim is the partition of calibration and radio data.
	Trim = 1
	// Misc is the partition of everything else; the only one tools touch.
	Misc = 2

	magic          = 0x3BF8E9C1
	partHeaderSize = 12
	unitHeaderSize = 16
	sizeStep       = 0x800

	stateDeleted = 0x15151515
)

// Causes in an *Error.
var (
	ErrSize      = errors.New("a trim-area image has exactly 2 MiB")
	ErrChecksum  = errors.New("Adler-32 of the block is wrong")
	ErrPartition = errors.New("partition number is neither 1 nor 2")
	ErrSamePart  = errors.New("two blocks hold the same part of the same partition")
	ErrLength    = errors.New("unit is longer than the rest of its part")
	ErrFull      = errors.New("no room for the unit")
)

// Error tells what is wrong with an image and where.
type Error struct {
	Offset int64  // byte offset in the image, -1: no particular place
	Unit   uint32 // unit concerned, with InUnit
	InUnit bool
	Err    error
}

func (e *Error) Error() string {
	text := "trim area"
	if e.Offset >= 0 {
		text += fmt.Sprintf(" at byte 0x%X", e.Offset)
	}
	if e.InUnit {
		text += fmt.Sprintf(", unit %d", e.Unit)
	}
	return text + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Image is a trim-area image in memory. The bytes are the truth: what was not
// changed through Set and Delete comes out of Encode as it was read. An Image
// is not safe for use by several goroutines at once.
type Image struct {
	raw   []byte
	parts []part // ordered by partition and part index
}

// part is one used block.
type part struct {
	partition int
	index     byte // order of the parts of one partition
	start     int  // offset of the block in the image
	size      int  // bytes of the block in use and under the checksum
	end       int  // offset behind the last unit
	records   []record
}

// record is one unit as stored, deleted or not.
type record struct {
	unit   uint32
	state  uint32
	offset int // of its header, in the image
	length int // of its data
}

func (r record) deleted() bool { return r.state == stateDeleted }

// next is the offset behind the record and its padding.
func (r record) next() int { return r.offset + unitHeaderSize + padded(r.length) }

func padded(n int) int { return (n + 3) &^ 3 }

// Parse reads an image of exactly ImageSize bytes. Every block that carries the
// magic must have the right checksum and units that fit; other blocks count as
// unused. b is copied. Errors are *Error.
func Parse(b []byte) (*Image, error) {
	if len(b) != ImageSize {
		return nil, &Error{Offset: -1, Err: fmt.Errorf("%w, this has %d bytes", ErrSize, len(b))}
	}
	im := &Image{raw: bytes.Clone(b)}
	if err := im.index(); err != nil {
		return nil, err
	}
	return im, nil
}

// Encode returns the 2 MiB of the image. Parse and Encode without a change in
// between give the same bytes.
func (im *Image) Encode() []byte { return bytes.Clone(im.raw) }

// index finds the parts and units in the raw bytes.
func (im *Image) index() error {
	im.parts = im.parts[:0]
	for start := 0; start < ImageSize; start += BlockSize {
		if im.u32(start) != magic {
			continue
		}
		p, err := im.indexPart(start)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(im.parts, func(q part) bool { return q.partition == p.partition && q.index == p.index }) {
			return &Error{Offset: int64(start), Err: ErrSamePart}
		}
		im.parts = append(im.parts, p)
	}
	slices.SortFunc(im.parts, func(a, b part) int {
		if a.partition != b.partition {
			return a.partition - b.partition
		}
		return int(a.index) - int(b.index)
	})
	return nil
}

func (im *Image) indexPart(start int) (part, error) {
	p := part{
		index:     im.raw[start+9],
		partition: int(im.raw[start+10]),
		start:     start,
		size:      min((int(im.raw[start+11])+1)*sizeStep, BlockSize),
	}
	if sum := adler32.Checksum(im.raw[start+8 : start+p.size]); sum != im.u32(start+4) {
		return p, &Error{Offset: int64(start), Err: ErrChecksum}
	}
	if p.partition != Trim && p.partition != Misc {
		return p, &Error{Offset: int64(start), Err: ErrPartition}
	}
	limit := start + p.size
	p.end = start + partHeaderSize
	for p.end+unitHeaderSize <= limit && im.u32(p.end+8) == magic {
		r := record{unit: im.u32(p.end), state: im.u32(p.end + 12), offset: p.end}
		length := im.u32(p.end + 4)
		if int64(length) > int64(limit-p.end-unitHeaderSize) {
			return p, &Error{Offset: int64(p.end), Unit: r.unit, InUnit: true, Err: ErrLength}
		}
		r.length = int(length)
		p.records = append(p.records, r)
		p.end = r.next()
	}
	return p, nil
}

func (im *Image) u32(at int) uint32 { return binary.LittleEndian.Uint32(im.raw[at:]) }

// Unit is one unit of an image.
type Unit struct {
	Partition int
	Number    uint32
	Data      []byte
	Offset    int64 // of its data in the image
}

// Unit finds a unit. If it is stored more than once, the last one in the last
// part counts, as on the phone; deleted ones do not.
func (im *Image) Unit(partition int, number uint32) (Unit, bool) {
	var found *record
	for _, p := range im.parts {
		for i, r := range p.records {
			if p.partition == partition && r.unit == number && !r.deleted() {
				found = &p.records[i]
			}
		}
	}
	if found == nil {
		return Unit{}, false
	}
	return im.unit(partition, *found), true
}

// Units lists the units of a partition in ascending order of their numbers,
// each once, as Unit finds it.
func (im *Image) Units(partition int) []Unit {
	last := map[uint32]record{}
	for _, p := range im.parts {
		for _, r := range p.records {
			if p.partition == partition && !r.deleted() {
				last[r.unit] = r
			}
		}
	}
	units := make([]Unit, 0, len(last))
	for _, r := range last {
		units = append(units, im.unit(partition, r))
	}
	slices.SortFunc(units, func(a, b Unit) int {
		if a.Number < b.Number {
			return -1
		}
		return 1 // numbers are unique here
	})
	return units
}

func (im *Image) unit(partition int, r record) Unit {
	at := r.offset + unitHeaderSize
	return Unit{partition, r.unit, bytes.Clone(im.raw[at : at+r.length]), int64(at)}
}

// HasPartition tells whether the image has any part of the partition. A phone
// refuses to open a partition that has none.
func (im *Image) HasPartition(partition int) bool {
	return slices.ContainsFunc(im.parts, func(p part) bool { return p.partition == partition })
}
