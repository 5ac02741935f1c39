package usbproto

import (
	"context"
	"errors"
	"io"
	"time"
)

// Sender is a Conn that sends long data with several requests on the way at once. Use it
// through Send.
type Sender interface {
	Conn
	// Send sends the pieces that next gives until it gives io.EOF. A piece is valid until
	// the following call of next.
	Send(ctx context.Context, next func() ([]byte, error), o SendOptions) (int64, error)
}

// SendOptions steer Send.
type SendOptions struct {
	Patience time.Duration    // the longest that one piece of the data, 1 MiB, may take
	Progress func(sent int64) // bytes that the phone has taken; may be nil
}

// Send sends exactly size bytes of r and returns how many the phone has taken. While one
// part is on the way the next one is read. A source that ends early gives
// io.ErrUnexpectedEOF, and any other error of it is returned as it is; those of the
// connection are *TransferError. When ctx ends while a read of the source blocks, that read
// is left behind.
func Send(ctx context.Context, c Conn, r io.Reader, size int64, o SendOptions) (int64, error) {
	ahead := ReadAhead(ctx, r, size, requestSize)
	defer ahead.Stop()
	next := func() ([]byte, error) { return ahead.Next(nil) }
	if s, ok := c.(Sender); ok {
		return s.Send(ctx, next, o)
	}
	sent := int64(0)
	for {
		p, err := next()
		if err == io.EOF {
			return sent, nil
		}
		if err != nil {
			return sent, err
		}
		short, cancel := context.WithTimeout(ctx, o.Patience)
		n, err := c.Write(short, p)
		cancel()
		sent += int64(n)
		if err != nil {
			return sent, err
		}
		if o.Progress != nil {
			o.Progress(sent)
		}
	}
}

// requestSize is how much of a source is read and sent at once.
const requestSize = 1 << 20

// Ahead reads a source one part ahead, on its own goroutine.
type Ahead struct {
	free chan []byte
	full chan part

	ctx  context.Context
	quit func()        // ends the goroutine after the part that it reads
	done chan struct{} // closed when it has ended
	gone bool          // a read that blocks was given up

	left int64  // bytes that Next has still to give
	held []byte // the part that was given last
}

type part struct {
	data []byte
	err  error
}

// ReadAhead starts to read size bytes of r in parts of most bytes. Two buffers go around,
// however much there is. Stop must be called.
func ReadAhead(ctx context.Context, r io.Reader, size int64, most int) *Ahead {
	a := &Ahead{free: make(chan []byte, 2), full: make(chan part, 2), ctx: ctx, done: make(chan struct{}), left: size}
	wanted, quit := context.WithCancel(ctx)
	a.quit = quit
	for range cap(a.free) {
		a.free <- make([]byte, min(size, int64(most)))
	}
	go func() {
		defer close(a.done)
		for left := size; left > 0 && wanted.Err() == nil; {
			var buf []byte
			select {
			case buf = <-a.free:
			case <-wanted.Done():
				return
			}
			p := buf[:min(left, int64(len(buf)))]
			_, err := io.ReadFull(r, p)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				a.full <- part{err: err}
				return
			}
			a.full <- part{data: p} // there is room for both
			left -= int64(len(p))
		}
	}()
	return a
}

// Next gives the next part, which is valid until the following call; io.EOF after the last.
// A source that blocks, such as a network folder that does not answer, is given up when the
// context ends or stop is closed.
func (a *Ahead) Next(stop <-chan struct{}) ([]byte, error) {
	if a.held != nil {
		a.free <- a.held[:cap(a.held)]
		a.held = nil
	}
	if a.left == 0 {
		return nil, io.EOF
	}
	var p part
	select {
	case p = <-a.full: // what is ready comes first
	default:
		select {
		case p = <-a.full:
		case <-stop:
			a.gone = true
			return nil, errors.New("stopped")
		case <-a.ctx.Done():
			return nil, ContextError(a.ctx)
		}
	}
	a.held = p.data
	a.left -= int64(len(p.data))
	return p.data, p.err
}

// Stop ends the goroutine and waits for it, unless it may be inside a read that never returns.
func (a *Ahead) Stop() {
	a.quit()
	if a.gone {
		return
	}
	select {
	case <-a.done:
	case <-a.ctx.Done():
	}
}
