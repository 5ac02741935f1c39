// Package extract takes the files of a rescue apart: SIN
// images, firmware bundles, Android sparse images and whole-disk dumps become raw or
// sparse partition images, and a folder of images becomes a bundle.
//
// The formats are those of packages sin, ftf, fastboot/sparse and internal/gpt; here is
// what connects them with files on the computer. Everything streams and is verified on
// the way. A file appears under its name only when it is whole and on the disk.
//
// Facts: sin/FORMAT.md §4.2 (what becomes of gaps), ftf/FORMAT.md §3 (names in bundles);
// internal/phone/PHONES.md §3.6, §8.3 (partitions that belong to one phone), ftf/FORMAT.md §8 (what a
// restore needs).
package extract

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"xflash/fastboot/sparse"
	"xflash/sin"
	"xflash/sin/gpt"
)

// Format is what kind of container a file is.
type Format string

// Formats that can be taken apart.
const (
	FormatNone   Format = ""
	FormatBundle Format = "firmware bundle"
	FormatSIN    Format = "SIN image"
	FormatSparse Format = "Android sparse image"
	FormatDump   Format = "whole-disk dump"
)

// formatHead is how many bytes tell the format: also those by which sin.Recognize knows
// a file system.
const formatHead = sin.HeadSize

// detect tells the format of an open file by its content. Kind is what it is when it is
// none of them.
func detect(f *os.File) (Format, sin.Kind, error) {
	head := make([]byte, formatHead)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return FormatNone, "", err
	}
	head = head[:n]
	switch {
	case sparse.Is(head):
		return FormatSparse, "", nil
	case isZip(head):
		return FormatBundle, "", nil
	case isDump(head):
		return FormatDump, "", nil
	case sin.Detect(head) != 0:
		return FormatSIN, "", nil
	}
	return FormatNone, sin.Recognize(head), nil
}

func isZip(head []byte) bool {
	return len(head) >= 4 && (string(head[:4]) == "PK\x03\x04" || string(head[:4]) == "PK\x05\x06")
}

// isDump reports whether a file begins like a disk with a GUID partition table: the
// table in sector 1, or the protective MBR alone, so that a damaged table is called
// what it is.
func isDump(head []byte) bool {
	if len(head) < 2*gpt.SectorSize {
		return false
	}
	const protective, firstType = 0xEE, 446 + 4
	return string(head[gpt.SectorSize:gpt.SectorSize+8]) == "EFI PART" ||
		head[510] == 0x55 && head[511] == 0xAA && head[firstType] == protective
}

// regular opens a file that is neither a folder nor a device.
func regular(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("it is no regular file")}
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}
