package usbsim

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"
)

// USB/IP packets that carry requests, each with a header of 48 bytes, big-endian.
const (
	cmdSubmit = 1
	cmdUnlink = 2
	retSubmit = 3
	retUnlink = 4

	urbHeader = 48
	// maxRequest bounds what one request may carry in bytes; usbfs has the same limit.
	maxRequest = 16 << 20
)

// errno gives the results of requests in the kernel's numbers.
var errno = map[status]syscall.Errno{
	completed: 0, stalled: syscall.EPIPE, overflowed: syscall.EOVERFLOW, cancelled: syscall.ECONNRESET,
}

// A link carries the requests of one host to a Device and the results back.
type link struct {
	device *Device
	conn   net.Conn

	mu   sync.Mutex // order of replies; guards open
	open map[uint32]*submission
}

// A submission is a request the host waits for, by its sequence number.
type submission struct {
	request
	in       bool
	revoked  bool
	revokeBy uint32 // sequence number of the packet that takes it back
}

// serve lets one host use the device until the host is gone (nil) or the device has left
// the bus (nil). It closes conn, and takes back what the host still waited for.
func (d *Device) serve(conn net.Conn) error {
	l := &link{device: d, conn: conn, open: map[uint32]*submission{}}
	ended := make(chan struct{})
	var closing sync.WaitGroup
	closing.Go(func() {
		select {
		case <-d.ctx.Done():
		case <-ended:
		}
		conn.Close()
	})
	r := bufio.NewReaderSize(conn, 64<<10)
	err := error(nil)
	for err == nil {
		err = l.packet(r)
	}
	close(ended)
	closing.Wait()
	for _, s := range l.rest() {
		l.endpoint(s).revoke(&s.request)
	}
	if d.ctx.Err() != nil || err == io.EOF || errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return fmt.Errorf("usb/ip: %w", err)
}

// rest is what the host waits for.
func (l *link) rest() []*submission {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.open))
}

func (l *link) endpoint(s *submission) *endpoint {
	if s.in {
		return l.device.in
	}
	return l.device.out
}

// packet reads one packet of the host and starts what it asks for.
func (l *link) packet(r io.Reader) error {
	var h [urbHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return err
	}
	word := func(at int) uint32 { return binary.BigEndian.Uint32(h[at:]) }
	sequence := word(4)
	switch word(0) {
	case cmdSubmit:
		return l.submit(r, sequence, word(12) == 1, word(16), word(24), [8]byte(h[40:]))
	case cmdUnlink:
		l.unlink(sequence, word(20))
		return nil
	}
	return fmt.Errorf("packet with command %d", word(0))
}

func (l *link) submit(r io.Reader, sequence uint32, in bool, number, size uint32, setup [8]byte) error {
	if size > maxRequest {
		return fmt.Errorf("request of %d bytes", size)
	}
	address := uint16(number)
	if in {
		address |= 0x80
	}
	e, bulk := l.device.endpoint(address)
	if bulk {
		e.announce()
	}
	var data []byte
	if !in {
		data = make([]byte, size)
		if _, err := io.ReadFull(r, data); err != nil {
			return err
		}
	}
	if !bulk {
		reply, ok := []byte(nil), false
		if number == 0 {
			reply, ok = l.device.control(setup)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case !ok:
			l.result(sequence, stalled, 0, nil)
		case in:
			l.result(sequence, completed, len(reply), reply)
		default:
			l.result(sequence, completed, len(data), nil)
		}
		return nil
	}
	s := &submission{in: in, request: request{size: int(size), data: data}}
	s.done = func(st status, moved int) { l.finish(sequence, s, st, moved) }
	l.mu.Lock()
	l.open[sequence] = s
	l.mu.Unlock()
	e.submit(&s.request)
	return nil
}

// unlink takes a request back. The host hears of it once the request has ended.
func (l *link) unlink(sequence, victim uint32) {
	l.mu.Lock()
	s, open := l.open[victim]
	if open {
		s.revoked, s.revokeBy = true, sequence
	} else {
		l.reply(retUnlink, sequence, 0, 0, nil) // it has ended, and its result went before
	}
	l.mu.Unlock()
	if open {
		l.endpoint(s).revoke(&s.request)
	}
}

// finish sends the result of a bulk request. One that was taken back after some of its
// data had moved has a result with their number, as a host controller has it.
func (l *link) finish(sequence uint32, s *submission, st status, moved int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, sequence)
	if s.revoked && st == cancelled && moved == 0 {
		l.reply(retUnlink, s.revokeBy, errno[cancelled], 0, nil)
		return
	}
	var data []byte
	if s.in {
		data = s.data
	}
	l.result(sequence, st, moved, data)
	if s.revoked {
		l.reply(retUnlink, s.revokeBy, 0, 0, nil)
	}
}

func (l *link) result(sequence uint32, s status, moved int, data []byte) {
	l.reply(retSubmit, sequence, errno[s], moved, data)
}

// reply sends one packet. l.mu must be held. That the host is gone shows when reading.
func (l *link) reply(command, sequence uint32, status syscall.Errno, moved int, data []byte) {
	var h [urbHeader]byte
	binary.BigEndian.PutUint32(h[0:], command)
	binary.BigEndian.PutUint32(h[4:], sequence)
	binary.BigEndian.PutUint32(h[20:], uint32(-int32(status)))
	binary.BigEndian.PutUint32(h[24:], uint32(moved))
	if command == retSubmit {
		binary.BigEndian.PutUint32(h[32:], 0xffffffff) // not isochronous
	}
	buffers := net.Buffers{h[:], data}
	_, _ = buffers.WriteTo(l.conn)
}
