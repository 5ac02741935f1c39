package simphone

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/pierrec/lz4/v4"

	"xflash/sin/gpt"
)

// sin/FORMAT.md §4: ADDR, LZ4A and FILL end up where the map says, gaps are
// left alone, and FILL bytes come out reversed (usbproto/s1/PROTOCOL.md §11.12).
func TestImageIsWritten(t *testing.T) {
	p, h := openLoader(t, Options{})
	before := make([]byte, 0x1000) // a gap
	if bytes.Equal(content(t, p, "cache", 0, 0x1000), before) {
		t.Fatal("the partition is empty as it is")
	}
	first, second := pattern(0x2000, "first"), bytes.Repeat([]byte("abcdefgh"), 0x200)
	packed := make([]byte, lz4.CompressBlockBound(len(second)))
	n, err := lz4.CompressBlock(second, packed, nil)
	if err != nil || n == 0 {
		t.Fatal(n, err)
	}
	packed = packed[:n]
	payload := mmcf(slices.Concat(first, packed), tagGPTP(guidOf(t, p, "cache")),
		tagADDR(0, 0x2000, 0, first),
		tagLZ4A(0x2000, uint64(len(second)), uint64(n), 0x3000, second),
		tagFILL(0x5000, 0x1004, 0x11223344))
	file := sinFile{kind: 0x27, role: "S1_SW", payload: payload, blocks: []int{len(payload) - len(first) - n, 0x1800, 0x800 + n}}.build(t)
	for _, chunk := range []int{0x80000, 0x10000, 777} {
		h.sendSIN(file, chunk)
		want := slices.Concat(first, before, second, make([]byte, 0x1000), bytes.Repeat([]byte{0x44, 0x33, 0x22, 0x11}, 0x401))
		if got := content(t, p, "cache", 0, len(want)); !bytes.Equal(got, want) {
			t.Errorf("chunks of %d: the partition differs", chunk)
		}
	}
}

// One image may select several partitions (sin/FORMAT.md §4.2).
func TestImageForTwoPartitions(t *testing.T) {
	p, h := openLoader(t, Options{})
	a, b := pattern(3000, "a"), pattern(2000, "b")
	h.sendSIN(imageOf(t, mmcf(slices.Concat(a, b),
		tagGPTP(guidOf(t, p, "modemst1")), tagADDR(0, 3000, 0, a),
		tagGPTP(guidOf(t, p, "modemst2")), tagADDR(3000, 2000, 512, b))), 0x80000)
	if !bytes.Equal(content(t, p, "modemst1", 0, 3000), a) || !bytes.Equal(content(t, p, "modemst2", 512, 2000), b) {
		t.Error("the partitions differ")
	}
}

