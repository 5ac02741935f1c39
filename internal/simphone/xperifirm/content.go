package xperifirm

import (
	"encoding/binary"
	"io"

	"github.com/pierrec/lz4/v4"
)

// A source is bytes that need not be in memory: super may be larger than that.
type source interface {
	io.ReaderAt
	Size() int64
}

// pattern is bytes that do not compress, from a seed.
type pattern struct {
	seed uint64
	size int64
}

func (p pattern) Size() int64 { return p.size }

func (p pattern) ReadAt(b []byte, at int64) (int, error) {
	n := int(min(int64(len(b)), max(p.size-at, 0)))
	var word [8]byte
	for i := 0; i < n; {
		off := at + int64(i)
		x := (p.seed + uint64(off/8) + 1) * 0x9E3779B97F4A7C15
		x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
		x = (x ^ x>>27) * 0x94D049BB133111EB
		binary.LittleEndian.PutUint64(word[:], x^x>>31)
		i += copy(b[i:n], word[off%8:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// text is bytes in memory.
type text []byte

func (t text) Size() int64 { return int64(len(t)) }

func (t text) ReadAt(b []byte, at int64) (int, error) {
	n := 0
	if at < int64(len(t)) {
		n = copy(b, t[at:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// fill is one byte over and over, which a sparse image says in four.
type fill struct {
	value byte
	size  int64
}

func (f fill) Size() int64 { return f.size }

func (f fill) ReadAt(b []byte, at int64) (int, error) {
	n := int(min(int64(len(b)), max(f.size-at, 0)))
	for i := range b[:n] {
		b[i] = f.value
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// joined is sources one after the other.
type joined []source

func (j joined) Size() (n int64) {
	for _, s := range j {
		n += s.Size()
	}
	return n
}

func (j joined) ReadAt(b []byte, at int64) (n int, err error) {
	for _, s := range j {
		if at >= s.Size() {
			at -= s.Size()
			continue
		}
		k := int(min(int64(len(b)-n), s.Size()-at))
		if got, err := s.ReadAt(b[n:n+k], at); err != nil && got < k {
			return n + got, err
		}
		if n, at = n+k, 0; n == len(b) {
			return n, nil
		}
	}
	return n, io.EOF
}

// An extent is what a partition holds at one place.
type extent struct {
	at int64
	source
}

// An Image is the content of a partition after it was flashed: where nothing was written it
// is zero.
type Image struct {
	Size    int64 // up to the last byte that is written
	extents []extent
}

// ReadAt reads the content; io.EOF at Size.
func (m *Image) ReadAt(b []byte, at int64) (int, error) {
	n := int(min(int64(len(b)), max(m.Size-at, 0)))
	clear(b[:n])
	for _, e := range m.extents {
		from, to := max(at, e.at), min(at+int64(n), e.at+e.Size())
		if from < to {
			if got, err := e.ReadAt(b[from-at:to-at], from-e.at); err != nil && int64(got) < to-from {
				return 0, err
			}
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (m *Image) add(at int64, s source) {
	m.extents = append(m.extents, extent{at, s})
	m.Size = max(m.Size, at+s.Size())
}

// block is the block size of sparse images in bytes.
const block = 4096

// sparse is a complete sparse image of a partition of size bytes that holds the extents and
// leaves the rest alone. With lz4 texts become Sony's chunks of one LZ4 block.
func sparse(size int64, extents []extent, pack bool) source {
	var out joined
	chunks, at := 0, int64(0)
	chunk := func(kind uint16, n int64, data source) {
		h := make([]byte, 12)
		binary.LittleEndian.PutUint16(h, kind)
		binary.LittleEndian.PutUint32(h[4:], uint32(n/block))
		binary.LittleEndian.PutUint32(h[8:], uint32(12+data.Size()))
		out = append(out, text(h), data)
		chunks++
		at += n
	}
	for _, e := range extents {
		if e.at > at {
			chunk(0xCAC3, e.at-at, text{})
		}
		n := (e.Size() + block - 1) / block * block
		switch s := e.source.(type) {
		case fill:
			chunk(0xCAC2, n, text{s.value, s.value, s.value, s.value})
		case text:
			plain := append(s[:len(s):len(s)], make([]byte, n-e.Size())...)
			packed := make([]byte, lz4.CompressBlockBound(len(plain)))
			if k, err := lz4.CompressBlock(plain, packed, nil); pack && err == nil && k > 0 {
				chunk(0xCAC5, n, text(packed[:k]))
			} else {
				chunk(0xCAC1, n, text(plain))
			}
		default:
			chunk(0xCAC1, n, joined{s, fill{0, n - s.Size()}})
		}
	}
	if at < size {
		chunk(0xCAC3, size-at, text{})
	}
	head := make([]byte, 28)
	le := binary.LittleEndian
	le.PutUint32(head, 0xED26FF3A)
	le.PutUint16(head[4:], 1)
	le.PutUint16(head[8:], 28)
	le.PutUint16(head[10:], 12)
	le.PutUint32(head[12:], block)
	le.PutUint32(head[16:], uint32(size/block))
	le.PutUint32(head[20:], uint32(chunks))
	return append(joined{text(head)}, out...)
}
