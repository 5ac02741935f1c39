package restore

import (
	"errors"
	"os"
	"strings"
	"syscall"
)

// ErrLocked: another xflash is restoring this phone.
var ErrLocked = errors.New("another xflash is restoring this phone")

// Lock makes sure that one program at a time restores a phone, until release is called or
// the program ends, however it ends. A second caller gets ErrLocked at once.
func (s Store) Lock(phoneID string) (release func(), err error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(s.file(phoneID), ".json") + ".lock"
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			if errors.Is(err, syscall.EWOULDBLOCK) {
				err = ErrLocked
			}
			return nil, errors.Join(err, f.Close())
		}
		// The holder before us may have removed the file that we opened.
		if mine, err := f.Stat(); err == nil {
			if now, err := os.Stat(path); err == nil && os.SameFile(mine, now) {
				return func() { _ = os.Remove(path); _ = f.Close() }, nil
			}
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}
