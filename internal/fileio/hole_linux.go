package fileio

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// dataAfter finds the next run of bytes of a sparse file in from…to that are on the
// disk. Both are to when there is none. On file systems that do not know it is all.
func dataAfter(f *os.File, from, to int64) (start, end int64) {
	if info, err := f.Stat(); err == nil && info.Size() < to {
		return from, to // it was cut; reading tells where
	}
	start, err := f.Seek(from, unix.SEEK_DATA)
	if errors.Is(err, syscall.ENXIO) || err == nil && start >= to {
		return to, to
	}
	if err != nil {
		return from, to
	}
	if end, err = f.Seek(start, unix.SEEK_HOLE); err != nil || end <= start {
		end = to
	}
	return start, min(end, to)
}

// FreeSpace is how many bytes may still be written below a folder; ok is false when the
// file system does not tell.
func FreeSpace(dir string) (n int64, ok bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil || s.Blocks == 0 {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
