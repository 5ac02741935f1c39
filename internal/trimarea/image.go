// Package trimarea reads images of the trim area (TA): the 2 MiB partition in
// which a Sony phone keeps what belongs to that one phone, as numbered units in
// two partitions, 1 "Trim" and 2 "Misc". It also knows what the units mean and
// reads the hardware configuration record of unit 2003.
//
// Facts: FORMAT.md. All integers of
// the image are little-endian. No image of a real phone was available.
package trimarea

import (
	"errors"
	"fmt"
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

func padded(n int) int { return (n + 3) &^ 3 }
