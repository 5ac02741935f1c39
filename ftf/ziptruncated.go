package ftf

import (
	"bytes"
	"io"
	"strings"
)

// truncated says how many bytes a download is short of. want is what the archive
// needs at least.
func truncated(have, want int64) *Error {
	e := fail(Truncated, "%d of %d bytes; download it again", have, want)
	e.Have, e.Want = have, want
	return e
}

// otherArchives are archives that are not zip, by their first bytes.
var otherArchives = map[string]string{"Rar!\x1a\x07": "RAR archive", "7z\xbc\xaf\x27\x1c": "7z archive"}

// OtherArchive names an archive that is not zip by its first bytes; "" is any other file.
func OtherArchive(head []byte) string {
	for magic, name := range otherArchives {
		if bytes.HasPrefix(head, []byte(magic)) {
			return name
		}
	}
	return ""
}

// IsZip reports whether a file starts like a zip archive.
func IsZip(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

// diagnose finds out what a file without a directory is.
func diagnose(r io.ReaderAt, size int64) error {
	head, err := readFull(r, 0, int(min(size, 64)))
	if err != nil {
		return err
	}
	if size == 0 {
		return fail(Truncated, "it is empty; download it again")
	}
	if begin := []byte("PK\x03\x04"); bytes.HasPrefix(begin, head) || bytes.HasPrefix(head, begin) {
		if err := surplus(r, size); err != nil {
			return err
		}
		return shortfall(r, size)
	}
	if name := OtherArchive(head); name != "" {
		return fail(NotBundle, "it is a %s; unpack it, the bundle is inside", name)
	}
	return fail(NotBundle, "it does not start like a zip archive")
}

// maxSurplus is how far before the end of a file the end of its archive is looked for.
const maxSurplus = 64 << 20

// surplus looks for an archive that ends so far before the end of the file that its end
// record was not seen; nil when there is none.
func surplus(r io.ReaderAt, size int64) error {
	const step = 1 << 20
	for end := size; end > max(size-maxSurplus, 0); end -= step {
		start := max(end-step-sizeEnd, 0)
		data, err := readFull(r, start, int(end-start))
		if err != nil {
			return err
		}
		for i := bytes.LastIndex(data, []byte("PK\x05\x06")); i >= 0; i = bytes.LastIndex(data[:i], []byte("PK\x05\x06")) {
			if i+sizeEnd > len(data) {
				continue
			}
			at, rec := start+int64(i), data[i:]
			if int64(le32(rec, 12))+int64(le32(rec, 16)) != at {
				continue
			}
			if rest := size - at - sizeEnd - int64(le16(rec, 20)); rest > 0 {
				return failAt(Surplus, size-rest, "%d bytes after its end", rest)
			}
		}
	}
	return nil
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
			break // its size is after it
		}
		if at = body + packed; at > size {
			e := truncated(size, at)
			e.Detail = strings.Replace(e.Detail, " of ", " of at least ", 1)
			return e
		}
	}
	e := fail(Truncated, "%d bytes without a directory of members at the end; download it again", size)
	e.Have = size
	// Download programs often reserve the whole size first.
	tail, err := readFull(r, size-min(size, 4096), int(min(size, 4096)))
	if err == nil && len(bytes.Trim(tail, "\x00")) == 0 {
		e.Detail = "the rest of it is zeros, so the download stopped; download it again"
	}
	return e
}
