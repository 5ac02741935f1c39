package simphone

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"xflash/internal/trimarea"
)

// usbproto/s1/PROTOCOL.md §11.7 and §3.2: wrong lengths and
// flags, and which of them end the session.
func TestCommandLengthsAndSeverities(t *testing.T) {
	p := openPhone(t, Options{})
	const param, missing, forbidden = "MAJOR 0017 80110002", "MAJOR 0017 8011FFFF", "MAJOR 0017 80230028"
	for _, test := range []struct {
		command, flags uint32
		data           []byte
		want           string
		ta             byte // trim area to open first
	}{
		{1, 3, []byte{0}, param, 0},
		{7, 3, []byte{0}, param, 0},
		{5, 3, nil, param, 0},
		{6, 3, nil, param, 0},
		{9, 7, []byte{2}, missing, 0},
		{12, 7, []byte{0, 0, 8, 0xA2}, missing, 2},
		{11, 3, nil, forbidden, 0},
		{14, 3, make([]byte, 8), forbidden, 0},
		{14, 3, make([]byte, 7), param, 0},
		{14, 3, nil, "MINOR 0017 80110002", 0},
		{14, 3, []byte{0}, "MINOR 0017 80110002", 0},
		{15, 3, []byte{1}, "MAJOR 0017 801D0000", 0},
		{15, 3, []byte{1}, forbidden, 2},
		{17, 3, nil, "MAJOR 0017 80230002", 0},
		{17, 3, []byte{1, 2, 3}, "MAJOR 0017 80230029", 0},
		{20, 3, make([]byte, 9), forbidden, 0},
		{20, 3, nil, forbidden, 0},
		{10, 7, nil, missing, 2},
		{17, 3, []byte{0, 1}, "MAJOR 0017 80230002", 0},
		{21, 3, []byte{1}, "MINOR 0076 80110002", 0},
		{9, 3, nil, "MINOR 001D 00000000", 0},
		{9, 3, []byte{3}, "MINOR 001D 00000000", 0},
		{9, 3, []byte{2, 0}, "MINOR 001D 00000000", 0},
		{10, 3, []byte{0}, "MINOR 001F 00000000", 2},
		{12, 3, []byte{0, 0, 8}, "MINOR 0025 00000000", 2},
		{12, 3, []byte{0, 0, 0, 1}, "MINOR 0025 00000000", 2},
		{12, 3, []byte{0, 0, 8, 0xA2}, "MINOR 0025 00000000", 0},
		{13, 3, make([]byte, 7), "MINOR 0026 00000000", 2},
		{13, 3, make([]byte, 8), "MINOR 0026 00000000", 0},
		{18, 3, nil, "MINOR 0015 00000000", 0},
		{21, 3, []byte{0, 0}, "MINOR 0076 80110002", 0},
		{25, 3, make([]byte, 5), "MINOR 0017 80110002", 0},
		{25, 3, []byte{0, 3, 0, 0, 0, 0}, "MINOR 0017 80110002", 0},
		{28, 3, nil, "MINOR 0017 80110002", 0},
		{4, 3, []byte{0, 0}, "MINOR 0017 80110002", 0},
		{6, 3, []byte{0}, "MINOR 0017 8011001C", 0},
		{2, 3, nil, "MINOR 005C 80110002", 0},
		{26, 3, nil, "MINOR 005C 80110002", 0},
		{0xFFFFFFFF, 3, nil, "MINOR 005C 80110002", 0},
	} {

		t.Run(fmt.Sprintf("%d flags %d length %d TA %d", test.command, test.flags, len(test.data), test.ta), func(t *testing.T) {
			h := restart(t, p)
			if test.ta != 0 {
				h.ok(9, test.ta)
			}
			if test.command == 7 {
				// Command 7 itself is asked wrongly: ask it again for the reason.
				h.write(packet(7, 3, test.data))
				if r := h.read(); r.flags != 0 {
					t.Fatalf("flags %d", r.flags)
				}
				if got := h.lastError(); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				return
			}
			h.refused(test.want, test.command, test.flags, test.data...)
		})
	}
}

