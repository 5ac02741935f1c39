package simphone

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"xflash/usbproto"
)

// abootConn is the host's end of the cable to a phone in fastboot mode. As on USB, one
// write is one message and one read gives one message. What the host leaves unread stays
// for the next connection.
type abootConn struct {
	aboot  *Aboot
	mu     sync.Mutex
	queue  [][]byte
	closed bool
}

// Conn opens the phone as a host does. Once it has left the bus, reads give what it said
// before that, then usbproto.ErrGone.
func (a *Aboot) Conn() usbproto.Conn { return &abootConn{aboot: a} }

func (c *abootConn) fail(op string, err error) error {
	return &usbproto.TransferError{Op: op, Device: "sim:z3c fastboot", Err: err}
}

// state is the error of a connection that can do nothing more.
func (c *abootConn) state(ctx context.Context) error {
	switch {
	case c.closed:
		return usbproto.ErrClosed
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return usbproto.ErrTimeout
	}
	return ctx.Err()
}

func (c *abootConn) Write(ctx context.Context, b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.state(ctx); err != nil {
		return 0, c.fail("write", err)
	}
	if c.aboot.gone {
		return 0, c.fail("write", usbproto.ErrGone)
	}
	c.aboot.message(b, func(text string) { c.queue = append(c.queue, []byte(text)) })
	return len(b), nil
}

// Read gives the next answer. The phone never speaks by itself, so with none at hand only
// the deadline can come.
func (c *abootConn) Read(ctx context.Context, b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.state(ctx); err != nil {
		return 0, c.fail("read", err)
	}
	if len(c.queue) == 0 {
		if c.aboot.gone {
			return 0, c.fail("read", usbproto.ErrGone)
		}
		c.mu.Unlock()
		<-ctx.Done()
		c.mu.Lock()
		return 0, c.fail("read", c.state(ctx))
	}
	message := c.queue[0]
	c.queue = c.queue[1:]
	if len(message) > len(b) {
		return copy(b, message), c.fail("read", usbproto.ErrOverflow)
	}
	return copy(b, message), nil
}

func (c *abootConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

// ServeTCP gives the phone to one client of the listener after the other, in the form of
// fastboot over TCP (boot-fastboot.md §8.1), until the phone leaves (nil) or ctx ends.
// The listener is closed.
func (a *Aboot) ServeTCP(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	for !a.gone {
		client, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		end := context.AfterFunc(ctx, func() { client.Close() })
		a.serveTCP(client)
		end()
		client.Close()
	}
	return nil
}

func (a *Aboot) serveTCP(client net.Conn) {
	_ = client.SetReadDeadline(time.Now().Add(2 * time.Second))
	var hello [4]byte
	if _, err := client.Write([]byte("FB01")); err != nil {
		return
	}
	if _, err := io.ReadFull(client, hello[:]); err != nil || string(hello[:2]) != "FB" {
		return
	}
	_ = client.SetReadDeadline(time.Time{})
	buf := make([]byte, 1<<20)
	for !a.gone {
		var head [8]byte
		if _, err := io.ReadFull(client, head[:]); err != nil {
			return
		}
		for left := binary.BigEndian.Uint64(head[:]); left > 0; {
			n := min(left, uint64(len(buf)))
			if a.want > 0 {
				n = min(n, uint64(a.want))
			}
			if _, err := io.ReadFull(client, buf[:n]); err != nil {
				return
			}
			left -= n
			failed := false
			a.message(buf[:n], func(text string) {
				message := append(binary.BigEndian.AppendUint64(nil, uint64(len(text))), text...)
				if _, err := client.Write(message); err != nil {
					failed = true
				}
			})
			if failed {
				return
			}
		}
	}
}

// ServeUDP is ServeTCP for fastboot over UDP.
func (a *Aboot) ServeUDP(ctx context.Context, c net.PacketConn) error {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	defer c.Close()
	const header, most = 4, 2048
	var (
		seq      uint16 = 0x1DEA // of the next packet; the host asks for it
		last     []byte          // answer to the packet before, sent again when that comes again
		incoming []byte          // message of which more is to come
		outgoing [][]byte
		buf      = make([]byte, 64<<10)
	)
	for {
		n, host, err := c.ReadFrom(buf)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		if n < header {
			continue
		}
		id, flags, number, data := buf[0], buf[1], binary.BigEndian.Uint16(buf[2:]), buf[header:n]
		send := func(flags byte, data []byte) error {
			last = append([]byte{id, flags, byte(number >> 8), byte(number)}, data...)
			_, err := c.WriteTo(last, host)
			return err
		}
		switch {
		case id == 1:
			err = send(0, binary.BigEndian.AppendUint16(nil, seq))
		case number == seq-1 && last != nil:
			_, err = c.WriteTo(last, host)
		case number != seq:
			continue
		case id == 2:
			seq++
			incoming, outgoing = nil, nil
			err = send(0, []byte{0, 1, most >> 8, most & 0xFF})
		case id == 3 && (len(data) > 0 || flags&1 != 0):
			seq++
			incoming = append(incoming, data...)
			if flags&1 == 0 || a.want > 0 {
				a.message(incoming, func(text string) { outgoing = append(outgoing, []byte(text)) })
				incoming = nil
			}
			err = send(0, nil)
		case id == 3:
			seq++
			var message []byte
			if len(outgoing) > 0 {
				message, outgoing = outgoing[0], outgoing[1:]
			}
			err = send(0, message)
		}
		if err != nil {
			return err
		}
		if a.gone && len(outgoing) == 0 {
			return nil
		}
	}
}
