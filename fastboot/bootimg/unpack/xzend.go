package unpack

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	xzHeader = 12 // bytes of a stream header, and of a footer
	xzFooter = 12
)

// xzEnd finds the end of the xz stream at the start of data, len(data) when it has
// none. The decoder reads ahead and takes zeros after a stream for padding
// (a kernel's size word starts with zeros often enough), so it must not see
// them. A footer is at a multiple of four bytes; that it is the stream's own
// one, and not that of an .xz file packed inside, is recognised by the index: header,
// blocks and index must fill all that is before it.
func xzEnd(data []byte) int {
	for end := xzHeader + xzFooter; end <= len(data); end += 4 {
		if data[end-2] == 'Y' && data[end-1] == 'Z' && isXZStream(data[:end]) {
			return end
		}
	}
	return len(data)
}

func isXZStream(b []byte) bool {
	footer := b[len(b)-xzFooter:]
	if crc32.ChecksumIEEE(footer[4:10]) != binary.LittleEndian.Uint32(footer) {
		return false
	}
	index := (int64(binary.LittleEndian.Uint32(footer[4:])) + 1) * 4
	start := int64(len(b)) - xzFooter - index
	if start < xzHeader || b[start] != 0 {
		return false
	}
	rest := b[start+1 : len(b)-xzFooter]
	count, rest := xzNumber(rest)
	blocks := uint64(0)
	for ; count > 0 && len(rest) > 0; count-- {
		var unpadded uint64
		unpadded, rest = xzNumber(rest)
		_, rest = xzNumber(rest)
		blocks += (unpadded + 3) &^ 3
	}
	return count == 0 && blocks == uint64(start-xzHeader)
}

// xzNumber reads a number of seven bits per byte, at most nine bytes.
func xzNumber(b []byte) (uint64, []byte) {
	var v uint64
	for i := 0; i < len(b) && i < 9; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return v, b[i+1:]
		}
	}
	return 0, nil
}
