package sin

import (
	"bytes"
	"compress/gzip"
	"io"
)

// DetectSize is how many bytes from the start of a file Detect wants.
const DetectSize = 512

var magicGzip = []byte("\x1f\x8b")

// ustarAt is the place of the mark of a tar archive.
const ustarAt = 0x101

// Detect tells the version of a SIN by its first DetectSize bytes: 1 to 3 are those with
// a header, 4 is a gzip of a tar archive and 5 a plain one. It is 0 when the file is no
// SIN (sin-ftf-format.md §1). Versions 1 and 2 have no magic, so for them all that can
// be seen must fit.
func Detect(head []byte) int {
	switch {
	case bytes.HasPrefix(head, magic3):
		return 3
	case isTar(head):
		return 5
	case bytes.HasPrefix(head, magicGzip):
		inside := make([]byte, ustarAt+len(ustar))
		z, err := gzip.NewReader(bytes.NewReader(head))
		if err != nil {
			return 0
		}
		if _, err := io.ReadFull(z, inside); err == nil && isTar(inside) {
			return 4
		}
	case len(head) >= fixed12+9:
		if right, seen := looksLike12(head); right == seen {
			return int(head[0])
		}
	}
	return 0
}

var ustar = []byte("ustar")

// isTar reports whether head is the start of a tar archive.
func isTar(head []byte) bool {
	return len(head) > ustarAt && bytes.HasPrefix(head[ustarAt:], ustar)
}
