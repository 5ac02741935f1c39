package s1_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// serve is a phone that answers by rules, after it has greeted. reply, if there is one, is
// given the number of each packet, from 1, and what would answer it; false ends the phone.
func (p *phone) serve(reply func(n int, answer func()) bool) {
	stage, units := bootText, map[uint32][]byte{2210: []byte("D5803\x00")}
	for n := 1; ; n++ {
		pk, ok := p.packet()
		if !ok {
			return
		}
		answer := func() { p.send(pk.cmd, 1, nil) }
		switch pk.cmd {
		case 1:
			answer = func() { p.send(1, 1, []byte(stage)) }
		case 4, 5, 9, 10:
		case 6:
			if pk.flags == 3 && stage == bootText {
				stage = loaderText
				answer = func() { p.send(6, 1, nil); p.greet(stage) }
			}
		case 7:
			answer = func() { p.send(7, 1, reason("MINOR", "0025", "00000000")) }
		case 12:
			data, have := units[binary.BigEndian.Uint32(pk.data)]
			answer = func() { p.send(12, map[bool]uint32{true: 1}[have], data) }
		case 13:
			units[binary.BigEndian.Uint32(pk.data)] = pk.data[8:]
		case 18:
			answer = func() { p.send(18, 1, written(2210, units[2210])) }
		default:
			p.fail("command %d has no business here", pk.cmd)
		}
		if !reply(n, answer) {
			return
		}
	}
}

// everything is a session that uses every command.
func everything(ctx context.Context, conn usbproto.Conn) error {
	s, err := s1.Open(ctx, conn, s1.Options{})
	if err != nil {
		return err
	}
	var absent *s1.Refusal
	if err := s.OpenTA(ctx, 2); err != nil {
		return err
	}
	if _, err := s.ReadUnit(ctx, 2330); !errors.As(err, &absent) || !absent.NoUnit() {
		return fmt.Errorf("unit 2330: %w", err)
	}
	if err := s.CloseTA(ctx); err != nil {
		return err
	}
	if err := s.SendLoader(ctx, image("loader.sin", 1024, 0x10000+9), nil); err != nil {
		return err
	}
	if err := s.OpenTA(ctx, 2); err != nil {
		return err
	}
	if err := s.WriteUnit(ctx, 10100, []byte{1}); err != nil {
		return err
	}
	stream, err := s.ReadAll(ctx)
	if err != nil {
		return err
	}
	units, err := s1.ParseUnits(stream)
	if err != nil {
		return err
	}
	if len(units) != 1 || units[0].Number != 2210 || string(units[0].Data) != "D5803\x00" {
		return fmt.Errorf("units %v", units)
	}
	if err := s.SendImage(ctx, image("system.sin", packetSize+1, 2*packetSize), nil); err != nil {
		return err
	}
	if err := s.CloseTA(ctx); err != nil {
		return err
	}
	return s.End(ctx)
}

// everythingPackets is how many packets that takes: 1 open, 2 for the refused read, close,
// 3 for the loader and 1 to ask it, open, 2 for the write, 1 for the dump, 4 for the
// image, close, end.
const everythingPackets = 1 + 2 + 1 + 4 + 1 + 2 + 1 + 4 + 1 + 1

// The whole session in every shape of transfer.
func TestTransferShapes(t *testing.T) {
	for _, cut := range []int{0, 1, 2, 3, 5, 12, 13, 14, 17, 64, 511, 512, 513} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			packets := 0
			converse(t, func(p *phone) {
				p.cut = cut
				p.greet(bootText)
				p.serve(func(n int, answer func()) bool { packets = n; answer(); return true })
			}, wholeSession)
			if packets != everythingPackets {
				t.Errorf("%d packets, expected %d", packets, everythingPackets)
			}
		})
	}
	// Two greetings in one transfer, each answer in one, and the last confirmation of the
	// boot stage together with the greeting of the loader.
	t.Run("joined", func(t *testing.T) {
		converse(t, func(p *phone) {
			p.hold = true
			p.greet(bootText)
			p.greet(bootText)
			p.flush()
			p.serve(func(_ int, answer func()) bool {
				p.hold = true
				answer()
				p.flush()
				return true
			})
		}, wholeSession)
	})
}

func wholeSession(ctx context.Context, t *testing.T, conn usbproto.Conn) {
	if err := everything(ctx, conn); err != nil {
		t.Error(err)
	}
}

