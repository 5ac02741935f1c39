package simphone

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"xflash/usbproto"
)

// serve runs Serve and gives its address and result.
func serve(t *testing.T, p *Phone) (addr string, stop func(), result chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result = make(chan error, 1)
	go func() { result <- p.Serve(ctx, l) }()
	t.Cleanup(cancel)
	return l.Addr().String(), cancel, result
}

func dial(t *testing.T, addr string) *host {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn := usbproto.NewNetConn(c, "sim")
	t.Cleanup(func() { conn.Close() })
	return &host{t, conn}
}

func wait(t *testing.T, result chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(answerTime):
		t.Fatal("Serve does not end")
		return nil
	}
}

// One client after the other, with the phone's state kept; after the end of the
// session Serve ends.
func TestServe(t *testing.T) {
	p := openPhone(t, Options{})
	addr, _, result := serve(t, p)
	h := dial(t, addr)
	h.startLoader(testLoader(t, 4, "GPTP ADDR"))
	h.ok(9, 2)
	h.conn.Close()
	h = dial(t, addr)
	h.refused("MINOR 001D 00000000", 9, 3, 2)
	h.ok(10)
	h.sendSIN(imageFor(t, p, "cache", pattern(300000, "x")), 0x10000)
	h.ok(4)
	if err := wait(t, result); err != nil {
		t.Error(err)
	}
	if _, err := h.readFull(1, answerTime); !errors.Is(err, usbproto.ErrGone) {
		t.Error("the client was told", err)
	}
}

// A client that leaves while the phone hangs makes room for the next.
func TestServeWithAPhoneThatHangs(t *testing.T) {
	p := openPhone(t, Options{Faults: faults(t, "silence@1")})
	addr, stop, result := serve(t, p)
	h := dial(t, addr)
	h.expectHello()
	h.write(make([]byte, 300000))
	h.conn.Close()
	h = dial(t, addr)
	h.write(packet(1, 3, nil))
	h.silent()
	stop()
	if err := wait(t, result); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Unplugging ends a connection.
func TestServeUnplugged(t *testing.T) {
	p := openPhone(t, Options{})
	addr, _, result := serve(t, p)
	h := dial(t, addr)
	h.expectHello()
	p.Unplug()
	if _, err := h.readFull(1, answerTime); !errors.Is(err, usbproto.ErrGone) {
		t.Error(err)
	}
	if err := wait(t, result); err != nil {
		t.Error(err)
	}
}
