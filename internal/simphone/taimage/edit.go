package taimage

import (
	"bytes"
	"encoding/binary"
	"hash/adler32"

	"xflash/internal/trimarea"
)

const (
	stateRewritten = 0xFFFFFF11 // same place, new data
	stateAdded     = 0xFFFFFF14 // appended after the image was made
)

// New makes an image with both partitions and no unit.
func New() *Image {
	im := &Image{raw: bytes.Repeat([]byte{0xFF}, trimarea.ImageSize)}
	im.format(0, trimarea.Trim, 0, 0xFF)
	im.format(trimarea.BlockSize, trimarea.Misc, 0, 0)
	im.reindex()
	return im
}

// Set stores a unit. A unit of the same length is rewritten in place; another
// one is marked deleted and the new data appended, to a part with room, to a
// part that has room once deleted units are dropped, or to a new part in an
// unused block. On error (*trimarea.Error with trimarea.ErrPartition or ErrFull) nothing changes.
func (im *Image) Set(partition int, number uint32, data []byte) error {
	fail := func(cause error) error {
		return unitError(-1, number, cause)
	}
	if partition != trimarea.Trim && partition != trimarea.Misc {
		return fail(trimarea.ErrPartition)
	}
	need := unitHeaderSize + padded(len(data))
	if len(data) > trimarea.BlockSize || need > trimarea.BlockSize-partHeaderSize {
		return fail(ErrFull)
	}
	im.own()
	if im.rewrite(partition, number, data) {
		return nil
	}
	p := im.room(partition, need)
	if p == nil {
		before := bytes.Clone(im.raw)
		im.Delete(partition, number)
		if p = im.makeRoom(partition, need); p == nil {
			im.raw = before
			im.reindex()
			return fail(ErrFull)
		}
	}
	im.Delete(partition, number)
	im.append(p, number, data)
	return nil
}

// Delete marks every copy of a unit deleted, as the phone does, and tells
// whether there was one.
func (im *Image) Delete(partition int, number uint32) bool {
	im.own()
	return im.deleteFrom(partition, number, -1)
}

// deleteFrom is Delete without the record at offset keep.
func (im *Image) deleteFrom(partition int, number uint32, keep int) bool {
	found := false
	for i := range im.parts {
		p, changed := &im.parts[i], false
		for k := range p.records {
			if r := &p.records[k]; p.partition == partition && r.unit == number && !r.deleted() && r.offset != keep {
				r.state = stateDeleted
				im.put32(r.offset+12, stateDeleted)
				changed = true
			}
		}
		if changed {
			im.sum(p.start, p.size)
			found = true
		}
	}
	return found
}

// rewrite replaces the data of a unit whose length stays the same.
func (im *Image) rewrite(partition int, number uint32, data []byte) bool {
	u, ok := im.Unit(partition, number)
	if !ok || len(u.Data) != len(data) {
		return false
	}
	offset := int(u.Offset) - unitHeaderSize
	if !bytes.Equal(u.Data, data) {
		copy(im.raw[u.Offset:], data)
		im.put32(offset+12, stateRewritten)
		start := offset / trimarea.BlockSize * trimarea.BlockSize
		im.sum(start, min((int(im.raw[start+11])+1)*sizeStep, trimarea.BlockSize))
	}
	im.deleteFrom(partition, number, offset)
	im.reindex()
	return true
}

// room finds a part of the partition with need bytes to spare.
func (im *Image) room(partition, need int) *part {
	for i := range im.parts {
		if p := &im.parts[i]; p.partition == partition && p.start+trimarea.BlockSize-p.end >= need {
			return p
		}
	}
	return nil
}

// makeRoom drops deleted units, or makes a new part, to have need bytes to spare.
func (im *Image) makeRoom(partition, need int) *part {
	for i := range im.parts {
		if p := &im.parts[i]; p.partition == partition {
			im.compact(p)
		}
	}
	im.reindex()
	if p := im.room(partition, need); p != nil {
		return p
	}
	index := 0
	for _, p := range im.parts {
		if p.partition == partition {
			index = int(p.index) + 1
		}
	}
	for start := 0; start < trimarea.ImageSize && index <= 0xFF; start += trimarea.BlockSize {
		if im.u32(start) != magic {
			im.format(start, partition, byte(index), 0)
			im.reindex()
			return im.room(partition, need)
		}
	}
	return nil
}

// append writes a unit after the last one of p and grows p as far as needed.
func (im *Image) append(p *part, number uint32, data []byte) {
	end := p.end + unitHeaderSize + padded(len(data))
	if used := end - p.start; used > p.size {
		n := (used+sizeStep-1)/sizeStep - 1
		im.raw[p.start+11] = byte(n)
		p.size = min((n+1)*sizeStep, trimarea.BlockSize)
	}
	im.put32(p.end, number)
	im.put32(p.end+4, uint32(len(data)))
	im.put32(p.end+8, magic)
	im.put32(p.end+12, stateAdded)
	copy(im.raw[p.end+unitHeaderSize:], data)
	// What was after the list before must not be taken for more of it.
	im.blank(p.end+unitHeaderSize+len(data), p.start+trimarea.BlockSize)
	im.sum(p.start, p.size)
	im.reindex()
}

// compact drops the deleted units of a part.
func (im *Image) compact(p *part) {
	kept := bytes.Clone(im.raw[p.start : p.start+partHeaderSize])
	for _, r := range p.records {
		if !r.deleted() {
			kept = append(kept, im.raw[r.offset:r.next()]...)
		}
	}
	copy(im.raw[p.start:], kept)
	im.blank(p.start+len(kept), p.start+trimarea.BlockSize)
	im.sum(p.start, p.size)
}

// format makes an empty part of a block.
func (im *Image) format(start, partition int, index, n byte) {
	im.put32(start, magic)
	copy(im.raw[start+8:], []byte{byte(partition), index, byte(partition), n})
	im.blank(start+partHeaderSize, start+trimarea.BlockSize)
	im.sum(start, min((int(n)+1)*sizeStep, trimarea.BlockSize))
}

func (im *Image) blank(from, to int) {
	for i := from; i < to; i++ {
		im.raw[i] = 0xFF
	}
}

func (im *Image) sum(start, size int) {
	im.put32(start+4, adler32.Checksum(im.raw[start+8:start+size]))
}

func (im *Image) put32(at int, v uint32) { binary.LittleEndian.PutUint32(im.raw[at:], v) }

// reindex reads the parts again after a change of our own making, which leaves
// a valid image.
func (im *Image) reindex() {
	if err := im.index(); err != nil {
		panic("taimage: a change left an image that does not parse: " + err.Error())
	}
}
