package usbproto

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// netConn is a Conn over a network connection: the pipe of a phone that is forwarded
// over TCP, or a pipe inside a test.
type netConn struct {
	c    net.Conn
	name string

	life context.Context // ends when Close is called
	end  context.CancelFunc

	mu     sync.Mutex // held during transfers, so that Close waits for them
	closed bool
}

// NewNetConn makes a Conn from a network connection. name is used in errors.
func NewNetConn(c net.Conn, name string) Conn {
	life, end := context.WithCancel(context.Background())
	return &netConn{c: c, name: name, life: life, end: end}
}

// DialBridge connects to a phone whose byte pipe is forwarded over TCP, such as by
// "xflash sim z3c --listen". addr is HOST:PORT.
func DialBridge(ctx context.Context, addr string) (Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return NewNetConn(c, "bridge:"+addr), nil
}

func (n *netConn) Read(ctx context.Context, p []byte) (int, error) {
	return n.transfer(ctx, "read", p, n.c.SetReadDeadline, n.c.Read)
}

func (n *netConn) Write(ctx context.Context, p []byte) (int, error) {
	return n.transfer(ctx, "write", p, n.c.SetWriteDeadline, n.c.Write)
}

// transfer runs one call under the context: its deadline becomes the socket's, and a
// cancelled context moves that into the past.
func (n *netConn) transfer(ctx context.Context, op string, p []byte, limit func(time.Time) error, do func([]byte) (int, error)) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return 0, n.fail(op, 0, ErrClosed)
	}
	if ctx.Err() != nil {
		return 0, n.fail(op, 0, ContextError(ctx))
	}
	deadline, _ := ctx.Deadline() // the zero time means none
	if err := limit(deadline); err != nil {
		return 0, n.fail(op, 0, n.cause(ctx, err))
	}
	if n.life.Err() != nil { // Close came between the last transfer and this one
		return 0, n.fail(op, 0, ErrClosed)
	}
	if len(p) == 0 { // some connections wait for the other end even then
		return 0, nil
	}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = limit(time.Unix(1, 0)) // do reports what matters
		close(woken)
	})
	defer func() {
		if !stop() {
			<-woken // or it would end the next transfer
		}
	}()
	done, err := do(p)
	if err != nil {
		return done, n.fail(op, done, n.cause(ctx, err))
	}
	return done, nil
}

func (n *netConn) cause(ctx context.Context, err error) error {
	switch {
	case n.life.Err() != nil:
		return ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ContextError(ctx)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ErrGone
	}
	return err
}

// ContextError is the transfer error for a context that ended, or is about to: a
// socket may notice the deadline a moment before the context does.
func ContextError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Canceled
	}
	return ErrTimeout
}

func (n *netConn) fail(op string, done int, err error) error {
	return &TransferError{Op: op, Device: n.name, N: done, Err: err}
}

// Close wakes a running transfer and waits for it.
func (n *netConn) Close() error {
	n.end()
	_ = n.c.SetDeadline(time.Unix(1, 0)) // only to wake a transfer; Close below reports what matters
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	return n.c.Close()
}
