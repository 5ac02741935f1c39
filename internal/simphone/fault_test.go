package simphone

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"xflash/usbproto"
)

func faults(t testing.TB, texts ...string) (all []Fault) {
	t.Helper()
	for _, text := range texts {
		f, err := ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// hello is what a healthy boot stage sends first, byte for byte.
func hello(t testing.TB, p *Phone) []byte {
	t.Helper()
	return packet(1, 1, p.bootSession(nil).bootInfo())
}

// reads fetches transfers one by one until n bytes are there.
func (h *host) reads(n int) (sizes []int, all []byte) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	b := make([]byte, 1<<20)
	for len(all) < n {
		k, err := h.conn.Read(ctx, b)
		if err != nil {
			h.t.Fatal(err)
		}
		sizes, all = append(sizes, k), append(all, b[:k]...)
	}
	return sizes, all
}

// Normal transfers: 13, data, 4 (usbproto/s1/PROTOCOL.md §1.5).
func TestTransfersOfAReply(t *testing.T) {
	p := openPhone(t, Options{})
	want := hello(t, p)
	sizes, all := connect(t, p).reads(len(want))
	if !bytes.Equal(all, want) || len(sizes) != 3 || sizes[0] != 13 || sizes[2] != 4 {
		t.Errorf("transfers %v", sizes)
	}
}

// A transfer of a multiple of 512 bytes does not end a read (usbproto/s1/PROTOCOL.md §1.5):
// the CRC comes with it, or the read times out with the data.
func TestTransferWithoutEnd(t *testing.T) {
	p := openPhone(t, Options{})
	if err := p.SetUnit(2, 3000, pattern(1024, "x")); err != nil {
		t.Fatal(err)
	}
	h := connect(t, p)
	h.expectHello()
	h.ok(9, 2)
	h.write(packet(12, 3, []byte{0, 0, 0x0B, 0xB8}))
	if sizes, _ := h.reads(13 + 1024 + 4); len(sizes) != 2 || sizes[1] != 1028 {
		t.Errorf("transfers %v", sizes)
	}
}

func TestFaultSplitAndJoined(t *testing.T) {
	for fault, count := range map[string]int{"split@0": 0, "joined@0": 1} {
		p := openPhone(t, Options{Faults: faults(t, fault)})
		want := hello(t, p)
		if count == 0 {
			count = len(want)
		}
		h := connect(t, p)
		sizes, all := h.reads(len(want))
		if !bytes.Equal(all, want) || len(sizes) != count {
			t.Errorf("%s: %d transfers, same bytes: %v", fault, len(sizes), bytes.Equal(all, want))
		}
		h.ok(9, 2)
	}
}

func TestFaultShortRead(t *testing.T) {
	p := openPhone(t, Options{Faults: faults(t, "short-read@1")})
	h := connect(t, p)
	h.expectHello()
	h.write(packet(9, 3, []byte{2}))
	if b, err := h.readFull(5, answerTime); err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	h.silent()
	h.refused("MINOR 001D 00000000", 9, 3, 2) // the phone continued
}

func TestFaultSilence(t *testing.T) {
	p := openPhone(t, Options{Faults: faults(t, "silence@2")})
	h := connect(t, p)
	h.expectHello()
	h.ok(9, 2)
	h.write(packet(10, 3, nil))
	h.silent()
	h.write(packet(7, 3, nil))
	h.silent()
	// It does not even take the bytes of a large packet.
	ctx, cancel := context.WithTimeout(context.Background(), silenceTime)
	defer cancel()
	n, err := h.conn.Write(ctx, make([]byte, 1<<20))
	if n >= 1<<20 || !errors.Is(err, usbproto.ErrTimeout) {
		t.Errorf("%d bytes taken, %v", n, err)
	}
}

func TestFaultUnplug(t *testing.T) {
	p := openPhone(t, Options{Faults: faults(t, "unplug@2")})
	h := connect(t, p)
	h.expectHello()
	h.ok(9, 2)
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	_, writeErr := h.conn.Write(ctx, packet(10, 3, nil))
	n, err := h.conn.Read(ctx, make([]byte, 100))
	if n != 0 || !errors.Is(err, usbproto.ErrGone) || writeErr != nil && !errors.Is(writeErr, usbproto.ErrGone) {
		t.Errorf("%d bytes, %v, %v", n, err, writeErr)
	}
	var transfer *usbproto.TransferError
	if !errors.As(err, &transfer) || transfer.Op != "read" {
		t.Errorf("%#v", err)
	}
	if p.OnBus() {
		t.Error("still on the bus")
	}
}

func TestFaultLate(t *testing.T) {
	p := openPhone(t, Options{Faults: faults(t, "late=300ms@1")})
	h := connect(t, p)
	h.expectHello()
	h.write(packet(9, 3, []byte{2}))
	h.silent() // 150 ms
	if r := h.read(); r.flags != 1 {
		t.Errorf("%+v", r)
	}
}

func TestFaultRefuse(t *testing.T) {
	p := openPhone(t, Options{Faults: faults(t, "refuse=0017/80080021@1", "refuse=MAJOR/0017/80030001@4")})
	h := connect(t, p)
	h.expectHello()
	h.refused("MINOR 0017 80080021", 9, 3, 2)
	h.ok(9, 2) // it was not carried out
	h.refused("MAJOR 0017 80030001", 10, 3)
	h.refused("NONE 0000", 9, 3, 2) // limited mode
}

func TestFaultCorrupt(t *testing.T) {
	for fault, at := range map[string]int{"corrupt@2": 12, "corrupt=header@2": 12, "corrupt=data@2": 13 + 5, "corrupt=crc@2": 13 + 6 + 3} {
		p := openPhone(t, Options{Faults: faults(t, fault)})
		h := connect(t, p)
		h.expectHello()
		h.ok(9, 2)
		h.write(packet(12, 3, []byte{0, 0, 8, 0xA2}))
		want := packet(12, 1, []byte("D5803\x00"))
		want[at] ^= 0x10
		if got, err := h.readFull(len(want), answerTime); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s:\n% X\n% X\n%v", fault, got, want, err)
		}
	}
}

