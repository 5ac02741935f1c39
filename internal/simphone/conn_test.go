package simphone

import (
	"testing"

	"xflash/usbproto"
	"xflash/usbproto/usbtest"
)

// cablePeer is the phone's end of a cable without a phone's program.
type cablePeer struct{ cable *cable }

func (p cablePeer) Send(b []byte) error { return p.cable.send(b) }
func (p cablePeer) Receive(n int) ([]byte, error) {
	b := make([]byte, n)
	return b, p.cable.read(b)
}
func (p cablePeer) Unplug() { p.cable.unplug() }

func TestConnConforms(t *testing.T) {
	usbtest.Suite(t, func(*testing.T) (usbproto.Conn, usbtest.Peer) {
		c := newCable()
		return &conn{cable: c, device: "sim"}, cablePeer{c}
	})
}
