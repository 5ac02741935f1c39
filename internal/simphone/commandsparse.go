package simphone

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/pierrec/lz4/v4"
)

// maxLZ4 is the largest expanded chunk in bytes that is taken.
const maxLZ4 = 64 << 20

// applySparse writes a sparse image after its header. Only the form with headers of 28 and
// 12 bytes is taken.
func applySparse(head []byte, r io.Reader, p *Partition) error {
	le := binary.LittleEndian
	block, blocks, chunks := int64(le.Uint32(head[12:])), int64(le.Uint32(head[16:])), le.Uint32(head[20:])
	switch {
	case le.Uint16(head[4:]) != 1 || le.Uint16(head[8:]) != 28 || le.Uint16(head[10:]) != 12 || block == 0 || block%4 != 0:
		return errors.New("a sparse header of another form")
	case !p.holds(0, uint64(block*blocks)):
		return errors.New("the sparse image is larger than the partition")
	}
	at, end := int64(0), block*blocks
	for range chunks {
		var c [12]byte
		if _, err := io.ReadFull(r, c[:]); err != nil {
			return errors.New("the sparse image ends early")
		}
		size, data := int64(le.Uint32(c[4:]))*block, int64(le.Uint32(c[8:]))-12
		if data < 0 || size > end-at {
			return errors.New("a sparse chunk of wrong size")
		}
		if err := applyChunk(le.Uint16(c[:]), p, at, size, data, r); err != nil {
			return err
		}
		if le.Uint16(c[:]) != sparseCRC {
			at += size
		}
	}
	if at != end {
		return errors.New("the sparse image has too few blocks")
	}
	return nil
}

func applyChunk(kind uint16, p *Partition, at, size, data int64, r io.Reader) error {
	switch {
	case kind == sparseRaw && data == size:
		return copyTo(p, at, size, r)
	case kind == sparseFill && data == 4:
		var word [4]byte
		if _, err := io.ReadFull(r, word[:]); err != nil {
			return err
		}
		return p.fill(binary.LittleEndian.Uint32(word[:]), uint64(at), uint64(size))
	case kind == sparseSkip && data == 0:
		return nil
	case kind == sparseCRC && data == 4:
		_, err := io.CopyN(io.Discard, r, 4)
		return err
	case kind == sparseLZ4 && size <= maxLZ4 && data <= maxLZ4:
		packed, plain := make([]byte, data), make([]byte, size)
		if _, err := io.ReadFull(r, packed); err != nil {
			return err
		}
		if n, err := lz4.UncompressBlock(packed, plain); err != nil || int64(n) != size {
			return errors.New("an LZ4 block does not expand to its chunk")
		}
		return copyTo(p, at, size, bytes.NewReader(plain))
	}
	return fmt.Errorf("sparse chunk %04X with %d bytes for %d", kind, data, size)
}
