// Package capture writes, reads and replays what went over a cable.
//
// The form is that of the kernel's usbmon in a classic pcap file, link type 220
// (LINKTYPE_USB_LINUX_MMAPPED): Wireshark opens it, umockdev-run plays it back to an
// unchanged program, and Replay plays it back to a test. A capture is written by a Conn
// around another Conn, so one of a simulated phone looks like one of a real one.
//
// Facts: usbproto/libusb/NOTES.md §6 (what umockdev can replay), the kernel's
// Documentation/usb/usbmon.rst (the header of 64 bytes), usbproto/s1/PROTOCOL.md §2, §6.3 and
// fastboot/PROTOCOL.md §1 (what must be masked). All numbers are little-endian.
package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"syscall"
	"time"
)

const (
	magic       = 0xa1b2c3d4 // times in microseconds
	linkType    = 220
	fileHeader  = 24
	packetHead  = 16
	eventHeader = 64

	// maxData is the most data in one event: umockdev cannot play back 256 KiB and more
	// (usbproto/libusb/NOTES.md §6). Longer transfers are written as several.
	maxData = 128 << 10
	snapLen = maxData + eventHeader
)

// Kind is what an event tells.
type Kind byte

// The kinds: the host submits a request, the request is complete, or could not be submitted.
const (
	Submit   Kind = 'S'
	Complete Kind = 'C'
	Failed   Kind = 'E'
)

// Endpoints of the phones (usbproto/s1/PROTOCOL.md §1.3).
const (
	endpointIn  = 0x81
	endpointOut = 0x01
)

const transferBulk = 3

// An Event is one packet of a capture.
type Event struct {
	Time     time.Time
	ID       uint64 // the same for a submission and its completion
	Kind     Kind
	Transfer byte // type: 3 is bulk
	Endpoint byte // 0x80 is set for the direction to the host
	Device   byte
	Bus      uint16
	Status   syscall.Errno // of a completion, 0 is success
	Length   int           // bytes asked for, or transferred
	Data     []byte        // what the capture holds of it; nil for none
}

// In says whether the data go to the host.
func (e *Event) In() bool { return e.Endpoint&0x80 != 0 }

// Error is a capture that cannot be read.
type Error struct {
	Offset int64 // in the file
	Packet int   // from 1, 0 for the file's own header
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("capture, packet %d at offset %d: %s", e.Packet, e.Offset, e.Reason)
}

// appendFileHeader writes the header of a file.
func appendFileHeader(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, magic)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4) // version
	b = le.AppendUint64(b, 0)                     // time zone, accuracy
	return le.AppendUint32(le.AppendUint32(b, snapLen), linkType)
}

// append writes an event with both of its headers.
func (e *Event) append(b []byte) []byte {
	le := binary.LittleEndian
	size := uint32(eventHeader + len(e.Data))
	seconds, micro := e.Time.Unix(), e.Time.Nanosecond()/1000
	b = le.AppendUint32(le.AppendUint32(b, uint32(seconds)), uint32(micro))
	b = le.AppendUint32(le.AppendUint32(b, size), size)
	noData := byte(0)
	if len(e.Data) == 0 {
		noData = '-'
		if e.In() && e.Kind == Submit {
			noData = '<'
		}
	}
	status := -int32(e.Status)
	b = le.AppendUint64(b, e.ID)
	b = append(b, byte(e.Kind), e.Transfer, e.Endpoint, e.Device)
	b = append(le.AppendUint16(b, e.Bus), '-', noData) // no setup packet
	b = le.AppendUint32(le.AppendUint64(b, uint64(seconds)), uint32(micro))
	b = le.AppendUint32(b, uint32(status))
	b = le.AppendUint32(le.AppendUint32(b, uint32(e.Length)), uint32(len(e.Data)))
	b = append(b, make([]byte, 24)...) // setup, interval, start frame, flags, descriptors
	return append(b, e.Data...)
}

// A Reader reads the events of a capture.
type Reader struct {
	r      io.Reader
	offset int64
	packet int
	device [3]byte // bus and number of the first device of bulk transfers, 0 before it
}