// usbproto/s1/PROTOCOL.md §11.9: a refused command 27 sends two NAKs.
func TestCommand27SendsTwoNAKs(t *testing.T) {
	p := openPhone(t, Options{})
	for want, data := range map[string][]byte{
		"MAJOR 0017 80110002": {0, 0, 0, 1},
		"MAJOR 0017 8011001F": {0, 0, 0, 2, 0},
		"MAJOR 0017 80110003": {0, 0, 0, 1, 0},
		"MAJOR 0017 80180028": {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		h := restart(t, p)
		h.write(packet(27, 3, data))
		for range 2 {
			if r := h.read(); r.command != 27 || r.flags != 0 {
				t.Fatalf("got %+v", r)
			}
		}
		if got := h.lastError(); got != want {
			t.Errorf("% X: %s, want %s", data, got, want)
		}
	}
}

// usbproto/s1/PROTOCOL.md §3.3 and internal/explain/ERRORS.md §1.4: after a MAJOR error only
// 1, 4 and 7 are left, its text is sent once, and later refusals read NONE.
func TestLimitedModeAfterMajor(t *testing.T) {
	_, h := openLoader(t, Options{})
	if r := h.ask(11, 3, nil); r.flags != 0 {
		t.Fatalf("format was not refused: %+v", r)
	}
	for _, command := range []uint32{9, 12, 25, 99} { // a lesser error does not hide the MAJOR one
		if r := h.ask(command, 3, []byte{2}); r.flags != 0 {
			t.Fatalf("command %d in limited mode: %+v", command, r)
		}
	}
	if got := h.lastError(); got != "MAJOR 0017 80230028" {
		t.Errorf("first: %s", got)
	}
	h.refused("NONE 0000", 9, 3, 2)
	h.ok(1)
	h.ok(4)
}

// internal/explain/ERRORS.md §1.4: the last of several MINOR errors is reported, once.
func TestLastMinorWins(t *testing.T) {
	_, h := openLoader(t, Options{})
	h.ask(9, 3, nil)
	h.ask(25, 3, nil)
	if got := h.lastError(); got != "MINOR 0017 80110002" {
		t.Error(got)
	}
	if got := h.lastError(); got != "NONE 0000" {
		t.Error("second time:", got)
	}
	h.ok(9, 2)
}

// usbproto/s1/PROTOCOL.md §11.6: no reply to a packet above MAX_PKT_SZ, and
// the announced data are read as headers: odd commands are refused.
func TestTooLongPacket(t *testing.T) {
	_, h := openLoader(t, Options{LoaderMaxPacket: 0x1000})
	head := packet(13, 3, make([]byte, 0x1001))[:13]
	h.write(head)
	h.silent()
	// 13 bytes of "data" that make a header of command 0x41424344 without data.
	odd := packet(0x41424344, 3, nil)
	h.write(odd)
	if r := h.read(); r.command != 0x41424344 || r.flags != 0 {
		t.Errorf("stray reply: %+v", r)
	}
	if got := h.lastError(); got != "MAJOR 0017 80030004" {
		t.Error(got)
	}
}

// usbproto/s1/PROTOCOL.md §11.6: header checksum and CRC are ignored by the
// loader. Our boot stage checks them (a model).
func TestChecksums(t *testing.T) {
	spoil := func(i int) []byte {
		b := packet(9, 3, []byte{2})
		b[i] ^= 0x40
		return b
	}
	p := openPhone(t, Options{})
	for _, i := range []int{12, 17} {
		p.FlashMode()
		h := connect(t, p)
		h.expectHello()
		h.write(spoil(i))
		h.silent()
		if got := h.lastError(); got != "MAJOR 0017 80030009" {
			t.Errorf("boot stage, byte %d: %s", i, got)
		}
		h = restart(t, p)
		h.write(spoil(i))
		if r := h.read(); r.command != 9 || r.flags != 1 {
			t.Errorf("loader, byte %d: %+v", i, r)
		}
	}
}

// usbproto/s1/PROTOCOL.md §3.2.
func TestOpenAndCloseTA(t *testing.T) {
	_, h := openLoader(t, Options{})
	h.ok(10)
	h.ok(9, 2)
	h.refused("MINOR 001D 00000000", 9, 3, 1)
	h.ok(12, 0, 0, 8, 0xA2) // the first stays open
	h.ok(10)
	h.ok(9, 1)
	h.ok(12, 0, 0, 7, 0x55) // unit 1877 is in partition 1
}

// usbproto/s1/PROTOCOL.md §11.8: the declared length of command 13 is taken
// as it is.
func TestWriteUnitLengthIsNotCompared(t *testing.T) {
	_, h := openLoader(t, Options{})
	h.ok(9, 2)
	write := func(unit, declared uint32, data ...byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, unit)
		return append(binary.BigEndian.AppendUint32(b, declared), data...)
	}
	h.ok(13, write(3000, 2, 1, 2, 3, 4)...)
	if got := h.ok(12, 0, 0, 0x0B, 0xB8); !bytes.Equal(got, []byte{1, 2}) {
		t.Errorf("too short a length: % X", got)
	}
	h.ok(13, write(3000, 40, 1, 2, 3, 4)...)
	if got := h.ok(12, 0, 0, 0x0B, 0xB8); len(got) != 40 || !bytes.Equal(got[:4], []byte{1, 2, 3, 4}) {
		t.Errorf("too long a length: % X", got)
	}
	h.ok(13, write(2003, 1, 9)...) // accepted too
	h.ok(13, write(3000, 0)...)    // size 0 is legal, and then nothing to read
	h.refused("MINOR 0025 00000000", 12, 3, 0, 0, 0x0B, 0xB8)
	h.refused("MINOR 0026 00000000", 13, 3, write(3000, 0x7FFFFFFF, 1)...)
}

