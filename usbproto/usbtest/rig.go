package usbtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"xflash/usbproto"
)

// patience is the limit of calls that are expected to succeed; short is the deadline of
// calls that are expected to reach it.
const (
	patience = 20 * time.Second
	short    = 30 * time.Millisecond
)

// rig is one pipe under test.
type rig struct {
	*testing.T
	conn    usbproto.Conn
	peer    Peer
	open    func(t *testing.T) (usbproto.Conn, Peer)
	running []chan error
}

// phone lets the phone do something while the host waits for it.
func (r *rig) phone(do func() error) {
	done := make(chan error, 1)
	r.running = append(r.running, done)
	go func() { done <- do() }()
}

// join waits for what the phone does and says how it went.
func (r *rig) join() {
	r.Helper()
	for _, done := range r.running {
		select {
		case err := <-done:
			if err != nil {
				r.Errorf("the phone's end: %v", err)
			}
		case <-time.After(patience):
			r.Fatal("the phone's end still waits")
		}
	}
	r.running = nil
}

// finish closes both ends. What the phone's end still does may fail now, but it must end.
func (r *rig) finish() {
	if err := r.conn.Close(); err != nil {
		r.Errorf("close: %v", err)
	}
	r.peer.Unplug()
	for _, done := range r.running {
		select {
		case <-done:
		case <-time.After(patience):
			r.Fatal("the phone's end still waits after both ends were closed")
		}
	}
}

func (r *rig) write(p []byte) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if n, err := r.conn.Write(ctx, p); n != len(p) || err != nil {
		r.Fatalf("write of %d bytes: %d, %v", len(p), n, err)
	}
}

// readFull reads n bytes in calls for at most piece bytes each.
func (r *rig) readFull(n, piece int) []byte {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	got := make([]byte, 0, n)
	buf := make([]byte, piece)
	for len(got) < n {
		k, err := r.conn.Read(ctx, buf[:min(piece, n-len(got))])
		got = append(got, buf[:k]...)
		if err != nil {
			r.Fatalf("read after %d of %d bytes: %v", len(got), n, err)
		}
		if k == 0 {
			r.Fatal("a read gave neither bytes nor an error")
		}
	}
	return got
}

// echo proves that the pipe still works in both ways.
func (r *rig) echo() {
	r.Helper()
	r.phone(func() error {
		p, err := r.peer.Receive(9)
		if err != nil {
			return err
		}
		return r.peer.Send(append(p, '!'))
	})
	r.write([]byte("still ok?"))
	if got := r.readFull(10, 64); string(got) != "still ok?!" {
		r.Fatalf("got %q", got)
	}
	r.join()
}

// fails checks an error of a transfer: its kind, and that it carries the details.
func (r *rig) fails(op string, n int, err, want error) {
	r.Helper()
	var transfer *usbproto.TransferError
	if !errors.Is(err, want) || !errors.As(err, &transfer) {
		r.Fatalf("%s: got %v, want a transfer error with %q", op, err, want)
	}
	if transfer.Op != op || transfer.N != n || transfer.Device == "" {
		r.Errorf("%s of %d bytes: the error carries %+v", op, n, *transfer)
	}
	timeout, cancelled := errors.Is(err, usbproto.ErrTimeout), errors.Is(err, context.Canceled)
	if timeout != (want == usbproto.ErrTimeout) || timeout != errors.Is(err, context.DeadlineExceeded) || cancelled != (want == context.Canceled) {
		r.Errorf("%s: %v is a timeout: %t, cancelled: %t", op, err, timeout, cancelled)
	}
}
