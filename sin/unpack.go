package sin

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// UnpackOptions steers Unpack.
type UnpackOptions struct {
	CheckOptions
	// Gap is written where an image writes nothing; other tools use 0xFF. With 0 a file
	// system can be mounted at once; it is not written, because a new file reads as zeros.
	Gap byte
	// Open gives the output of each partition, for images that write several, or nil to
	// leave one out. Without it all goes to the writer given to Unpack, and such images are
	// refused.
	Open func(Target) (io.WriterAt, error)
}

// Unpack writes the content of a SIN to w, which reads as zeros: the partition that an
// image makes, or the payload as it is. On the way it checks all that Check checks.
//
// Writes come from several goroutines at once, to different places. When an error is
// returned, what was written is worthless. Otherwise the caller sets the size of the
// output to Part.Size of the Report, because a gap at the end is not written.
func Unpack(ctx context.Context, r io.Reader, size int64, w io.WriterAt, opt UnpackOptions) (*Report, error) {
	open := opt.Open
	if open == nil {
		taken := false
		open = func(t Target) (io.WriterAt, error) {
			if taken {
				return nil, fmt.Errorf("%s: it also writes %s, but there is only one output", opt.Name, t)
			}
			taken = true
			return w, nil
		}
	}
	return run(ctx, r, size, opt.CheckOptions, &sink{open: open, gap: opt.Gap})
}

// sink is where Unpack writes; a nil one is that of Check.
type sink struct {
	open func(Target) (io.WriterAt, error)
	gap  byte
}

// output opens the output of one target; it is nil when nothing is to be written.
func (s *sink) output(t Target) (io.WriterAt, error) {
	if s == nil {
		return nil, nil
	}
	return s.open(t)
}

// repeat writes a pattern of four bytes over a range that nothing else writes. A nil output
// takes nothing, and zeros are there already.
func repeat(ctx context.Context, w io.WriterAt, e extent, pattern [4]byte) error {
	if w == nil || e.start >= e.end || pattern == [4]byte{} {
		return nil
	}
	buf := bytes.Repeat(pattern[:], int(min(bufferSize, e.end-e.start+3)/4))
	for e.start < e.end {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(int64(len(buf)), e.end-e.start)
		if _, err := w.WriteAt(buf[:n], e.start); err != nil {
			return err
		}
		e.start += n
	}
	return nil
}
