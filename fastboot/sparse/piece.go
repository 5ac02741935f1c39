package sparse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Reader returns the bytes of the piece, exactly Size of them. Each call starts
// again, so a piece can be sent twice. When the source is no longer what it was
// while Split looked at it, reading ends with ErrChanged.
func (p *Piece) Reader() io.Reader {
	return &pieceReader{p: p, left: p.Size, walk: p.image.walk(p.from, p.End)}
}

// pieceReader makes the headers as it goes and reads raw data from the source.
type pieceReader struct {
	p      *Piece
	walk   walker
	stage  stage
	head   []byte // header bytes to give next
	raw    int64  // then so many bytes of raw data …
	data   int64  // … which are here in the source
	run    extent // rest of a run of raw blocks too long for one chunk
	chunks int64  // given so far
	left   int64  // bytes of the piece to give
	err    error
}

type stage int

const (
	atHeader stage = iota
	atData
	atEnd
)

func (r *pieceReader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for r.err == nil && len(r.head) == 0 && r.raw == 0 {
		r.advance()
		if int64(len(r.head))+r.raw > r.left {
			r.err = fmt.Errorf("sparse: piece of blocks %d to %d: %w", r.p.First, r.p.End, ErrChanged)
		}
	}
	if r.err != nil {
		return 0, r.err
	}
	var n int
	if len(r.head) > 0 {
		n = copy(b, r.head)
		r.head = r.head[n:]
	} else {
		n = int(min(int64(len(b)), r.raw))
		if r.err = r.p.image.readRaw(b[:n], r.data); r.err != nil {
			return 0, r.err
		}
		r.raw -= int64(n)
		r.data += int64(n)
	}
	r.left -= int64(n)
	return n, nil
}

// advance makes ready what comes next: a header with the raw data after it, or the end.
func (r *pieceReader) advance() {
	m := r.p.image
	switch r.stage {
	case atHeader:
		h := Header{BlockSize: m.head.BlockSize, Blocks: m.head.Blocks, Chunks: uint32(r.p.Chunks)}
		r.head = h.append(nil)
		if r.p.First > 0 {
			r.add(DontCare, r.p.First, 0)
		}
		r.stage = atData
	case atData:
		e := r.run
		if e.blocks == 0 {
			var err error
			if e, err = r.walk.next(); errors.Is(err, io.EOF) {
				r.stage = atEnd
				if rest := int64(m.head.Blocks) - r.p.End; rest > 0 {
					r.add(DontCare, rest, 0)
				}
				return
			} else if err != nil {
				r.err = err
				return
			}
		}
		r.extent(e)
	case atEnd:
		r.err = io.EOF
		if r.left != 0 || r.chunks != r.p.Chunks {
			r.err = fmt.Errorf("sparse: piece of blocks %d to %d: %w", r.p.First, r.p.End, ErrChanged)
		}
	}
}

// extent makes the chunk of an extent, of a long raw one the first of several.
func (r *pieceReader) extent(e extent) {
	bs := r.p.image.BlockSize()
	switch e.kind {
	case Fill:
		r.add(Fill, e.blocks, 4)
		r.head = binary.LittleEndian.AppendUint32(r.head, e.value)
	case DontCare:
		r.add(DontCare, e.blocks, 0)
	case Raw:
		n := min(e.blocks, maxRawData/bs)
		r.add(Raw, n, n*bs)
		r.raw, r.data = n*bs, e.data
		r.run = e.cut(n, bs)
	}
}

func (r *pieceReader) add(t ChunkType, blocks, data int64) {
	r.head = appendChunk(r.head, t, blocks, data)
	r.chunks++
}
