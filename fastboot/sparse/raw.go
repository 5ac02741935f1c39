package sparse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// scanBuffer is how much of a raw image is looked at in one go.
const scanBuffer = 1 << 20

// rawWalker finds the runs of equal blocks in a raw image.
type rawWalker struct {
	m      *Image
	block  int64 // next block to give
	end    int64
	buf    []byte
	loaded int64 // first block in buf
}

func (w *rawWalker) next() (extent, error) {
	if w.block >= w.end {
		return extent{}, io.EOF
	}
	kind, value, err := w.look(w.block)
	if err != nil {
		return extent{}, err
	}
	e := extent{kind: kind, value: value, at: position{block: w.block}, data: w.block * w.m.BlockSize()}
	for w.block++; w.block < w.end; w.block++ {
		k, v, err := w.look(w.block)
		if err != nil {
			return extent{}, err
		}
		if k != kind || v != value {
			break
		}
	}
	e.blocks = w.block - e.at.block
	return e, nil
}

// look says what kind of chunk a block belongs in. The value of a raw block is 0,
// so that neighbours compare equal.
func (w *rawWalker) look(block int64) (ChunkType, uint32, error) {
	b, err := w.load(block)
	if err != nil {
		return 0, 0, err
	}
	if !bytes.Equal(b[4:], b[:len(b)-4]) { // equal to itself moved by a word: one word repeats
		return Raw, 0, nil
	}
	value := binary.LittleEndian.Uint32(b)
	if value == 0 && w.m.skipZeros {
		return DontCare, 0, nil
	}
	return Fill, value, nil
}

// load returns the bytes of a block, filled up with zeros at the end of the image.
func (w *rawWalker) load(block int64) ([]byte, error) {
	bs := w.m.BlockSize()
	if i := block - w.loaded; i >= 0 && (i+1)*bs <= int64(len(w.buf)) {
		return w.buf[i*bs : (i+1)*bs], nil
	}
	if w.buf == nil {
		w.buf = make([]byte, scanBuffer/bs*bs)
	}
	w.buf = w.buf[:min(int64(cap(w.buf))/bs, w.end-block)*bs]
	w.loaded = block
	if _, err := (rawData{w.m}).ReadAt(w.buf, block*bs); err != nil {
		w.buf = w.buf[:0]
		return nil, err
	}
	return w.buf[:bs], nil
}

// rawData is the source of an image, and zeros in the last block of a raw one after its end.
type rawData struct{ *Image }

func (m rawData) ReadAt(p []byte, offset int64) (int, error) {
	want := max(0, min(int64(len(p)), m.size-offset))
	n, err := m.src.ReadAt(p[:want], offset)
	if int64(n) < want {
		if err == nil || errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: it ends at %d instead of %d bytes", ErrChanged, offset+int64(n), m.size)
		}
		return n, err
	}
	clear(p[want:])
	return len(p), nil
}
