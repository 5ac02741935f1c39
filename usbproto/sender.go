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
	Send(ctx context.Context, r io.Reader, size int64, o SendOptions) (int64, error)
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
		return s.Send(ctx, ahead, size, o)
	}
	sent := int64(0)
	for sent < size {
		p, err := ahead.next(ctx)
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
		ahead.free <- p[:cap(p)]
	}
	return sent, nil
}

// requestSize is how much of a source is read and sent at once.
const requestSize = 1 << 20

// reader reads a source in pieces of requestSize bytes on its own goroutine.
type reader struct {
	free chan []byte
	full chan piece
	stop func() // waits for the goroutine, unless ctx ended during a read: that may never return

	ctx  context.Context
	have []byte // of Read: what is left of a piece, and the piece
	held []byte
}

type piece struct {
	data []byte
	err  error
}

func readAhead(ctx context.Context, r io.Reader, size int64) *reader {
	pieces := min(3, (size+requestSize-1)/requestSize)
	a := &reader{free: make(chan []byte, pieces), full: make(chan piece, pieces), ctx: ctx}
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
		defer close(a.full)
		for left := size; left > 0; {
			var buf []byte
			select {
			case buf = <-a.free:
			case <-inner.Done():
				return
			}
			p, err := readPiece(r, buf, left)
			a.full <- piece{p, err} // there is room for all of them
			if err != nil {
				return
			}
			left -= int64(len(p))
		}
	}()
	return a
}

func (a *reader) next(ctx context.Context) ([]byte, error) {
	select {
	case p, ok := <-a.full:
		if !ok {
			return nil, io.EOF
		}
		return p.data, p.err
	case <-ctx.Done():
		return nil, ContextError(ctx)
	}
}

// Read gives the pieces to a Sender.
func (a *reader) Read(p []byte) (int, error) {
	if len(a.have) == 0 {
		if a.held != nil {
			a.free <- a.held[:cap(a.held)]
		}
		piece, err := a.next(a.ctx)
		if err != nil {
			a.held = nil
			return 0, err
		}
		a.held, a.have = piece, piece
	}
	n := copy(p, a.have)
	a.have = a.have[n:]
	return n, nil
}

// readPiece fills buf, or what of it is left to read.
func readPiece(r io.Reader, buf []byte, left int64) ([]byte, error) {
	p := buf[:min(left, int64(len(buf)))]
	_, err := io.ReadFull(r, p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return p, err
}
