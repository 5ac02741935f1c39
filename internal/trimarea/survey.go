// Package trimarea reads images of the trim area (TA): the 2 MiB partition in
// which a Sony phone keeps what belongs to that one phone, as numbered units in
// two partitions, 1 "Trim" and 2 "Misc". It also knows what the units mean and
// reads the hardware configuration record of unit 2003.
//
// Facts: FORMAT.md. All integers of
// the image are little-endian. No image of a real phone was available.
package trimarea

import (
	"cmp"
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

// Unit is one unit of an image.
type Unit struct {
	Partition int
	Number    uint32
	Data      []byte
	Offset    int64 // of its data in the image
}

// Newer phones have images of 8 MiB with blocks four times as long (FORMAT.md §1.1).
const (
	LargeBlockSize = 0x80000
	LargeImageSize = Blocks * LargeBlockSize
)

// Survey is everything a dump of a trim area holds, damaged or not. Parse refuses a
// damaged image, because a phone would; Examine tells what is left of it.
type Survey struct {
	BlockSize int
	Blocks    []Block  // in use, in the order of the image
	Stored    []Stored // every unit, in the order in which the phone reads them
	Faults    []*Error // by offset
}

// Block is one block in use.
type Block struct {
	Offset    int64 `json:"offset"`
	Partition int   `json:"partition"` // 1 Trim, 2 Misc; others are a fault
	Part      int   `json:"part"`      // order of the parts of one partition
	Size      int   `json:"size"`      // bytes under the checksum
	Right     bool  `json:"checksum_right"`
}

// Stored is a unit as it lies in the image. Of several with one number the last that is
// not deleted counts.
type Stored struct {
	Unit
	State   uint32 // FFFFFFFF mostly; low byte 11: rewritten in place, 14: newly added
	Deleted bool
	Older   bool // a later one counts instead
}

// Examine reads an image of 2 or 8 MiB. The only error is ErrSize; whatever else is wrong
// becomes a fault and the rest is read anyway. The data of the units share memory
// with b.
func Examine(b []byte) (*Survey, error) {
	s := &Survey{BlockSize: BlockSize}
	switch len(b) {
	case ImageSize:
	case LargeImageSize:
		s.BlockSize = LargeBlockSize
	default:
		return nil, &Error{Offset: -1, Err: fmt.Errorf("%w (8 MiB on newer phones), this has %d bytes", ErrSize, len(b))}
	}
	type place struct{ partition, part int }
	seen := map[place]bool{}
	for start := 0; start < len(b); start += s.BlockSize {
		if binary.LittleEndian.Uint32(b[start:]) != magic {
			continue
		}
		head := b[start : start+partHeaderSize]
		p := Block{
			Offset: int64(start), Part: int(head[9]), Partition: int(head[10]),
			Size: min((int(head[11])+1)*sizeStep, s.BlockSize),
		}
		p.Right = adler32.Checksum(b[start+8:start+p.Size]) == binary.LittleEndian.Uint32(head[4:])
		switch at := (place{p.Partition, p.Part}); {
		case !p.Right:
			s.fault(&Error{Offset: p.Offset, Err: ErrChecksum})
		case p.Partition != Trim && p.Partition != Misc:
			s.fault(&Error{Offset: p.Offset, Err: ErrPartition})
		case seen[at]:
			s.fault(&Error{Offset: p.Offset, Err: ErrSamePart})
		default:
			seen[at] = true
		}
		s.Blocks = append(s.Blocks, p)
	}
	inOrder := slices.Clone(s.Blocks)
	slices.SortStableFunc(inOrder, func(a, b Block) int {
		return cmp.Or(a.Partition-b.Partition, a.Part-b.Part)
	})
	for _, p := range inOrder {
		s.examineUnits(b, p)
	}
	s.markOlder()
	slices.SortStableFunc(s.Faults, func(a, b *Error) int { return int(a.Offset - b.Offset) })
	return s, nil
}

// Add adds a unit of a backup that has no blocks.
func (s *Survey) Add(partition int, number uint32, data []byte) {
	s.Stored = append(s.Stored, Stored{Unit: Unit{partition, number, data, -1}, State: 0xFFFFFFFF})
}

func (s *Survey) fault(e *Error) { s.Faults = append(s.Faults, e) }

// examineUnits reads the units of a block up to the first thing that is none.
func (s *Survey) examineUnits(b []byte, p Block) {
	at, limit := int(p.Offset)+partHeaderSize, int(p.Offset)+p.Size
	for at+unitHeaderSize <= limit && binary.LittleEndian.Uint32(b[at+8:]) == magic {
		number, length := binary.LittleEndian.Uint32(b[at:]), binary.LittleEndian.Uint32(b[at+4:])
		state := binary.LittleEndian.Uint32(b[at+12:])
		start := at + unitHeaderSize
		if int64(length) > int64(limit-start) {
			s.fault(&Error{Offset: int64(at), Unit: number, InUnit: true, Err: ErrLength})
			return
		}
		s.Stored = append(s.Stored, Stored{
			Unit:    Unit{p.Partition, number, b[start : start+int(length)], int64(start)},
			State:   state,
			Deleted: state == stateDeleted,
		})
		at = start + (int(length)+3)&^3
	}
}

func (s *Survey) markOlder() {
	type name struct {
		partition int
		number    uint32
	}
	last := map[name]int{}
	for i, u := range s.Stored {
		if u.Deleted {
			continue
		}
		key := name{u.Partition, u.Number}
		if before, ok := last[key]; ok {
			s.Stored[before].Older = true
		}
		last[key] = i
	}
}

// Unit finds the unit that counts.
func (s *Survey) Unit(partition int, number uint32) (Unit, bool) {
	for _, u := range s.Stored {
		if u.Partition == partition && u.Number == number && !u.Deleted && !u.Older {
			return u.Unit, true
		}
	}
	return Unit{}, false
}

// Live lists the units of a partition that count, in ascending order of their numbers.
func (s *Survey) Live(partition int) []Unit {
	var units []Unit
	for _, u := range s.Stored {
		if u.Partition == partition && !u.Deleted && !u.Older {
			units = append(units, u.Unit)
		}
	}
	slices.SortFunc(units, func(a, b Unit) int { return cmp.Compare(a.Number, b.Number) })
	return units
}

// HasPartition tells whether the dump has a block of the partition.
func (s *Survey) HasPartition(partition int) bool {
	return slices.ContainsFunc(s.Blocks, func(p Block) bool { return p.Partition == partition })
}
