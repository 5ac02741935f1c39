package s1

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"xflash/usbproto"
)

// What is asked of the pipe at a time. A request is as long as what is missing, rounded
// up to whole USB packets: a longer one could wait for the end of a transfer that has
// none, because it is an exact multiple of a packet, and a shorter one could overflow
// (PROTOCOL.md §1.5).
const (
	readMost  = 16 << 10
	usbPacket = 512
)

// What a reply may hold: MAX_PKT_SZ of the largest known loader (internal/explain/ERRORS.md
// §3.1), and, while the beginning of a packet is being looked for, more than any greeting has
// (4096 bytes, PROTOCOL.md §3.2).
const (
	maxReply    = 8 << 20
	maxGreeting = 64 << 10
)

// strays is how many packets that nobody waits for are passed over in a row.
const strays = 16

// link sends and receives packets over the pipe to a phone.
type link struct {
	conn    usbproto.Conn
	parser  Parser
	buf     []byte
	sent    int  // packets
	halfway bool // a packet was sent in part only

	// searching is set while the stream may start in the middle of an answer to an
	// earlier run that was killed, or with whole answers to it (PROTOCOL.md §1.4).
	searching bool

	stall usbproto.Stall
}

func newLink(conn usbproto.Conn, opt Options) *link {
	l := &link{conn: conn, buf: make([]byte, readMost)}
	l.stall.Limit, l.stall.Report = opt.Stall, opt.OnStall
	l.search(true)
	return l
}

// search says whether the beginning of a packet must be looked for.
func (l *link) search(on bool) {
	l.searching = on
	l.parser.MaxData = maxReply
	if on {
		l.parser.MaxData = maxGreeting
	}
}

// roundTrip is one packet out and its answer in, within a limit. Greetings in between are
// passed over: they come late, or twice, from a phone that was just plugged in. late is
// a command whose answer was given up, 0 for none; it may still come.
func (l *link) roundTrip(ctx context.Context, p Packet, doing string, limit time.Duration, late Command) (Packet, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer l.stall.Watch(doing)()
	if err := l.send(ctx, p); err != nil {
		return Packet{}, err
	}
	for range strays {
		reply, err := l.receive(ctx)
		switch {
		case err != nil:
			return Packet{}, err
		case reply.Command == p.Command:
			return reply, nil
		case reply.Command != CmdInfo && (reply.Command != late || late == 0) && !l.searching:
			return Packet{}, &PacketError{Index: l.parser.index - 1,
				Reason: fmt.Sprintf("it answers %s, but the command was %s", reply.Command, p.Command)}
		}
	}
	return Packet{}, &PacketError{Index: l.parser.index - 1, Reason: "it is one of many unrequested packets"}
}

// greeting waits for a packet of command 1 that nobody asked for and that is wanted.
func (l *link) greeting(ctx context.Context, doing string, limit time.Duration, wanted func(*Info) bool) (*Info, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer l.stall.Watch(doing)()
	for {
		p, err := l.receive(ctx)
		if err != nil {
			return nil, err
		}
		if p.Command == CmdInfo {
			if info := ParseInfo(p.Data); len(info.keys) > 0 && wanted(info) {
				return info, nil
			}
		}
	}
}

// send writes a packet in up to three transfers, header, data and CRC, as every program
// that works on real phones does (PROTOCOL.md §1.5).
func (l *link) send(ctx context.Context, p Packet) error {
	l.sent++
	l.halfway = true
	for _, part := range [][]byte{p.AppendHeader(nil), p.Data, binary.BigEndian.AppendUint32(nil, CRC(p.Data))} {
		if len(part) == 0 {
			continue
		}
		if _, err := l.conn.Write(ctx, part); err != nil {
			return err
		}
		l.stall.Moved()
	}
	l.halfway = false
	return nil
}

// receive returns the next packet from the phone. The context bounds it as a whole.
func (l *link) receive(ctx context.Context) (Packet, error) {
	for {
		p, ok, err := l.parser.Next()
		switch {
		case ok:
			return p, nil
		case err != nil && l.searching:
			l.parser.Skip()
			continue
		case err != nil:
			return Packet{}, err
		}
		want := (l.parser.Missing() + usbPacket - 1) / usbPacket * usbPacket
		n, err := l.conn.Read(ctx, l.buf[:min(want, readMost)])
		if n > 0 {
			l.stall.Moved()
			l.parser.Feed(l.buf[:n])
			continue // what failed after these bytes fails again, if they are not enough
		}
		if err != nil {
			return Packet{}, err
		}
	}
}

// between reports whether both directions stand between two packets, so that another
// command can be sent.
func (l *link) between() bool { return !l.halfway && l.parser.Empty() }
