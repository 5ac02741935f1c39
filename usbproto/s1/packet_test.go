package s1_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"xflash/usbproto/s1"
)

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vectors are those of PROTOCOL.md §2.6, §5.
var vectors = []struct {
	name    string
	command s1.Command
	flags   uint32
	data    string // hex
	wire    string // hex
}{
	{"get info", 1, 3, "", "00000001 00000003 00000000 09 00000000"},
	{"open TA 2", 9, 3, "02", "00000009 00000003 00000001 12 02 EE0E612C"},
	{"open TA 1", 9, 3, "01", "00000009 00000003 00000001 12 01 77073096"},
	{"ack open TA", 9, 1, "", "00000009 00000001 00000000 0F 00000000"},
	{"read TA 2210", 12, 3, "000008A2", "0000000C 00000003 00000004 12 000008A2 F00148CC"},
	{"reply X10a", 12, 1, "5831306100", "0000000C 00000001 00000005 0F 5831306100 1879A4B8"},
	{"reply D5803", 12, 1, "443538303300", "0000000C 00000001 00000006 12 443538303300 18972F62"},
	{"NAK read TA", 12, 0, "", "0000000C 00000000 00000000 13 00000000"},
	{"read TA 4900", 12, 3, "00001324", "0000000C 00000003 00000004 12 00001324 5DECA543"},
	{"write 10100=01", 13, 3, "00002774 00000001 01", "0000000D 00000003 00000009 0E 00002774 00000001 01 F4B54912"},
	{"write 10100=00", 13, 3, "00002774 00000001 00", "0000000D 00000003 00000009 0E 00002774 00000001 00 83B27984"},
	{"close TA", 10, 3, "", "0000000A 00000003 00000000 10 00000000"},
	{"ack close TA", 10, 1, "", "0000000A 00000001 00000000 12 00000000"},
	{"read all TA", 18, 3, "", "00000012 00000003 00000000 18 00000000"},
	{"set config", 25, 3, "000100000001", "00000019 00000003 00000006 23 000100000001 4A671926"},
	{"end session 01", 4, 3, "01", "00000004 00000003 00000001 0D 01 77073096"},
	{"end session", 4, 3, "", "00000004 00000003 00000000 0E 00000000"},
	{"get error", 7, 3, "", "00000007 00000003 00000000 0B 00000000"},
	{"no error", 7, 1, hex.EncodeToString(reason("NONE", "0000", "")),
		"00000007 00000001 00000034 39" + hex.EncodeToString(reason("NONE", "0000", "")) + "A2BEE792"},
	{"TA error", 7, 1, hex.EncodeToString(reason("MINOR", "0025", "00000000")),
		"00000007 00000001 0000003D 42" + hex.EncodeToString(reason("MINOR", "0025", "00000000")) + "B5AD74FC"},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			data, want := fromHex(t, v.data), fromHex(t, v.wire)
			if got := (s1.Packet{Command: v.command, Flags: v.flags, Data: data}).Append(nil); !bytes.Equal(got, want) {
				t.Errorf("encoded as % X, expected % X", got, want)
			}
			p := s1.Parser{MaxData: 64}
			for i, b := range want {
				if _, ok, err := p.Next(); ok || err != nil {
					t.Fatalf("packet or error (%v) after %d bytes", err, i)
				}
				p.Feed([]byte{b})
			}
			got, ok, err := p.Next()
			if !ok || err != nil || got.Command != v.command || got.Flags != v.flags || !bytes.Equal(got.Data, data) {
				t.Errorf("decoded as %+v, %v, %v", got, ok, err)
			}
			if !p.Empty() {
				t.Error("bytes are left over")
			}
		})
	}
}

func TestCRCCheckValue(t *testing.T) {
	if got := s1.CRC([]byte("123456789")); got != 0x2DFD2D88 {
		t.Errorf("%08X", got)
	}
	if got := s1.CRC(nil); got != 0 {
		t.Errorf("empty: %08X", got)
	}
}

// A checksum of 0 is a value like any other; Flashtool trips over it (PROTOCOL.md §2.2).
func TestChecksumZero(t *testing.T) {
	raw := wire(12, 1, pattern(0xF4)) // 0C ^ 01 ^ F4 = F9, and F9 + 7 = 100
	if raw[12] != 0 {
		t.Fatalf("the test packet has the checksum %02X", raw[12])
	}
	p := s1.Parser{MaxData: 1000}
	p.Feed(raw)
	if got, ok, err := p.Next(); !ok || err != nil || !bytes.Equal(got.Data, pattern(0xF4)) {
		t.Errorf("%v %v", ok, err)
	}
	raw[12] = 1
	p = s1.Parser{MaxData: 1000}
	p.Feed(raw)
	if _, _, err := p.Next(); err == nil {
		t.Error("a wrong checksum was accepted")
	}
}

// Packets come out the same however transfers split and join them.
func TestParserSplits(t *testing.T) {
	stream := slices.Concat(wire(1, 1, []byte(bootText)), wire(9, 1, nil), wire(18, 5, pattern(600)), wire(12, 0, nil))
	for cut := 1; cut <= len(stream); cut++ {
		p := s1.Parser{MaxData: 600}
		var got []byte
		for part := range slices.Chunk(stream, cut) {
			p.Feed(part)
			for {
				pk, ok, err := p.Next()
				if err != nil {
					t.Fatalf("cut %d: %v", cut, err)
				}
				if !ok {
					break
				}
				got = append(got, wire(uint32(pk.Command), pk.Flags, pk.Data)...)
			}
			if p.Missing() == 0 {
				t.Fatalf("cut %d: nothing is missing, but there is no packet", cut)
			}
		}
		if !bytes.Equal(got, stream) {
			t.Fatalf("cut %d: other packets than were sent", cut)
		}
	}
}

