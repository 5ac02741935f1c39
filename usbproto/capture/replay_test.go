package capture_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"xflash/usbproto"
	"xflash/usbproto/capture"
	"xflash/usbproto/usbtest"
)

// After Close nothing waits any more.
func TestClosedReplay(t *testing.T) {
	p, err := capture.NewReplay(bytes.NewReader(small(t)[:24]))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := p.Read(ctx, make([]byte, 8)); !errors.Is(err, usbproto.ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if _, err := p.Write(ctx, make([]byte, 8)); !errors.Is(err, usbproto.ErrClosed) {
		t.Errorf("write: %v", err)
	}
}

// A capture that usbmon has cut off at a snap length, or that has two phones in it, cannot
// be played back, and says so before anything is.
func TestCapturesThatCannotBePlayedBack(t *testing.T) {
	cut := small(t)
	const first = 24 + 16 + 64 + 16 // the first packet has no data; this is the second one
	if got := binary.LittleEndian.Uint32(cut[first+32:]); got != 7 {
		t.Fatalf("%d bytes were transferred", got)
	}
	binary.LittleEndian.PutUint32(cut[first+32:], 7000)
	two := small(t)
	two[first+11]++ // the device
	for name, b := range map[string][]byte{"7 of 7000 bytes": cut, "two devices": two} {
		var bad *capture.Error
		if _, err := capture.NewReplay(bytes.NewReader(b)); !errors.As(err, &bad) || bad.Packet != 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A long answer is written as several, no longer than umockdev and the snap length in the
// header of the file allow.
func TestCaptureOfLongAnswers(t *testing.T) {
	want := bytes.Repeat([]byte("abcdefg"), 50_000)
	file := &memory{}
	c := capture.Record(long{data: want}, file, capture.Options{})
	if n, err := c.Read(t.Context(), make([]byte, 1<<20)); err != nil || n != len(want) {
		t.Fatal(n, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	asked := map[uint64]int{}
	var got []byte
	for _, e := range events(t, file.Bytes()) {
		switch {
		case e.Kind == capture.Submit:
			asked[e.ID] = e.Length
		case len(e.Data) > 128<<10 || e.Length != len(e.Data) || e.Length > asked[e.ID]:
			t.Errorf("%d bytes of a transfer of %d, %d were asked for", len(e.Data), e.Length, asked[e.ID])
		default:
			got = append(got, e.Data...)
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d are in the capture", len(got), len(want))
	}
}

// long is a phone with a long answer.
type long struct {
	chat
	data []byte
}

func (l long) Read(_ context.Context, p []byte) (int, error) { return copy(p, l.data), nil }

// With a trace a connection behaves as every other one does.
func TestRecordIsAConn(t *testing.T) {
	usbtest.Suite(t, func(*testing.T) (usbproto.Conn, usbtest.Peer) {
		host, phone := net.Pipe()
		return capture.Record(usbproto.NewNetConn(host, "pipe"), &memory{}, capture.Options{Mask: capture.FlashMask()}), peer{phone}
	})
}

// peer is the phone at the other end of a pipe.
type peer struct{ net.Conn }

func (p peer) Send(b []byte) error { _, err := p.Write(b); return err }

func (p peer) Receive(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(p, b)
	return b, err
}

func (p peer) Unplug() { _ = p.Close() }

// Every packet is in the file before the program ends, so that one that is killed
// leaves a trace too.
func TestCaptureOfAProgramThatIsKilled(t *testing.T) {
	file := &memory{}
	c := capture.Record(chat{}, file, capture.Options{})
	if _, err := c.Write(t.Context(), []byte("getvar:version")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(t.Context(), make([]byte, 512)); err != nil {
		t.Fatal(err)
	}
	if n := len(events(t, file.Bytes())); n != 4 {
		t.Errorf("%d events are in the file", n)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}
