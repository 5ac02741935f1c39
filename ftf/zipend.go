package ftf

import "io"

// findDirectory reads the end records. Their arithmetic also tells a file with a
// hole from a whole one.
func findDirectory(r io.ReaderAt, size int64) (zipDirectory, error) {
	var dir zipDirectory
	tail := min(size, sizeEnd+0xFFFF)
	data, err := readFull(r, size-tail, int(tail))
	if err != nil {
		return dir, err
	}
	i := lastEnd(data)
	if i < 0 {
		return dir, diagnose(r, size)
	}
	end := data[i:]
	dir.end = size - tail + int64(i)
	dir.trailing = int64(len(end)) - sizeEnd - int64(le16(end, 20))
	dir.count, dir.size, dir.offset = uint64(le16(end, 10)), int64(le32(end, 12)), int64(le32(end, 16))
	disks := uint32(le16(end, 4)) | uint32(le16(end, 6))
	onDisk := uint64(le16(end, 8))
	if locator := dir.end - sizeLocator64; locator >= 0 {
		b, err := readFull(r, locator, sizeLocator64)
		if err != nil {
			return dir, err
		}
		if le32(b, 0) == sigLocator64 {
			return findDirectory64(r, size, dir, locator, b)
		}
	}
	if dir.size == full32 || dir.offset == full32 {
		return dir, failAt(Malformed, dir.end, "the zip64 end record is missing")
	}
	if disks != 0 || onDisk != dir.count {
		return dir, failAt(Unsupported, dir.end, "the archive is split over several files")
	}
	return dir, dir.place(size, dir.end)
}

// lastEnd finds the last end-of-directory record that can be one.
func lastEnd(data []byte) int {
	for i := len(data) - sizeEnd; i >= 0; i-- {
		if le32(data, i) == sigEnd && i+sizeEnd+int(le16(data, i+20)) <= len(data) {
			return i
		}
	}
	return -1
}

// findDirectory64 follows the zip64 locator. Values of the short record that are
// not full must agree.
func findDirectory64(r io.ReaderAt, size int64, short zipDirectory, locator int64, b []byte) (zipDirectory, error) {
	dir := short
	offset := le64(b, 8)
	if le32(b, 4) != 0 || le32(b, 16) > 1 {
		return dir, failAt(Unsupported, locator, "the archive is split over several files")
	}
	// In a sound archive the record ends where the locator starts.
	direct := locator - sizeEnd64
	if direct < 0 || offset > uint64(direct) {
		if direct >= 0 {
			if rec, err := readFull(r, direct, 4); err == nil && le32(rec, 0) == sigEnd64 && offset < maxShort {
				return dir, truncated(size, size+int64(offset)-direct)
			}
		}
		return dir, failAt(Malformed, locator, "the zip64 end record would be at %#x, after its own locator", offset)
	}
	at := int64(offset)
	rec, err := readFull(r, at, sizeEnd64)
	if err != nil {
		return dir, err
	}
	if length := le64(rec, 4); le32(rec, 0) != sigEnd64 || length < sizeEnd64-12 || length > uint64(locator-at-12) {
		return dir, failAt(Malformed, at, "no zip64 end record where the locator points")
	}
	if le32(rec, 16) != 0 || le32(rec, 20) != 0 || le64(rec, 24) != le64(rec, 32) {
		return dir, failAt(Unsupported, at, "the archive is split over several files")
	}
	dir.count = le64(rec, 32)
	for _, f := range []struct {
		short *int64
		long  uint64
	}{{&dir.size, le64(rec, 40)}, {&dir.offset, le64(rec, 48)}} {
		if f.long > 1<<61 || *f.short != full32 && uint64(*f.short) != f.long {
			return dir, failAt(Disagreement, at, "the two end records disagree on the place of the directory")
		}
		*f.short = int64(f.long)
	}
	if short.count != 0xFFFF && short.count != dir.count {
		return dir, failAt(Disagreement, at, "the two end records disagree on the number of members: %d and %d", short.count, dir.count)
	}
	return dir, dir.place(size, at)
}

// place checks that the directory lies where it says, right before the end record.
func (d *zipDirectory) place(size, end int64) error {
	switch after := d.offset + d.size; {
	case after-end > maxShort:
		return failAt(Malformed, end, "the directory would be at %#x, far past the end of the file", d.offset)
	case after > end:
		return truncated(size, size+after-end)
	case after < end:
		return failAt(Surplus, 0, "%d bytes before the archive or between its members", end-after)
	}
	if uint64(d.size) < d.count*sizeCentral {
		return failAt(Malformed, d.offset, "%d members cannot be described in %d bytes", d.count, d.size)
	}
	return nil
}
