package simphone

import "encoding/binary"

// Packet layout of the S1 flash mode, from usbproto/s1/PROTOCOL.md §2.1: a 13-byte header
// (command, flags, length: big-endian 32-bit each, then one checksum byte), the
// data, and a 4-byte big-endian CRC that is sent even when there are no data.
const (
	headerSize  = 13
	trailerSize = 4
)

// Reply flags, usbproto/s1/PROTOCOL.md §2.4. A refusal has none of them.
const (
	flagAccepted = 1 // bit 0
	flagMore     = 4 // bit 2: the host may fetch, or will send, more parts
)

// A packetHeader is one decoded S1 packet header.
type packetHeader struct {
	command uint32
	flags   uint32
	length  uint32
	sum     byte // checksum byte as it was on the wire
}

func parseHeader(b *[headerSize]byte) packetHeader {
	return packetHeader{
		command: binary.BigEndian.Uint32(b[0:]),
		flags:   binary.BigEndian.Uint32(b[4:]),
		length:  binary.BigEndian.Uint32(b[8:]),
		sum:     b[12],
	}
}

// more reports that the host will send further parts of the same thing.
func (h packetHeader) more() bool { return h.flags&flagMore != 0 }

func appendHeader(b []byte, command, flags, length uint32) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, command)
	b = binary.BigEndian.AppendUint32(b, flags)
	b = binary.BigEndian.AppendUint32(b, length)
	return append(b, headerSum(b[start:]))
}

// headerSum is the header checksum: the XOR of the 12 bytes, plus 7
// (usbproto/s1/PROTOCOL.md §2.2).
func headerSum(b []byte) byte {
	var x byte
	for _, c := range b[:12] {
		x ^= c
	}
	return x + 7
}

// crcTable belongs to the reflected polynomial 0xEDB88320. It is computed here
// and not taken from hash/crc32 because the S1 CRC starts at 0 and is not
// inverted at the end (usbproto/s1/PROTOCOL.md §2.3).
var crcTable = func() (t [8][256]uint32) {
	for i := range t[0] {
		c := uint32(i)
		for range 8 {
			c = c>>1 ^ 0xEDB88320&-(c&1)
		}
		t[0][i] = c
	}
	for i := range t[0] {
		for k := 1; k < 8; k++ {
			t[k][i] = t[k-1][i]>>8 ^ t[0][byte(t[k-1][i])]
		}
	}
	return t
}()

// dataCRC is the CRC of the packet data; no data give 0.
func dataCRC(b []byte) uint32 {
	var c uint32
	for len(b) >= 8 {
		c ^= binary.LittleEndian.Uint32(b)
		d := binary.LittleEndian.Uint32(b[4:])
		c = crcTable[7][byte(c)] ^ crcTable[6][byte(c>>8)] ^ crcTable[5][byte(c>>16)] ^ crcTable[4][c>>24] ^
			crcTable[3][byte(d)] ^ crcTable[2][byte(d>>8)] ^ crcTable[1][byte(d>>16)] ^ crcTable[0][d>>24]
		b = b[8:]
	}
	for _, x := range b {
		c = c>>8 ^ crcTable[0][byte(c)^x]
	}
	return c
}
