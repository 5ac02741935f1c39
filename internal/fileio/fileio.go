// Package fileio holds what every command needs to read and write files on the computer: it
// opens them without blocking on pipes, stops when a context ends, reports progress, and
// leaves holes where there are zeros.
package fileio

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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

// Pending is a new file that gets its name when it is complete and on the disk.
type Pending struct {
	*os.File
	root *os.Root
	temp string
}

// Create starts a file in a folder.
func Create(root *os.Root, mode fs.FileMode) (*Pending, error) {
	temp := ".xflash-" + rand.Text() + ".part"
	f, err := root.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", root.Name(), err)
	}
	return &Pending{f, root, temp}, nil
}

// Commit gives the file its name, which another file loses then and not before: whoever looks
// finds the old contents or the new, also after a crash. Whatever happens, the file is closed.
func (p *Pending) Commit(name string) error {
	err := errors.Join(p.Sync(), p.Close())
	if err == nil {
		err = p.root.Rename(p.temp, name)
	}
	if err != nil {
		_ = p.root.Remove(p.temp) // the first failure counts
	}
	return err
}

// Discard takes the file away. After Commit it does nothing.
func (p *Pending) Discard() {
	if p.Close() == nil {
		_ = p.root.Remove(p.temp) // the reason for discarding counts
	}
}

// Write writes a file in one step, as Commit does it.
func Write(path string, mode fs.FileMode, write func(*os.File) error) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	p, err := Create(root, mode)
	if err != nil {
		return err
	}
	defer p.Discard()
	if err := write(p.File); err != nil {
		return err
	}
	return p.Commit(filepath.Base(path))
}

// Replace is Write for contents in memory. The file has exactly this mode.
func Replace(path string, data []byte, mode fs.FileMode) error {
	return Write(path, mode, func(f *os.File) error {
		_, err := f.Write(data)
		return errors.Join(err, f.Chmod(mode))
	})
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
