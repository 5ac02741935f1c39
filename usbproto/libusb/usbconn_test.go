package libusb

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"xflash/usbproto"
)

func TestUSBConnAsksForWholePackets(t *testing.T) {
	for _, c := range []struct {
		want     int   // bytes the caller asks for
		requests []int // bytes that are asked of the phone for the first of them
	}{
		{1, []int{512}}, {511, []int{512}}, {512, []int{512}}, {513, []int{512}}, {1024, []int{1024}}, {1535, []int{1024}},
		{1 << 20, []int{1 << 20}}, {3 << 20, []int{1 << 20}},
	} {
		conn, phone := NewFakeBulk(t)
		if err := phone.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(t.Context(), make([]byte, c.want)); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if !slices.Equal(phone.requests, c.requests) {
			t.Errorf("for %d bytes the phone was asked for %v, want %v", c.want, phone.requests, c.requests)
		}
		conn.Close()
	}
}

// The rest of a packet is given out without asking the phone again.
func TestUSBConnKeepsTheRestOfAPacket(t *testing.T) {
	conn, phone := NewFakeBulk(t)
	defer conn.Close()
	if err := phone.Send([]byte("header and data")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"head", "er a", "nd d", "ata"} {
		b := make([]byte, 4)
		n, err := conn.Read(t.Context(), b)
		if err != nil || string(b[:n]) != want {
			t.Fatalf("got %q, %v, want %q", b[:n], err, want)
		}
	}
	if len(phone.requests) != 1 {
		t.Errorf("%d requests for one packet", len(phone.requests))
	}
}

// An empty packet ends a transfer but is not data: the read continues.
func TestUSBConnEmptyPacket(t *testing.T) {
	for _, room := range []int{4, 512} {
		conn, phone := NewFakeBulk(t)
		phone.in = [][]byte{{}, {}, []byte("ok")}
		b := make([]byte, room)
		if n, err := conn.Read(t.Context(), b); err != nil || string(b[:n]) != "ok" {
			t.Errorf("got %q, %v", b[:n], err)
		}
		conn.Close()
	}
}

// Whole packets do not end a transfer: when the deadline passes, they are not lost, also
// when they come into the buffer for a single packet.
func TestUSBConnPartOfATransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, phone := NewFakeBulk(t)
		defer conn.Close()
		if err := phone.Send(make([]byte, 1024)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		n, err := conn.Read(ctx, make([]byte, 4096))
		var transfer *usbproto.TransferError
		if n != 1024 || !errors.As(err, &transfer) || transfer.N != 1024 || !errors.Is(err, usbproto.ErrTimeout) {
			t.Fatal(n, err)
		}
	})
}

// Test 22 of docs/contributing.md §5: the kernel has no memory for a large request.
func TestUSBConnNoMemory(t *testing.T) {
	data := bytes.Repeat([]byte("xperia z"), 3<<20/8)
	conn, phone := NewFakeBulk(t)
	defer conn.Close()
	phone.memory = 300 << 10
	for range 2 {
		if n, err := conn.Write(t.Context(), data); n != len(data) || err != nil {
			t.Fatal(n, err)
		}
		if got, err := phone.Receive(len(data)); err != nil || !bytes.Equal(got, data) {
			t.Fatal("the data arrived changed", err)
		}
	}
	if phone.refused != 1 {
		t.Errorf("the size that is too large was tried %d times", phone.refused)
	}
	for i, n := range phone.requests {
		if n != 256<<10 {
			t.Errorf("request %d of %d is of %d bytes", i, len(phone.requests), n)
		}
	}

	if err := phone.Send(data[:1<<20]); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(t.Context(), make([]byte, 1<<20)); n != 256<<10 || err != nil {
		t.Error("read", n, err)
	}

	phone.memory = 1000
	if n, err := conn.Write(t.Context(), data); n != 0 || !errors.Is(err, errNoMemory) {
		t.Error("write without any memory", n, err)
	}
}

// A write that breaks off says how much the phone has taken, over all its requests.
func TestUSBConnWriteBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, phone := NewFakeBulk(t)
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		n, err := conn.Write(ctx, make([]byte, outLimit+2<<20))
		if n != outLimit || !errors.Is(err, usbproto.ErrTimeout) {
			t.Fatal(n, err)
		}
		phone.fault = usbproto.ErrStalled
		if n, err := conn.Write(t.Context(), []byte("more")); n != 0 || !errors.Is(err, usbproto.ErrStalled) {
			t.Fatal(n, err)
		}
	})
}

func TestUSBConnGivesErrorsOn(t *testing.T) {
	cause := errors.New("bad cable")
	for _, want := range []error{usbproto.ErrStalled, usbproto.ErrOverflow, usbproto.ErrGone, cause} {
		conn, phone := NewFakeBulk(t)
		phone.fault = want
		_, err := conn.Read(t.Context(), make([]byte, 9))
		if !errors.Is(err, want) || err.Error() != "read usb:1-2: "+want.Error() {
			t.Errorf("got %v", err)
		}
		conn.Close()
	}
}

// Test 27 of docs/contributing.md §5: closing during a read, 10 000 times. fakeBulk reports
// requests that run at the same time, or during or after the end.
func TestUSBConnCloseDuringRead(t *testing.T) {
	for i := range 10000 {
		conn, phone := NewFakeBulk(t)
		ended := make(chan error)
		go func() {
			_, err := conn.Read(context.Background(), make([]byte, 13))
			ended <- err
		}()
		if i%2 == 0 { // the read has started for sure
			phone.mu.Lock()
			phone.until(t.Context(), func() bool { return phone.running > 0 })
			phone.mu.Unlock()
		}
		if err := errors.Join(conn.Close(), conn.Close()); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, usbproto.ErrClosed) {
			t.Fatal(err)
		}
		if phone.closed != 1 {
			t.Fatalf("the endpoints were closed %d times", phone.closed)
		}
	}
}
