package unpack

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
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

// lz4FrameEnd finds the end of the frame at the start of data, len(data) when it has none.
func lz4FrameEnd(data []byte) int {
	const flagContentSum, flagSize, flagBlockSum, flagDictionary = 1 << 2, 1 << 3, 1 << 4, 1 << 0
	if len(data) < 7 {
		return len(data)
	}
	flags, at := data[4], 7
	if flags&flagSize != 0 {
		at += 8
	}
	if flags&flagDictionary != 0 {
		at += 4
	}
	for at+4 <= len(data) {
		size := int(binary.LittleEndian.Uint32(data[at:]) &^ (1 << 31))
		at += 4
		if size == 0 {
			if flags&flagContentSum != 0 {
				at += 4
			}
			break
		}
		if flags&flagBlockSum != 0 {
			size += 4
		}
		if size > len(data)-at {
			return len(data)
		}
		at += size
	}
	return min(at, len(data))
}

// zstdFrameEnd finds the end of the frame at the start of data (RFC 8878 §3.1.1), len(data) when
// it has none.
func zstdFrameEnd(data []byte) int {
	var header zstd.Header
	if header.Decode(data) != nil {
		return len(data)
	}
	for at := header.HeaderSize; at+3 <= len(data); {
		head := uint32(binary.LittleEndian.Uint16(data[at:])) | uint32(data[at+2])<<16
		size := int(head >> 3)
		if head>>1&3 == 1 { // one byte, that many times
			size = 1
		}
		if at += 3 + size; head&1 == 0 {
			continue
		}
		if header.HasCheckSum {
			at += 4
		}
		return min(at, len(data))
	}
	return len(data)
}