// kill: carried out, not answered.
func TestFaultKill(t *testing.T) {
	killed := make(chan bool, 1)
	p := openPhone(t, Options{Faults: faults(t, "kill@1"), OnKill: func() { killed <- true }})
	h := connect(t, p)
	h.expectHello()
	h.write(packet(9, 3, []byte{2}))
	select {
	case <-killed:
	case <-time.After(answerTime):
		t.Fatal("not killed")
	}
}

// Every way to get a fault wrong says so.
func TestParseFaultErrors(t *testing.T) {
	for _, text := range []string{"", "silence", "silence@", "silence@-1", "silence@x:y", "unknown@1", "silence=soon@1", "late=soon@1",
		"refuse@1", "refuse=17@1", "refuse=xx/80080021@1", "refuse=0017/123456789@1", "refuse=LOUD/0017/80080021@1", "corrupt=all@1"} {
		if f, err := ParseFault(text); err == nil {
			t.Errorf("%q was read as %+v", text, f)
		}
	}
}

// Faults that were not read from text are understood, or refused, by Open.
func TestFaultsWithoutText(t *testing.T) {
	p := openPhone(t, Options{Faults: []Fault{{Name: FaultRefuse, Arg: "0017/80080021", At: 1}}})
	h := connect(t, p)
	h.expectHello()
	h.refused("MINOR 0017 80080021", 9, 3, 2)
	for _, f := range []Fault{{Name: FaultRefuse, At: 1}, {Name: "explode"}} {
		if p, err := Open(Options{Faults: []Fault{f}}); err == nil {
			p.Close()
			t.Errorf("%+v was taken", f)
		}
	}
}

// A cancelled or expired transfer says which, and loses nothing.
func TestContexts(t *testing.T) {
	p := openPhone(t, Options{})
	h := connect(t, p)
	h.expectHello()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := h.conn.Read(ctx, make([]byte, 10)); !errors.Is(err, context.Canceled) || errors.Is(err, usbproto.ErrTimeout) {
		t.Error(err)
	}
	h.ok(9, 2)
	time.AfterFunc(20*time.Millisecond, func() { h.conn.Close() })
	if _, err := h.conn.Read(context.Background(), make([]byte, 10)); !errors.Is(err, usbproto.ErrClosed) {
		t.Error(err)
	}
}
