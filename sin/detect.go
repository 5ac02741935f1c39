package sin

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
)

// DetectSize is how many bytes from the start of a file Detect wants.
const DetectSize = 512

var magicGzip = []byte("\x1f\x8b")

// ustarAt is the place of the mark of a tar archive.
const ustarAt = 0x101

// Detect tells the version of a SIN by its first DetectSize bytes: 1 to 3 are those with
// a header, 4 is a gzip of a tar archive and 5 a plain one. It is 0 when the file is not a
// SIN (FORMAT.md §1). Versions 1 and 2 have no magic, so for them all that can
// be seen must fit; of a tar archive the first member must be NAME.cms or NAME.000.
func Detect(head []byte) int {
	switch {
	case bytes.HasPrefix(head, magic3):
		return 3
	case isTar(head) && isFirstMember(head):
		return 5
	case bytes.HasPrefix(head, magicGzip):
		inside := make([]byte, ustarAt+len(ustar))
		z, err := gzip.NewReader(bytes.NewReader(head))
		if err != nil {
			return 0
		}
		if _, err := io.ReadFull(z, inside); err == nil && isTar(inside) && isFirstMember(inside) {
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

// isFirstMember reports whether a tar archive starts with a member that a SIN starts with,
// or with a chunk, whose container is then missing.
func isFirstMember(head []byte) bool {
	name, _, _ := strings.Cut(string(head[:100]), "\x00")
	return strings.HasSuffix(name, ".cms") || strings.HasSuffix(name, ".000")
}

// IsTar reports whether head is the start of a tar archive, of a SIN or of anything else.
func IsTar(head []byte) bool { return isTar(head) }

// isTar reports whether head is the start of a tar archive.
func isTar(head []byte) bool {
	return len(head) > ustarAt && bytes.HasPrefix(head[ustarAt:], ustar)
}