// NewReader reads the header of a capture. Only classic pcap of link type 220 in the byte
// order of a PC is taken, which is what this package and the kernel of a PC write.
func NewReader(r io.Reader) (*Reader, error) {
	c := &Reader{r: r}
	var h [fileHeader]byte
	if err := c.read(h[:]); err != nil {
		return nil, c.bad("it ends in its header")
	}
	le := binary.LittleEndian
	switch {
	case le.Uint32(h[:]) == 0x0a0d0d0a:
		return nil, c.bad("it is in the newer pcapng format; Wireshark can save it as pcap")
	case le.Uint32(h[:]) != magic:
		return nil, c.bad("it is not a pcap file with microsecond timestamps")
	case le.Uint32(h[20:])&0xffff != linkType:
		return nil, c.bad(fmt.Sprintf("its link type is %d, not %d", le.Uint32(h[20:])&0xffff, linkType))
	}
	return c, nil
}

func (c *Reader) bad(reason string) error {
	return &Error{Offset: c.offset, Packet: c.packet, Reason: reason}
}

func (c *Reader) read(p []byte) error {
	n, err := io.ReadFull(c.r, p)
	c.offset += int64(n)
	return err
}

// maxPacket bounds one packet of a file, bytes; usbfs takes no longer requests.
const maxPacket = 16<<20 + eventHeader

// Next returns the next event; io.EOF after the last one.
func (c *Reader) Next() (Event, error) {
	var h [packetHead]byte
	switch err := c.read(h[:]); {
	case err == io.EOF:
		return Event{}, io.EOF
	case err == io.ErrUnexpectedEOF:
		return Event{}, c.bad("it ends in the header of a packet")
	case err != nil:
		return Event{}, err
	}
	c.packet++
	le := binary.LittleEndian
	size := le.Uint32(h[8:])
	if size < eventHeader || size > maxPacket {
		return Event{}, c.bad(fmt.Sprintf("a packet of %d bytes", size))
	}
	var b [eventHeader]byte
	if err := c.read(b[:]); err != nil {
		return Event{}, c.bad("it ends in the header of a transfer")
	}
	status := int32(le.Uint32(b[28:]))
	if status > 0 || status == math.MinInt32 {
		return Event{}, c.bad(fmt.Sprintf("the status %d is not an error number", status))
	}
	e := Event{
		Time: time.Unix(int64(le.Uint64(b[16:])), int64(le.Uint32(b[24:]))*1000),
		ID:   le.Uint64(b[0:]), Kind: Kind(b[8]), Transfer: b[9], Endpoint: b[10], Device: b[11], Bus: le.Uint16(b[12:]),
		Status: syscall.Errno(-status), Length: int(le.Uint32(b[32:])),
	}
	if size > eventHeader {
		var err error
		if e.Data, err = readGrowing(c.r, int(size-eventHeader)); err != nil {
			return Event{}, c.bad("it ends in the data of a transfer")
		}
		c.offset += int64(len(e.Data))
	}
	return e, nil
}

// cutOff is the error of a transfer of which the capture does not hold all data.
func (c *Reader) cutOff(e Event) error {
	return c.bad(fmt.Sprintf("it holds %d of the %d bytes of a transfer; capture with a larger snap length", len(e.Data), e.Length))
}

// sameDevice refuses the bulk transfers of a second device: whose answer is whose?
func (c *Reader) sameDevice(e Event) error {
	device := [3]byte{byte(e.Bus), byte(e.Bus >> 8), e.Device}
	if c.device == [3]byte{} {
		c.device = device
	}
	if c.device != device {
		return c.bad("it holds transfers of two devices; keep those of the phone")
	}
	return nil
}

// readGrowing reads n bytes without trusting n for the memory it takes.
func readGrowing(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, 0, min(n, 64<<10))
	for len(b) < n {
		at := len(b)
		k := min(n-at, max(64<<10, at))
		b = append(b, make([]byte, k)...)
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}