// internal/explain/ERRORS.md §4: units from 0x10000 on of partition 2 are hidden, for
// reading, writing and in the dump.
func TestPrivateUnits(t *testing.T) {
	unit := []byte{0, 1, 4, 0x6B} // 66667
	write := append(unit[:4:4], 0, 0, 0, 1, 7)
	p, h := openLoader(t, Options{})
	h.ok(9, 2)
	h.refused("MINOR 0025 00000000", 12, 3, unit...)
	h.refused("MINOR 0026 00000000", 13, 3, write...)
	for number := range dump(t, h) {
		if number >= 0x10000 {
			t.Errorf("unit %d is in the dump", number)
		}
	}
	if data, ok, err := p.Unit(2, 66667); !ok || len(data) != 16 || err != nil {
		t.Errorf("the phone has no device key: % X, %v", data, err)
	}
	// GLOB_SEC 4000 opens them (internal/explain/ERRORS.md §3.2).
	p = openPhone(t, Options{})
	setHWConf(t, p, func(c *trimarea.HWConf) { c.Flags |= 0x4000 })
	h = connect(t, p)
	h.startLoader(testLoader(t, 4, ""))
	h.ok(9, 2)
	h.ok(12, unit...)
	if _, ok := dump(t, h)[66667]; !ok {
		t.Error("unit 66667 is not in the dump")
	}
}

// dump reads all units with command 18.
func dump(t *testing.T, h *host) map[uint32][]byte {
	t.Helper()
	var b []byte
	for range 1000 {
		r := h.ask(18, 3, nil)
		b = append(b, r.data...)
		if r.flags == 1 {
			break
		}
		if r.flags != 5 || len(r.data) != 4096 {
			t.Fatalf("part with flags %d and %d bytes", r.flags, len(r.data))
		}
	}
	units := map[uint32][]byte{}
	for len(b) >= 8 {
		n := binary.BigEndian.Uint32(b[4:])
		units[binary.BigEndian.Uint32(b)] = b[8:][:n]
		b = b[8+n:]
	}
	if len(b) != 0 {
		t.Fatalf("%d bytes too many", len(b))
	}
	return units
}

