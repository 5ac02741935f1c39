package sparse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Reader returns the bytes of the piece, exactly Size of them. Each call starts
// again, so a piece can be sent twice. When the source is no longer what it was
// while Split looked at it, reading ends with ErrChanged.
func (p *Piece) Reader() io.Reader {
	m := p.image
	head := Header{BlockSize: m.head.BlockSize, Blocks: m.head.Blocks, Chunks: uint32(p.Chunks)}
	return &pieceReader{p: p, walk: m.walk(p.from, p.End), ready: bytes.NewReader(head.append(nil)), left: p.Size - headerLen,
		run: extent{kind: DontCare, blocks: p.First}, after: int64(m.head.Blocks) - p.End}
}

// pieceReader makes the headers as it goes and reads raw data from the source.
type pieceReader struct {
	p      *Piece
	walk   walker
	ready  io.Reader // what to give next: a header, and the data after it
	run    extent    // then this: a hole, a fill, or what is left of a run of raw blocks
	after  int64     // blocks of the hole after the last extent
	chunks int64     // made so far
	left   int64     // bytes of the piece that are not made yet
	err    error
}

func (r *pieceReader) Read(b []byte) (int, error) {
	for r.err == nil {
		n, err := r.ready.Read(b)
		if !errors.Is(err, io.EOF) {
			r.err = err
			return n, err
		}
		r.err = r.advance()
	}
	return 0, r.err
}

// advance makes the next chunk ready.
func (r *pieceReader) advance() error {
	for r.run.blocks == 0 {
		e, err := r.walk.next()
		switch end := errors.Is(err, io.EOF); {
		case end && r.after > 0:
			e, r.after = extent{kind: DontCare, blocks: r.after}, 0
		case end && (r.left != 0 || r.chunks != r.p.Chunks):
			return r.changed()
		case err != nil:
			return err
		}
		r.run = e
	}
	e, bs := r.run, r.p.image.BlockSize()
	blocks, size := e.blocks, int64(0)
	var data io.Reader = bytes.NewReader(nil)
	switch e.kind {
	case Fill:
		size, data = 4, bytes.NewReader(binary.LittleEndian.AppendUint32(nil, e.value))
	case Raw:
		blocks = min(blocks, maxRawData/bs)
		size = blocks * bs
		data = io.NewSectionReader(rawData{r.p.image}, e.data, size)
	}
	r.run = e.cut(blocks, bs)
	r.chunks++
	if r.left -= chunkLen + size; r.left < 0 {
		return r.changed()
	}
	r.ready = io.MultiReader(bytes.NewReader(appendChunk(nil, e.kind, blocks, size)), data)
	return nil
}

func (r *pieceReader) changed() error {
	return fmt.Errorf("sparse: piece of blocks %d to %d: %w", r.p.First, r.p.End, ErrChanged)
}
