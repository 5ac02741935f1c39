package usbsim

import (
	"context"
	"errors"
	"slices"
	"sync"

	"xflash/usbproto"
)

// A status is how a request ended.
type status int

const (
	completed  status = iota
	stalled           // the endpoint is halted
	overflowed        // a packet did not fit what was left of the host's room
	cancelled         // the host took the request back
)

// A request is one bulk transfer that the host has submitted.
type request struct {
	size   int
	data   []byte // OUT: what the host sends; IN: what it got so far, nil at first
	done   func(s status, moved int)
	ctx    context.Context
	cancel context.CancelFunc
}

// An endpoint works through the requests of the host in their order. Until the phone
// takes or gives data a request stays open, as with a device that answers NAK, and the
// host may take it back.
type endpoint struct {
	device *Device
	in     bool

	mu       sync.Mutex
	wake     chan struct{} // has room for one; told at every change
	queue    []*request
	halted   bool
	inFlight int // announced and not ended
}

func newEndpoint(d *Device, in bool) *endpoint {
	return &endpoint{device: d, in: in, wake: make(chan struct{}, 1)}
}

// announce counts a request whose data are still on their way from the host.
func (e *endpoint) announce() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inFlight++
}

// submit takes an announced request.
func (e *endpoint) submit(r *request) {
	r.ctx, r.cancel = context.WithCancel(e.device.ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, r)
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// revoke ends a request that the host takes back. A request that is not at work ends at
// once, another when the phone lets go of it.
func (e *endpoint) revoke(r *request) {
	r.cancel()
	e.mu.Lock()
	i := slices.Index(e.queue, r)
	if i >= 0 {
		e.queue = slices.Delete(e.queue, i, i+1)
		e.inFlight--
	}
	e.mu.Unlock()
	if i >= 0 {
		r.done(cancelled, 0)
	}
}

// halt makes the endpoint refuse everything, or ends that.
func (e *endpoint) halt(on bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.halted = on
}

func (e *endpoint) haltBit() byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.halted {
		return 1
	}
	return 0
}

// run works until the phone has left the bus.
func (e *endpoint) run() {
	for {
		r, halted := e.next()
		if r == nil {
			return
		}
		if halted {
			e.end(r, Transfer{In: e.in, Size: r.size}, stalled)
			continue
		}
		t, fault := e.device.begin(Transfer{In: e.in, Size: r.size, Data: r.data})
		switch fault {
		case Stall:
			e.halt(true)
			e.end(r, t, stalled)
		case Silence:
			<-r.ctx.Done()
			e.end(r, t, cancelled)
		case Unplug:
			e.device.leave()
		default:
			s := e.move(r, &t)
			e.end(r, t, s)
		}
	}
}

// next waits for a request; nil when the phone has left the bus.
func (e *endpoint) next() (r *request, halted bool) {
	for {
		e.mu.Lock()
		if len(e.queue) > 0 && e.device.ctx.Err() == nil {
			r, e.queue = e.queue[0], e.queue[1:]
			halted = e.halted
			e.mu.Unlock()
			return r, halted
		}
		e.mu.Unlock()
		select {
		case <-e.wake:
		case <-e.device.ctx.Done():
			return nil, false
		}
	}
}

// move carries the data of a request.
func (e *endpoint) move(r *request, t *Transfer) (s status) {
	var err error
	if e.in {
		s, err = e.give(r)
		t.Moved = len(r.data)
	} else if len(r.data) > 0 { // a packet without data says nothing (usbproto/s1/PROTOCOL.md §1.5)
		t.Moved, err = e.device.conn.Write(r.ctx, r.data)
	}
	switch {
	case err == nil:
		return s
	case errors.Is(err, usbproto.ErrGone):
		e.device.leave()
	case errors.Is(err, usbproto.ErrStalled):
		e.halt(true)
		return stalled
	}
	return cancelled
}

// give fills an IN request packet by packet: up to its size, or to a short packet.
func (e *endpoint) give(r *request) (status, error) {
	var packet [maxPacket]byte
	for {
		n, err := e.device.conn.Read(r.ctx, packet[:])
		if err != nil && n == 0 {
			return cancelled, err
		}
		room := r.size - len(r.data)
		r.data = append(r.data, packet[:min(n, room)]...)
		switch {
		case n > room:
			return overflowed, nil
		case err != nil:
			return cancelled, err
		case n < maxPacket || len(r.data) == r.size:
			return completed, nil
		}
	}
}

// end tells the host how its request ended. When the phone has left the bus nobody tells.
func (e *endpoint) end(r *request, t Transfer, s status) {
	r.cancel()
	e.mu.Lock()
	t.InFlight = e.inFlight
	e.inFlight--
	e.mu.Unlock()
	if t.Number > 0 {
		e.device.end(t)
	}
	if e.device.ctx.Err() == nil || s != cancelled {
		r.done(s, t.Moved)
	}
}
