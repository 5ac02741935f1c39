package ftf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
)

// archive/zip is not used for reading: it hides where a member's local header
// lies, and without that neither overlapping members nor headers that contradict
// the directory can be found.

// Signatures and sizes of the zip format (PKWARE APPNOTE 6.3), all little-endian.
const (
	sigLocal      = 0x04034b50
	sigCentral    = 0x02014b50
	sigEnd        = 0x06054b50
	sigEnd64      = 0x06064b50
	sigLocator64  = 0x07064b50
	sigDescriptor = 0x08074b50

	sizeLocal     = 30
	sizeCentral   = 46
	sizeEnd       = 22
	sizeEnd64     = 56
	sizeLocator64 = 20

	maxMembers   = 4096
	maxDirectory = 16 << 20 // bytes of the central directory
	maxShort     = 1 << 40  // bytes a download may lack and still be called one
)

// Flag bits and methods.
const (
	flagEncrypted  = 1<<0 | 1<<6 | 1<<13 // plain, strong, hidden directory
	flagDescriptor = 1 << 3
	flagPatch      = 1 << 5

	methodStored  = 0
	methodDeflate = 8
)

var methodNames = map[uint16]string{1: "shrink", 6: "implode", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd", 99: "AES encryption"}

// zipEntry is one member as the central directory has it.
type zipEntry struct {
	name         string
	madeBy       uint16 // high byte: system whose attributes external holds
	flags        uint16
	method       uint16
	crc          uint32
	packed, size int64
	external     uint32
	header       int64 // offset of the local header
	body         int64 // offset of the packed bytes, set by checkLocal
}

func (e *zipEntry) isFolder() bool { return strings.HasSuffix(e.name, "/") }

// zipDirectory is where the central directory lies.
type zipDirectory struct {
	offset, size int64
	count        uint64
	end          int64 // offset of what must follow the directory directly
	trailing     int64 // bytes after the archive
}

func le16(b []byte, i int) uint16 { return binary.LittleEndian.Uint16(b[i:]) }
func le32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }
func le64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }

// readFull reads exactly n bytes at an offset.
func readFull(r io.ReaderAt, offset int64, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := r.ReadAt(b, offset); err != nil && (err != io.EOF || n > 0) {
		if errors.Is(err, io.EOF) {
			return nil, failAt(Malformed, offset, "the file ends where %d more bytes should be", n)
		}
		return nil, err
	}
	return b, nil
}

// readDirectory finds and reads the central directory of an archive of size bytes.
func readDirectory(r io.ReaderAt, size int64) ([]*zipEntry, zipDirectory, error) {
	dir, err := findDirectory(r, size)
	if err != nil {
		return nil, dir, err
	}
	switch {
	case dir.count > maxMembers:
		return nil, dir, failAt(TooMany, dir.offset, "%d members, at most %d are accepted", dir.count, maxMembers)
	case dir.size > maxDirectory:
		return nil, dir, failAt(TooLarge, dir.offset, "a directory of %d bytes, at most %d are accepted", dir.size, maxDirectory)
	}
	data, err := readFull(r, dir.offset, int(dir.size))
	if err != nil {
		return nil, dir, err
	}
	entries := make([]*zipEntry, 0, dir.count)
	at := dir.offset
	for range dir.count {
		e, n, err := parseCentral(data, at)
		if err != nil {
			return nil, dir, err
		}
		entries = append(entries, e)
		data, at = data[n:], at+int64(n)
	}
	if len(data) > 0 {
		return nil, dir, failAt(Malformed, at, "%d bytes in the directory after its last member", len(data))
	}
	return entries, dir, nil
}

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
	full := dir.count == 0xFFFF || dir.size == 0xFFFFFFFF || dir.offset == 0xFFFFFFFF
	if locator := dir.end - sizeLocator64; locator >= 0 {
		b, err := readFull(r, locator, sizeLocator64)
		if err != nil {
			return dir, err
		}
		if le32(b, 0) == sigLocator64 {
			return findDirectory64(r, size, dir, locator, b)
		}
	}
	if full && (dir.size == 0xFFFFFFFF || dir.offset == 0xFFFFFFFF) {
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
	// In a sound archive the record ends where the locator begins.
	direct := locator - sizeEnd64
	if direct < 0 || offset > uint64(direct) {
		if direct >= 0 {
			if rec, err := readFull(r, direct, 4); err == nil && le32(rec, 0) == sigEnd64 && offset < maxShort {
				return dir, truncated(size, size+int64(offset)-direct)
			}
		}
		return dir, failAt(Malformed, locator, "the zip64 end record should lie at %#x, behind its own locator", offset)
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
		full  int64
		long  uint64
	}{{&dir.size, 0xFFFFFFFF, le64(rec, 40)}, {&dir.offset, 0xFFFFFFFF, le64(rec, 48)}} {
		if f.long > 1<<61 || *f.short != f.full && uint64(*f.short) != f.long {
			return dir, failAt(Disagreement, at, "the two end records place the directory differently")
		}
		*f.short = int64(f.long)
	}
	if short.count != 0xFFFF && short.count != dir.count {
		return dir, failAt(Disagreement, at, "the two end records count %d and %d members", short.count, dir.count)
	}
	return dir, dir.place(size, at)
}

// place checks that the directory lies where it says, right before the end record.
func (d *zipDirectory) place(size, end int64) error {
	switch after := d.offset + d.size; {
	case after-end > maxShort:
		return failAt(Malformed, end, "the directory should lie at %#x, far behind the end of the file", d.offset)
	case after > end:
		return truncated(size, size+after-end)
	case after < end:
		return failAt(Malformed, after, "%d bytes between or before the members that do not belong to the archive", end-after)
	}
	if uint64(d.size) < d.count*sizeCentral {
		return failAt(Malformed, d.offset, "%d members cannot be described in %d bytes", d.count, d.size)
	}
	return nil
}

