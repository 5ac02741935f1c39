package simphone

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"
)

// outLimit is how many bytes the phone's USB controller takes before its
// program reads them. A phone that has stopped reading therefore blocks the
// host's larger writes, as a real one does.
const outLimit = 64 << 10

// inLimit is how many transfers wait for the host before the phone's program
// waits too. One reply has three.
const inLimit = 64

// usbPacket is the bulk packet size at high speed (usbproto/s1/PROTOCOL.md §1.3).
const usbPacket = 512

// errUnplugged ends the phone's program: the cable or the power is gone.
var errUnplugged = errors.New("cable is gone")

// A cable is one enumeration of the phone on the bus: from entering flash mode
// to the moment it leaves the bus. The change from boot stage to loader happens
// on the same cable (usbproto/s1/PROTOCOL.md §1.6), and any number of hosts may open it
// one after the other.
type cable struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change
	out     bytes.Buffer  // host to phone: a byte stream (usbproto/s1/PROTOCOL.md §1.5)
	ends    []int         // where transfers end in out; kept only where that matters
	in      []transfer    // phone to host
	gone    bool
	plugged int // how often the cable was plugged in again
}

// A transfer is one IN transfer. The host's read ends with it only if it is
// short: a length that is a multiple of the packet size has no end on the bus
// (usbproto/s1/PROTOCOL.md §1.5).
type transfer struct {
	rest  []byte
	short bool
}

func newCable() *cable { return &cable{changed: make(chan struct{})} }

// signal wakes everyone who waits for a change. c.mu must be held.
func (c *cable) signal() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// wait gives c.mu away until something changes or stop is closed. The caller
// looks again at what it waits for.
func (c *cable) wait(stop <-chan struct{}) {
	changed := c.changed
	c.mu.Unlock()
	select {
	case <-changed:
	case <-stop:
	}
	c.mu.Lock()
}

// unplug takes the phone off the bus. Bytes that wait in either direction are lost.
func (c *cable) unplug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gone {
		c.gone = true
		c.out.Reset()
		c.ends, c.in = nil, nil
		c.signal()
	}
}

// replug pulls the cable and plugs it in again, with the phone's battery keeping its
// program alive: hosts of before are cut off, and bytes under way are lost.
func (c *cable) replug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plugged++
	c.out.Reset()
	c.ends, c.in = nil, nil
	c.signal()
}

// onBus reports that the phone can be seen by the host.
func (c *cable) onBus() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.gone
}

// read is the phone's side: it fills p from the byte stream, whatever transfers
// the bytes came in.
func (c *cable) read(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(p) > 0 {
		if c.gone {
			return errUnplugged
		}
		if c.out.Len() == 0 {
			c.wait(nil)
			continue
		}
		n, _ := c.out.Read(p)
		p = p[n:]
		c.signal()
	}
	return nil
}

// send is the phone's side: it queues one IN transfer.
func (c *cable) send(data []byte) error {
	return c.sendTransfer(transfer{data, len(data)%usbPacket != 0})
}

func (c *cable) sendTransfer(t transfer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.in) >= inLimit && !c.gone {
		c.wait(nil)
	}
	if c.gone {
		return errUnplugged
	}
	c.in = append(c.in, t)
	c.signal()
	return nil
}

// pause is the phone's side: it does nothing for d.
func (c *cable) pause(d time.Duration) error {
	return c.idle(d, func() bool { return false })
}

// drained is the phone's side: it waits until the host has fetched everything,
// but not longer than d.
func (c *cable) drained(d time.Duration) error {
	return c.idle(d, func() bool { return len(c.in) == 0 })
}

// hang is the phone's side: it never does anything again.
func (c *cable) hang() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.gone {
		c.wait(nil)
	}
	return errUnplugged
}

// leave is the phone's side: it hangs, or leaves the bus once the host has its last
// words. It is off or rebooting either way.
func (c *cable) leave(how action) {
	if how == actionHang {
		_ = c.hang()
		return
	}
	_ = c.drained(leaveDelay)
}

func (c *cable) idle(d time.Duration, done func() bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !done() && ctx.Err() == nil {
		if c.gone {
			return errUnplugged
		}
		c.wait(ctx.Done())
	}
	return nil
}

// untilGone waits until the phone leaves the bus; false when ctx ends first.
func (c *cable) untilGone(ctx context.Context) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.gone && ctx.Err() == nil {
		c.wait(ctx.Done())
	}
	return c.gone
}
