package sparse

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// DefaultBlockSize is the block size that every phone takes.
const DefaultBlockSize = 4096

// Image is a partition image, raw or sparse, that can be written as one or
// several sparse images. It holds nothing of the image in memory; it reads it
// once to plan and again while the pieces are read, and does not verify
// checksums (a Reader does).
type Image struct {
	src       io.ReaderAt
	size      int64 // of src, bytes
	sparse    bool
	skipZeros bool
	head      Header // BlockSize and Blocks always, the rest when sparse
}

// RawOptions say how a raw image is made sparse.
type RawOptions struct {
	BlockSize int  // bytes, a multiple of 4 up to 1 MiB; 0 means DefaultBlockSize
	SkipZeros bool // blocks of zeros become don't-care: right only when the partition was erased before
}

// FromRaw describes the raw image in src. Its last block is filled up with
// zeros. Blocks that repeat one word become fill chunks.
func FromRaw(src io.ReaderAt, size int64, opt RawOptions) (*Image, error) {
	bs := cmp.Or(int64(opt.BlockSize), DefaultBlockSize)
	switch {
	case bs < 0 || bs%4 != 0 || bs > scanBuffer:
		return nil, fmt.Errorf("sparse: block size %d is not a multiple of 4 up to %d", bs, scanBuffer)
	case size <= 0:
		return nil, errors.New("sparse: the raw image is empty")
	case size > MaxSize || (size-1)/bs >= 1<<32-1:
		return nil, fmt.Errorf("sparse: a raw image of %d bytes in blocks of %d is too large", size, bs)
	}
	head := Header{BlockSize: uint32(bs), Blocks: uint32((size-1)/bs + 1)}
	return &Image{src: src, size: size, skipZeros: opt.SkipZeros, head: head}, nil
}

// FromSparse describes the sparse image in src, to be split again. Its chunks
// are checked while Split walks them. Checksum chunks are dropped, since a
// piece of an image has another sum; an image with LZ4 chunks is refused,
// since they cannot be cut: expand it first.
func FromSparse(src io.ReaderAt, size int64) (*Image, error) {
	var b [headerLen]byte
	n, err := src.ReadAt(b[:min(headerLen, max(size, 0))], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head, err := parseHeader(b[:n])
	if err != nil {
		return nil, err
	}
	return &Image{src: src, size: size, sparse: true, head: head}, nil
}

// BlockSize is the length of a block in bytes.
func (m *Image) BlockSize() int64 { return int64(m.head.BlockSize) }

// extent is a run of blocks of one kind. Raw ones can be cut anywhere.
type extent struct {
	kind   ChunkType // Raw, Fill or DontCare
	at     position  // of its first block
	blocks int64
	value  uint32 // Fill
	data   int64  // Raw: where its bytes are in src
}

// cut returns the extent without its first n blocks.
func (e extent) cut(n, blockSize int64) extent {
	e.at.block += n
	e.blocks -= n
	e.data += n * blockSize
	return e
}

// position is a place from which a walk can start again.
type position struct {
	block  int64 // in the expanded image
	first  int64 // sparse only: first block of the chunk that holds it …
	index  int   // … the chunk's index …
	offset int64 // … and the place of its header in src
}

// walker gives the extents of an image up to a block, then io.EOF.
type walker interface{ next() (extent, error) }

// start is the position of the first block.
func (m *Image) start() position { return position{offset: int64(m.head.HeaderSize)} }

// walk returns the extents from a position up to block end. Both the planning and
// the reading of a piece walk, so that neither needs a list of chunks.
func (m *Image) walk(from position, end int64) walker {
	if m.sparse {
		return &sparseWalker{m: m, at: from, end: end}
	}
	return &rawWalker{m: m, block: from.block, end: end}
}

// sparseWalker reads the chunk headers of a sparse image.
type sparseWalker struct {
	m   *Image
	at  position
	end int64
}

func (w *sparseWalker) next() (extent, error) {
	h := w.m.head
	// A walk to the end of the image looks at the chunks without blocks there, too.
	for w.at.index < int(h.Chunks) && (w.at.block < w.end || w.end == int64(h.Blocks)) {
		var b [chunkLen]byte
		if n, err := w.m.src.ReadAt(b[:], w.at.offset); n < chunkLen {
			return extent{}, w.cut(err, w.at.offset+int64(n), "its header")
		}
		c, err := parseChunk(b[:], h, w.at.index, w.at.offset, w.at.first)
		if err != nil {
			return extent{}, err
		}
		data := w.at.offset + int64(h.ChunkHeaderSize)
		if data+c.Data > w.m.size {
			return extent{}, w.cut(io.EOF, w.m.size, "its data")
		}
		if c.Type == Fill {
			if n, err := w.m.src.ReadAt(b[:4], data); n < 4 {
				return extent{}, w.cut(err, data+int64(n), "its data")
			}
		}
		e := extent{kind: c.Type, at: w.at, blocks: int64(c.Blocks), data: data, value: binary.LittleEndian.Uint32(b[:])}
		e.at.block = w.at.first
		e = e.cut(w.at.block-w.at.first, int64(h.BlockSize))
		w.at.first += int64(c.Blocks)
		w.at = position{block: w.at.first, first: w.at.first, index: w.at.index + 1, offset: data + c.Data}
		switch {
		case c.Type == LZ4:
			return extent{}, fail(ErrMalformed, c.Offset, c.Index, "an lz4 chunk cannot be split; expand the image first")
		case e.blocks == 0 || c.Type == CRC32:
			continue
		}
		e.blocks = min(e.blocks, w.end-e.at.block)
		return e, nil
	}
	if w.at.block < w.end {
		return extent{}, fail(ErrMalformed, w.at.offset, -1, "the %d chunks describe %d of %d blocks", h.Chunks, w.at.block, h.Blocks)
	}
	return extent{}, io.EOF
}

func (w *sparseWalker) cut(err error, offset int64, what string) error {
	if err == nil || errors.Is(err, io.EOF) {
		return fail(ErrTruncated, offset, w.at.index, "the file ends within %s", what)
	}
	return err
}
