package simphone

import (
	"context"
	"time"

	"xflash/usbproto"
)

// abootConn is the host's end of the cable to a phone in fastboot mode. As on USB, one
// write is one message and one read gives one message at most. What the host leaves unread
// stays for the next connection.
type abootConn struct {
	*conn
	aboot *Aboot
}

// Conn opens the phone as a host does. Once it has left the bus, reads give what it said
// before that, then usbproto.ErrGone.
func (a *Aboot) Conn() usbproto.Conn {
	return &abootConn{&conn{cable: a.cable, device: "sim:" + a.phone.kind.name + " fastboot"}, a}
}

// Write gives the phone one message, which is carried out at once. An empty one is not a
// message: it only tells whether the phone is still there.
func (c *abootConn) Write(ctx context.Context, b []byte) (int, error) {
	gone := false
	n, err := c.transfer(ctx, "write", func() (int, bool) {
		if len(b) == 0 { // it leaves when its last answer has been fetched
			gone = c.aboot.gone && len(c.cable.in) == 0
			return 0, true
		}
		if gone = c.aboot.gone; gone {
			return 0, true
		}
		answers, delay := c.aboot.message(b)
		send := func() {
			for _, answer := range answers {
				c.cable.in = append(c.cable.in, transfer{answer, true})
			}
			c.cable.signal()
		}
		if delay == 0 {
			send()
			return len(b), true
		}
		time.AfterFunc(delay, func() {
			c.cable.mu.Lock()
			defer c.cable.mu.Unlock()
			send()
		})
		return len(b), true
	})
	if gone {
		return 0, &usbproto.TransferError{Op: "write", Device: c.device, Err: usbproto.ErrGone}
	}
	return n, err
}

// Read returns the next message, or the rest of one that did not fit. It skips empty messages:
// they are not bytes.
func (c *abootConn) Read(ctx context.Context, b []byte) (int, error) {
	gone := false
	n, err := c.transfer(ctx, "read", func() (int, bool) {
		for len(c.cable.in) > 0 {
			t := &c.cable.in[0]
			k := copy(b, t.rest)
			if t.rest = t.rest[k:]; len(t.rest) == 0 {
				c.cable.in = c.cable.in[1:]
			}
			if k > 0 || len(b) == 0 {
				return k, true
			}
		}
		gone = c.aboot.gone
		return 0, gone || len(b) == 0
	})
	if gone && n == 0 && err == nil {
		return 0, &usbproto.TransferError{Op: "read", Device: c.device, Err: usbproto.ErrGone}
	}
	return n, err
}