// atEveryPacket runs the session with a fault at each of its packets, after which the
// phone does nothing more.
func atEveryPacket(t *testing.T, fault func(p *phone, answer func()), check func(t *testing.T, n int, e *s1.Error, err error, took time.Duration)) {
	for n := 1; n <= everythingPackets; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			converse(t, func(p *phone) {
				p.greet(bootText)
				p.serve(func(at int, answer func()) bool {
					if at < n {
						answer()
						return true
					}
					fault(p, answer)
					return false
				})
			}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
				begin := time.Now()
				err := everything(ctx, conn)
				var e *s1.Error
				if errors.As(err, &e) && (e.Doing == "" || e.Command == 0) {
					t.Errorf("the error does not say where: %+v", e)
				}
				check(t, n, e, err, time.Since(begin))
			})
		})
	}
}

// first is what an answer sends, up to the end of its first packet.
func first(p *phone, answer func()) []byte {
	p.hold = true
	answer()
	return p.held[:17+binary.BigEndian.Uint32(p.held[8:])]
}

func TestUnplugAtEveryPacket(t *testing.T) {
	check := func(t *testing.T, n int, e *s1.Error, err error, took time.Duration) {
		if e == nil || !errors.Is(err, usbproto.ErrGone) || e.Packet != n || took != 0 {
			t.Errorf("after %v: %v", took, err)
		}
	}
	t.Run("before the answer", func(t *testing.T) {
		atEveryPacket(t, func(p *phone, _ func()) { p.unplug() }, check)
	})
	t.Run("in the answer", func(t *testing.T) {
		atEveryPacket(t, func(p *phone, answer func()) {
			b := first(p, answer)
			p.raw(b[:len(b)-1])
			p.unplug()
		}, check)
	})
}

// A transfer that fails, at any place, is the last one.
func TestFailureAtEveryTransfer(t *testing.T) {
	for n, done := 0, false; !done; n++ {
		if n > 1000 {
			t.Fatal("the session does not end")
		}
		converse(t, func(p *phone) {
			p.greet(bootText)
			p.serve(func(_ int, answer func()) bool { answer(); return true })
		}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
			broken := &failingConn{Conn: conn, left: n}
			err := everything(ctx, broken)
			if done = broken.left >= 0; done {
				if err != nil || n < 4*everythingPackets {
					t.Errorf("after %d transfers: %v", n, err)
				}
				return
			}
			var e *s1.Error
			if !errors.As(err, &e) || !errors.Is(err, usbproto.ErrStalled) {
				t.Errorf("transfer %d: %v", n, err)
			}
			if broken.left != -1 {
				t.Errorf("transfer %d: %d more transfers after it", n, -1-broken.left)
			}
		})
	}
}

// failingConn lets a number of transfers pass and fails all others.
type failingConn struct {
	usbproto.Conn
	left int
}

func (c *failingConn) Read(ctx context.Context, p []byte) (int, error) {
	if c.left--; c.left < 0 {
		return 0, &usbproto.TransferError{Op: "read", Device: "test", Err: usbproto.ErrStalled}
	}
	return c.Conn.Read(ctx, p)
}

func (c *failingConn) Write(ctx context.Context, p []byte) (int, error) {
	if c.left--; c.left < 0 {
		return 0, &usbproto.TransferError{Op: "write", Device: "test", Err: usbproto.ErrStalled}
	}
	return c.Conn.Write(ctx, p)
}

// A phone that falls silent is left within the limit of the packet and one second for
// the question for details.
func TestSilenceAtEveryPacket(t *testing.T) {
	atEveryPacket(t, func(p *phone, _ func()) {
		if pk, ok := p.packet(); ok && pk.cmd != 7 {
			p.fail("command %d after a limit that passed", pk.cmd)
		}
		if pk, ok := p.packet(); ok {
			p.fail("command %d after two limits that passed", pk.cmd)
		}
	}, func(t *testing.T, n int, e *s1.Error, err error, took time.Duration) {
		if e == nil || !errors.Is(err, usbproto.ErrTimeout) {
			t.Fatal(err)
		}
		want := 6 * time.Second
		switch {
		case e.Command == s1.CmdData && e.Chunk == e.Chunks:
			want = 601 * time.Second
		case e.Command == s1.CmdData || e.Command == s1.CmdHeader:
			want = 61 * time.Second
		case n == 3: // the question why the unit was refused is answered by nothing; it is not asked twice
			want = 5 * time.Second
		}
		if took != want || e.Packet != n {
			t.Errorf("took %v, expected %v: %v", took, want, err)
		}
	})
}

// A reply with a wrong CRC is never taken for a reply.
func TestDamageAtEveryPacket(t *testing.T) {
	atEveryPacket(t, func(p *phone, answer func()) {
		b := first(p, answer)
		b[len(b)-1] ^= 0x40
		p.raw(b)
	}, func(t *testing.T, n int, e *s1.Error, err error, _ time.Duration) {
		var pe *s1.PacketError
		if e == nil || !errors.As(err, &pe) || e.Packet != n {
			t.Error(err)
		}
	})
}