// The map rules of sin/FORMAT.md §4.2 and the numbers of usbproto/s1/PROTOCOL.md §12.2.
func TestImageMapRules(t *testing.T) {
	p := openPhone(t, Options{})
	cache, data := tagGPTP(guidOf(t, p, "cache")), pattern(4096, "x")
	addr := tagADDR(0, 4096, 0, data)
	size := uint64(209715200)
	cut := func(tag []byte, n int) []byte { // a tag that says it is shorter
		b := slices.Clone(tag[:n])
		binary.BigEndian.PutUint32(b[4:], uint32(n))
		return b
	}
	const format, state = "80090003", "8009001C"
	for name, test := range map[string]struct {
		payload []byte
		want    string
	}{
		"good":                            {mmcf(data, cache, addr), ""},
		"data before the first offset":    {mmcf(append([]byte("skipped"), data...), cache, tagADDR(7, 4096, 0, data)), ""},
		"no MMCF":                         {append([]byte("ELF?"), data...), format},
		"no GPTP":                         {mmcf(data, addr), format},
		"unknown tag":                     {mmcf(data, cache, []byte("WHAT\x00\x00\x00\x08"), addr), format},
		"gap between tags":                {mmcf(data, cache, tagADDR(0, 1000, 0, data[:1000]), tagADDR(1001, 3095, 1000, data[1001:])), format},
		"overlap of data":                 {mmcf(data, cache, tagADDR(0, 1000, 0, data[:1000]), tagADDR(999, 3097, 1000, data[999:])), format},
		"GPTP too short":                  {mmcf(data, cut(cache, 20), addr), format},
		"ADDR too short":                  {mmcf(data, cache, cut(addr, 35)), format},
		"ADDR without its hash":           {mmcf(data, cache, cut(addr, 36)), format},
		"LZ4A too short":                  {mmcf(data, cache, cut(tagLZ4A(0, 1, 4096, 0, nil), 51)), format},
		"LZ4A above 16 MiB":               {mmcf(data, cache, tagLZ4A(0, 0x1000001, 4096, 0, nil)), format},
		"FILL too long":                   {mmcf(data, cache, addr, append(be32([]byte("FILL"), 32), make([]byte, 24)...)), format},
		"tag past the list":               {mmcf(nil, cache, be32([]byte("ADDR"), 0x44)), format},
		"tag of length 7":                 {mmcf(data, cache, be32([]byte("ADDR"), 7)), format},
		"list longer than the file":       {append([]byte("MMCF"), 0x7F, 0, 0, 0, 1, 2, 3, 4), "80090001"},
		"past the partition end":          {mmcf(data, cache, tagADDR(0, 4096, size-4095, data)), "801E0002"},
		"destination overflows":           {mmcf(data, cache, tagADDR(0, 4096, 0xFFFFFFFFFFFFFF00, data)), "801E0002"},
		"FILL past the partition end":     {mmcf(data, cache, addr, tagFILL(size, 4, 0)), "801E0002"},
		"FILL of no whole word":           {mmcf(data, cache, addr, tagFILL(0x2000, 5, 0)), "80090002"},
		"no hash":                         {mmcf(data, cache, append(be32([]byte("ADDR"), 36), append(addr[8:32:32], 0, 0, 0, 0)...)), "800A0014"},
		"MTKP":                            {mmcf(data, append(be32([]byte("MTKP"), 24), make([]byte, 16)...), addr), "80080028"},
		"MTKM":                            {mmcf(data, cache, append(be32([]byte("MTKM"), 96), make([]byte, 88)...)), format},
		"unknown partition":               {mmcf(data, tagGPTP(gpt.GUID{1}), addr), "80080028"},
		"partition of another role":       {mmcf(data, tagGPTP(guidOf(t, p, "TA")), addr), "80080028"},
		"boot chain":                      {mmcf(data, tagGPTP(guidOf(t, p, "tz")), addr), "80080028"},
		"one byte long":                   {mmcf(append(data[:4096:4096], 0), cache, addr), state},
		"LZ4 malformed":                   {mmcf(data, cache, tagLZ4A(0, 8192, 4096, 0, nil)), state},
		"LZ4 with less than it says":      {mmcf([]byte{0x10, 'A'}, cache, tagLZ4A(0, 2, 2, 0, nil)), state},
		"LZ4 with more than it says":      {mmcf([]byte{0x20, 'A', 'B'}, cache, tagLZ4A(0, 1, 3, 0, nil)), state},
		"wrong destination hash":          {mmcf(data, cache, tagADDR(0, 4096, 0, data[1:])), "80090012"},
		"tags overlap at the destination": {mmcf(data, cache, tagADDR(0, 2048, 0, data[:2048]), tagADDR(2048, 2048, 1024, data[2048:])), "80090012"},
		"FILL overwritten":                {mmcf(data, cache, tagFILL(0, 8192, 5), addr), "80090042"},
	} {
		t.Run(name, func(t *testing.T) {
			h := restart(t, p)
			want := test.want
			if want != "" {
				want = "packet 1 of 1: MINOR 0017 " + want
			}
			file := imageOf(t, test.payload)
			if got := h.trySIN(file, 0x80000); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			if want != "" { // after a MINOR error the session continues
				h.sendSIN(imageOf(t, mmcf(data, cache, addr)), 0x80000)
			}
		})
	}
}

