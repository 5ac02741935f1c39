package fastboot

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"xflash/usbproto"
)

// Ids of packets of fastboot over UDP (PROTOCOL.md §1).
const (
	udpError = iota
	udpQuery
	udpInit
	udpData
)

const (
	udpHeader  = 4       // id, flags, sequence number, big-endian
	udpMore    = 1       // flag: the message continues in the next packet
	udpVersion = 1       // of the protocol
	udpOwnMax  = 8 << 10 // longest packet that we take, bytes, header included
	udpLeast   = 512     // both sides take at least this much
	udpResend  = 500 * time.Millisecond
	udpGiveUp  = time.Minute
	maxUnread  = 1 << 20 // bytes that a phone may have said before it is written to again
)

// udpConn carries messages in packets that are all answered. The host drives: to read, it
// sends an empty packet, and the phone puts its message into the answer.
type udpConn struct {
	mu     sync.Mutex
	c      net.Conn
	name   string
	seq    uint16
	max    int    // longest packet to send
	rest   []byte // of a message that was read and did not fit
	asked  bool   // the phone was asked for a message, and has not given all of it
	closed bool
}

// DialUDP connects to a loader that listens on UDP. addr is HOST or HOST:PORT.
func DialUDP(ctx context.Context, addr string) (usbproto.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", withPort(addr))
	if err != nil {
		return nil, err
	}
	u := &udpConn{c: c, name: "udp:" + addr, max: udpLeast}
	if err := u.begin(ctx); err != nil {
		_ = c.Close() // the failure before it matters
		return nil, fmt.Errorf("no fastboot at %s: %w", addr, err)
	}
	return u, nil
}

// begin asks for the sequence number and agrees on a packet size.
func (u *udpConn) begin(ctx context.Context) error {
	answer, _, err := u.exchange(ctx, udpQuery, 0, nil)
	if err != nil {
		return err
	}
	if len(answer) < 2 {
		return errors.New("its answer to the first packet is too short")
	}
	u.seq = binary.BigEndian.Uint16(answer)
	hello := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, udpVersion), udpOwnMax)
	if answer, _, err = u.exchange(ctx, udpInit, 0, hello); err != nil {
		return err
	}
	if len(answer) < 4 {
		return errors.New("its answer to the greeting is too short")
	}
	theirs := int(binary.BigEndian.Uint16(answer[2:]))
	if theirs < udpLeast {
		return fmt.Errorf("it accepts packets of %d bytes; the minimum is %d", theirs, udpLeast)
	}
	u.max = min(theirs, udpOwnMax)
	return nil
}

// exchange sends a packet until it is answered, and gives the data of the answer.
func (u *udpConn) exchange(ctx context.Context, id, flags byte, data []byte) (answer []byte, more bool, err error) {
	packet := append([]byte{id, flags, byte(u.seq >> 8), byte(u.seq)}, data...)
	end := time.Now().Add(udpGiveUp)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	buf := make([]byte, 64<<10)
	for {
		if ctx.Err() != nil {
			return nil, false, usbproto.ContextError(ctx)
		}
		if _, err := u.c.Write(packet); err != nil {
			return nil, false, usbproto.ErrGone
		}
		wait := time.Now().Add(udpResend)
		if wait.After(end) {
			wait = end
		}
		if err := u.c.SetReadDeadline(wait); err != nil {
			return nil, false, err
		}
		for {
			n, err := u.c.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return nil, false, usbproto.ErrGone
			}
			// Answers to packets that were sent twice come twice.
			if n < udpHeader || binary.BigEndian.Uint16(buf[2:]) != u.seq || buf[0] != id && buf[0] != udpError {
				continue
			}
			if buf[0] == udpError {
				return nil, false, fmt.Errorf("the phone reports a connection error: %.80q", buf[udpHeader:n])
			}
			if id != udpQuery { // whose answer says where to start
				u.seq++
			}
			return append([]byte(nil), buf[udpHeader:n]...), buf[1]&udpMore != 0, nil
		}
		if !time.Now().Before(end) {
			return nil, false, usbproto.ErrTimeout
		}
	}
}

func (u *udpConn) Write(ctx context.Context, p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return 0, u.fail("write", 0, usbproto.ErrClosed)
	}
	// A question that was given up may have reached the phone: another packet with its number
	// would be taken for the same one.
	for u.asked {
		if err := u.ask(ctx); err != nil {
			return 0, u.fail("write", 0, err)
		}
		if len(u.rest) > maxUnread {
			return 0, u.fail("write", 0, errors.New("the phone does not stop sending"))
		}
	}
	room := u.max - udpHeader
	for sent := 0; ; {
		n := min(room, len(p)-sent)
		flags := byte(0)
		if sent+n < len(p) {
			flags = udpMore
		}
		if _, _, err := u.exchange(ctx, udpData, flags, p[sent:sent+n]); err != nil {
			return sent, u.fail("write", sent, err)
		}
		if sent += n; sent == len(p) {
			return sent, nil
		}
	}
}

// Read asks until the phone has something to say: it answers with an empty packet while it
// works.
func (u *udpConn) Read(ctx context.Context, p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return 0, u.fail("read", 0, usbproto.ErrClosed)
	}
	for len(u.rest) == 0 || u.asked {
		if err := u.ask(ctx); err != nil {
			return 0, u.fail("read", 0, err)
		}
		if len(u.rest) == 0 { // it is at work; do not fill the line with questions
			select {
			case <-ctx.Done():
				return 0, u.fail("read", 0, usbproto.ContextError(ctx))
			case <-time.After(10 * time.Millisecond):
			}
		}
		if len(u.rest) > maxAnswer {
			break
		}
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

// ask sends one empty packet and keeps what the phone answers.
func (u *udpConn) ask(ctx context.Context) error {
	u.asked = true
	data, more, err := u.exchange(ctx, udpData, 0, nil)
	u.rest = append(u.rest, data...)
	if err == nil {
		u.asked = more
	}
	return err
}

func (u *udpConn) fail(op string, done int, err error) error {
	return &usbproto.TransferError{Op: op, Device: u.name, N: done, Err: err}
}

func (u *udpConn) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	u.closed = true
	return u.c.Close()
}
