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
	blocks int
	short  bool // the last block was not full
}

func openLegacy(src *source) (io.Reader, func() (io.Reader, error), error) {
	return byBlocks(src, legacyMagic, func() (func() ([]byte, error), error) { return (&legacyReader{src: src}).next, nil })
}

func (z *legacyReader) next() ([]byte, error) {
	if z.short {
		return nil, io.EOF
	}
	head, err := z.src.peek(4)
	if err != nil {
		return nil, err
	}
	if len(head) < 4 {
		if z.blocks > 0 {
			return nil, io.EOF // what is left, if anything, is not a block
		}
		z.src.ended = true
		return nil, io.ErrUnexpectedEOF
	}
	size := binary.LittleEndian.Uint32(head)
	if size == 0 || size > uint32(lz4.CompressBlockBound(legacyBlock)) {
		if z.blocks > 0 {
			return nil, io.EOF // another frame, or something else
		}
		return nil, errors.New("a block has an impossible length")
	}
	var word [4]byte
	if _, err := io.ReadFull(z.src, word[:]); err != nil {
		return nil, err
	}
	z.packed.Reset()
	if _, err := io.CopyN(&z.packed, z.src, int64(size)); err != nil {
		return nil, unexpected(err)
	}
	// A block cannot expand more than 255 times, which keeps small inputs small.
	room := min(legacyBlock, int(size)*255)
	z.block = slices.Grow(z.block[:0], room)[:room]
	n, err := lz4.UncompressBlock(z.packed.Bytes(), z.block)
	if err != nil {
		return nil, err
	}
	z.blocks++
	z.short = n < legacyBlock
	return z.block[:n], nil
}
