package main

import (
	"bytes"
	"context"
	"io"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/sparse"
	"xflash/internal/bootcheck"
	"xflash/internal/fileio"
)

// imageFile is an image to send: a file, or one that was made of files.
type imageFile struct {
	path string // of a file; empty for one that was made
	made []byte // the one that was made
	of   string // what it was made of, for a person
}

// name is what messages call the image.
func (i imageFile) name() string {
	if i.path != "" {
		return i.path
	}
	return i.of
}

// open returns the contents and their size, and what closes them.
func (i imageFile) open() (r io.ReaderAt, size int64, shut func() error, err error) {
	if i.path == "" {
		return bytes.NewReader(i.made), int64(len(i.made)), func() error { return nil }, nil
	}
	f, size, err := fileio.Open(i.path)
	if err != nil {
		return nil, 0, nil, err
	}
	return f, size, f.Close, nil
}

// plain is the image, or what is in it when it is sparse and no larger than a boot image.
func (i imageFile) plain(ctx context.Context) (imageFile, error) {
	if i.path == "" {
		return i, nil
	}
	f, _, err := fileio.Open(i.path)
	if err != nil {
		return i, err
	}
	defer f.Close()
	head := make([]byte, 4)
	if _, err := io.ReadFull(f, head); err != nil || !sparse.Is(head) {
		return i, nil // the look at the image says what is wrong with it
	}
	z, err := sparse.NewReader(io.MultiReader(bytes.NewReader(head), f))
	if err != nil {
		return i, &failure{exit: exitFile, code: "file-invalid", what: i.path + ": " + err.Error(), hints: []string{"get the file again; nothing was sent"}}
	}
	if z.Header().Size() > bootcheck.MaxImage {
		return i, nil
	}
	data, err := io.ReadAll(z.Expand())
	if err != nil {
		return i, &failure{exit: exitFile, code: "file-invalid", what: i.path + ": " + err.Error(), hints: []string{"get the file again; nothing was sent"}}
	}
	switch bootimg.Sniff(data) {
	case bootimg.KindAndroid, bootimg.KindSonyELF, bootimg.KindZImage:
		return imageFile{made: data, of: i.path + ", unpacked"}, nil
	}
	return i, nil
}

// bytes reads a boot image into memory; larger files are none.
func (i imageFile) bytes(ctx context.Context) ([]byte, error) {
	if i.path == "" {
		return i.made, nil
	}
	f, _, err := fileio.Open(i.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, bootcheck.MaxImage+1))
	if err == nil && len(data) > bootcheck.MaxImage {
		return nil, notAnImage(ctx, i.path, "too large for one")
	}
	return data, err
}
