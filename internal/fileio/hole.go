package fileio

import (
	"bytes"
	"context"
	"io"
	"os"
)

// holeUnit is the unit in which zeros become holes: a block of common file systems.
const holeUnit = 4096

// copyBuffer is how much is read at once.
const copyBuffer = 1 << 20

var zeros [holeUnit]byte

// HoleWriter writes to a new file, in which what is not written reads as zeros, and
// leaves whole units of zeros out. It stops when Context ends.
type HoleWriter struct {
	Context context.Context
	W       io.WriterAt
}

// WriteAt stores data.
func (h *HoleWriter) WriteAt(data []byte, at int64) (int, error) {
	if err := h.Context.Err(); err != nil {
		return 0, err
	}
	for done := 0; done < len(data); {
		n := 0 // what is not zero goes out in one piece
		for done+n < len(data) {
			unit := data[done+n:]
			unit = unit[:min(int64(len(unit)), holeUnit-(at+int64(done+n))%holeUnit)]
			if !bytes.Equal(unit, zeros[:len(unit)]) {
				n += len(unit)
				continue
			}
			if n > 0 {
				break
			}
			done += len(unit)
		}
		wrote, err := h.W.WriteAt(data[done:done+n], at+int64(done))
		if done += wrote; err != nil {
			return done, err
		}
	}
	return len(data), nil
}

// CopyRange copies n bytes of src from an offset to the start of w. What src has no data
// for on the disk is not read.
func CopyRange(w io.WriterAt, src *os.File, from, n int64, progress func(done int64)) error {
	buf := make([]byte, copyBuffer)
	for done := int64(0); done < n; {
		start, end := dataAfter(src, from+done, from+n)
		for done = start - from; done < end-from; {
			part := buf[:min(int64(len(buf)), end-from-done)]
			if got, err := src.ReadAt(part, from+done); got < len(part) {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF // it was cut after its table was read
				}
				return err
			}
			if _, err := w.WriteAt(part, done); err != nil {
				return err
			}
			done += int64(len(part))
			progress(done)
		}
	}
	progress(n)
	return nil
}
