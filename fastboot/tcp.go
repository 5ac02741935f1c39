package fastboot

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"xflash/usbproto"
)

// DefaultPort is the port of loaders that listen on a network.
const DefaultPort = "5554"

// maxTCP is the longest message that is believed, bytes: a download is 4 GiB at most.
const maxTCP = 1 << 32

// tcpConn gives each message the length in front that fastboot over TCP asks for
// (PROTOCOL.md §1). One Read gives bytes of one message only.
type tcpConn struct {
	usbproto.Conn
	head []byte // of a message whose length has not come completely
	left uint64 // bytes of the current message that were not read
}

// DialTCP connects to a loader that listens on TCP. addr is HOST or HOST:PORT.
func DialTCP(ctx context.Context, addr string) (usbproto.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", withPort(addr))
	if err != nil {
		return nil, err
	}
	conn, err := shakeHands(ctx, usbproto.NewNetConn(c, "tcp:"+addr), addr)
	if err != nil {
		_ = c.Close() // the failure of the handshake matters
		return nil, err
	}
	return conn, nil
}

func withPort(addr string) string {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return net.JoinHostPort(addr, DefaultPort)
	}
	return addr
}

// shakeHands exchanges the four bytes FB01, for which each side has two seconds.
func shakeHands(ctx context.Context, c usbproto.Conn, addr string) (*tcpConn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := c.Write(ctx, []byte("FB01")); err != nil {
		return nil, err
	}
	var answer [4]byte
	for n := 0; n < len(answer); {
		k, err := c.Read(ctx, answer[n:])
		if n += k; err != nil {
			return nil, fmt.Errorf("no fastboot at %s: %w", addr, err)
		}
	}
	if string(answer[:2]) != "FB" || answer[2] < '0' || answer[2] > '9' || answer[3] < '0' || answer[3] > '9' {
		return nil, fmt.Errorf("no fastboot at %s: it answers %q", addr, answer)
	}
	return &tcpConn{Conn: c}, nil
}

// Write sends a command with its length in one packet, because U-Boot takes no other.
func (t *tcpConn) Write(ctx context.Context, p []byte) (int, error) {
	head := binary.BigEndian.AppendUint64(nil, uint64(len(p)))
	if len(p) <= 64*maxCommand {
		n, err := t.Conn.Write(ctx, append(head, p...))
		return max(n-len(head), 0), err
	}
	if _, err := t.Conn.Write(ctx, head); err != nil {
		return 0, err
	}
	return t.Conn.Write(ctx, p)
}

// Read returns as much of the current message as fits. What came before a deadline passed
// counts for the next call.
func (t *tcpConn) Read(ctx context.Context, p []byte) (int, error) {
	for t.left == 0 {
		var head [8]byte
		n, err := t.Conn.Read(ctx, head[:8-len(t.head)])
		t.head = append(t.head, head[:n]...)
		if err != nil {
			return 0, err
		}
		if len(t.head) < 8 {
			continue
		}
		if t.left, t.head = binary.BigEndian.Uint64(t.head), nil; t.left > maxTCP {
			return 0, fmt.Errorf("a message of %d bytes is announced, which is not fastboot", t.left)
		}
	}
	want := p[:min(uint64(len(p)), t.left)]
	n, err := t.Conn.Read(ctx, want)
	t.left -= uint64(n)
	// A message that came in several packets is still one message.
	for err == nil && n < len(want) {
		var k int
		k, err = t.Conn.Read(ctx, want[n:])
		n, t.left = n+k, t.left-uint64(k)
	}
	return n, err
}
