// Package taimage is the trim area as a phone keeps it: an image of 2 MiB that is
// read strictly and changed in place, unit by unit. Only simulated phones write
// one; package trimarea reads what people have.
//
// Facts: internal/trimarea/FORMAT.md. All integers of the
// image are little-endian. No image of a real phone was available.
package taimage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"slices"

	"xflash/internal/trimarea"
)

const (
	magic          = 0x3BF8E9C1
	partHeaderSize = 12
	unitHeaderSize = 16
	sizeStep       = 0x800

	stateDeleted = 0x15151515
)

// ErrFull is the cause when a unit does not fit.
var ErrFull = errors.New("no room for the unit")

// Image is a trim-area image in memory. The bytes are the truth: what was not
// changed through Set and Delete comes out of Encode as it was read. An Image
// is not safe for use by several goroutines at once.
type Image struct {
	raw    []byte
	shared bool   // raw belongs to somebody else too
	parts  []part // ordered by partition and part index
}

// part is one used block.
type part struct {
	partition int
	index     byte // order of the parts of one partition
	start     int  // offset of the block in the image
	size      int  // bytes of the block in use and under the checksum
	end       int  // offset after the last unit
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

// next is the offset after the record and its padding.
func (r record) next() int { return r.offset + unitHeaderSize + padded(r.length) }

func padded(n int) int { return (n + 3) &^ 3 }

func unitError(offset int, unit uint32, cause error) error {
	return &trimarea.Error{Offset: int64(offset), Unit: unit, InUnit: true, Err: cause}
}

func blockError(start int, cause error) error {
	return &trimarea.Error{Offset: int64(start), Err: cause}
}

// Parse reads an image of exactly trimarea.ImageSize bytes. Every block that carries the
// magic must have the right checksum and units that fit; other blocks count as
// unused. b must not change any more: the image works on a copy as soon as it changes.
// Errors are *trimarea.Error.
func Parse(b []byte) (*Image, error) {
	if len(b) != trimarea.ImageSize {
		return nil, &trimarea.Error{Offset: -1, Err: fmt.Errorf("%w, this has %d bytes", trimarea.ErrSize, len(b))}
	}
	im := &Image{raw: b, shared: true}
	if err := im.index(); err != nil {
		return nil, err
	}
	return im, nil
}

// Encode returns the 2 MiB of the image, which must not be changed. Parse and Encode
// without a change in between give the same bytes.
func (im *Image) Encode() []byte {
	im.shared = true
	return im.raw
}

// own makes sure that nobody else has the raw bytes, before they change.
func (im *Image) own() {
	if im.shared {
		im.raw, im.shared = bytes.Clone(im.raw), false
	}
}

// index finds the parts and units in the raw bytes.
func (im *Image) index() error {
	im.parts = im.parts[:0]
	for start := 0; start < trimarea.ImageSize; start += trimarea.BlockSize {
		if im.u32(start) != magic {
			continue
		}
		p, err := im.indexPart(start)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(im.parts, func(q part) bool { return q.partition == p.partition && q.index == p.index }) {
			return blockError(start, trimarea.ErrSamePart)
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
		size:      min((int(im.raw[start+11])+1)*sizeStep, trimarea.BlockSize),
	}
	if sum := adler32.Checksum(im.raw[start+8 : start+p.size]); sum != im.u32(start+4) {
		return p, blockError(start, trimarea.ErrChecksum)
	}
	if p.partition != trimarea.Trim && p.partition != trimarea.Misc {
		return p, blockError(start, trimarea.ErrPartition)
	}
	limit := start + p.size
	p.end = start + partHeaderSize
	for p.end+unitHeaderSize <= limit && im.u32(p.end+8) == magic {
		r := record{unit: im.u32(p.end), state: im.u32(p.end + 12), offset: p.end}
		length := im.u32(p.end + 4)
		if int64(length) > int64(limit-p.end-unitHeaderSize) {
			return p, unitError(p.end, r.unit, trimarea.ErrLength)
		}
		r.length = int(length)
		p.records = append(p.records, r)
		p.end = r.next()
	}
	return p, nil
}

func (im *Image) u32(at int) uint32 { return binary.LittleEndian.Uint32(im.raw[at:]) }

// Unit finds a unit. If it is stored more than once, the last one in the last
// part counts, as on the phone; deleted ones do not.
func (im *Image) Unit(partition int, number uint32) (trimarea.Unit, bool) {
	var found *record
	for _, p := range im.parts {
		for i, r := range p.records {
			if p.partition == partition && r.unit == number && !r.deleted() {
				found = &p.records[i]
			}
		}
	}
	if found == nil {
		return trimarea.Unit{}, false
	}
	return im.unit(partition, *found), true
}

// Units lists the units of a partition in ascending order of their numbers,
// each once, as Unit finds it.
func (im *Image) Units(partition int) []trimarea.Unit {
	units := im.Stored(partition)
	slices.SortFunc(units, func(a, b trimarea.Unit) int {
		if a.Number < b.Number {
			return -1
		}
		return 1 // numbers are unique here
	})
	return units
}

// Stored is Units in the order in which they lie in the image, which is the order of a
// phone's own dump.
func (im *Image) Stored(partition int) []trimarea.Unit {
	last := map[uint32]int{}
	var all []record
	for _, p := range im.parts {
		for _, r := range p.records {
			if p.partition == partition && !r.deleted() {
				last[r.unit] = len(all)
				all = append(all, r)
			}
		}
	}
	var units []trimarea.Unit
	for i, r := range all {
		if last[r.unit] == i {
			units = append(units, im.unit(partition, r))
		}
	}
	return units
}

func (im *Image) unit(partition int, r record) trimarea.Unit {
	at := r.offset + unitHeaderSize
	return trimarea.Unit{Partition: partition, Number: r.unit, Data: bytes.Clone(im.raw[at : at+r.length]), Offset: int64(at)}
}

// HasPartition tells whether the image has any part of the partition. A phone
// refuses to open a partition that has none.
func (im *Image) HasPartition(partition int) bool {
	return slices.ContainsFunc(im.parts, func(p part) bool { return p.partition == partition })
}