// parseCentral reads one entry of the directory; at is its offset in the file.
func parseCentral(data []byte, at int64) (*zipEntry, int, error) {
	if len(data) < sizeCentral || le32(data, 0) != sigCentral {
		return nil, 0, failAt(Malformed, at, "no directory entry")
	}
	nameLen, extraLen, commentLen := int(le16(data, 28)), int(le16(data, 30)), int(le16(data, 32))
	n := sizeCentral + nameLen + extraLen + commentLen
	if n > len(data) {
		return nil, 0, failAt(Malformed, at, "a directory entry of %d bytes where %d are left", n, len(data))
	}
	e := &zipEntry{
		name:   string(data[sizeCentral : sizeCentral+nameLen]),
		madeBy: le16(data, 4), flags: le16(data, 8), method: le16(data, 10), crc: le32(data, 16),
		packed: int64(le32(data, 20)), size: int64(le32(data, 24)),
		external: le32(data, 38), header: int64(le32(data, 42)),
	}
	disk := uint32(le16(data, 34))
	err := expand64(data[sizeCentral+nameLen:sizeCentral+nameLen+extraLen], at, &e.size, &e.packed, &e.header)
	if err == nil && disk != 0 && disk != 0xFFFF {
		err = failAt(Unsupported, at, "the archive is split over several files")
	}
	if err != nil {
		err.Member = e.name
		return nil, 0, err
	}
	return e, n, nil
}

// expand64 replaces values of 0xFFFFFFFF by those of the zip64 extra field, which
// has only the ones that are needed, in this order.
func expand64(extra []byte, at int64, values ...*int64) *Error {
	var field []byte
	for len(extra) >= 4 {
		id, n := le16(extra, 0), int(le16(extra, 2))
		if n > len(extra)-4 {
			break // padding of alignment tools
		}
		if id == 1 && field == nil {
			field = extra[4 : 4+n]
		}
		extra = extra[4+n:]
	}
	for _, v := range values {
		if *v != 0xFFFFFFFF {
			continue
		}
		if field == nil {
			// Exactly 4 GiB - 1 without zip64 is legal but never seen; with the
			// field missing it would be a guess.
			return failAt(Malformed, at, "a zip64 value is missing")
		}
		if len(field) < 8 || le64(field, 0) > 1<<62 {
			return failAt(Malformed, at, "a zip64 value is missing or absurd")
		}
		*v = int64(le64(field, 0))
		field = slices.Clip(field[8:])
	}
	return nil
}

// truncated says how many bytes a download is short of. want is what the archive
// needs at least.
func truncated(have, want int64) *Error {
	e := fail(Truncated, "%d of %d bytes; download it again", have, want)
	e.Have, e.Want = have, want
	return e
}

// known beginnings of files that people take for bundles.
var otherFiles = []struct{ magic, what string }{
	{"Rar!", "it is a RAR archive; unpack it, the bundle is inside"},
	{"7z\xbc\xaf\x27\x1c", "it is a 7z archive; unpack it, the bundle is inside"},
	{"\x1f\x8b", "it is a gzip file"},
	{"\x03SIN", "it is a single SIN image"},
	{"\x7fELF", "it is a program or kernel image"},
	{"ANDROID!", "it is an Android boot image"},
	{"<!doctype html", "it is a web page; the download link led to a page, not to the file"},
	{"<html", "it is a web page; the download link led to a page, not to the file"},
}

// diagnose finds out what a file without a directory is.
func diagnose(r io.ReaderAt, size int64) error {
	head, err := readFull(r, 0, int(min(size, 64)))
	if err != nil {
		return err
	}
	if size == 0 {
		e := fail(Truncated, "it is empty; download it again")
		return e
	}
	if len(head) >= 4 && le32(head, 0) == sigLocal {
		return shortfall(r, size)
	}
	for _, f := range otherFiles {
		if bytes.HasPrefix(bytes.ToLower(head), bytes.ToLower([]byte(f.magic))) {
			return fail(NotBundle, "%s", f.what)
		}
	}
	return fail(NotBundle, "it does not begin like a zip archive")
}

// shortfall walks the members from the front, as far as their headers tell their
// sizes, to learn how long the file should have been at least.
func shortfall(r io.ReaderAt, size int64) error {
	at := int64(0)
	for range maxMembers {
		if at > size-sizeLocal {
			break
		}
		h, err := readFull(r, at, sizeLocal)
		if err != nil {
			return err
		}
		if le32(h, 0) != sigLocal {
			break
		}
		nameLen, extraLen := int(le16(h, 26)), int(le16(h, 28))
		packed, plain := int64(le32(h, 18)), int64(le32(h, 22))
		body := at + sizeLocal + int64(nameLen+extraLen)
		if packed == 0xFFFFFFFF && body <= size {
			extra, err := readFull(r, body-int64(extraLen), extraLen)
			if err != nil || expand64(extra, at, &plain, &packed) != nil {
				break
			}
		}
		if le16(h, 6)&flagDescriptor != 0 && packed == 0 {
			break // its size stands behind it
		}
		if at = body + packed; at > size {
			e := truncated(size, at)
			e.Detail = strings.Replace(e.Detail, " of ", " of at least ", 1)
			return e
		}
	}
	e := fail(Truncated, "%d bytes and then no directory of members; download it again", size)
	e.Have = size
	return e
}
