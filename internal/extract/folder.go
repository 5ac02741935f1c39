package extract

import (
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

// create starts an output. Secret ones can be read by their owner only.
func (f *folder) create(secret bool) (*fileio.Pending, error) {
	if secret {
		return fileio.Create(f.root, 0o600)
	}
	return fileio.Create(f.root, 0o644)
}

// commit gives an output its size and its name.
func (f *folder) commit(p *fileio.Pending, name string, size int64) error {
	if err := f.free(name); err != nil { // again: the job may have taken minutes
		return err
	}
	if dir := path.Dir(name); dir != "." {
		if err := f.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := p.Truncate(size); err != nil {
		return err
	}
	return p.Commit(name)
}
