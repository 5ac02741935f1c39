package s1_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"xflash/usbproto"
	"xflash/usbproto/s1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The texts of both stages, by PROTOCOL.md §10.2.
const (
	bootText   = `TYPE="S1_BOOT";VER="S1_Boot_MSM8974AC_11";PROT_VER="04";MAX_PKT_SZ="00080000";ROOTING_STATUS="ROOTABLE";S1_ROOT="S1_Root_9c84";` + "\x00"
	loaderText = `TYPE="S1_LOADER";ID="1277-2052";VER="MSM8974AB_22";PROT_VER="04";MAX_PKT_SZ="00010000";AUTH_LEVEL="NONE";` + "\x00"
)

// reason is the text of command 7 (PROTOCOL.md §5).
func reason(severity, code, dynamic string) []byte {
	return []byte(fmt.Sprintf("ERR_SEVERITY=%q;ERR_CODE=%q;ERR_DYNAMIC=%q;\x00", severity, code, dynamic))
}

// phone is the other end of the pipe, scripted by a test. Its wire code is its own.
type phone struct {
	t   *testing.T
	c   net.Conn
	in  chan []byte // transfers from the host
	buf []byte      // of those, what is not used up
	out chan []byte // transfers to the host

	cut  int    // longest transfer; 0 sends header, data and CRC in one transfer each
	held []byte // with hold: what is kept back to go out as one transfer
	hold bool
}

// converse runs a host against a scripted phone in a bubble with its own clock. What the
// host sends after the end of the script is a failure.
func converse(t *testing.T, script func(*phone), host func(ctx context.Context, t *testing.T, conn usbproto.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := usbproto.NewNetConn(near, "test")
		p := &phone{t: t, c: far, in: make(chan []byte, 1<<16), out: make(chan []byte, 1<<16)}
		var wg sync.WaitGroup
		wg.Go(p.pumpIn)
		wg.Go(p.pumpOut)
		wg.Go(func() {
			defer close(p.out)
			script(p)
		})
		defer func() {
			if err := conn.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			_ = far.Close() // ends the pumps
			wg.Wait()
			rest := p.buf
			for b := range p.in {
				rest = append(rest, b...)
			}
			if len(rest) > 0 && !t.Failed() {
				t.Errorf("the host sent %d bytes that the script does not expect: % x", len(rest), rest[:min(len(rest), 40)])
			}
		}()
		host(context.Background(), t, conn)
	})
}

func (p *phone) pumpIn() {
	defer close(p.in)
	for {
		b := make([]byte, 64<<10)
		n, err := p.c.Read(b)
		if n > 0 {
			p.in <- b[:n]
		}
		if err != nil {
			return
		}
	}
}

func (p *phone) pumpOut() {
	for b := range p.out {
		if _, err := p.c.Write(b); err != nil {
			return
		}
	}
}

func (p *phone) fail(format string, a ...any) {
	p.t.Errorf("phone: "+format, a...)
	runtime.Goexit()
}

// unplug takes the phone away, after what it sent has arrived.
func (p *phone) unplug() {
	synctest.Wait()
	_ = p.c.Close()
}

// read takes n bytes; false when the host is gone.
func (p *phone) read(n int) ([]byte, bool) {
	for len(p.buf) < n {
		b, ok := <-p.in
		if !ok {
			p.buf = nil // the host broke off in the middle
			return nil, false
		}
		p.buf = append(p.buf, b...)
	}
	b := p.buf[:n:n]
	p.buf = p.buf[n:]
	return b, true
}

// crc is the packet checksum of PROTOCOL.md §2.3, bit by bit.
func crc(data []byte) uint32 {
	var c uint32
	for _, b := range data {
		c ^= uint32(b)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0xEDB88320
			} else {
				c >>= 1
			}
		}
	}
	return c
}

func wire(cmd, flags uint32, data []byte) []byte {
	var b []byte
	b = binary.BigEndian.AppendUint32(b, cmd)
	b = binary.BigEndian.AppendUint32(b, flags)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	sum := byte(0)
	for _, x := range b {
		sum ^= x
	}
	b = append(b, sum+7)
	b = append(b, data...)
	return binary.BigEndian.AppendUint32(b, crc(data))
}

type packet struct {
	cmd, flags uint32
	data       []byte
}