// usbproto/s1/PROTOCOL.md §12.5.
func TestImagesThatHang(t *testing.T) {
	p := openPhone(t, Options{})
	cache, data := tagGPTP(guidOf(t, p, "cache")), pattern(4096, "x")
	sha1ADDR := append(be32([]byte("ADDR"), 36+20), tagADDR(0, 4096, 0, data)[8:35]...)
	sha1ADDR = append(append(sha1ADDR, 1), make([]byte, 20)...)
	for name, payload := range map[string][]byte{
		"payload shorter than its map": mmcf(data[:4095], cache, tagADDR(0, 4096, 0, data)),
		"ADDR of 0 bytes":              mmcf(data, cache, tagADDR(0, 0, 0, nil), tagADDR(0, 4096, 0, data)),
		"SHA-1 in ADDR":                mmcf(data, cache, sha1ADDR),
	} {
		t.Run(name, func(t *testing.T) {
			h, file := restart(t, p), imageOf(t, payload)
			size := int(binary.BigEndian.Uint32(file[4:]))
			h.ok(5, file[:size]...)
			h.write(packet(6, 3, file[size:]))
			h.silent()
			h.write(packet(7, 3, nil))
			h.silent()
		})
	}
}

// usbproto/s1/PROTOCOL.md §3.2: the fixed part of the map must be in the first packet.
func TestFirstPacketTooShort(t *testing.T) {
	p, h := openLoader(t, Options{})
	file := imageFor(t, p, "cache", pattern(300, "x"))
	if got := h.trySIN(file, 7); got == "" || got[len(got)-8:] != "80090003" {
		t.Error(got)
	}
	h.sendSIN(file, 8192)
}

// usbproto/s1/PROTOCOL.md §14.4: a file refused for a later block has
// cost the old content, one refused for its header or map has not.
func TestPartitionIsErasedFirst(t *testing.T) {
	p, h := openLoader(t, Options{})
	old := content(t, p, "system", 0, 4096)
	data := pattern(20000, "x")
	payload := mmcf(data, tagGPTP(guidOf(t, p, "system")), tagADDR(0, 20000, 8192, data))
	good := sinFile{kind: 0x27, role: "S1_SW", payload: payload, blocks: []int{len(payload) - 20000, 10000, 10000}}
	damaged := good.build(t)
	damaged[len(damaged)-20000] ^= 1
	noGPTP := imageOf(t, mmcf(data, tagADDR(0, 20000, 8192, data)))
	if got := h.trySIN(noGPTP, 0x80000); got == "" || !bytes.Equal(content(t, p, "system", 0, 4096), old) {
		t.Fatalf("%s: refused for its map, and the old content is gone", got)
	}
	if got := h.trySIN(damaged, 0x80000); got != "packet 1 of 1: MINOR 0017 80080053" {
		t.Fatal(got)
	}
	if !bytes.Equal(content(t, p, "system", 0, 4096), make([]byte, 4096)) {
		t.Error("the old content is still there")
	}
}

// sin/FORMAT.md §4.3: a loader that lacks LZ4A refuses it as an unknown tag.
func TestLoaderWithoutLZ4A(t *testing.T) {
	p := openPhone(t, Options{})
	h := connect(t, p)
	h.startLoader(testLoader(t, 4, "GPTP ADDR FILL"))
	block := []byte{0x10, 'A'}
	payload := mmcf(block, tagGPTP(guidOf(t, p, "cache")), tagLZ4A(0, 1, 2, 0, []byte("A")))
	if got := h.trySIN(imageOf(t, payload), 0x80000); got != "packet 1 of 1: MINOR 0017 80090003" {
		t.Error(got)
	}
	h = restart(t, p)
	h.sendSIN(imageOf(t, payload), 0x80000)
}