// usbproto/s1/PROTOCOL.md §3.2, command 18: parts of 4096 bytes, or MAX_PKT_SZ with bit 3 of
// command 25; another command in between cancels it.
func TestDumpInParts(t *testing.T) {
	p := openPhone(t, Options{})
	big := pattern(9000, "big")
	if err := p.SetUnit(2, 3000, big); err != nil {
		t.Fatal(err)
	}
	h := connect(t, p)
	h.startLoader(testLoader(t, 4, ""))
	h.ok(9, 2)
	units := dump(t, h)
	if !bytes.Equal(units[3000], big) || string(units[2210]) != "D5803\x00" {
		t.Errorf("unit 3000 has %d bytes, 2210 is %q", len(units[3000]), units[2210])
	}
	if r := h.ask(18, 3, nil); r.flags != 5 {
		t.Fatalf("flags %d", r.flags)
	}
	h.refused5C(12, 0, 0, 8, 0xA2)
	h.ok(12, 0, 0, 8, 0xA2)
	h.ok(25, 0, 1, 0, 0, 0, 8)
	if r := h.ask(18, 3, nil); r.flags != 1 || len(r.data) < 9000 {
		t.Errorf("with big parts: flags %d, %d bytes", r.flags, len(r.data))
	}
}

// refused5C wants the answer to a command that may not come now.
func (h *host) refused5C(command uint32, data ...byte) {
	h.t.Helper()
	h.refused("MINOR 005C 80110002", command, 3, data...)
}

// An empty trim area partition gives an empty dump.
func TestDumpOfNothing(t *testing.T) {
	p := openPhone(t, Options{})
	for _, unit := range []uint32{1877, 6828} {
		if err := p.SetUnit(1, unit, nil); err != nil {
			t.Fatal(err)
		}
	}
	h := connect(t, p)
	h.startLoader(testLoader(t, 4, ""))
	h.ok(9, 1)
	if r := h.ask(18, 3, nil); r.flags != 1 || len(r.data) != 0 {
		t.Errorf("%+v", r)
	}
}

// usbproto/s1/PROTOCOL.md §3.2, command 25 bit 2.
func TestZeroCRC(t *testing.T) {
	_, h := openLoader(t, Options{})
	h.ok(25, 0, 1, 0, 0, 0, 4)
	if r := h.ask(1, 3, nil); r.crc != 0 || len(r.data) == 0 {
		t.Errorf("CRC %08X", r.crc)
	}
}

// usbproto/s1/PROTOCOL.md §11.10: command 21 tells the partition table.
func TestLayoutQuery(t *testing.T) {
	p, h := openLoader(t, Options{})
	b := h.ok(21)
	if len(b) != 8+25*128 || binary.LittleEndian.Uint32(b) != 5 || binary.LittleEndian.Uint32(b[4:]) != 25 {
		t.Fatalf("%d bytes, % X", len(b), b[:min(8, len(b))])
	}
	e := b[8+13*128:] // partition 14 is boot
	id := guidOf(t, p, "boot")
	if !bytes.Equal(e[16:32], id[:]) || string(e[56:64]) != "b\x00o\x00o\x00t\x00" {
		t.Errorf("partition 14: % X", e[:128])
	}
}

// usbproto/s1/PROTOCOL.md §3.2, command 4 and §1.7: what comes after the acknowledgement.
func TestEndOfSession(t *testing.T) {
	p := openPhone(t, Options{})
	for _, test := range []struct {
		name string
		data []byte
		off  bool
	}{
		{"none", nil, true}, {"00", []byte{0}, true}, {"02", []byte{2}, true}, {"03", []byte{3}, true}, {"01", []byte{1}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := restart(t, p)
			h.ok(4, test.data...)
			if !test.off {
				h.write(packet(1, 3, nil))
				h.silent()
				if !p.OnBus() {
					t.Error("the phone is off the bus")
				}
				return
			}
			for range 200 {
				if !p.OnBus() {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Error("the phone stays on the bus")
		})
	}
}
