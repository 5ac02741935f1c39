package sparse

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// Reader walks a sparse image chunk by chunk, like a tar reader: Next goes to
// the next chunk, Read gives the expanded bytes of the current one. All rules
// and checksums are checked on the way, also of chunks that are not read.
type Reader struct {
	in     *bufio.Reader
	head   Header
	offset int64 // bytes taken from in
	done   int64 // blocks described by chunks before and including the current one
	chunk  Chunk // current chunk, Index -1 before the first
	left   int64 // expanded bytes of it not yet read
	block  []byte
	packed []byte
	sum    running
	err    error // sticky
}

// NewReader reads and checks the header. It takes bytes from r ahead of need.
// A caller who knows the partition compares Header().Size() with it.
func NewReader(r io.Reader) (*Reader, error) {
	z := &Reader{in: bufio.NewReaderSize(r, 64<<10), chunk: Chunk{Index: -1}}
	var b [headerLen]byte
	n, err := io.ReadFull(z.in, b[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	z.offset = int64(n)
	if z.head, err = parseHeader(b[:n]); err != nil {
		return nil, err
	}
	return z, z.skip(int64(z.head.HeaderSize) - headerLen)
}

// Header returns the header.
func (z *Reader) Header() Header { return z.head }

// Next finishes the current chunk and goes to the next. After the last one it
// gives io.EOF when the image is whole, or ErrTrailing when more bytes follow;
// by then all blocks were given, and the caller decides whether that matters.
func (z *Reader) Next() (Chunk, error) {
	if z.err == nil {
		z.err = z.next()
	}
	return z.chunk, z.err
}

func (z *Reader) next() error {
	if err := z.discard(); err != nil {
		return err
	}
	if z.chunk.Index+1 == int(z.head.Chunks) {
		return z.finish()
	}
	z.chunk.Index++
	at := z.offset
	var b [chunkLen]byte
	if err := z.fill(b[:], "the chunk header"); err != nil {
		return err
	}
	c, err := parseChunk(b[:], z.head, z.chunk.Index, at, z.done)
	if err != nil {
		return err
	}
	if err := z.skip(int64(z.head.ChunkHeaderSize) - chunkLen); err != nil {
		return err
	}
	switch c.Type {
	case Fill, CRC32:
		if err := z.fill(b[:4], "its four bytes"); err != nil {
			return err
		}
		c.Value = binary.LittleEndian.Uint32(b[:])
		if c.Type == CRC32 && !z.sum.matches(c.Value) {
			return fail(ErrChecksum, at, c.Index, "expected %#08x, but the %d blocks before it have %#08x", c.Value, z.done, z.sum.counted)
		}
	case LZ4:
		if err := z.unpack(c); err != nil {
			return err
		}
	}
	z.chunk, z.left, z.done = c, c.Size, z.done+int64(c.Blocks)
	return nil
}

// Read returns the expanded bytes of the current chunk, zeros for a don't-care
// chunk, and io.EOF at its end.
func (z *Reader) Read(p []byte) (int, error) {
	if z.err != nil {
		return 0, z.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if z.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), z.left)]
	switch z.chunk.Type {
	case Raw:
		n, err := z.in.Read(p)
		z.offset += int64(n)
		if p = p[:n]; err != nil && n == 0 {
			z.err = z.cut(err, "its data")
			return 0, z.err
		}
		z.sum.write(p)
	case Fill:
		repeat(p, rotate(z.chunk.Value, z.chunk.Size-z.left))
		z.sum.write(p)
	case DontCare:
		clear(p)
		z.sum.hole(int64(len(p)))
	case LZ4:
		copy(p, z.block[z.chunk.Size-z.left:])
		z.sum.write(p)
	}
	z.left -= int64(len(p))
	return len(p), nil
}

// discard goes over what is left of the current chunk, checksums included.
func (z *Reader) discard() error {
	switch z.chunk.Type {
	case Raw:
		for z.left > 0 {
			b, err := z.in.Peek(int(min(z.left, int64(z.in.Size()))))
			if len(b) == 0 {
				return z.cut(err, "its data")
			}
			z.sum.write(b)
			z.in.Discard(len(b)) // cannot fail: these bytes are buffered
			z.offset += int64(len(b))
			z.left -= int64(len(b))
		}
	case Fill:
		pattern, whole := rotate(z.chunk.Value, z.chunk.Size-z.left), z.left&^3
		z.sum.fill(pattern, whole)
		z.sum.write(pattern[:z.left-whole])
	case DontCare:
		z.sum.hole(z.left)
	case LZ4:
		z.sum.write(z.block[z.chunk.Size-z.left : z.chunk.Size])
	}
	z.left = 0
	return nil
}

// finish checks what can be known only at the end.
func (z *Reader) finish() error {
	if z.done != int64(z.head.Blocks) {
		return fail(ErrMalformed, z.offset, -1, "the %d chunks describe %d of %d blocks", z.head.Chunks, z.done, z.head.Blocks)
	}
	if z.head.Checksum != 0 && !z.sum.matches(z.head.Checksum) {
		return fail(ErrChecksum, 24, -1, "the header says %#08x, but the image has %#08x", z.head.Checksum, z.sum.counted)
	}
	if _, err := z.in.ReadByte(); err == nil {
		return fail(ErrTrailing, z.offset, -1, "the last chunk ends here")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return io.EOF
}

// fill reads exactly len(b) bytes.
func (z *Reader) fill(b []byte, what string) error {
	n, err := io.ReadFull(z.in, b)
	z.offset += int64(n)
	if err != nil {
		return z.cut(err, what)
	}
	return nil
}

// skip goes over n bytes of surplus header.
func (z *Reader) skip(n int64) error {
	m, err := io.CopyN(io.Discard, z.in, n)
	z.offset += m
	if err != nil {
		return z.cut(err, "the surplus of its header")
	}
	return nil
}

// cut turns an early end of the file into an Error; other failures stay.
func (z *Reader) cut(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fail(ErrTruncated, z.offset, z.chunk.Index, "the file ends within %s", what)
	}
	return err
}
