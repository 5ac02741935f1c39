// Package unpack decompresses what comes from outside: kernels and ramdisks
// inside boot images, and compressed files. Every decoder is bounded: in its
// output by a limit of the caller, in its dictionary by MaxDictionary.
//
// Sources: fastboot/bootimg/FORMAT.md §6.1 (formats and magics) and §6.2 (what follows a
// stream inside a kernel), fastboot/bootimg/FORMAT.md §6.6 (which library does what, measured).
// The library for .xz is one that knows BCJ filters and reports truncation;
// the .lzma one gets its dictionary cap told.
package unpack

import (
	"bytes"
	"encoding/binary"
)

// MaxDictionary is the largest dictionary of an xz or lzma stream that is accepted, in bytes.
const MaxDictionary = 64 << 20

// HeadSize is how many bytes Detect wants to see. With fewer it still decides by the magic.
const HeadSize = 13

// Format is a compression format.
type Format int

// The formats.
const (
	None Format = iota
	Gzip
	Bzip2
	LZMA // the old format without a container, "lzma alone"
	XZ
	LZO       // LZO1X in the container of lzop
	LZ4Legacy // the one that kernels use
	LZ4Frame
	Zstd
)

var formatNames = [...]string{"none", "gzip", "bzip2", "lzma", "xz", "lzo", "lz4 (legacy)", "lz4", "zstd"}

// String names the format as the field does.
func (f Format) String() string { return formatNames[f] }

var magics = []struct {
	format Format
	magic  string
}{
	{Gzip, "\x1f\x8b\x08"},
	{XZ, "\xfd7zXZ\x00"},
	{LZO, lzoMagic},
	{LZ4Legacy, "\x02\x21\x4c\x18"},
	{LZ4Frame, "\x04\x22\x4d\x18"},
	{Zstd, "\x28\xb5\x2f\xfd"},
}

// Detect tells the format of data from its first bytes, None when it is not one of
// those known. Formats with a short magic are looked at more closely, since
// kernels are searched for it byte by byte.
func Detect(head []byte) Format {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.format
		}
	}
	switch {
	case isBzip2(head):
		return Bzip2
	case isLZMA(head):
		return LZMA
	}
	return None
}

// Next finds the first place from at on where data of a known format may start,
// len(data) and None when there is none.
func Next(data []byte, at int) (int, Format) {
	for ; at < len(data); at++ {
		if !firstBytes[data[at]] {
			continue
		}
		if f := Detect(data[at:min(at+HeadSize, len(data))]); f != None {
			return at, f
		}
	}
	return len(data), None
}

// firstBytes are those with which a format can start.
var firstBytes = func() (first [256]bool) {
	for _, m := range magics {
		first[m.magic[0]] = true
	}
	first['B'], first[0x5d] = true, true // bzip2, lzma
	return first
}()

// isBzip2 wants "BZh", the level, and the mark of a block or of the end.
func isBzip2(b []byte) bool {
	if len(b) < 4 || string(b[:3]) != "BZh" || b[3] < '1' || b[3] > '9' {
		return false
	}
	mark := b[4:min(len(b), 10)]
	return bytes.HasPrefix([]byte(bzip2Block), mark) || bytes.HasPrefix([]byte(bzip2End), mark)
}

// isLZMA wants the properties byte that everybody uses, a dictionary of 2ⁿ or
// 2ⁿ+2ⁿ⁻¹ bytes, at least 64 KiB, and a size that is unknown or below 2³⁸: the
// rule by which xz itself tells such a file, since the format has no magic.
func isLZMA(b []byte) bool {
	if len(b) < 5 || b[0] != 0x5d {
		return false
	}
	dict := binary.LittleEndian.Uint32(b[1:])
	if dict&0xffff != 0 || dict == 0 {
		return false
	}
	for dict&1 == 0 {
		dict >>= 1
	}
	if dict != 1 && dict != 3 {
		return false
	}
	if len(b) < 13 {
		return true
	}
	size := binary.LittleEndian.Uint64(b[5:])
	return size == 1<<64-1 || size < 1<<38
}
