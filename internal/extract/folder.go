package extract

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"xflash/internal/fileio"
)

// folder is where outputs go. Nothing outside it can be written, whatever names and
// links say.
type folder struct {
	path  string
	root  *os.Root
	made  bool // by us
	force bool // outputs may replace files
}

func openFolder(dir string, force bool) (*folder, error) {
	_, err := os.Lstat(dir)
	made := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &folder{path: dir, root: root, made: made, force: force}, nil
}

// close takes a folder that was made for nothing away again.
func (f *folder) close() {
	f.root.Close()
	if f.made {
		_ = os.Remove(f.path) // stays when something is in it
	}
}

// room compares the free space with the least that an input of so many bytes unpacks to:
// its own size. Less is refused before anything is written.
func (f *folder) room(need int64) error {
	if have, ok := fileio.FreeSpace(f.path); ok && have < need {
		return &SpaceError{f.path, need, have}
	}
	return nil
}

// roomFor is room for an input that unpacks to at most so many bytes. Where they do not fit,
// what it unpacks to is counted without its holes; unpack must write the same as later.
func (f *folder) roomFor(most int64, unpack func(io.WriterAt) error) error {
	have, ok := fileio.FreeSpace(f.path)
	if !ok || have >= most {
		return nil
	}
	c := counter{left: have}
	if err := unpack(&c); err != nil && c.left >= 0 {
		return err
	}
	if c.left < 0 {
		return &SpaceError{f.path, have - c.left, have}
	}
	return nil
}

// counter counts what is written, and fails when there is no room left.
type counter struct{ left int64 }

func (c *counter) WriteAt(p []byte, _ int64) (int, error) {
	if c.left -= int64(len(p)); c.left < 0 {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

// free tells whether a name may be used.
func (f *folder) free(name string) error {
	if f.force {
		return nil
	}
	_, err := f.root.Lstat(name)
	if err == nil {
		return &ExistsError{filepath.Join(f.path, name)}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// pending is an output without a name yet.
type pending struct {
	*os.File
	folder *folder
	temp   string
}

// create starts an output. Secret ones can be read by their owner only.
func (f *folder) create(secret bool) (*pending, error) {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	mode := fs.FileMode(0o644)
	if secret {
		mode = 0o600
	}
	p := &pending{folder: f, temp: ".xflash-" + hex.EncodeToString(random) + ".part"}
	var err error
	p.File, err = f.root.OpenFile(p.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	return p, err
}

// commit gives the output its size and its name. Whatever happens, the output is closed.
func (p *pending) commit(name string, size int64) error {
	err := p.folder.free(name) // again: the job may have taken minutes
	if err == nil && path.Dir(name) != "." {
		if err = p.folder.root.Mkdir(path.Dir(name), 0o755); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	if err == nil {
		err = p.Truncate(size)
	}
	if err == nil {
		err = p.Sync()
	}
	if err = errors.Join(err, p.Close()); err == nil {
		err = p.folder.root.Rename(p.temp, name)
	}
	if err != nil {
		_ = p.folder.root.Remove(p.temp) // the first failure counts
	}
	return err
}

// discard takes the output away. After commit it does nothing.
func (p *pending) discard() {
	if p.Close() == nil {
		_ = p.folder.root.Remove(p.temp) // the reason for discarding counts
	}
}
