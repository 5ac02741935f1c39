package simphone

import (
	"context"
	"errors"

	"xflash/usbproto"
)

// conn is the host's end of the cable. What the host leaves unread stays with the
// phone for the next connection, and closing changes nothing on the phone
// (usbproto/s1/PROTOCOL.md §1.4).
type conn struct {
	cable   *cable
	device  string
	plugged int  // cable.plugged when it was opened
	closed  bool // guarded by cable.mu
	running int  // transfers under way, guarded by cable.mu
}

// Conn opens the phone as a host does. Transfers fail with usbproto.ErrGone when
// the phone leaves the bus. The phone's replies come as on USB: header, data and
// CRC are separate transfers, and one whose length is a multiple of 512 does
// not end a read.
func (p *Phone) Conn() usbproto.Conn {
	p.cable.mu.Lock()
	defer p.cable.mu.Unlock()
	c := &conn{cable: p.cable, plugged: p.cable.plugged, device: "sim:" + p.kind.name + " " + p.settings.Serial}
	if p.command != nil {
		return &commandConn{c}
	}
	return c
}

// Write gives b to the phone; it returns when the phone's USB controller has
// taken all of it.
func (c *conn) Write(ctx context.Context, b []byte) (int, error) {
	return c.transfer(ctx, "write", func() (int, bool) {
		room := outLimit - c.cable.out.Len()
		n, _ := c.cable.out.Write(b[:min(room, len(b))])
		b = b[n:]
		return n, len(b) == 0
	})
}

// Read fetches what the phone sends: until b is full or a short transfer ends.
func (c *conn) Read(ctx context.Context, b []byte) (int, error) {
	return c.transfer(ctx, "read", func() (n int, done bool) {
		for len(b) > 0 && len(c.cable.in) > 0 && !done {
			t := &c.cable.in[0]
			k := copy(b, t.rest)
			b, t.rest, n = b[k:], t.rest[k:], n+k
			if len(t.rest) == 0 {
				done = t.short
				c.cable.in = c.cable.in[1:]
			}
		}
		return n, done || len(b) == 0
	})
}

// transfer repeats step until it is done, waiting for the phone in between.
func (c *conn) transfer(ctx context.Context, op string, step func() (n int, done bool)) (total int, err error) {
	bus := c.cable
	bus.mu.Lock()
	defer bus.mu.Unlock()
	c.running++
	defer func() {
		c.running--
		bus.signal()
		if err != nil {
			err = &usbproto.TransferError{Op: op, Device: c.device, N: total, Err: err}
		}
	}()
	for {
		switch {
		case c.closed:
			return total, usbproto.ErrClosed
		case bus.gone, bus.plugged != c.plugged:
			return total, usbproto.ErrGone
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return total, usbproto.ErrTimeout
		case ctx.Err() != nil:
			return total, ctx.Err()
		}
		n, done := step()
		total += n
		if n > 0 {
			bus.signal()
		}
		if done {
			return total, nil
		}
		bus.wait(ctx.Done())
	}
}

// Close ends the host's use of the phone and waits for a running transfer.
func (c *conn) Close() error {
	bus := c.cable
	bus.mu.Lock()
	defer bus.mu.Unlock()
	c.closed = true
	bus.signal()
	for c.running > 0 {
		bus.wait(nil)
	}
	return nil
}
