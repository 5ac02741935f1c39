package sin

import (
	"context"
	"fmt"
	"io"
)

// UnpackOptions steers Unpack.
type UnpackOptions struct {
	CheckOptions
	// Gap is written where an image writes nothing; other tools use 0xFF, and with 0 a
	// file system can be mounted at once.
	Gap byte
	// Sparse leaves zeros out: the output reads as zeros where nothing was written, as a
	// new file does.
	Sparse bool
	// Open gives the output of each partition, for images that write several, or nil to
	// leave one out. Without it all goes to the writer given to Unpack, and such images are
	// refused.
	Open func(Target) (io.WriterAt, error)
}

// Unpack writes the content of a SIN to w: the partition that an image makes, or the
// payload as it is. On the way it checks all that Check checks.
//
// Writes come from several goroutines at once, to different places. When an error is
// returned, what was written is worthless. Otherwise the caller sets the size of the
// output to Part.Size of the Report, because a gap or a hole at the end is not written.
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
	return run(ctx, r, size, opt.CheckOptions, &sink{open: open, gap: opt.Gap, holes: opt.Sparse})
}
