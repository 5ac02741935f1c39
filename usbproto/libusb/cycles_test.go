package libusb

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"xflash/usbproto"
)

// Ten thousand times a phone is opened, spoken to, and closed: in the middle of a read that
// is cancelled, of one that is closed away, or after all went well. Nothing is left running,
// and nothing happens on endpoints that are closed (the fake endpoints look).
func TestOpenCloseCancelCycles(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	cycles := 10_000
	if testing.Short() {
		cycles = 1000
	}
	for i := range cycles {
		c, f := NewFakeBulk(t)
		ctx, cancel := context.WithCancel(context.Background())
		want := context.Canceled
		ended := make(chan error, 1)
		switch i % 4 {
		case 0: // cancelled
			go func() { _, err := c.Read(ctx, make([]byte, 512)); ended <- err }()
			cancel()
		case 1: // closed from another goroutine
			want = usbproto.ErrClosed
			go func() { _, err := c.Read(ctx, make([]byte, 512)); ended <- err }()
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		case 2: // unplugged
			want = usbproto.ErrGone
			go func() { _, err := c.Write(ctx, make([]byte, outLimit+1)); ended <- err }()
			f.Unplug()
		case 3: // answered
			want = nil
			if err := f.Send([]byte("OKAY")); err != nil {
				t.Fatal(err)
			}
			go func() { _, err := c.Read(ctx, make([]byte, 512)); ended <- err }()
		}
		select {
		case err := <-ended:
			if !errors.Is(err, want) {
				t.Fatalf("cycle %d: %v, want %v", i, err, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("cycle %d hangs", i)
		}
		cancel()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if f.closed != 1 {
			t.Fatalf("cycle %d: closed %d times", i, f.closed)
		}
	}
}
