package sin

import (
	"bytes"
	"hash"
	"io"
)

// heldPiece is how much of a block NewReader holds back until its hash is known.
// Sony's blocks have 512 KiB; of a longer one only the last piece is held back.
const heldPiece = 1 << 20

// NewReader returns the payload read from payload, block by block, each one only after
// its hash was found right (of blocks above 1 MiB the last MiB). So what is sent to a
// phone in a second pass is what was checked in the first.
//
// It ends with io.EOF after the last block when nothing follows it. Errors are *Error
// with reason Truncated, CorruptBlock or Trailing, or those of payload.
func (h *Header) NewReader(payload io.Reader) io.Reader {
	return &blockReader{h: h, r: payload, offset: int64(len(h.Raw))}
}

type blockReader struct {
	h      *Header
	r      io.Reader
	block  int   // index of the current block
	offset int64 // file offset of the next byte of r
	hash   hash.Hash
	buf    []byte
	ready  []byte // rest of buf that may be given out
	err    error
}

func (b *blockReader) Read(p []byte) (int, error) {
	for len(b.ready) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.ready, b.err = b.buffer()
	}
	n := copy(p, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}

// buffer reads the next buffer and gives it when it may go out.
func (b *blockReader) buffer() ([]byte, error) {
	if b.block == len(b.h.Blocks) {
		return nil, expectEnd(b.r, b.offset)
	}
	block := b.h.Blocks[b.block]
	left := block.Offset + block.Length - b.offset
	want := min(left, heldPiece)
	if int64(cap(b.buf)) < want {
		b.buf = make([]byte, want)
	}
	b.buf = b.buf[:want]
	n, err := io.ReadFull(b.r, b.buf)
	if err != nil {
		return nil, b.h.readFailure(err, b.offset+int64(n))
	}
	if b.hash == nil {
		b.hash = b.h.HashType.function().New()
	}
	b.hash.Write(b.buf)
	b.offset += want
	if want == left {
		sum := b.hash.Sum(nil)
		if !bytes.Equal(sum, block.Hash) {
			return nil, corrupt(b.h, b.block)
		}
		b.block++
		b.hash.Reset()
	}
	return b.buf, nil
}

// corrupt is the failure of a block whose hash is wrong.
func corrupt(h *Header, block int) *Error {
	b := h.Blocks[block]
	e := fail(CorruptBlock, b.Offset, "the %[2]s of %[1]d bytes differs from the header's", b.Length, h.HashType)
	e.Block = block
	return e
}

// readFailure turns the end of the payload at a file offset into a truncation.
func (h *Header) readFailure(err error, offset int64) error {
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	e := fail(Truncated, offset, "the file should have %d bytes", h.Size())
	e.Block = h.blockAt(offset)
	return e
}

// expectEnd returns io.EOF when r is at its end, and a failure at the file offset when not.
func expectEnd(r io.Reader, offset int64) error {
	var one [1]byte
	switch n, err := io.ReadFull(r, one[:]); {
	case n > 0:
		return fail(Trailing, offset, "the file continues after its last block")
	case err != nil:
		return err
	}
	return io.EOF
}