// The file against its hash list: sin/FORMAT.md §3.1, usbproto/s1/PROTOCOL.md §12.2.
func TestPayloadAndHashList(t *testing.T) {
	p := openPhone(t, Options{})
	data := pattern(40000, "x")
	payload := mmcf(data, tagGPTP(guidOf(t, p, "cache")), tagADDR(0, 40000, 0, data))
	file := sinFile{kind: 0x27, role: "S1_SW", payload: payload, blocks: append([]int{len(payload) - 40000}, blocksOf(40000, 10000)...)}.build(t)
	head := len(payload) - 40000
	damaged := slices.Clone(file)
	damaged[len(file)-40000+10000] ^= 1 // first byte of the third block
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"whole":            {file, ""},
		"one byte missing": {file[:len(file)-1], "packet 9 of 9: MINOR 0017 8009001C"},
		"one byte more":    {append(file[:len(file):len(file)], 0), "packet 9 of 9: MINOR 0017 8009001C"},
		// Byte 10000 is in packet 3, but the block ends in packet 5: errors come late.
		"bit flipped": {damaged, "packet 5 of 9: MINOR 0017 80080053"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := restart(t, p).trySIN(test.file, 5000); got != test.want {
				t.Errorf("header %d bytes: got %q, want %q", head, got, test.want)
			}
		})
	}
}

// usbproto/s1/PROTOCOL.md §3.3: "The same image can be sent again from its header after
// any MINOR error", and what comes in between is refused with 8011001C.
func TestSendingAgainAfterMinor(t *testing.T) {
	p, h := openLoader(t, Options{})
	file := imageFor(t, p, "cache", pattern(30000, "x"))
	bad := slices.Clone(file)
	bad[len(bad)-1] ^= 0x80
	if got := h.trySIN(bad, 10000); got != "packet 4 of 4: MINOR 0017 80080053" {
		t.Fatal(got)
	}
	h.refused("MINOR 0017 8011001C", 6, 3, 1, 2, 3)
	h.sendSIN(file, 10000)
}

// usbproto/s1/PROTOCOL.md §3.2, command 5: after a header only 6, in a header only 5.
func TestHeaderThenData(t *testing.T) {
	p, h := openLoader(t, Options{})
	file := imageFor(t, p, "cache", pattern(3000, "x"))
	size := int(binary.BigEndian.Uint32(file[4:]))
	for _, other := range []uint32{1, 4, 5, 7, 9, 10, 12, 18, 25, 99} {
		h.ok(5, file[:size]...)
		h.write(packet(other, 3, nil))
		if r := h.read(); r.flags != 0 || r.command != other {
			t.Fatalf("command %d between header and data: %+v", other, r)
		}
		if got := h.lastError(); got != "MINOR 005C 80110002" {
			t.Errorf("command %d between header and data: %s", other, got)
		}
		h.refused("MINOR 0017 8011001C", 6, 3, 1) // the upload is cancelled
	}
	// In parts, each with its own reply.
	for i := 0; i < size; i += 100 {
		flags := uint32(7)
		if i+100 >= size {
			flags = 3
		}
		if r := h.ask(5, flags, file[i:min(i+100, size)]); r.flags != 1 {
			t.Fatalf("part at %d: %+v, %s", i, r, h.lastError())
		}
	}
	if got := h.tryPayload(file[size:], 1000); got != "" {
		t.Error(got)
	}
	h.ask(5, 7, file[:100])
	h.refused5C(6, 1)
}

// usbproto/s1/PROTOCOL.md §9.3 (XF): bit 2 on the last chunk leaves the phone waiting.
func TestBitTwoOnTheLastChunk(t *testing.T) {
	p, h := openLoader(t, Options{})
	file := imageFor(t, p, "cache", pattern(3000, "x"))
	size := int(binary.BigEndian.Uint32(file[4:]))
	h.ok(5, file[:size]...)
	if r := h.ask(6, 7, file[size:]); r.flags != 1 {
		t.Fatal(h.lastError())
	}
	h.refused5C(10)
}

// usbproto/s1/PROTOCOL.md §11.11.
func TestSHA1CrashesTheLoader(t *testing.T) {
	p, h := openLoader(t, Options{})
	data := pattern(3000, "x")
	file := sinFile{kind: 0x27, role: "S1_SW", hashType: 1,
		payload: mmcf(data, tagGPTP(guidOf(t, p, "cache")), tagADDR(0, 3000, 0, data))}.build(t)
	size := int(binary.BigEndian.Uint32(file[4:]))
	h.ok(5, file[:size]...)
	h.write(packet(6, 3, file[size:]))
	h.silent()
	h.write(packet(7, 3, nil))
	h.silent()
}

