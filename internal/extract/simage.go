package extract

import (
	"context"
	"fmt"
	"io"

	"xflash/fastboot/sparse"
	"xflash/internal/fileio"
	"xflash/internal/firmware"
	"xflash/internal/inspect"
	"xflash/sin"
)

// sparseImage expands an Android sparse image.
func (u *unpacker) sparseImage(ctx context.Context) error {
	f, size, err := fileio.Open(u.path)
	if err != nil {
		return err
	}
	defer f.Close()
	u.total = size
	file := File{Name: u.names.take("", stemOf(u.path)), From: u.path}
	if err := u.out.free(file.Name + u.ending()); err != nil {
		return err
	}
	var raw int64
	expand := func(w io.WriterAt, progress func(int64)) error {
		z, err := sparse.NewReader(&fileio.Reader{Context: ctx, R: io.NewSectionReader(f, 0, size), Progress: progress})
		if err != nil {
			return err
		}
		raw = z.Header().Size()
		if w == nil {
			return nil
		}
		return z.Apply(&fileio.HoleWriter{Context: ctx, W: w})
	}
	if err := expand(nil, nil); err != nil {
		return fmt.Errorf("%s: %w", u.path, err)
	}
	if err := u.out.roomFor(raw, func(w io.WriterAt) error { return expand(w, nil) }); err != nil {
		return err
	}
	p, err := u.out.create(false)
	if err != nil {
		return err
	}
	defer p.Discard()
	if err := expand(p, func(n int64) { u.progress(u.path, n) }); err != nil {
		return fmt.Errorf("%s: %w", u.path, err)
	}
	if err := p.Truncate(raw); err != nil {
		return err
	}
	head := make([]byte, min(sin.HeadSize, raw))
	if _, err := p.ReadAt(head, 0); err != nil {
		return err
	}
	if file.Content = sin.Recognize(head); file.Content == sin.KindBoot {
		found, err := inspect.File(ctx, u.path, p, raw, inspect.Options{})
		if err != nil {
			return err
		}
		if found.Damaged() {
			return &firmware.DamagedError{Files: []firmware.Damage{{Name: u.path, Err: fmt.Errorf("the boot image in %s: %s", u.path, found.Whole.Text)}}}
		}
	}
	return u.deliver(ctx, p, raw, file, u.Sparse)
}

// makeSparse writes a raw image as one Android sparse image. Zeros are written as such,
// because what a phone holds in their place is unknown. raw is read twice, and
// progress, which may be nil, gets half of what was read.
func (u *unpacker) makeSparse(ctx context.Context, raw io.ReaderAt, size int64, file File, progress func(int64)) error {
	in := &fileio.ReaderAt{Context: ctx, R: raw}
	if progress != nil {
		in.Progress = func(done int64) { progress(done / 2) }
	}
	image, err := sparse.FromRaw(in, size, sparse.RawOptions{})
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
	defer p.Discard()
	n, err := io.Copy(p, pieces[0].Reader())
	if err != nil {
		return err
	}
	file.Name, file.Bytes = file.Name+".simg", n
	return u.finish(p, n, file)
}