func TestParserRefuses(t *testing.T) {
	change := func(raw []byte, at int, to ...byte) []byte {
		copy(raw[at:], to)
		return raw
	}
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"header checksum", change(wire(9, 1, nil), 12, 0x55), "checksum 55 instead of 0F"},
		{"header checksum zero", change(wire(9, 1, nil), 12, 0), "checksum 00 instead of 0F"},
		{"header byte", change(wire(9, 1, nil), 7, 0), "checksum 0F instead of 10"},
		{"data byte", change(wire(12, 1, []byte("D5803\x00")), 13, 'E'), "instead of"},
		{"CRC", change(wire(12, 1, []byte("D5803\x00")), 19, 0x18, 0x97, 0x2F, 0x63), "checksum 18972F63 instead of 18972F62"},
		{"CRC zero", change(wire(12, 1, []byte("D5803\x00")), 19, 0, 0, 0, 0), "checksum 00000000 instead of 18972F62"},
		{"CRC of nothing", change(wire(9, 1, nil), 13, 0, 0, 0, 1), "checksum 00000001 instead of 00000000"},
		{"flags", wire(9, 8, nil), "flags 00000008"},
		{"one too long", wire(12, 1, pattern(1001)), "1001 bytes; the limit is 1000"},
		// Only the header has come: the length is refused before anything is kept for it.
		{"4 GiB", fromHex(t, "0000000C 00000001 FFFFFFFF 14"), "4294967295 bytes"},
		{"2 GiB", fromHex(t, "0000000C 00000001 80000000 94"), "2147483648 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s1.Parser{MaxData: 1000}
			p.Feed(c.raw)
			_, ok, err := p.Next()
			var pe *s1.PacketError
			if ok || !errors.As(err, &pe) || !strings.Contains(pe.Reason, c.want) {
				t.Fatalf("%v %v, expected %q", ok, err, c.want)
			}
			p.Feed(wire(9, 1, nil))
			if _, ok, again := p.Next(); ok || again != err {
				t.Errorf("the error does not stay: %v %v", ok, again)
			}
		})
	}
	p := s1.Parser{MaxData: 1000}
	p.Feed(wire(12, 1, pattern(1000)))
	if _, ok, err := p.Next(); !ok || err != nil {
		t.Errorf("the longest packet: %v %v", ok, err)
	}
}

// Skip finds the next packet after the rest of another one.
func TestParserSkip(t *testing.T) {
	rest := wire(18, 1, pattern(300))[40:]
	p := s1.Parser{MaxData: 1000}
	p.Feed(slices.Concat(rest, wire(1, 1, []byte("A=\"B\";"))))
	for range 400 {
		pk, ok, err := p.Next()
		if ok {
			if pk.Command != 1 || string(pk.Data) != `A="B";` {
				t.Errorf("found %+v", pk)
			}
			return
		}
		if err == nil {
			t.Fatal("waits for more")
		}
		p.Skip()
	}
	t.Error("not found")
}

func FuzzPacketStream(f *testing.F) {
	f.Add(slices.Concat(wire(1, 1, []byte(bootText)), wire(9, 1, nil)), uint8(1))
	f.Add(slices.Concat(wire(18, 5, pattern(300)), wire(18, 1, nil), []byte("z")), uint8(13))
	f.Add(append(wire(6, 1, nil), wire(6, 0, nil)[1:]...), uint8(5))
	f.Add(fromHex(f, "0000000C 00000001 FFFFFFFF 14"), uint8(4))
	f.Add(wire(12, 1, pattern(0xF4)), uint8(200))
	const most = 4096
	// run feeds the stream in pieces and returns the packets in wire form.
	run := func(t *testing.T, stream []byte, piece int) ([]byte, error) {
		p := s1.Parser{MaxData: most}
		var out []byte
		for part := range slices.Chunk(stream, piece) {
			p.Feed(part)
			for {
				pk, ok, err := p.Next()
				if err != nil {
					return out, err
				}
				if !ok {
					break
				}
				if len(pk.Data) > most {
					t.Fatalf("%d bytes of data", len(pk.Data))
				}
				out = append(out, wire(uint32(pk.Command), pk.Flags, pk.Data)...)
			}
			if n := p.Missing(); n == 0 || n > 13+most+4 {
				t.Fatalf("%d bytes are missing", n)
			}
		}
		return out, nil
	}
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		whole, err1 := run(t, stream, len(stream)+1)
		split, err2 := run(t, stream, int(piece)+1)
		if !bytes.Equal(whole, split) || (err1 == nil) != (err2 == nil) || err1 != nil && err1.Error() != err2.Error() {
			t.Fatalf("in one piece %d bytes, %v; in pieces %d bytes, %v", len(whole), err1, len(split), err2)
		}
		if !bytes.HasPrefix(stream, whole) {
			t.Fatal("the packets are not those of the stream")
		}
		if err1 == nil && len(stream)-len(whole) >= 13+most+4 {
			t.Fatalf("%d bytes are kept", len(stream)-len(whole))
		}
		// From any stream, skipping reaches the end.
		p := s1.Parser{MaxData: most}
		p.Feed(stream)
		for n := 0; ; n++ {
			_, ok, err := p.Next()
			if !ok && err == nil {
				break
			}
			if err != nil {
				p.Skip()
			}
			if n > len(stream) {
				t.Fatal("skipping does not end")
			}
		}
	})
}
