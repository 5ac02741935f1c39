package capture

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

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
	turns []turn
	at    int // in turns
	used  int // bytes of that turn
	err   error
}

// turn is data in one direction, in one piece.
type turn struct {
	packet int
	in     bool
	data   []byte
	err    error // how the last of it ended
}

// maxReplay bounds what is read of a capture, bytes.
const maxReplay = 1 << 30

// NewReplay reads a capture whole.
func NewReplay(r io.Reader) (*Replay, error) {
	c, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	p := &Replay{}
	sent := map[uint64]Event{} // requests to the phone that are not complete
	total := 0
	for {
		e, err := c.Next()
		if err == io.EOF {
			return p, nil
		}
		if err != nil {
			return nil, err
		}
		if total += len(e.Data); total > maxReplay {
			return nil, c.bad("it holds more data than can be played back")
		}
		switch {
		case e.Transfer != transferBulk:
		case e.Kind == Submit && !e.In():
			sent[e.ID] = e
		case e.Kind == Complete && e.In():
			p.add(c.packet, true, e.Data, e)
		case e.Kind == Complete:
			s, ok := sent[e.ID]
			if !ok {
				return nil, c.bad("a request is complete that was not submitted")
			}
			delete(sent, e.ID)
			p.add(c.packet, false, s.Data[:max(0, min(e.Length, len(s.Data)))], e)
		}
	}
}

func (p *Replay) add(packet int, in bool, data []byte, e Event) {
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
	if len(data) == 0 && err == nil {
		return
	}
	if n := len(p.turns) - 1; n >= 0 && p.turns[n].in == in && p.turns[n].err == nil && !in {
		p.turns[n].data, p.turns[n].err = append(p.turns[n].data, data...), err
		return
	}
	p.turns = append(p.turns, turn{packet, in, bytes.Clone(data), err})
}

// Open reads a capture from a file.
func Open(path string) (*Replay, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := NewReplay(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Done tells whether everything in the capture has been played back.
func (p *Replay) Done() bool { return p.at == len(p.turns) && p.err == nil }

// advance leaves a turn that is used up, and gives the error it ended with.
func (p *Replay) advance() error {
	t := p.turns[p.at]
	if p.used < len(t.data) {
		return nil
	}
	p.at, p.used = p.at+1, 0
	return t.err
}

func (p *Replay) fail(op string, n int, err error) (int, error) {
	return n, &usbproto.TransferError{Op: op, Device: "replay", N: n, Err: err}
}

// Read gives what the phone sent next. When the capture has the host sending first, or
// ends, the phone keeps silent until the deadline.
func (p *Replay) Read(ctx context.Context, b []byte) (int, error) {
	if p.err != nil {
		return p.fail("read", 0, p.err)
	}
	if p.at == len(p.turns) || !p.turns[p.at].in {
		<-ctx.Done()
		if ctx.Err() == context.DeadlineExceeded {
			return p.fail("read", 0, usbproto.ErrTimeout)
		}
		return p.fail("read", 0, ctx.Err())
	}
	n := copy(b, p.turns[p.at].data[p.used:])
	p.used += n
	if err := p.advance(); err != nil && n == 0 {
		return p.fail("read", 0, err)
	} else if err != nil {
		p.turns[p.at-1].data, p.at = nil, p.at-1 // the error comes with the next read
	}
	return n, nil
}

// Write compares what is sent with what was sent.
func (p *Replay) Write(_ context.Context, b []byte) (int, error) {
	if p.err != nil {
		return p.fail("write", 0, p.err)
	}
	done := 0
	for done < len(b) {
		if p.at == len(p.turns) {
			return p.mismatch(done, len(p.turns), -1, "the recorded host sent nothing more")
		}
		t := &p.turns[p.at]
		if t.in {
			return p.mismatch(done, t.packet, -1, "the recorded host waited for the phone, and this one sends")
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

// Close ends the replay.
func (p *Replay) Close() error { return nil }
