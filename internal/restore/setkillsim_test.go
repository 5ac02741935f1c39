package restore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"xflash/internal/phone"
	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/internal/simphone/testfirmware"
	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// mortalConn is a host that is killed at a packet: before the phone has it, or after it
// was carried out and before the answer has come. The phone notices nothing.
type mortalConn struct {
	usbproto.Conn
	dieAt  int // 0: never
	before bool

	packets int // that the phone has
	head    []byte
	rest    int // bytes of the packet that are still to be written
}

func (m *mortalConn) dead(op string) error {
	return &usbproto.TransferError{Op: op, Device: "a host that was killed", Err: usbproto.ErrGone}
}

func (m *mortalConn) Write(ctx context.Context, b []byte) (int, error) {
	if m.before && m.packets+1 == m.dieAt {
		return 0, m.dead("write")
	}
	n, err := m.Conn.Write(ctx, b)
	for b = b[:n]; len(b) > 0; {
		if m.rest == 0 {
			k := min(packetHeader-len(m.head), len(b))
			m.head, b = append(m.head, b[:k]...), b[k:]
			if len(m.head) < packetHeader {
				break
			}
			m.rest = int(binary.BigEndian.Uint32(m.head[8:])) + 4
		}
		k := min(m.rest, len(b))
		m.rest, b = m.rest-k, b[k:]
		if m.rest == 0 {
			m.packets, m.head = m.packets+1, nil
		}
	}
	return n, err
}

func (m *mortalConn) Read(ctx context.Context, b []byte) (int, error) {
	if !m.before && m.packets == m.dieAt && m.dieAt > 0 {
		return 0, m.dead("read")
	}
	return m.Conn.Read(ctx, b)
}

// TestSimKilledInsideTheBootSet kills a restore of a simulated phone at 100 random packets
// inside the boot set, with the phone's power cut after it or not. After --resume the new
// chain is in force, whole, with every kind of set: one of six, four and rpm, none.
func TestSimKilledInsideTheBootSet(t *testing.T) {
	t.Parallel()
	names, kills := []string{"z1"}, 4
	if !testing.Short() {
		names, kills = []string{"z3c", "z1", "z"}, 100
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			var boot []int // packets of boot images
			inBoot := false
			b, fw := familyBench(t, name, simphone.Options{Log: func(e simphone.Event) {
				if strings.Contains(e.Note, "header accepted") {
					inBoot = strings.Contains(e.Note, "S1_Boot")
				}
				if e.FromHost && e.Command == uint32(s1.CmdData) && inBoot && e.Stage == simphone.StageLoader {
					boot = append(boot, e.Packet)
				}
			}})
			if err := b.attempt(restore.Request{}, false, restore.RunOptions{}); err != nil {
				t.Fatal(err)
			}
			first, last := boot[0]-1, boot[len(boot)-1]+1 // the first header and the closing too
			b.chainInForce(fw)
			rng := rand.New(rand.NewPCG(11, 2026))
			for i := range kills {
				b.ageChain(fw)
				b.phone.FlashMode()
				conn := &mortalConn{Conn: b.phone.Conn(), dieAt: first + rng.IntN(last-first+1), before: rng.IntN(2) == 0}
				b.store = restore.Store{Dir: quickDir(t)}
				if err := b.attemptOver(t.Context(), conn, restore.Request{}, false, restore.RunOptions{}); !errors.Is(err, usbproto.ErrGone) {
					t.Fatalf("killed at packet %d: %v", conn.dieAt, err)
				}
				if i%2 == 0 {
					b.phone.FlashMode()
				}
				if err := b.attempt(restore.Request{}, true, restore.RunOptions{}); err != nil {
					t.Fatalf("killed at packet %d, before it %v, power cut %v: %v", conn.dieAt, conn.before, i%2 == 0, err)
				}
				b.chainInForce(fw)
				if t.Failed() {
					t.Fatalf("killed at packet %d, before it %v, power cut %v", conn.dieAt, conn.before, i%2 == 0)
				}
			}
		})
	}
}

// chain calls f for every image of the boot chain with the partition in force.
func (b *bench) chain(fw *testfirmware.Firmware, f func(label string, image []byte, part *simphone.Partition)) {
	b.t.Helper()
	for label, path := range fw.Images {
		if p, _ := b.fw.Family.Partition(label); p.Class != phone.BootChain {
			continue
		}
		image, err := os.ReadFile(path)
		if err != nil {
			b.t.Fatal(err)
		}
		part, err := b.phone.InForce(label)
		if err != nil {
			b.t.Fatal(err)
		}
		f(label, image, part)
	}
}

// ageChain gives the phone another boot chain than that of the bundle.
func (b *bench) ageChain(fw *testfirmware.Firmware) {
	b.chain(fw, func(label string, image []byte, part *simphone.Partition) {
		if _, err := part.WriteAt(bytes.Repeat([]byte{0xA5}, len(image)), 0); err != nil {
			b.t.Fatal(err)
		}
	})
	if err := b.phone.SetUnit(2, 10100, []byte{0}); err != nil {
		b.t.Fatal(err)
	}
}

// chainInForce fails unless all of the bundle's boot chain is in force and the flash ended.
func (b *bench) chainInForce(fw *testfirmware.Firmware) {
	b.t.Helper()
	count := 0
	b.chain(fw, func(label string, image []byte, part *simphone.Partition) {
		count++
		equal(b.t, label, bytes.NewReader(image), io.NewSectionReader(part, 0, part.Size()))
	})
	if count < 5 {
		b.t.Fatalf("only %d images of a boot chain", count)
	}
	if got := b.unit(10100); !bytes.Equal(got, []byte{0}) {
		b.t.Errorf("unit 10100 is %X at the end", got)
	}
}
