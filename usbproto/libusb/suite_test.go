package libusb

import (
	"testing"

	"xflash/usbproto"
	"xflash/usbproto/usbtest"
)

func TestUSBConn(t *testing.T) {
	usbtest.Suite(t, func(t *testing.T) (usbproto.Conn, usbtest.Peer) { return NewFakeBulk(t) })
}
