package extract

import "golang.org/x/sys/unix"

// freeSpace is how many bytes may still be written below a folder; ok is false when the
// file system does not tell.
func freeSpace(dir string) (n int64, ok bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil || s.Blocks == 0 {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
