package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"xflash/internal/bootcheck"
)

// imageFile is an image to send: a file, or one that was made of files.
type imageFile struct {
	path string // of a file; empty for one that was made
	made []byte // the one that was made
	of   string // the files that it was made of, for a person
}

// name is what messages call the image.
func (i imageFile) name() string {
	if i.path != "" {
		return i.path
	}
	return "the image made of " + i.of
}

// short is name without the folder.
func (i imageFile) short() string {
	if i.path != "" {
		return filepath.Base(i.path)
	}
	return i.name()
}

// open gives the contents and their size, and what closes them.
func (i imageFile) open() (r io.ReaderAt, size int64, shut func() error, err error) {
	if i.path == "" {
		return bytes.NewReader(i.made), int64(len(i.made)), func() error { return nil }, nil
	}
	f, err := os.Open(i.path)
	if err != nil {
		return nil, 0, nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, 0, nil, errors.Join(err, f.Close())
	}
	return f, st.Size(), f.Close, nil
}

// bytes reads a boot image into memory; larger files are none.
func (i imageFile) bytes(ctx context.Context) ([]byte, error) {
	if i.path == "" {
		return i.made, nil
	}
	f, err := os.Open(i.path)
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
