package sin

import (
	"bytes"
	"context"
	"io"
)

// sink is where Unpack writes; a nil one is that of Check.
type sink struct {
	open  func(Target) (io.WriterAt, error)
	gap   byte
	holes bool
}

// output opens the output of one target; there is none when nothing is to be written.
func (s *sink) output(t Target) (*output, error) {
	if s == nil {
		return nil, nil
	}
	w, err := s.open(t)
	return &output{w: w, holes: s.holes}, err
}

// output is where the bytes of one target go.
type output struct {
	w     io.WriterAt
	holes bool // w reads as zeros where nothing is written, so zeros are left out
}

// holeSize is the unit in which zeros are left out: a block of common file systems.
const holeSize = 4096

var zeros [holeSize]byte

// WriteAt stores data.
func (o *output) WriteAt(data []byte, at int64) (int, error) {
	if !o.holes {
		return o.w.WriteAt(data, at)
	}
	for done := 0; done < len(data); {
		// What is not zero goes out in one piece.
		run, from := 0, done
		for done+run < len(data) {
			n := min(len(data)-done-run, holeSize-int((at+int64(done+run))%holeSize))
			if bytes.Equal(data[done+run:done+run+n], zeros[:n]) {
				if run == 0 {
					done += n
					from = done
					continue
				}
				break
			}
			run += n
		}
		if run > 0 {
			if n, err := o.w.WriteAt(data[from:from+run], at+int64(from)); err != nil {
				return from + n, err
			}
		}
		done += run
	}
	return len(data), nil
}

// fill writes a pattern of four bytes over a range that nothing else writes.
func (o *output) fill(ctx context.Context, e extent, pattern [4]byte) error {
	if e.start >= e.end || o.holes && pattern == [4]byte{} {
		return nil
	}
	buf := bytes.Repeat(pattern[:], int(min(pieceSize, e.end-e.start+3)/4))
	for e.start < e.end {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(int64(len(buf)), e.end-e.start)
		if _, err := o.w.WriteAt(buf[:n], e.start); err != nil {
			return err
		}
		e.start += n
	}
	return nil
}
