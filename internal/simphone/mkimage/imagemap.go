package mkimage

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"xflash/sin"
	"xflash/sin/gpt"
)

// DefaultChunk is the length in bytes in which MapBuilder.Image cuts an image.
const DefaultChunk = 128 << 10

// MapBuilder makes the payload of an image: a map and the data it describes. Each
// method adds what the tag of that name does, in order; sources are read when the
// payload is made, and must not change.
type MapBuilder struct {
	HashType sin.HashType // of the pieces

	pieces []mapPiece
	err    error
}

// Limits of a map and of an LZ4A tag (sin/FORMAT.md §9), and the length of what precedes the
// tags: the magic and the length word.
const (
	maxMap   = 8 << 20
	maxLZ4   = 16 << 20
	mapFrame = 8
)

// mapPiece is one tag to be.
type mapPiece struct {
	kind   sin.TagKind
	id     [16]byte // GPTP and MTKP
	src    io.ReaderAt
	from   int64 // in src
	dest   int64
	length int64 // bytes in the partition
	fill   [4]byte
	block  []byte // ready-made LZ4 block
	either bool   // LZ4A that becomes ADDR when it does not shrink by an eighth
	packed int64  // bytes in the data area, known once Payload has seen the data
	hash   []byte
}

// Select makes what follows go to the partition with this unique GUID.
func (b *MapBuilder) Select(guid gpt.GUID) {
	b.pieces = append(b.pieces, mapPiece{kind: sin.TagGPTP, id: guid})
}

// SelectName makes what follows go to a partition of a MediaTek phone.
func (b *MapBuilder) SelectName(name string) {
	p := mapPiece{kind: sin.TagMTKP}
	if copy(p.id[:], name) < len(name) {
		b.err = fmt.Errorf("the partition name %q is longer than %d bytes", name, len(p.id))
	}
	b.pieces = append(b.pieces, p)
}

// Addr adds n bytes of src from an offset, stored as they are, for the offset dest.
func (b *MapBuilder) Addr(src io.ReaderAt, from, dest, n int64) {
	b.pieces = append(b.pieces, mapPiece{kind: sin.TagADDR, src: src, from: from, dest: dest, length: n})
}

// LZ4 adds n bytes of src from an offset, compressed, for the offset dest. n is at most 16 MiB.
func (b *MapBuilder) LZ4(src io.ReaderAt, from, dest, n int64) {
	if n < 1 || n > maxLZ4 {
		b.err = fmt.Errorf("an LZ4 piece cannot have %d bytes", n)
	}
	b.pieces = append(b.pieces, mapPiece{kind: sin.TagLZ4A, src: src, from: from, dest: dest, length: n})
}

// Packed is LZ4 for bytes that are compressed already, as an LZ4 block without a frame.
// Nothing checks that the block and the bytes belong together.
func (b *MapBuilder) Packed(block []byte, src io.ReaderAt, from, dest, n int64) {
	b.LZ4(src, from, dest, n)
	b.pieces[len(b.pieces)-1].block = block
}

// Fill repeats four bytes over a range of the partition; n is a multiple of four.
func (b *MapBuilder) Fill(dest, n int64, pattern [4]byte) {
	b.pieces = append(b.pieces, mapPiece{kind: sin.TagFILL, dest: dest, length: n, fill: pattern})
}

// ImageOptions says which tags Image may use besides ADDR.
type ImageOptions struct {
	LZ4, Fill bool
	Chunk     int64 // bytes; 0 is DefaultChunk
}

// Image adds a whole partition image: chunks of one repeated word become FILL, those
// that shrink by an eighth LZ4A, the others ADDR. Neighbours of one kind are joined,
// except LZ4A.
func (b *MapBuilder) Image(src io.ReaderAt, size int64, opt ImageOptions) error {
	chunk := cmp.Or(opt.Chunk, DefaultChunk)
	if chunk < 4 || chunk%4 != 0 || chunk > maxLZ4 {
		return fmt.Errorf("an image cannot be split into chunks of %d bytes", chunk)
	}
	buf := make([]byte, chunk)
	for at := int64(0); at < size; at += chunk {
		n := min(chunk, size-at)
		if _, err := io.ReadFull(io.NewSectionReader(src, at, n), buf[:n]); err != nil {
			return fmt.Errorf("reading the image at %#x: %w", at, err)
		}
		pattern, uniform := repeats(buf[:n])
		switch {
		case opt.Fill && uniform:
			b.Fill(at, n, pattern)
		case opt.LZ4:
			b.LZ4(src, at, at, n)
			b.pieces[len(b.pieces)-1].either = true
		default:
			b.Addr(src, at, at, n)
		}
	}
	return nil
}

