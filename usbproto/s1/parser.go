package s1

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Parser takes the phone's packets out of a byte stream. Transfers may split and join
// packets at will; what is left over belongs to the next packet (PROTOCOL.md §1.5).
// Both checksums must be right.
type Parser struct {
	MaxData int // longest data accepted, in bytes

	buf    []byte // what came
	at     int    // how much of it is used up
	index  int    // packets so far
	broken error
}

// Feed adds bytes that came from the phone.
func (p *Parser) Feed(b []byte) {
	if p.at > 0 {
		p.buf = append(p.buf[:0], p.buf[p.at:]...)
		p.at = 0
	}
	p.buf = append(p.buf, b...)
}

// Missing is how many bytes are still needed, as far as is known: those of the header,
// and after it those of data and CRC.
func (p *Parser) Missing() int {
	have := p.buf[p.at:]
	want := headerSize
	if len(have) >= headerSize {
		want += int(min(int64(p.MaxData), int64(binary.BigEndian.Uint32(have[8:])))) + crcSize
	}
	return max(want-len(have), 0)
}

// Empty reports whether the stream stands between two packets.
func (p *Parser) Empty() bool { return p.at == len(p.buf) }

// Next returns the next whole packet; false when more bytes are needed. The announced
// length is compared with MaxData before anything is kept for it. After an error the
// stream cannot be trusted any more, and the error stays, unless Skip is used.
func (p *Parser) Next() (Packet, bool, error) {
	have := p.buf[p.at:]
	if p.broken != nil || len(have) < headerSize {
		return Packet{}, false, p.broken
	}
	if sum, got := Checksum(have[:headerSize-1]), have[headerSize-1]; sum != got {
		return Packet{}, false, p.fail("its header has the checksum %02X instead of %02X", got, sum)
	}
	pk := Packet{
		Command: Command(binary.BigEndian.Uint32(have)),
		Flags:   binary.BigEndian.Uint32(have[4:]),
	}
	if pk.Flags&^flagsKnown != 0 {
		return Packet{}, false, p.fail("it has the unknown flags %08X", pk.Flags)
	}
	length := binary.BigEndian.Uint32(have[8:])
	if int64(length) > int64(p.MaxData) {
		return Packet{}, false, p.fail("it announces %d bytes; the limit is %d", length, p.MaxData)
	}
	end := headerSize + int(length)
	if len(have) < end+crcSize {
		return Packet{}, false, nil
	}
	pk.Data = slices.Clone(have[headerSize:end])
	if sum, got := CRC(pk.Data), binary.BigEndian.Uint32(have[end:]); sum != got {
		return Packet{}, false, p.fail("its data has the checksum %08X instead of %08X", got, sum)
	}
	p.at += end + crcSize
	p.index++
	return pk, true, nil
}

// Skip drops one byte and the error with it: the way to find the next packet in a
// stream that was entered in the middle of another one.
func (p *Parser) Skip() {
	p.broken = nil
	p.at = min(p.at+1, len(p.buf))
}

func (p *Parser) fail(format string, a ...any) error {
	p.broken = &PacketError{Index: p.index, Reason: fmt.Sprintf(format, a...)}
	return p.broken
}
