package libusb

import (
	"bytes"
	"encoding/binary"
	"syscall"

	"xflash/usbproto"
)

// capture is a packet capture as the kernel's usbmon makes them: classic pcap, link type
// 220, 64 bytes of header for each event, in the byte order of the machine. umockdev
// plays it back: it answers what the host submits with what was recorded.
type capture struct {
	buf   bytes.Buffer
	phone usbproto.Device
	id    uint64
}

func newCapture(phone usbproto.Device) *capture {
	c := &capture{phone: phone}
	c.put(uint32(0xa1b2c3d4), uint16(2), uint16(4), uint32(0), uint32(0), uint32(1<<20), uint32(220))
	return c
}

func (c *capture) put(values ...any) {
	for _, v := range values {
		if err := binary.Write(&c.buf, binary.NativeEndian, v); err != nil {
			panic(err) // a value of no fixed size
		}
	}
}

// event adds one event. kind is 'S' for a submission and 'C' for a completion; length is
// what was asked for or transferred; data is what the capture holds of it.
func (c *capture) event(kind, endpoint byte, status syscall.Errno, length int, data []byte) {
	noData := byte(0)
	if data == nil {
		noData = '-'
	}
	c.put(uint32(0), uint32(0), uint32(64+len(data)), uint32(64+len(data)))
	c.put(c.id, kind, byte(3), endpoint, byte(c.phone.Address), uint16(c.phone.Bus), byte('-'), noData)
	c.put(int64(0), int32(0), -int32(status), uint32(length), uint32(len(data)))
	c.put([8]byte{}, int32(0), int32(0), uint32(0), uint32(0))
	c.buf.Write(data)
}

// out is a write: the host submits data, and the phone accepts all of it or fails.
func (c *capture) out(data []byte, status syscall.Errno) {
	c.id++
	c.event('S', 0x01, syscall.EINPROGRESS, len(data), data)
	taken := len(data)
	if status != 0 {
		taken = 0
	}
	c.event('C', 0x01, status, taken, nil)
}

// in is a read of at most length bytes that the phone answers.
func (c *capture) in(length int, data []byte, status syscall.Errno) {
	c.pending(length)
	c.event('C', 0x81, status, len(data), data)
}

// pending is a read that the phone does not answer.
func (c *capture) pending(length int) {
	c.id++
	c.event('S', 0x81, syscall.EINPROGRESS, length, nil)
}
