package sparse

import (
	"bytes"
	"io"
	"slices"

	"github.com/pierrec/lz4/v4"
)

// maxLZ4 bounds what one LZ4 chunk expands to, since it must be held whole.
const maxLZ4 = MaxBlockSize

// checkLZ4 compares the two lengths of an LZ4 chunk before anything is allocated:
// a block cannot expand more than 255 times, nor can it be longer than storing.
func checkLZ4(c Chunk) error {
	switch {
	case c.Size > maxLZ4:
		return fail(ErrTooLarge, c.Offset, c.Index, "lz4 chunk of %d bytes is above %d", c.Size, int64(maxLZ4))
	case c.Size == 0 || c.Data == 0:
		return fail(ErrMalformed, c.Offset, c.Index, "lz4 chunk of %d blocks has %d bytes of data", c.Blocks, c.Data)
	case c.Size > c.Data*255 || c.Data > int64(lz4.CompressBlockBound(int(c.Size))):
		return fail(ErrLZ4, c.Offset, c.Index, "%d bytes cannot expand to %d", c.Data, c.Size)
	}
	return nil
}

// unpack reads and expands the data of an LZ4 chunk. The input is read before
// room for the output is made, so a short file cannot make us allocate much.
func (z *Reader) unpack(c Chunk) error {
	in := bytes.NewBuffer(z.packed[:0])
	n, err := io.CopyN(in, z.in, c.Data)
	z.offset += n
	if err != nil {
		return z.cut(err, "its LZ4 data")
	}
	z.packed = in.Bytes()
	z.block = slices.Grow(z.block[:0], int(c.Size))[:c.Size]
	if n, err := lz4.UncompressBlock(z.packed, z.block); err != nil || int64(n) != c.Size {
		return fail(ErrLZ4, c.Offset, c.Index, "the block does not expand to exactly %d bytes", c.Size)
	}
	return nil
}
