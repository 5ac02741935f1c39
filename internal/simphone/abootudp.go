package simphone

import (
	"context"
	"encoding/binary"
	"net"
)

// Packet ids of fastboot over UDP (fastboot/PROTOCOL.md §1).
const (
	udpError    = 0
	udpQuery    = 1
	udpInit     = 2
	udpFastboot = 3
)

const (
	udpHead    = 4
	udpMore    = 1    // flag: the message continues in the next packet
	udpVersion = 1    // of the protocol
	udpPacket  = 2048 // bytes that this phone accepts in one packet, header included
)

// udpPhone is the phone's side of fastboot over UDP: every packet of the host is answered
// by one with the same id and number.
type udpPhone struct {
	aboot    *Aboot
	number   uint16   // of the next packet
	last     []byte   // answer to the packet before, sent again when that comes again
	incoming []byte   // message of which more is to come
	outgoing [][]byte // messages the host has not fetched
}

// ServeUDP is ServeTCP for fastboot over UDP. A session starts with the packet "init".
func (a *Aboot) ServeUDP(ctx context.Context, c net.PacketConn) error {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	defer c.Close()
	u := &udpPhone{aboot: a, number: 0x1DEA}
	buf := make([]byte, 64<<10)
	for !a.gone || len(u.outgoing) > 0 {
		n, host, err := c.ReadFrom(buf)
		if err == nil {
			if answer := u.packet(ctx, buf[:n]); answer != nil {
				_, err = c.WriteTo(answer, host)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// packet returns the answer to one packet; nil when there is none.
func (u *udpPhone) packet(ctx context.Context, b []byte) []byte {
	if len(b) < udpHead {
		return nil
	}
	id, flags, number, data := b[0], b[1], binary.BigEndian.Uint16(b[2:]), b[udpHead:]
	answer := func(id byte, data []byte) []byte {
		return append([]byte{id, 0, byte(number >> 8), byte(number)}, data...)
	}
	switch {
	case id == udpQuery:
		return answer(id, binary.BigEndian.AppendUint16(nil, u.number))
	case number == u.number-1 && u.last != nil:
		return u.last
	case number != u.number:
		return nil
	}
	switch id {
	case udpInit:
		if len(data) < 4 || binary.BigEndian.Uint16(data) < udpVersion {
			return answer(udpError, []byte("protocol version is too old"))
		}
		u.begin()
		u.last = answer(id, []byte{0, udpVersion, udpPacket >> 8, udpPacket & 0xFF})
	case udpFastboot:
		if len(data) > udpPacket-udpHead || u.aboot.want == 0 && len(u.incoming)+len(data) > longestCommand {
			return answer(udpError, []byte("packet is too large"))
		}
		u.last = answer(id, u.message(ctx, flags, data))
	default:
		return nil
	}
	u.number++
	return u.last
}

// begin starts a session, in which nothing of an earlier one is left.
func (u *udpPhone) begin() {
	u.incoming, u.outgoing, u.aboot.want, u.aboot.cable.in = nil, nil, 0, nil
}

// message takes a part of a message, or gives the next answer for an empty one. An empty one
// to which there is nothing to say is a command without a name, as with U-Boot 2025.01.
func (u *udpPhone) message(ctx context.Context, flags byte, data []byte) []byte {
	more := flags&udpMore != 0
	if len(data) == 0 && !more && len(u.incoming) == 0 && len(u.outgoing) > 0 {
		next := u.outgoing[0]
		u.outgoing = u.outgoing[1:]
		return next
	}
	u.incoming = append(u.incoming, data...)
	if more && u.aboot.want == 0 {
		return nil
	}
	answers, delay := u.aboot.message(u.incoming)
	u.incoming = nil
	if sleep(ctx, delay) {
		u.outgoing = append(u.outgoing, answers...)
	}
	return nil
}
