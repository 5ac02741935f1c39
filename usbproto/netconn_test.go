package usbproto_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"xflash/usbproto"
	"xflash/usbproto/usbtest"
)

// netPeer is the phone's end of a network connection.
type netPeer struct{ net.Conn }

func (p netPeer) Send(b []byte) error {
	_, err := p.Write(b)
	return err
}

func (p netPeer) Receive(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(p, b)
	return b, err
}

func (p netPeer) Unplug() { p.Close() }

func TestNetConnOverPipe(t *testing.T) {
	usbtest.Suite(t, func(*testing.T) (usbproto.Conn, usbtest.Peer) {
		host, phone := net.Pipe()
		return usbproto.NewNetConn(host, "pipe"), netPeer{phone}
	})
}

func TestDialBridge(t *testing.T) {
	usbtest.Suite(t, func(t *testing.T) (usbproto.Conn, usbtest.Peer) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		conn, err := usbproto.DialBridge(t.Context(), listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		phone, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return conn, netPeer{phone}
	})
}

func TestDialBridgeNobodyThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	if conn, err := usbproto.DialBridge(t.Context(), addr); err == nil {
		conn.Close()
		t.Fatal("connected to a port where nobody listens")
	}
}

// lazyConn is late with deadlines, as a busy machine is: it notices them 200 ms after
// the context, and takes 50 ms to be woken.
type lazyConn struct{ net.Conn }

func (c lazyConn) SetReadDeadline(t time.Time) error {
	switch {
	case t.Unix() == 1:
		time.Sleep(50 * time.Millisecond)
	case !t.IsZero():
		t = t.Add(200 * time.Millisecond)
	}
	return c.Conn.SetReadDeadline(t)
}

func TestNetConnLateEndOfTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, phone := net.Pipe()
		defer phone.Close()
		conn := usbproto.NewNetConn(lazyConn{host}, "pipe")
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		// The answer comes after the deadline, but before the read was woken because of it.
		time.AfterFunc(20*time.Millisecond, func() { _, _ = phone.Write([]byte("first")) })
		if n, err := conn.Read(ctx, make([]byte, 9)); n != 5 || err != nil {
			t.Fatal(n, err)
		}
		time.AfterFunc(100*time.Millisecond, func() { _, _ = phone.Write([]byte("second")) })
		if n, err := conn.Read(t.Context(), make([]byte, 9)); n != 6 || err != nil {
			t.Fatalf("the end of the first read reached the second: %d, %v", n, err)
		}
	})
}
