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

// output opens the output of one target; it is nil when nothing is to be written.
func (s *sink) output(t Target) (*output, error) {
	if s == nil {
		return nil, nil
	}
	w, err := s.open(t)
	if w == nil {
		return nil, err
	}
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

// WriteAt stores data, without whole units of zeros where the output has holes.
func (o *output) WriteAt(data []byte, at int64) (int, error) {
	if !o.holes {
		return o.w.WriteAt(data, at)
	}
	for done := 0; done < len(data); {
		n := 0 // what is not zero goes out in one piece
		for done+n < len(data) {
			unit := holeUnit(data[done+n:], at+int64(done+n))
			if bytes.Equal(unit, zeros[:len(unit)]) {
				if n == 0 {
					done += len(unit)
					continue
				}
				break
			}
			n += len(unit)
		}
		wrote, err := o.w.WriteAt(data[done:done+n], at+int64(done))
		if done += wrote; err != nil {
			return done, err
		}
	}
	return len(data), nil
}

// holeUnit is the part of data, which lies at an offset, up to the next multiple of holeSize.
func holeUnit(data []byte, at int64) []byte {
	return data[:min(int64(len(data)), holeSize-at%holeSize)]
}

// fill writes a pattern of four bytes over a range that nothing else writes. A nil output
// takes nothing.
func (o *output) fill(ctx context.Context, e extent, pattern [4]byte) error {
	if o == nil || e.start >= e.end || o.holes && pattern == [4]byte{} {
		return nil
	}
	buf := bytes.Repeat(pattern[:], int(min(bufferSize, e.end-e.start+3)/4))
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
