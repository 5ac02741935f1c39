package extract

import (
	"context"
	"fmt"
	"io"

	"xflash/fastboot/sparse"
	"xflash/sin"
)

// sparseImage expands an Android sparse image.
func (u *unpacker) sparseImage(ctx context.Context) error {
	f, size, err := regular(u.path)
	if err != nil {
		return err
	}
	defer f.Close()
	u.total = size
	file := File{Name: u.names.take("", stemOf(u.path)), From: u.path}
	if err := u.out.free(file.Name + u.ending()); err != nil {
		return err
	}
	p, err := u.out.create(false)
	if err != nil {
		return err
	}
	defer p.discard()
	in := &contextReader{ctx: ctx, r: f, progress: func(n int64) { u.progress(u.path, n) }}
	z, err := sparse.NewReader(in)
	if err == nil {
		err = z.Apply(&holeWriter{ctx, p})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", u.path, err)
	}
	raw := z.Header().Size()
	if err := p.Truncate(raw); err != nil {
		return err
	}
	head := make([]byte, min(sin.HeadSize, raw))
	if _, err := p.ReadAt(head, 0); err != nil {
		return err
	}
	file.Content = sin.Recognize(head)
	return u.deliver(ctx, p, raw, file, u.Sparse)
}

// makeSparse writes a raw image as one Android sparse image. Zeros are written as such,
// because what a phone holds in their place is not known. raw is read twice, and
// progress, which may be nil, is told half of what was read.
func (u *unpacker) makeSparse(ctx context.Context, raw io.ReaderAt, size int64, file File, progress func(int64)) error {
	image, err := sparse.FromRaw(&contextReaderAt{ctx: ctx, r: raw, progress: progress}, size, sparse.RawOptions{})
	if err != nil {
		return err
	}
	pieces, err := image.Split(0)
	if err != nil {
		return err
	}
	p, err := u.out.create(file.Warning != "")
	if err != nil {
		return err
	}
	defer p.discard()
	n, err := io.Copy(p, pieces[0].Reader())
	if err != nil {
		return err
	}
	file.Name, file.Bytes = file.Name+".simg", n
	return u.finish(p, n, file)
}

// contextReaderAt stops reading when the context ends, and tells half of what was read.
// It is for one goroutine.
type contextReaderAt struct {
	ctx      context.Context
	r        io.ReaderAt
	done     int64
	progress func(int64)
}

func (c *contextReaderAt) ReadAt(p []byte, at int64) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.ReadAt(p, at)
	c.done += int64(n)
	if c.progress != nil {
		c.progress(c.done / 2)
	}
	return n, err
}