// usbproto/s1/PROTOCOL.md §11.13.
func TestBlobIsThrownAway(t *testing.T) {
	_, h := openLoader(t, Options{})
	h.sendSIN(sinFile{kind: 0x2A, role: "S1_SW", payload: pattern(5000, "x")}.build(t), 1000)
}

// usbproto/s1/PROTOCOL.md §12.1: with 512 KiB chunks 4096
// and 5500 hang, 5518 and more work.
func TestSmallPacketsHang(t *testing.T) {
	p := openPhone(t, Options{})
	data := pattern(4<<20, "x")
	payload := mmcf(data, tagGPTP(guidOf(t, p, "cache")), tagADDR(0, uint64(len(data)), 0, data))
	file := sinFile{kind: 0x27, role: "S1_SW", payload: payload, blocks: blocksOf(len(payload), 0x80000)}.build(t)
	size := int(binary.BigEndian.Uint32(file[4:]))
	for _, chunk := range []int{5518, 0x2000, 0x10000} {
		restart(t, p).sendSIN(file, chunk)
	}
	for _, chunk := range []int{4096, 5500} {
		h := restart(t, p)
		h.ok(5, file[:size]...)
		hung := false
		for rest := file[size:]; len(rest) > chunk && !hung; rest = rest[chunk:] {
			h.write(packet(6, 7, rest[:chunk]))
			_, err := h.tryRead(2 * silenceTime)
			hung = err != nil
		}
		if !hung {
			t.Errorf("packets of %d bytes went through", chunk)
		}
	}
}

// usbproto/s1/PROTOCOL.md §11.1: the kernel needs trim area 2 open, although
// its data are on the disk by then; FOTAKernel does not.
func TestKernelHeaderGoesToTheTrimArea(t *testing.T) {
	p, h := openLoader(t, Options{})
	data := pattern(3000, "\x7fELF new kernel")
	file := imageFor(t, p, "boot", data)
	if got := h.trySIN(file, 1000); got != "packet 4 of 4: MINOR 0017 8018001B" {
		t.Errorf("trim area closed: %q", got)
	}
	if !bytes.Equal(content(t, p, "boot", 0, 3000), data) {
		t.Error("the data are not on the disk")
	}
	h.sendSIN(imageFor(t, p, "FOTAKernel", data), 1000)
	h.ok(9, 2)
	h.sendSIN(file, 1000)
	if _, ok, _ := p.Unit(2, 66670); ok {
		t.Error("unit 66670 is stored before the trim area is closed")
	}
	h.ok(10)
	size := binary.BigEndian.Uint32(file[4:])
	if stored, _, err := p.Unit(2, 66670); err != nil || !bytes.Equal(stored, file[:size]) {
		t.Errorf("unit 66670 has %d bytes, the header %d: %v", len(stored), size, err)
	}
}

// internal/explain/ERRORS.md §3.1: no header while trim area 1 is open.
func TestHeaderWithTrimArea1Open(t *testing.T) {
	p, h := openLoader(t, Options{})
	h.ok(9, 1)
	if got := h.trySIN(imageFor(t, p, "cache", pattern(10, "x")), 1000); got != "header: MAJOR 0017 8011001C" {
		t.Error(got)
	}
}

// usbproto/s1/PROTOCOL.md §12.2: found by the read-back, or not at all
// with command 25 bit 0.
func TestCardDoesNotStore(t *testing.T) {
	for _, test := range []struct{ config, want string }{
		{"", "packet 3 of 3: MINOR 0017 80090012"},
		{"\x00\x01\x00\x00\x00\x01", ""},
	} {
		fault, err := ParseFault("card@*")
		if err != nil {
			t.Fatal(err)
		}
		p, h := openLoader(t, Options{Faults: []Fault{fault}})
		if test.config != "" {
			h.ok(25, []byte(test.config)...)
		}
		before := content(t, p, "cache", 0, 3000)
		if got := h.trySIN(imageFor(t, p, "cache", pattern(2900, "x")), 1000); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
		if !bytes.Equal(content(t, p, "cache", 0, 3000), before) {
			t.Error("the card has stored it")
		}
	}
}
