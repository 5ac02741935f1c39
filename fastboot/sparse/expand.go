package sparse

import (
	"encoding/binary"
	"errors"
	"io"
)

// rotate returns the four bytes of a fill pattern as they are from byte at on.
func rotate(value uint32, at int64) (pattern [4]byte) {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], value)
	for i := range pattern {
		pattern[i] = b[(at+int64(i))&3]
	}
	return pattern
}

// repeat fills p with the pattern.
func repeat(p []byte, pattern [4]byte) {
	for n := copy(p, pattern[:]); n > 0 && n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
}

// Expand returns the whole partition image as a stream, zeros where the image
// does not care. Call it before the first Next; it ends with io.EOF or with the
// error that Next or Read gave.
func (z *Reader) Expand() io.Reader { return expander{z} }

type expander struct{ z *Reader }

func (e expander) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	// Each turn reads a chunk header from the file, so the loop ends with it.
	for {
		n, err := e.z.Read(p)
		if n > 0 || (err != nil && !errors.Is(err, io.EOF)) {
			return n, err
		}
		if _, err := e.z.Next(); err != nil {
			return 0, err
		}
	}
}

// Apply writes the image to w, each chunk at its place, and leaves alone what
// the image does not care for: so the pieces of a split image, or the members
// of a SIN v5, are applied one after the other to the same output. It returns
// nil when the image is whole; ErrTrailing comes after everything was written.
// The true length of the output is Header().Size(), also when the last chunk
// is a don't-care one (sin/FORMAT.md §6). Call it before the first Next.
func (z *Reader) Apply(w io.WriterAt) error {
	buf := make([]byte, 256<<10)
	for {
		c, err := z.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if c.Type == DontCare {
			continue
		}
		for at := c.Dest; ; {
			n, err := z.Read(buf)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			if _, err := w.WriteAt(buf[:n], at); err != nil {
				return err
			}
			at += int64(n)
		}
	}
}
