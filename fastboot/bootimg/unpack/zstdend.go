package unpack

import "encoding/binary"

// zstdFrameEnd finds the end of the frame at the start of data (RFC 8878 §3.1.1), len(data) when
// it has none.
func zstdFrameEnd(data []byte) int {
	if len(data) < 5 {
		return len(data)
	}
	descriptor := data[4]
	single, checksum := descriptor&(1<<5) != 0, descriptor&(1<<2) != 0
	at := 5 + [4]int{0, 1, 2, 4}[descriptor&3] // id of a dictionary
	switch {
	case !single:
		at++ // size of the window
	case descriptor>>6 == 0:
		at++ // size of the content in one byte
	}
	at += [4]int{0, 2, 4, 8}[descriptor>>6]
	for at+3 <= len(data) {
		head := uint32(binary.LittleEndian.Uint16(data[at:])) | uint32(data[at+2])<<16
		size := int(head >> 3)
		if head>>1&3 == 1 { // one byte, that many times
			size = 1
		}
		at += 3 + size
		if at > len(data) {
			return len(data)
		}
		if head&1 != 0 {
			if checksum {
				at += 4
			}
			return min(at, len(data))
		}
	}
	return len(data)
}