// repeats reports whether data is one word of four bytes over and over.
func repeats(data []byte) (pattern [4]byte, ok bool) {
	if len(data) < 4 || len(data)%4 != 0 {
		return pattern, false
	}
	copy(pattern[:], data)
	return pattern, bytes.Equal(data[4:], data[:len(data)-4])
}

// Payload reads all sources for lengths and hashes, and gives the payload. Its map is
// the Head, so it gets its own block as in Sony's files.
func (b *MapBuilder) Payload() (Payload, error) {
	if b.err != nil {
		return Payload{}, b.err
	}
	if err := b.measure(); err != nil {
		return Payload{}, err
	}
	head := []byte("MMCF\x00\x00\x00\x00")
	data := int64(0)
	for i := range b.pieces {
		head = b.pieces[i].append(head, data, b.HashType)
		data += b.pieces[i].packed
	}
	if len(head)-mapFrame > maxMap {
		return Payload{}, errors.New("the image has too many pieces for a map")
	}
	binary.BigEndian.PutUint32(head[4:], uint32(len(head)-mapFrame))
	return Payload{Head: head, Body: b.writeData}, nil
}

// measure finds the packed lengths, settles what kind each piece is, joins neighbours
// and hashes every piece.
func (b *MapBuilder) measure() error {
	err := packInOrder(b.pieces, b.HashType, func(p *mapPiece, packed, hash []byte) error {
		p.packed, p.hash = int64(len(packed)), hash
		if p.either && p.packed > p.length-p.length/8 {
			p.kind, p.packed = sin.TagADDR, p.length
		}
		p.either = false
		return nil
	})
	if err != nil {
		return err
	}
	joined := b.pieces[:0]
	for _, p := range b.pieces {
		if n := len(joined); n > 0 && joined[n-1].join(p) {
			continue
		}
		joined = append(joined, p)
	}
	b.pieces = joined
	for i := range b.pieces {
		p := &b.pieces[i]
		if p.kind != sin.TagADDR {
			continue
		}
		p.packed, p.hash = p.length, nil
		if b.HashType.Size() > 0 {
			h := newHash(b.HashType)
			if err := p.copyTo(h); err != nil {
				return err
			}
			p.hash = h.Sum(nil)
		}
	}
	return nil
}

// join makes p a part of the piece before it, if the two can be one tag.
func (before *mapPiece) join(p mapPiece) bool {
	same := before.kind == p.kind && before.dest+before.length == p.dest
	switch p.kind {
	case sin.TagADDR:
		same = same && before.src == p.src && before.from+before.length == p.from
	case sin.TagFILL:
		same = same && before.fill == p.fill
	default:
		return false
	}
	if same {
		before.length += p.length
	}
	return same
}

// writeData is the data area.
func (b *MapBuilder) writeData(w io.Writer) error {
	return packInOrder(b.pieces, sin.NoHash, func(p *mapPiece, packed, _ []byte) error {
		if p.kind == sin.TagADDR {
			return p.copyTo(w)
		}
		_, err := w.Write(packed)
		return err
	})
}

// copyTo writes the bytes of a plain piece.
func (p *mapPiece) copyTo(w io.Writer) error {
	n, err := io.Copy(w, io.NewSectionReader(p.src, p.from, p.length))
	if err == nil && n != p.length {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// append adds the tag of a piece to a map; its data lie at an offset of the data area.
func (p *mapPiece) append(out []byte, data int64, t sin.HashType) []byte {
	be := binary.BigEndian
	out = append(out, p.kind...)
	start := len(out)
	out = append(out, 0, 0, 0, 0)
	switch p.kind {
	case sin.TagGPTP, sin.TagMTKP:
		out = append(out, p.id[:]...)
	case sin.TagADDR:
		for _, v := range []int64{data, p.length, p.dest} {
			out = be.AppendUint64(out, uint64(v))
		}
	case sin.TagLZ4A:
		for _, v := range []int64{data, p.length, p.packed, p.dest, p.length} {
			out = be.AppendUint64(out, uint64(v))
		}
	case sin.TagFILL:
		out = be.AppendUint64(out, uint64(p.dest))
		out = be.AppendUint64(out, uint64(p.length))
		out = append(out, p.fill[3], p.fill[2], p.fill[1], p.fill[0])
	}
	if p.src != nil {
		out = be.AppendUint32(out, uint32(t))
		out = append(out, p.hash...)
	}
	be.PutUint32(out[start:], uint32(len(out)-start+4))
	return out
}
