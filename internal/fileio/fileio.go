// Package fileio holds what every command needs to read and write files on the computer: it
// opens them without blocking on pipes, stops when a context ends, reports progress, and
// leaves holes where there are zeros.
package fileio

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrNotRegular is the cause in an error of Open for a folder, a pipe or a device.
var ErrNotRegular = errors.New("not a regular file")

// Open opens a regular file and gives its size in bytes. A pipe does not block it.
func Open(name string) (*os.File, int64, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: name, Err: ErrNotRegular}
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Replace writes a file in one step: whoever looks finds the old contents or the new, also
// after a crash.
func Replace(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".xflash-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone after the rename; this is for the ways out before it
	if _, err = f.Write(data); err == nil {
		err = errors.Join(f.Chmod(mode), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Reader stops reading R when Context ends. Progress, which may be nil, is called with the
// bytes read so far.
type Reader struct {
	Context  context.Context
	R        io.Reader
	Progress func(done int64)
	done     int64
}

func (r *Reader) Read(p []byte) (int, error) {
	if err := r.Context.Err(); err != nil {
		return 0, err
	}
	n, err := r.R.Read(p)
	r.done += int64(n)
	if r.Progress != nil {
		r.Progress(r.done)
	}
	return n, err
}

// ReaderAt is Reader for random access, by one goroutine at a time.
type ReaderAt struct {
	Context  context.Context
	R        io.ReaderAt
	Progress func(done int64)
	done     int64
}

// ReadAt reads bytes at an offset.
func (r *ReaderAt) ReadAt(p []byte, at int64) (int, error) {
	if err := r.Context.Err(); err != nil {
		return 0, err
	}
	n, err := r.R.ReadAt(p, at)
	r.done += int64(n)
	if r.Progress != nil {
		r.Progress(r.done)
	}
	return n, err
}
