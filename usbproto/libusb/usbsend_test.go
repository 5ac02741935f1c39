package libusb

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"xflash/usbproto"
)

// taking lets the phone read everything, and gives it when the test asks.
func taking(t *testing.T, f *fakeBulk) (all func() []byte) {
	got := make(chan []byte)
	go func() {
		var b []byte
		for {
			p, err := f.Receive(1)
			if b = append(b, p...); err != nil {
				got <- b
				return
			}
			f.mu.Lock()
			b = append(b, f.out.Next(f.out.Len())...)
			f.news.Broadcast()
			f.mu.Unlock()
		}
	}()
	return func() []byte {
		f.Unplug()
		select {
		case b := <-got:
			return b
		case <-time.After(10 * time.Second):
			t.Fatal("the phone does not end")
			return nil
		}
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

var patient = usbproto.SendOptions{Patience: 5 * time.Second}

// Long data goes out in requests of 1 MiB, four at once; what is left over at the end is
// one short request and no byte more.
func TestSendKeepsFourRequestsOnTheWay(t *testing.T) {
	c, f := NewFakeBulk(t)
	all := taking(t, f)
	data := noise(9<<20 + 777)
	var last int64
	o := patient
	o.Progress = func(sent int64) {
		if sent < last {
			t.Errorf("progress goes back from %d to %d", last, sent)
		}
		last = sent
	}
	sent, err := usbproto.Send(t.Context(), c, bytes.NewReader(data), int64(len(data)), o)
	if err != nil || sent != int64(len(data)) || last != sent {
		t.Fatalf("%d bytes, progress %d, %v", sent, last, err)
	}
	for i, n := range f.requests {
		if want := 1 << 20; n != want && !(i == len(f.requests)-1 && n == 777) {
			t.Errorf("request %d has %d bytes", i, n)
		}
	}
	if f.flight != 4 || len(f.requests) != 10 {
		t.Errorf("%d requests, %d at once", len(f.requests), f.flight)
	}
	if !bytes.Equal(all(), data) {
		t.Error("the phone got other data")
	}
	if f.streams != 0 {
		t.Errorf("%d streams were not ended", f.streams)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// Whenever there is no memory, no byte is lost and none sent twice.
func TestSendWithoutMemory(t *testing.T) {
	data := noise(5<<20 + 300<<10)
	for scarce := 1; scarce < 8; scarce++ {
		for _, again := range []int{0, 1, 3} {
			c, f := NewFakeBulk(t)
			all := taking(t, f)
			f.scarce = scarce
			o := patient
			o.Progress = func(int64) {
				f.mu.Lock()
				defer f.mu.Unlock()
				if f.scarce == 0 && again > 0 {
					f.scarce, again = again, 0
				}
			}
			sent, err := usbproto.Send(t.Context(), c, bytes.NewReader(data), int64(len(data)), o)
			if err != nil || sent != int64(len(data)) {
				t.Fatalf("no memory at %d: %d bytes, %v", scarce, sent, err)
			}
			if !bytes.Equal(all(), data) || f.streams != 0 {
				t.Fatalf("no memory at %d: other data, or %d streams left", scarce, f.streams)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// What breaks off says how much the phone has taken, and leaves nothing on the way.
func TestSendBreaksOff(t *testing.T) {
	data := noise(8 << 20)
	quick := usbproto.SendOptions{Patience: 50 * time.Millisecond}
	for name, tt := range map[string]struct {
		source io.Reader
		o      usbproto.SendOptions
		before func(*fakeBulk)
		want   error
	}{
		"the source ends":     {iotest.HalfReader(bytes.NewReader(data[:3<<20])), patient, nil, io.ErrUnexpectedEOF},
		"the source fails":    {io.MultiReader(bytes.NewReader(data[:5<<20]), iotest.ErrReader(errors.ErrUnsupported)), patient, nil, errors.ErrUnsupported},
		"the phone is silent": {bytes.NewReader(data), quick, func(f *fakeBulk) { f.out.Write(make([]byte, outLimit)) }, usbproto.ErrTimeout},
		"unplugged":           {bytes.NewReader(data), patient, func(f *fakeBulk) { f.fault = usbproto.ErrGone }, usbproto.ErrGone},
		"halted":              {bytes.NewReader(data), patient, func(f *fakeBulk) { f.fault = usbproto.ErrStalled }, usbproto.ErrStalled},
	} {
		t.Run(name, func(t *testing.T) {
			c, f := NewFakeBulk(t)
			if tt.before != nil {
				tt.before(f)
			} else {
				defer taking(t, f)()
			}
			sent, err := usbproto.Send(t.Context(), c, tt.source, int64(len(data)), tt.o)
			if !errors.Is(err, tt.want) || sent >= int64(len(data)) {
				t.Errorf("%d bytes, %v", sent, err)
			}
			var transfer *usbproto.TransferError
			if fromSource := strings.HasPrefix(name, "the source"); errors.As(err, &transfer) == fromSource {
				t.Errorf("%v", err)
			} else if transfer != nil && int64(transfer.N) != sent {
				t.Errorf("%d bytes were sent, the error says %d", sent, transfer.N)
			}
			if f.streams != 0 {
				t.Errorf("%d streams were not ended", f.streams)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The same through a Conn that sends one request at a time.
func TestSendOverAnyConn(t *testing.T) {
	c, f := NewFakeBulk(t)
	all := taking(t, f)
	data := noise(3<<20 + 5)
	sent, err := usbproto.Send(t.Context(), struct{ usbproto.Conn }{c}, bytes.NewReader(data), int64(len(data)), patient)
	if err != nil || sent != int64(len(data)) || !bytes.Equal(all(), data) || f.flight != 0 {
		t.Errorf("%d bytes, %v, %d at once", sent, err, f.flight)
	}
	_, err = usbproto.Send(t.Context(), struct{ usbproto.Conn }{c}, bytes.NewReader(data[:10]), 20, patient)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := usbproto.Send(ctx, struct{ usbproto.Conn }{c}, bytes.NewReader(data), int64(len(data)), patient); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
