package simphone

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"xflash/internal/simphone/taimage"
	"xflash/usbproto"
)

// usbproto/s1/PROTOCOL.md §14.9.
func TestHelloKeysOfEveryLoader(t *testing.T) {
	for name, test := range map[string]struct{ first, has, hasNot string }{
		"z3c":   {"PROT_VER VER ID TYPE", "IGNORE_CRC PLF_ROOT_1 RAM_INFO CARD_PRESENT HW_CONFIG_INFO SEC_STATE", "SUID_1 OTP_DATA_2"},
		"z2tab": {"PROT_VER VER ID TYPE", "CARD_PRESENT", "SUID_1"},
		"z2":    {"PROT_VER VER ID TYPE", "RAM_INFO IGNORE_CRC", "HW_CONFIG_INFO SEC_STATE PLF_ROOT_1 CARD_PRESENT"},
		"z1":    {"PROT_VER ID TYPE ACTIVE_COMP_AID MAX_PKT_SZ IGNORE_CRC VER MEMDEVS S1_ROOT", "RAM_INFO AUTH_MET", "PLF_ROOT_1 SEC_STATE"},
		"e3":    {"PROT_VER VER ID TYPE", "HW_CONFIG_INFO PLF_ROOT_1", "CARD_PRESENT"},
		"zr":    {"PROT_VER ID TYPE ACTIVE_COMP_AID MAX_PKT_SZ IGNORE_CRC VER RAM_INFO MEMDEVS", "OTP_DATA_2 IDCODE_2", "PLF_ROOT_1"},
		"z":     {"PROT_VER ID TYPE ACTIVE_COMP_AID MAX_PKT_SZ VER MEMDEVS", "OTP_LOCK_STATUS_2 UNIQUE_DEV_ID_2", "IGNORE_CRC RAM_INFO"},
		"m":     {"PROT_VER ID TYPE ACTIVE_COMP_AID MAX_PKT_SZ VER MEMDEVS", "GLOB_SEC", "IGNORE_CRC RAM_INFO OTP_DATA_2"},
		"m4":    {"PROT_VER VER ID TYPE", "CARD_PRESENT", "SUID_1"},
		"z5c":   {"PROT_VER VER ID TYPE", "SUID_1 CARD_PRESENT", "OTP_DATA_2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, h := openOther(t, name)
			text := string(h.ok(1))
			var order []string
			for _, pair := range strings.Split(strings.TrimSuffix(text, ";\x00"), ";") {
				key, _, _ := strings.Cut(pair, "=")
				order = append(order, key)
			}
			if first := strings.Fields(test.first); !slices.Equal(order[:len(first)], first) {
				t.Errorf("starts with %v", order[:len(first)])
			}
			for _, key := range strings.Fields(test.has) {
				if !slices.Contains(order, key) {
					t.Errorf("has no %s", key)
				}
			}
			for _, key := range strings.Fields(test.hasNot) {
				if slices.Contains(order, key) {
					t.Errorf("has %s", key)
				}
			}
			info := parseInfo(t, []byte(text))
			if info["VER"] != phones[name].loader.version {
				t.Errorf("VER %q", info["VER"])
			}
			numbers := 4
			if name == "m4" || name == "e3" {
				numbers = 2
			}
			if ram, ok := info["RAM_INFO"]; ok && len(strings.Split(ram, ":")) != numbers {
				t.Errorf("RAM_INFO %q", ram)
			}
			if limit := map[bool]string{true: "00400000", false: "00080000"}[name == "z5c"]; info["MAX_PKT_SZ"] != limit {
				t.Errorf("MAX_PKT_SZ %s, want %s", info["MAX_PKT_SZ"], limit)
			}
			if !strings.Contains(info["S1_ROOT"], phones[name].rootName+",S1_Root_Test_b316") {
				t.Errorf("S1_ROOT %q", info["S1_ROOT"])
			}
		})
	}
}

