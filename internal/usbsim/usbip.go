package usbsim

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Operations of the USB/IP protocol, version 1.1.1, before a device is handed over: each
// starts with the version, a code and a status, big-endian.
const (
	protocolVersion = 0x0111
	opList          = 0x0005
	opImport        = 0x0003
	opAsk           = 0x8000 // in the code of what the host asks

	opOK     = 0
	opBusy   = 2
	opNoSuch = 4

	// BusID is the name under which a Server has its phone: usbip attach -r HOST -b 1-1.
	BusID = "1-1"

	// askTime is how long a client may accept to say what it wants.
	askTime = 10 * time.Second
)

const speedHigh = 3 // enum usb_device_speed of the kernel

// A Server is a USB/IP server with one phone, for "usbip attach". A phone that changes
// its mode is detached and must be attached again, as USB/IP has it.
type Server struct {
	listener net.Listener
	clients  sync.WaitGroup

	mu     sync.Mutex
	device *Device // nil: the phone is not on the bus
	used   bool    // a host has it
}

// NewServer answers on l, with no phone at first. Close ends it.
func NewServer(l net.Listener) *Server {
	s := &Server{listener: l}
	s.clients.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.clients.Go(func() { s.client(conn) })
		}
	})
	return s
}

// Plug offers the device until it has left the bus, which it does when ctx ends. Hosts may
// attach and detach it meanwhile. One device can be offered at a time.
func (s *Server) Plug(ctx context.Context, d *Device) error {
	stop := context.AfterFunc(ctx, d.Unplug)
	defer stop()
	s.mu.Lock()
	s.device = d
	s.mu.Unlock()
	<-d.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.device = nil
	return nil
}

// Close ends the server. The phone must have been unplugged.
func (s *Server) Close() error {
	err := s.listener.Close()
	s.clients.Wait()
	return err
}

// client answers one connection. Its failures are the client's own matter.
func (s *Server) client(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(askTime))
	var ask [8]byte
	if _, err := io.ReadFull(conn, ask[:]); err != nil {
		return
	}
	switch binary.BigEndian.Uint16(ask[2:]) {
	case opAsk | opList:
		_, _ = conn.Write(s.list())
	case opAsk | opImport:
		var name [32]byte
		if _, err := io.ReadFull(conn, name[:]); err != nil {
			return
		}
		s.hand(conn, name)
	}
}

func (s *Server) list() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := operation(opList, opOK)
	if s.device == nil {
		return append(b, 0, 0, 0, 0)
	}
	b = append(b, 0, 0, 0, 1)
	b = append(b, s.device.identity.exported()...)
	kind := s.device.identity.Interface
	return append(b, kind[0], kind[1], kind[2], 0)
}

// hand gives the device to a host and serves it.
func (s *Server) hand(conn net.Conn, name [32]byte) {
	d, reply := s.take(name)
	_, err := conn.Write(reply)
	if d == nil {
		return
	}
	if err == nil {
		_ = conn.SetDeadline(time.Time{})
		_ = d.serve(conn)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = false
}

func (s *Server) take(name [32]byte) (*Device, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var known [32]byte
	copy(known[:], BusID)
	switch {
	case s.device == nil || name != known:
		return nil, operation(opImport, opNoSuch)
	case s.used:
		return nil, operation(opImport, opBusy)
	}
	s.used = true
	return s.device, append(operation(opImport, opOK), s.device.identity.exported()...)
}

func operation(code uint16, status uint32) []byte {
	b := binary.BigEndian.AppendUint16(nil, protocolVersion)
	b = binary.BigEndian.AppendUint16(b, code)
	return binary.BigEndian.AppendUint32(b, status)
}

// exported is the description of a device in operations: 312 bytes.
func (id Identity) exported() []byte {
	const bus, address = 1, 2
	b := make([]byte, 256+32)
	copy(b, fmt.Sprintf("/sys/devices/xflash/usb%d/%s", bus, BusID))
	copy(b[256:], BusID)
	for _, word := range []uint32{bus, address, speedHigh} {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	for _, half := range []uint16{id.VID, id.PID, deviceVersion} {
		b = binary.BigEndian.AppendUint16(b, half)
	}
	const configuration, configurations, interfaces = 1, 1, 1
	return append(b, id.Class[0], id.Class[1], id.Class[2], configuration, configurations, interfaces)
}
