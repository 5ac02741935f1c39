package usbproto

import (
	"context"
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
	ahead := readAhead(ctx, r, size)
	defer ahead.stop()
	if s, ok := c.(Sender); ok {
		return s.Send(ctx, ahead.next, o)
	}
	sent := int64(0)
	for {
		p, err := ahead.next()
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

// reader reads a source in pieces of requestSize bytes on its own goroutine.
type reader struct {
	free chan []byte
	full chan piece
	stop func() // waits for the goroutine, unless ctx ended during a read: that may never return

	ctx  context.Context
	left int64  // bytes that next has still to give
	held []byte // the piece that was given last
}

type piece struct {
	data []byte
	err  error
}

func readAhead(ctx context.Context, r io.Reader, size int64) *reader {
	pieces := min(3, (size+requestSize-1)/requestSize)
	a := &reader{free: make(chan []byte, pieces), full: make(chan piece, pieces), ctx: ctx, left: size}
	for range pieces {
		a.free <- make([]byte, min(size, requestSize))
	}
	inner, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	a.stop = func() {
		cancel()
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	go func() {
		defer close(done)
		for left := size; left > 0; {
			var buf []byte
			select {
			case buf = <-a.free:
			case <-inner.Done():
				return
			}
			p := buf[:min(left, int64(len(buf)))]
			_, err := io.ReadFull(r, p)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				a.full <- piece{err: err}
				return
			}
			a.full <- piece{data: p} // there is room for all of them
			left -= int64(len(p))
		}
	}()
	return a
}

// next gives the next piece, which is valid until the following call; io.EOF after the last.
func (a *reader) next() ([]byte, error) {
	if a.held != nil {
		a.free <- a.held[:cap(a.held)]
		a.held = nil
	}
	if a.left == 0 {
		return nil, io.EOF
	}
	select {
	case p := <-a.full:
		a.held = p.data
		a.left -= int64(len(p.data))
		return p.data, p.err
	case <-a.ctx.Done():
		return nil, ContextError(a.ctx)
	}
}
