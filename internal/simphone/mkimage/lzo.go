package mkimage

import (
	"encoding/binary"
	"hash/adler32"
)

// lzop packs data as the program of that name does, in blocks of 256 KiB.
func lzop(data []byte) []byte {
	be := binary.BigEndian
	// Versions of the program, of its library, and the one needed; LZO1X-999, level 9.
	head := []byte{0x10, 0x30, 0x20, 0xA0, 0x09, 0x40, 3, 9}
	head = be.AppendUint32(head, 1)          // Adler-32 of the data of each block
	head = append(head, make([]byte, 13)...) // mode, time, no name
	out := append([]byte("\x89LZO\x00\r\n\x1a\n"), head...)
	out = be.AppendUint32(out, adler32.Checksum(head))
	for len(data) > 0 {
		block := data[:min(len(data), 256<<10)]
		data = data[len(block):]
		packed := lzo1x(block)
		if len(packed) >= len(block) {
			packed = block
		}
		out = be.AppendUint32(out, uint32(len(block)))
		out = be.AppendUint32(out, uint32(len(packed)))
		out = be.AppendUint32(out, adler32.Checksum(block))
		out = append(out, packed...)
	}
	return be.AppendUint32(out, 0)
}

// lzo1x packs a block with two instructions only: runs of literals, and matches within
// 16 KiB.
func lzo1x(block []byte) (out []byte) {
	const least, farthest = 8, 16 << 10
	seen := map[uint64]int{}
	last := -1                   // place of the byte whose two low bits count the literals after a match
	count := func(n, room int) { // what a length is above the room in its code
		for n -= room; n > 255; n -= 255 {
			out = append(out, 0)
		}
		out = append(out, byte(n))
	}
	literals := func(run []byte) {
		switch n := len(run); {
		case n == 0:
		case n < 4 && last >= 0:
			out[last] |= byte(n)
		case n < 4: // the whole block
			out = append(out, byte(17+n))
		case n <= 18:
			out = append(out, byte(n-3))
		default:
			out = append(out, 0)
			count(n, 18)
		}
		out = append(out, run...)
	}
	done := 0
	for i := 4; i+least <= len(block); {
		key := binary.LittleEndian.Uint64(block[i:])
		from, ok := seen[key]
		seen[key] = i
		if !ok || i-from > farthest {
			i++
			continue
		}
		n := least
		for i+n < len(block) && block[from+n] == block[i+n] {
			n++
		}
		literals(block[done:i])
		if n-2 <= 31 {
			out = append(out, byte(32|n-2))
		} else {
			out = append(out, 32)
			count(n-2, 31)
		}
		last = len(out)
		out = binary.LittleEndian.AppendUint16(out, uint16((i-from-1)<<2))
		i += n
		done = i
	}
	literals(block[done:])
	return append(out, 17, 0, 0)
}
