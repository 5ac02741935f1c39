package usbproto_test

import (
	"io"
	"net"
	"testing"

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
