package capture

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"xflash/usbproto"
)

// MismatchError is a host that does not do what the recorded one did.
type MismatchError struct {
	Packet int // of the capture, from 1
	Byte   int // first byte of the transfer that differs, -1 when it is not about bytes
	Reason string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("packet %d of the capture: %s", e.Packet, e.Reason)
}

// Replay is a Conn that plays a capture back: it expects what the recorded host sent, and
// gives what the recorded phone sent. Where the phone kept silent, so does it. How data were
// cut into transfers does not matter. Done tells whether all of it was used.
type Replay struct {
	c      *Reader
	close  func() error
	closed bool
	sent   map[uint64]Event // requests to the phone that are not complete
	held   int              // bytes in them
	now    *turn            // nil at the end
	used   int              // bytes of it
	err    error
	first  []byte // the start of what the host sent first
}

// FirstSent is the start of what the recorded host sent first: at most 16 bytes, which tell the protocol.
func (p *Replay) FirstSent() []byte { return p.first }

// turn is what one request moved, in one direction.
type turn struct {
	packet int
	in     bool
	data   []byte
	err    error // how the request ended
}

// maxHeld bounds the data of requests that are not complete, bytes: usbfs has 16 MiB on
// the way at most (usbproto/libusb/NOTES.md §4).
const maxHeld = 64 << 20

// NewReplay plays a capture back from its beginning. It reads all of it first, so that one
// that is damaged plays nothing back, and then again as far as it is used: of a long one
// only a little is in memory. r must stay open until the Replay is closed.
func NewReplay(r io.ReadSeeker) (*Replay, error) {
	p, err := start(r)
	if err != nil {
		return nil, err
	}
	var first []byte
	for p.now != nil {
		if !p.now.in && first == nil {
			first = slices.Clone(p.now.data[:min(len(p.now.data), 16)])
		}
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	if p, err = start(r); p != nil {
		p.first = first
	}
	return p, err
}

// start is a Replay at its first turn.
func start(r io.ReadSeeker) (*Replay, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	c, err := NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	p := &Replay{c: c, close: func() error { return nil }, sent: map[uint64]Event{}}
	return p, p.next()
}

// Open plays a capture back from a file.
func Open(path string) (*Replay, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p, err := NewReplay(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	p.close = f.Close
	return p, nil
}

// next reads on to the next turn.
func (p *Replay) next() error {
	p.now, p.used = nil, 0
	for p.now == nil {
		e, err := p.c.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if e.Transfer != transferBulk {
			continue
		}
		if err := p.c.sameDevice(e); err != nil {
			return err
		}
		switch {
		case e.Kind == Submit && !e.In():
			if len(e.Data) < e.Length {
				return p.c.cutOff(e)
			}
			p.held += len(e.Data) - len(p.sent[e.ID].Data)
			if p.sent[e.ID] = e; p.held > maxHeld {
				return p.c.bad("more data is in flight than the kernel allows")
			}
		case e.Kind == Complete && e.In():
			if len(e.Data) < e.Length {
				return p.c.cutOff(e)
			}
			p.turn(true, e.Data, e)
		case e.Kind == Complete:
			s, ok := p.sent[e.ID]
			if !ok {
				return p.c.bad("a request completed that was never submitted")
			}
			delete(p.sent, e.ID)
			p.held -= len(s.Data)
			p.turn(false, s.Data[:max(0, min(e.Length, len(s.Data)))], e)
		}
	}
	return nil
}

// turn takes a request that is complete as the next turn, when it moved or ended anything.
func (p *Replay) turn(in bool, data []byte, e Event) {
	var err error
	switch e.Status {
	case 0:
	case statusOf(usbproto.ErrGone):
		err = usbproto.ErrGone
	case statusOf(usbproto.ErrStalled):
		err = usbproto.ErrStalled
	case statusOf(usbproto.ErrOverflow):
		err = usbproto.ErrOverflow
	case statusOf(usbproto.ErrTimeout):
		return // the host gave up, and must do so again
	default:
		err = e.Status
	}
	if len(data) > 0 || err != nil {
		p.now = &turn{p.c.packet, in, data, err}
	}
}

// advance leaves a turn that is used up, and gives the error it ended with.
func (p *Replay) advance() error {
	ended := p.now.err
	if p.used < len(p.now.data) {
		return nil
	}
	return cmp.Or(p.next(), ended)
}

func (p *Replay) fail(op string, n int, err error) (int, error) {
	return n, &usbproto.TransferError{Op: op, Device: "replay", N: n, Err: err}
}

// Read returns what the phone sent next. When the capture has the host sending first, or
// ends, the phone keeps silent until the deadline.
func (p *Replay) Read(ctx context.Context, b []byte) (int, error) {
	switch {
	case p.closed:
		return p.fail("read", 0, usbproto.ErrClosed)
	case p.err != nil:
		return p.fail("read", 0, p.err)
	case p.now == nil || !p.now.in:
		<-ctx.Done()
		if ctx.Err() == context.DeadlineExceeded {
			return p.fail("read", 0, usbproto.ErrTimeout)
		}
		return p.fail("read", 0, ctx.Err())
	}
	n := copy(b, p.now.data[p.used:])
	p.used += n
	if n > 0 && p.now.err != nil {
		return n, nil // the error comes with the next read
	}
	if err := p.advance(); err != nil {
		return p.fail("read", n, err)
	}
	return n, nil
}

// Write compares what is sent with what was sent.
func (p *Replay) Write(_ context.Context, b []byte) (int, error) {
	switch {
	case p.closed:
		return p.fail("write", 0, usbproto.ErrClosed)
	case p.err != nil:
		return p.fail("write", 0, p.err)
	}
	done := 0
	for done < len(b) {
		t := p.now
		if t == nil {
			return p.mismatch(done, p.c.packet, -1, "the recorded host sent nothing more")
		}
		if t.in {
			return p.mismatch(done, t.packet, -1, "the recorded host waited for the phone, but this one sends")
		}
		want := t.data[p.used:]
		n := min(len(want), len(b)-done)
		for i := range n {
			if want[i] != b[done+i] {
				return p.mismatch(done, t.packet, done+i, fmt.Sprintf("byte %d is %02x, and was %02x", done+i, b[done+i], want[i]))
			}
		}
		p.used += n
		done += n
		if err := p.advance(); err != nil {
			return p.fail("write", done, err)
		}
	}
	return done, nil
}

func (p *Replay) mismatch(n, packet, at int, reason string) (int, error) {
	p.err = &MismatchError{Packet: packet, Byte: at, Reason: reason}
	return p.fail("write", n, p.err)
}

// Close ends the replay and closes its file.
func (p *Replay) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	return p.close()
}
