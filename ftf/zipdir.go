package ftf

import (
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

	full32 = 0xFFFFFFFF // “the value is in the zip64 field”

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
			return nil, failAt(Malformed, offset, "the file ends %d bytes early", n)
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
	if dir.trailing > 0 {
		return nil, dir, failAt(Surplus, size-dir.trailing, "%d bytes after its end", dir.trailing)
	}
	switch {
	case dir.count > maxMembers:
		return nil, dir, failAt(TooMany, dir.offset, "%d members; the limit is %d", dir.count, maxMembers)
	case dir.size > maxDirectory:
		return nil, dir, failAt(TooLarge, dir.offset, "a directory of %d bytes; the limit is %d", dir.size, maxDirectory)
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

// parseCentral reads one entry of the directory; at is its offset in the file.
func parseCentral(data []byte, at int64) (*zipEntry, int, error) {
	if len(data) < sizeCentral || le32(data, 0) != sigCentral {
		return nil, 0, failAt(Malformed, at, "no directory entry")
	}
	nameLen, extraLen, commentLen := int(le16(data, 28)), int(le16(data, 30)), int(le16(data, 32))
	n := sizeCentral + nameLen + extraLen + commentLen
	if n > len(data) {
		return nil, 0, failAt(Malformed, at, "a directory entry of %d bytes, but only %d are left", n, len(data))
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

// expand64 replaces full values by those of the zip64 extra field, which
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
		if *v != full32 {
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
