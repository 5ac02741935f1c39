package simphone

import "golang.org/x/sys/unix"

// punch turns a range of the disk into zeros without using space for them.
func (d *disk) punch(off, length int64) error {
	if length == 0 {
		return nil
	}
	return unix.Fallocate(int(d.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, length)
}
