package libusb

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"xflash/usbproto"
)

// fakeBulk is a pair of bulk endpoints with a phone on the other side, with the rules of USB: a
// read ends when its buffer is full or with a packet that is not full; whole packets alone
// do not end it.
type fakeBulk struct {
	t      *testing.T
	packet int

	mu       sync.Mutex
	news     *sync.Cond
	in       [][]byte     // packets on the way to the host
	out      bytes.Buffer // what the host has written
	gone     bool
	closed   int
	running  int
	memory   int   // requests for more bytes get errNoMemory; 0: no limit
	refused  int   // how often that was
	fault    error // what the next request fails with
	requests []int // sizes of all requests that reached the phone
	streams  int   // that were not ended
	flight   int   // the most requests that were on the way at once
	scarce   int   // this many requests of streams from now there is no memory for one
}

// outLimit is how many bytes the phone accepts before it makes the host wait.
const outLimit = 4 << 20

// NewFakeBulk returns a Conn over fake endpoints with packets of 512 bytes, and the phone's
// end of it.
func NewFakeBulk(t *testing.T) (usbproto.Conn, *fakeBulk) {
	f := &fakeBulk{t: t, packet: 512}
	f.news = sync.NewCond(&f.mu)
	return newUSBConn(f, "usb:1-2"), f
}

// until runs step after every change until it returns true or the context ends.
func (f *fakeBulk) until(ctx context.Context, step func() bool) {
	wake := func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.news.Broadcast()
	}
	defer context.AfterFunc(ctx, wake)()
	for !step() && ctx.Err() == nil {
		f.news.Wait()
	}
}

// request is what reads and writes have in common. It finds out when two run at once, or
// one after the end.
func (f *fakeBulk) request(ctx context.Context, p []byte, step func() (done bool)) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running++
	defer func() { f.running-- }()
	if f.running > 1 || f.closed > 0 {
		f.t.Errorf("a request while %d others run, on endpoints closed %d times", f.running-1, f.closed)
	}
	if len(p) == 0 {
		f.t.Error("a request for no bytes") // it would be a zero-length packet
	}
	if f.memory != 0 && len(p) > f.memory {
		f.refused++
		return errNoMemory
	}
	f.requests = append(f.requests, len(p))
	if err, f.fault = f.fault, nil; err != nil {
		return err
	}
	finished := false
	f.until(ctx, func() bool {
		finished = f.gone || step()
		f.news.Broadcast()
		return finished
	})
	switch {
	case f.gone:
		return usbproto.ErrGone
	case !finished:
		return usbproto.ContextError(ctx)
	}
	return nil
}

func (f *fakeBulk) packetSize() int { return f.packet }

func (f *fakeBulk) read(ctx context.Context, p []byte) (n int, err error) {
	if len(p)%f.packet != 0 {
		f.t.Errorf("a read of %d bytes would overflow with a packet of %d", len(p), f.packet)
	}
	err = f.request(ctx, p, func() bool {
		for len(f.in) > 0 && n < len(p) {
			packet := f.in[0]
			f.in = f.in[1:]
			n += copy(p[n:], packet)
			if len(packet) < f.packet {
				return true
			}
		}
		return n == len(p)
	})
	return n, err
}

func (f *fakeBulk) write(ctx context.Context, p []byte) (n int, err error) {
	err = f.request(ctx, p, func() bool {
		k := min(len(p)-n, outLimit-f.out.Len())
		f.out.Write(p[n : n+k])
		n += k
		return n == len(p)
	})
	return n, err
}

// fakeStream has its requests on the way until it must wait for the oldest.
type fakeStream struct {
	f     *fakeBulk
	size  int
	count int
	queue [][]byte
	taken int64
	err   error
	ended bool
}

func (f *fakeBulk) stream(size, count int) (bulkStream, error) {
	f.streams++
	return &fakeStream{f: f, size: size, count: count}, nil
}

func (s *fakeStream) write(ctx context.Context, p []byte) error {
	if len(p) != s.size || s.err != nil || s.ended {
		s.f.t.Errorf("a request of %d bytes on a stream of %d, after %v, ended %v", len(p), s.size, s.err, s.ended)
	}
	if len(s.queue) == s.count {
		if err := s.oldest(ctx); err != nil {
			return err
		}
	}
	if s.f.noMemory(len(p)) {
		return errNoMemory
	}
	s.queue = append(s.queue, bytes.Clone(p))
	s.f.flight = max(s.f.flight, len(s.queue))
	return nil
}

// oldest waits for the request that went first. When it fails, those after it are lost.
func (s *fakeStream) oldest(ctx context.Context) error {
	n, err := s.f.write(ctx, s.queue[0])
	s.queue = s.queue[1:]
	s.taken += int64(n)
	if err != nil {
		s.err, s.queue = err, nil
	}
	return err
}

func (s *fakeStream) flush(ctx context.Context) error {
	if s.ended {
		s.f.t.Error("a stream is ended twice")
	}
	s.ended = true
	s.f.streams--
	for len(s.queue) > 0 {
		if err := s.oldest(ctx); err != nil {
			return err
		}
	}
	return s.err
}

func (s *fakeStream) sent() int64 { return s.taken }

// noMemory says whether the kernel has no memory for a request now.
func (f *fakeBulk) noMemory(size int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.scarce > 0 {
		f.scarce--
		return f.scarce == 0
	}
	return false
}

func (f *fakeBulk) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running > 0 {
		f.t.Error("closed during a request")
	}
	f.closed++
	f.news.Broadcast()
	return nil
}

var errEnd = errors.New("the cable was pulled")

// Send puts a transfer on the way.
func (f *fakeBulk) Send(p []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(p) > 0 {
		n := min(len(p), f.packet)
		f.in = append(f.in, bytes.Clone(p[:n]))
		p = p[n:]
	}
	f.news.Broadcast()
	return nil
}

// Receive takes what the host wrote.
func (f *fakeBulk) Receive(n int) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var got []byte
	f.until(context.Background(), func() bool {
		got = append(got, f.out.Next(n-len(got))...)
		f.news.Broadcast()
		return len(got) == n || f.gone || f.closed > 0
	})
	if len(got) < n {
		return got, errEnd
	}
	return got, nil
}

// Unplug pulls the cable.
func (f *fakeBulk) Unplug() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	f.news.Broadcast()
}