// usbproto/s1/PROTOCOL.md §14.8.
func TestSecondChip(t *testing.T) {
	p, h := openOther(t, "z")
	info := parseInfo(t, h.ok(1))
	if info["NO_SUB_SYSTEMS"] != "0002" || info["OTP_LOCK_STATUS_2"] != "UNLOCKED" || info["OTP_DATA_2"] != "00000000" {
		t.Errorf("without unit 2150: %v", info)
	}
	if err := p.SetUnit(2, 2150, unhex(t, "0001 0001 0000 0000 01000400 AABBCCDD 307B00E1")); err != nil {
		t.Fatal(err)
	}
	p.FlashMode()
	h = connect(t, p)
	h.startLoader(otherLoader(t, p.kind))
	if info = parseInfo(t, h.ok(1)); info["OTP_LOCK_STATUS_2"] != "LOCKED" || info["UNIQUE_DEV_ID_2"] != "AABBCCDD" || info["IDCODE_2"] != "307B00E1" {
		t.Errorf("with unit 2150: %v", info)
	}
}

// usbproto/s1/PROTOCOL.md §14.3, for the loaders that know LZ4A and those that do not.
func TestImageMapsOfEveryLoader(t *testing.T) {
	data := pattern(4096, "x")
	fill := func(size int, word uint32) []byte {
		b := tagFILL(4096, 4096, word)
		binary.BigEndian.PutUint32(b[4:], uint32(size))
		return append(b, make([]byte, size-28)...)
	}
	for name, want := range map[string]struct{ lz4, fill28, fill32, last, word, mtkp, corrupt, past string }{
		"z3c": {"", "", "80090003", "", "", "80080028", "80080053", "801E0002"},
		"z1":  {"80090003", "80090003", "", "8009001C", "", "80090003", "80080012", "801E0002"},
		"z2":  {"80090003", "80090003", "", "8009001C", "", "80080028", "80080012", "801E0002"},
		"e3":  {"80090003", "80090003", "", "8009001C", "", "80080028", "80080012", "801E0002"},
		"zr":  {"80090003", "80090003", "", "8009001C", "", "80090003", "80080012", ""},
		"z":   {"80090003", "80090003", "", "", "80090042", "80090003", "80080012", "80000002"},
		"m":   {"80090003", "80090003", "", "", "80090042", "80090003", "80080012", "801E0002"},
		"m4":  {"", "", "80090003", "", "", "80080028", "80080053", "801E0002"},
		"z5c": {"", "", "80090003", "", "", "80080028", "80080053", "801E0002"},
	} {
		t.Run(name, func(t *testing.T) {
			p, h := openOther(t, name)
			cache := tagGPTP(guidOf(t, p, "cache"))
			part, err := p.Partition("cache")
			if err != nil {
				t.Fatal(err)
			}
			size := uint64(part.Size())
			right := 28
			if p.kind.loader.fill != fill28 {
				right = 32
			}
			corrupt := imageOf(t, mmcf(data, cache, tagADDR(0, 4096, 0, data)))
			corrupt[len(corrupt)-1] ^= 1
			before, after := tagADDR(0, 2048, 0, data[:2048]), tagADDR(2048, 2048, 8192, data[2048:])
			for what, test := range map[string]struct {
				file []byte
				want string
			}{
				"LZ4A":           {imageOf(t, mmcf([]byte{0x10, 'A'}, cache, tagLZ4A(0, 1, 2, 0, []byte("A")))), want.lz4},
				"FILL of 28":     {imageOf(t, mmcf(data, cache, before, fill(28, 0), after)), want.fill28},
				"FILL of 32":     {imageOf(t, mmcf(data, cache, before, fill(32, 0), after)), want.fill32},
				"FILL at last":   {imageOf(t, mmcf(data, cache, before, after, fill(right, 0))), want.last},
				"FILL of a word": {imageOf(t, mmcf(data, cache, before, fill(right, 0x11223344), after)), want.word},
				"MTKP":           {imageOf(t, mmcf(data, append(be32([]byte("MTKP"), 24), make([]byte, 16)...), tagADDR(0, 4096, 0, data))), want.mtkp},
				"a wrong bit":    {corrupt, want.corrupt},
				"past the end":   {imageOf(t, mmcf(data, cache, tagADDR(0, 4096, size-2048, data))), want.past},
			} {
				got := h.trySIN(test.file, 0x80000)
				if want := test.want; want == "" && got != "" || want != "" && !strings.Contains(got, want) {
					t.Errorf("%s: got %q, want %q", what, got, want)
				}
			}
		})
	}
}

