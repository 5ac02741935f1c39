package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/pierrec/lz4/v4"
)

const (
	legacyMagic = "\x02\x21\x4c\x18"
	legacyBlock = 8 << 20 // bytes that each block but the last expands to
)

// legacyReader decodes the legacy format: blocks, each after its length.
// It has no end mark: a block that is not full is the last one.
type legacyReader struct {
	src    *source
	packed bytes.Buffer
	block  []byte
	left   []byte // of block
	blocks int
	short  bool // the last block was not full
}

func openLegacy(src *source) (io.Reader, func() (io.Reader, error), error) {
	next := func() (io.Reader, error) {
		if err := follows(src, legacyMagic); err != nil {
			return nil, err
		}
		_, err := io.CopyN(io.Discard, src, int64(len(legacyMagic)))
		return &legacyReader{src: src}, err
	}
	z, err := next()
	if err != nil {
		b, _ := src.peek(len(legacyMagic))
		src.ended = len(b) < len(legacyMagic)
		err = errors.New("no magic number of the legacy format")
	}
	return z, next, err
}

func (z *legacyReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(z.left) == 0 { // each turn takes a block from the input
		if err := z.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.left)
	z.left = z.left[n:]
	return n, nil
}

func (z *legacyReader) next() error {
	if z.short {
		return io.EOF
	}
	head, err := z.src.peek(4)
	if err != nil {
		return err
	}
	if len(head) < 4 {
		if z.blocks > 0 {
			return io.EOF // what is left, if anything, is not a block
		}
		z.src.ended = true
		return io.ErrUnexpectedEOF
	}
	size := binary.LittleEndian.Uint32(head)
	if size == 0 || size > uint32(lz4.CompressBlockBound(legacyBlock)) {
		if z.blocks > 0 {
			return io.EOF // another frame, or something else
		}
		return errors.New("a block has an impossible length")
	}
	var word [4]byte
	if _, err := io.ReadFull(z.src, word[:]); err != nil {
		return err
	}
	z.packed.Reset()
	if _, err := io.CopyN(&z.packed, z.src, int64(size)); err != nil {
		return unexpected(err)
	}
	// A block cannot expand more than 255 times, which keeps small inputs small.
	room := min(legacyBlock, int(size)*255)
	z.block = slices.Grow(z.block[:0], room)[:room]
	n, err := lz4.UncompressBlock(z.packed.Bytes(), z.block)
	if err != nil {
		return err
	}
	z.blocks++
	z.left, z.short = z.block[:n], n < legacyBlock
	return nil
}

// lz4FrameEnd finds the end of the frame at the start of data, len(data) when it has none.
func lz4FrameEnd(data []byte) int {
	const flagContentSum, flagSize, flagBlockSum, flagDictionary = 1 << 2, 1 << 3, 1 << 4, 1 << 0
	if len(data) < 7 {
		return len(data)
	}
	flags, at := data[4], 7
	if flags&flagSize != 0 {
		at += 8
	}
	if flags&flagDictionary != 0 {
		at += 4
	}
	for at+4 <= len(data) {
		size := int(binary.LittleEndian.Uint32(data[at:]) &^ (1 << 31))
		at += 4
		if size == 0 {
			if flags&flagContentSum != 0 {
				at += 4
			}
			break
		}
		if flags&flagBlockSum != 0 {
			size += 4
		}
		if size > len(data)-at {
			return len(data)
		}
		at += size
	}
	return min(at, len(data))
}