// packet takes the next packet of the host; false when the host is gone.
func (p *phone) packet() (packet, bool) {
	head, ok := p.read(13)
	if !ok {
		return packet{}, false
	}
	pk := packet{cmd: binary.BigEndian.Uint32(head), flags: binary.BigEndian.Uint32(head[4:])}
	n := binary.BigEndian.Uint32(head[8:])
	if n > 1<<20 {
		p.fail("a packet of %d bytes", n)
	}
	tail, ok := p.read(int(n) + 4)
	if !ok {
		return packet{}, false
	}
	pk.data = tail[:n]
	if whole := append(bytes.Clone(head), tail...); !bytes.Equal(whole, wire(pk.cmd, pk.flags, pk.data)) {
		p.fail("packet with wrong checksums: % x", whole[:min(len(whole), 40)])
	}
	return pk, true
}

// expect takes the next packet, which must be this one.
func (p *phone) expect(cmd, flags uint32, data []byte) {
	pk, ok := p.packet()
	switch {
	case !ok:
		p.fail("the host is gone, command %d was expected", cmd)
	case pk.cmd != cmd || pk.flags != flags || !bytes.Equal(pk.data, data):
		p.fail("got command %d flags %d % x, expected command %d flags %d % x", pk.cmd, pk.flags,
			pk.data[:min(len(pk.data), 40)], cmd, flags, data[:min(len(data), 40)])
	}
}

// send sends a packet, in transfers as the script wants them.
func (p *phone) send(cmd, flags uint32, data []byte) {
	whole := wire(cmd, flags, data)
	switch {
	case p.hold:
		p.held = append(p.held, whole...)
	case p.cut > 0:
		p.raw(whole)
	default:
		p.raw(whole[:13])
		p.raw(data)
		p.raw(whole[13+len(data):])
	}
}

// raw sends bytes.
func (p *phone) raw(b []byte) {
	for len(b) > 0 {
		n := len(b)
		if p.cut > 0 {
			n = min(n, p.cut)
		}
		p.out <- bytes.Clone(b[:n])
		b = b[n:]
	}
}

// flush sends what was held as one transfer.
func (p *phone) flush() {
	p.hold = false
	p.raw(p.held)
	p.held = nil
}

// answer is a command that is accepted.
func (p *phone) answer(cmd uint32, question, reply []byte) {
	p.expect(cmd, 3, question)
	p.send(cmd, 1, reply)
}

// refuse is a command that is refused and the question why, which must follow at once.
func (p *phone) refuse(cmd, flags uint32, question []byte, why []byte) {
	p.expect(cmd, flags, question)
	p.send(cmd, 0, nil)
	p.answer(7, nil, why)
}

// greet is the greeting of a stage.
func (p *phone) greet(text string) { p.send(1, 1, []byte(text)) }

// image takes an image in packets of at most chunk bytes and returns it. Flags and sizes
// must be as in PROTOCOL.md §2.4.
func (p *phone) image(headerParts []int, chunks []int) (header, data []byte) {
	take := func(cmd uint32, sizes []int) (all []byte) {
		for i, size := range sizes {
			flags := uint32(7)
			if i == len(sizes)-1 {
				flags = 3
			}
			pk, ok := p.packet()
			if !ok || pk.cmd != cmd || pk.flags != flags || len(pk.data) != size {
				p.fail("got command %d flags %d with %d bytes, expected command %d flags %d with %d bytes",
					pk.cmd, pk.flags, len(pk.data), cmd, flags, size)
			}
			all = append(all, pk.data...)
			p.send(cmd, 1, nil)
		}
		return all
	}
	return take(5, headerParts), take(6, chunks)
}

// pattern is n bytes that differ from place to place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16*29)
	}
	return b
}

// unit is a trim-area unit number on the wire.
func unit(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// written is the payload of a unit being written.
func written(n uint32, data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(unit(n), uint32(len(data))), data...)
}

// open opens a session or ends the test.
func open(ctx context.Context, t *testing.T, conn usbproto.Conn, opt s1.Options) *s1.Session {
	t.Helper()
	s, err := s1.Open(ctx, conn, opt)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

// bubbleBegin is when the clock of every bubble starts (package synctest).
var bubbleBegin = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// took checks how much of the bubble's time something took.
func took(t *testing.T, from time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(from); got != want {
		t.Errorf("took %v, expected %v", got, want)
	}
}
