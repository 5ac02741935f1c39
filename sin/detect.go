package sin

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
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

// Kind is what the bytes of a payload or a partition are.
type Kind string

// Kinds that this package distinguishes (FORMAT.md §7).
const (
	KindRaw    Kind = "raw"
	KindELF    Kind = "ELF"
	KindBoot   Kind = "Android boot image"
	KindExt4   Kind = "ext4"
	KindFAT    Kind = "FAT"
	KindSparse Kind = "Android sparse image"
	KindYaffs2 Kind = "yaffs2"
	KindLayout Kind = "partition layout"
	KindSIN    Kind = "SIN"
)

// HeadSize is how many bytes from the start of a payload or partition Recognize wants.
const HeadSize = 4096

// The ext4 superblock lies at 1024: magic, number of blocks, size of a block.
const extMagic, extBlocks, extBlockSize = 0x438, 0x404, 0x418

// Recognize tells the kind by the first bytes, never by a name. Fewer bytes than
// HeadSize are taken for all there is.
func Recognize(head []byte) Kind {
	starts := func(s string) bool { return bytes.HasPrefix(head, []byte(s)) }
	switch {
	case starts("\x7fELF"):
		return KindELF
	case starts("ANDROID!"):
		return KindBoot
	case starts("\x3a\xff\x26\xed"):
		return KindSparse
	case starts(string(magic3)):
		return KindSIN
	case starts("\x03\x00\x00\x00\x01\x00\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00"):
		return KindYaffs2
	case ExtSize(head) > 0:
		return KindExt4
	case starts("\xeb\x3c\x90"), starts("\xeb\x58\x90"):
		return KindFAT
	}
	return KindRaw
}

// ExtSize is the size in bytes of the ext2, ext3 or ext4 file system that starts with
// head, or 0 when there is none.
func ExtSize(head []byte) int64 {
	le := binary.LittleEndian
	if len(head) < extMagic+2 || le.Uint16(head[extMagic:]) != 0xEF53 {
		return 0
	}
	shift := le.Uint32(head[extBlockSize:])
	if shift > 6 { // 64 KiB, the largest block
		return 0
	}
	return int64(le.Uint32(head[extBlocks:])) << (10 + shift)
}