// zr writes into whatever follows the partition.
func TestWritesPastThePartitionEnd(t *testing.T) {
	p, h := openOther(t, "zr")
	data := pattern(4096, "x")
	cache, err := p.Partition("cache")
	if err != nil {
		t.Fatal(err)
	}
	h.sendSIN(imageOf(t, mmcf(data, tagGPTP(cache.Entry.Unique), tagADDR(0, 4096, uint64(cache.Size())-2048, data))), 0x80000)
	if !bytes.Equal(content(t, p, "userdata", 0, 2048), data[2048:]) {
		t.Error("userdata does not have the rest of the image")
	}
}

// usbproto/s1/PROTOCOL.md §14.3: with the old loaders the whole map must be in the first block.
func TestMapOverTwoBlocks(t *testing.T) {
	for name, want := range map[string]string{"z3c": "", "z1": "80080028"} {
		p, h := openOther(t, name)
		data := pattern(4096, "x")
		payload := mmcf(data, tagGPTP(guidOf(t, p, "cache")), tagADDR(0, 4096, 0, data))
		file := sinFile{kind: 0x27, role: "S1_SW", payload: payload, blocks: []int{50, len(payload) - 50}}.build(t)
		if got := h.trySIN(file, 0x80000); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// usbproto/s1/PROTOCOL.md §14.5.
func TestPacketsPerBlock(t *testing.T) {
	for name, most := range map[string]int{"z1": 31, "z5c": 15} {
		p, h := openOther(t, name)
		data := pattern(64<<10, "x")
		payload := mmcf(data, tagGPTP(guidOf(t, p, "cache")), tagADDR(0, uint64(len(data)), 0, data))
		file := imageOf(t, payload)
		h.sendSIN(file, (len(payload)+most-1)/most)
		size := int(binary.BigEndian.Uint32(file[4:]))
		h.ok(5, file[:size]...)
		chunk := (len(payload) + most) / (most + 1)
		for rest := file[size:]; ; rest = rest[chunk:] {
			flags := uint32(7)
			if len(rest) <= chunk {
				flags = 3
			}
			h.write(packet(6, flags, rest[:min(chunk, len(rest))]))
			if flags == 3 {
				break
			}
			h.read()
		}
		h.silent()
	}
}

// usbproto/s1/PROTOCOL.md §14.7: which image needs the trim area, and the forms of ERR_DYNAMIC.
func TestErrorsOfOtherLoaders(t *testing.T) {
	refuse := func(name, want string, do func(p *Phone, h *host)) {
		t.Helper()
		p, h := openOther(t, name)
		do(p, h)
		if got := h.lastError(); got != strings.TrimSpace(want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	ask := func(command uint32, data ...byte) func(*Phone, *host) {
		return func(_ *Phone, h *host) { h.ask(command, 3, data) }
	}
	opened := func(do func(*Phone, *host)) func(*Phone, *host) {
		return func(p *Phone, h *host) { h.ok(9, 2); do(p, h) }
	}
	image := func(label string) func(*Phone, *host) {
		return func(p *Phone, h *host) {
			file := imageFor(t, p, label, pattern(100, "x"))
			size := int(binary.BigEndian.Uint32(file[4:]))
			h.ok(5, file[:size]...)
			h.ask(6, 3, file[size:])
		}
	}
	refuse("z3c", "MINOR 0017 8018001B", image("boot"))
	refuse("z2tab", "NONE 0000", image("boot"))
	refuse("z2tab", "MINOR 0017 8018001B", image("system"))
	refuse("z1", "NONE 0000", image("boot"))
	refuse("z2", "MINOR 0017 8011001C", ask(6, 1))
	refuse("z1", "MINOR 0017 0x8011001C ", ask(6, 1))
	refuse("z1", "MINOR 001D Wrong parameters", ask(9, 3))
	refuse("z1", "MINOR 001D Open TA failed", opened(ask(9, 2)))
	refuse("z1", "MINOR 001F Unexpected parameter", opened(ask(10, 1)))
	refuse("z1", "MINOR 0025 Wrong parameters", opened(ask(12, 0, 0, 0, 1)))
	refuse("z1", "MINOR 0025 Not authenticated", opened(ask(12, 0, 1, 4, 0x6B)))
	refuse("z1", "MINOR 0025 No open TA partition found.", ask(12, 0, 0, 8, 0xA2))
	refuse("z1", "MINOR 0015 No open TA partition found.", ask(18))
	refuse("e3", "MINOR 001D 00000000", ask(9, 3))
	refuse("zr", "MINOR 0017 0x80110002 ", ask(1, 0))
	refuse("z", "MINOR 0017 0x80110002 ", ask(9, 2, 2))
	refuse("m", "MINOR 0017 0x80110002 ", ask(12, 1))
	refuse("z1", "MINOR 0017 0x801C003C ", ask(28, 1))
	refuse("z", "MINOR 0017 0x80230028 ", ask(11))
	refuse("z1", "MAJOR 0017 0x80230028 ", ask(11))
	// A header while trim area 1 is open: the old loaders accept it.
	refuse("z1", "NONE 0000", func(p *Phone, h *host) {
		h.ok(9, 1)
		h.sendSIN(imageFor(t, p, "cache", pattern(100, "x")), 1000)
	})
	// z tells again and again that there was a MAJOR error.
	refuse("z", "MINOR 0010 0x80110002 ", func(_ *Phone, h *host) {
		h.ask(15, 3, nil)
		h.lastError()
		h.ask(9, 3, []byte{2})
	})
}

// z2 and yukon do not come back from command 28 with another device.
func TestCommand28Hangs(t *testing.T) {
	for _, name := range []string{"z2", "e3"} {
		_, h := openOther(t, name)
		h.write(packet(28, 3, []byte{1}))
		h.silent()
	}
}

// Command 21 in parts on some loaders; another command in between is refused once.
func TestPartitionTableInParts(t *testing.T) {
	p, h := openOther(t, "z1")
	var all []byte
	for flags := uint32(5); flags == 5; {
		r := h.ask(21, 3, nil)
		flags, all = r.flags, append(all, r.data...)
	}
	if n := binary.LittleEndian.Uint32(all[4:]); len(all) != 8+128*int(n) || int(n) != len(p.disk.table().Entries) {
		t.Errorf("%d bytes, %d partitions", len(all), n)
	}
	h.ask(21, 3, nil)
	h.ask(9, 3, []byte{2})
	if got := h.lastError(); got != "MINOR 005C 0x80110002" {
		t.Error(got)
	}
	h.ok(9, 2)
}

// z and nicki are lost after a wrong header checksum or a packet too long, until they are
// switched off; the others answer.
func TestHeaderChecksum(t *testing.T) {
	wrong := packet(1, 3, nil)
	wrong[12] ^= 0xFF
	long := slices.Clone(packet(1, 3, nil))
	binary.BigEndian.PutUint32(long[8:], 0x80001)
	long[12] = headerSum(long)
	for _, name := range []string{"z", "m"} {
		for _, bad := range [][]byte{wrong, long} {
			p, h := openOther(t, name)
			h.ok(1)
			h.write(bad)
			h.silent()
			h.write(packet(7, 3, nil))
			h.silent()
			p.FlashMode()
			connect(t, p).expectHello()
		}
	}
	_, h := openOther(t, "z1")
	h.write(wrong)
	if r := h.read(); r.flags != 1 {
		t.Errorf("z1: %+v", r)
	}
}

// A loader older than the fuses want is silent forever before its hello, on every phone.
func TestTooOldLoaderIsSilent(t *testing.T) {
	p := openPhone(t, Options{Name: "z", FuseAID: 2})
	h := connect(t, p)
	h.expectHello()
	h.sendSIN(otherLoader(t, p.kind), 0x10000)
	h.silent()
}

// usbproto/s1/PROTOCOL.md §14.10: a pulled cable ends kanuti's loader; the others are
// still there with their session, and only the bytes under way are lost.
func TestCablePulledAndPluggedInAgain(t *testing.T) {
	replug := Fault{Name: FaultReplug, At: 4} // header and data of the loader, open, write
	p, h := openOther(t, "z1", replug)
	h.ok(9, 2)
	h.write(packet(13, 3, append(be32(be32(nil, unitFlashState), 1), 1)))
	if _, err := h.tryRead(answerTime); !errors.Is(err, usbproto.ErrGone) {
		t.Errorf("the host of before gets %v", err)
	}
	h = connect(t, p)
	if got := h.ok(12, 0, 0, 0x27, 0x74); len(got) != 1 || got[0] != 1 {
		t.Errorf("the loader was left with %x", got)
	}
	p, h = openOther(t, "m4", replug)
	h.ok(9, 2)
	h.write(packet(13, 3, append(be32(be32(nil, unitFlashState), 1), 1)))
	if _, err := h.tryRead(answerTime); !errors.Is(err, usbproto.ErrGone) || p.OnBus() {
		t.Errorf("m4 is still there: %v", err)
	}
}

// A phone that leaves is gone for everyone, in both modes: for the host that told it to,
// once it has its answer, and for one that comes later.
func TestPhoneLeavesTheBus(t *testing.T) {
	gone := func(what string, c usbproto.Conn) {
		t.Helper()
		defer c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), answerTime)
		defer cancel()
		if _, err := c.Write(ctx, []byte("getvar:product")); !errors.Is(err, usbproto.ErrGone) {
			t.Errorf("%s: write gives %v", what, err)
		}
		if _, err := c.Read(ctx, make([]byte, 64)); !errors.Is(err, usbproto.ErrGone) {
			t.Errorf("%s: read gives %v", what, err)
		}
	}
	for _, end := range [][]byte{nil, {3}} {
		p, h := openLoader(t, Options{})
		h.ok(4, end...)
		if _, err := h.tryRead(answerTime); !errors.Is(err, usbproto.ErrGone) {
			t.Errorf("after the end: %v", err)
		}
		gone("flash mode", p.Conn())
	}
	for _, word := range []string{"reboot", "reboot-bootloader", "continue"} {
		a := openPhone(t, Options{InFastboot: true}).Fastboot()
		c := a.Conn()
		ctx, cancel := context.WithTimeout(context.Background(), answerTime)
		if _, err := c.Write(ctx, []byte(word)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 64)
		if n, err := c.Read(ctx, b); err != nil || string(b[:n]) != "OKAY" {
			t.Errorf("%s: %q, %v", word, b[:n], err)
		}
		cancel()
		gone(word, c)
		gone(word, a.Conn())
	}
}

// A state directory keeps its phone.
func TestNameStaysWithTheState(t *testing.T) {
	dir := t.TempDir()
	p := openPhone(t, Options{Name: "z1", Dir: dir})
	p.Close()
	p = openPhone(t, Options{Dir: dir})
	if unit, _, err := p.Unit(2, unitModel); err != nil || string(unit) != "C6903\x00" || p.kind.name != "z1" {
		t.Errorf("%s, %q, %v", p.kind.name, unit, err)
	}
	p.Close()
	if _, err := Open(Options{Name: "z5c", Dir: dir}); err == nil {
		t.Error("a z1 became a z5c")
	}
}

// The card fault has its effect whatever the packet carries: in the middle of a block too,
// and in the trim area, where the next close finds it and the one after that mends it.
func TestCardFaultHasItsEffect(t *testing.T) {
	loaderPackets := 5 // hello aside: header and four of data
	at := func(n int) Fault { return Fault{Name: FaultCard, At: loaderPackets + n} }
	p, h := openLoader(t, Options{Faults: []Fault{at(3)}})
	if got := h.trySIN(imageFor(t, p, "cache", pattern(5900, "x")), 1000); got != "packet 6 of 6: MINOR 0017 80090012" {
		t.Errorf("packet 2 of 6 was not stored: %q", got)
	}
	for what, n := range map[string]int{"the write": 2, "the close": 3} {
		p, h := openLoader(t, Options{Faults: []Fault{at(n)}})
		h.ok(9, 2)
		h.ok(13, append(be32(be32(nil, unitFlashState), 1), 1)...)
		h.refused("MINOR 001F 00000000", 10, 3)
		if unit, _, _ := p.Unit(2, unitFlashState); unit[0] != 0 {
			t.Errorf("%s: the unit was stored", what)
		}
		h.ok(10)
		if unit, _, _ := p.Unit(2, unitFlashState); unit[0] != 1 {
			t.Errorf("%s: the second close did not store the unit", what)
		}
	}
}

// Units are listed in the order in which they lie in the trim area.
func TestDumpOrder(t *testing.T) {
	im := taimage.New()
	for _, n := range []uint32{4900, 2010, 2003} {
		if err := im.Set(2, n, []byte{byte(n)}); err != nil {
			t.Fatal(err)
		}
	}
	var got []uint32
	for _, u := range im.Stored(2) {
		got = append(got, u.Number)
	}
	if !slices.Equal(got, []uint32{4900, 2010, 2003}) {
		t.Error(got)
	}
}
