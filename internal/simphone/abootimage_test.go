package simphone

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// tree is a device tree with these ids in its root, put together by hand.
type tree struct {
	model      string
	msm, board []uint32
}

func (d tree) build() []byte {
	be := binary.BigEndian
	names := "model\x00qcom,msm-id\x00qcom,board-id\x00"
	var s []byte
	property := func(name string, value []byte) {
		if len(value) == 0 {
			return
		}
		s = be.AppendUint32(s, 3)
		s = be.AppendUint32(s, uint32(len(value)))
		s = be.AppendUint32(s, uint32(strings.Index(names, name)))
		s = append(s, value...)
		s = append(s, make([]byte, -len(s)&3)...)
	}
	cells := func(words []uint32) (b []byte) {
		for _, w := range words {
			b = be.AppendUint32(b, w)
		}
		return b
	}
	s = be.AppendUint32(s, 1)
	s = append(s, 0, 0, 0, 0)
	property("model", cString(d.model))
	property("qcom,msm-id", cells(d.msm))
	property("qcom,board-id", cells(d.board))
	s = be.AppendUint32(s, 2)
	s = be.AppendUint32(s, 9)
	const head = 40 + 16 // header and an empty list of reserved memory
	b := be.AppendUint32(nil, 0xD00DFEED)
	for _, v := range []int{head + len(s) + len(names), head, head + len(s), 40, 17, 16, 0, len(names), len(s)} {
		b = be.AppendUint32(b, uint32(v))
	}
	b = append(b, make([]byte, 16)...)
	return append(append(b, s...), names...)
}

// entry of a QCDT table: its words without offset and size, and its tree.
type entry struct {
	words []uint32
	tree  []byte
}

func qcdt(version uint32, entries ...entry) []byte {
	le := binary.LittleEndian
	b := append([]byte("QCDT"), le.AppendUint32(le.AppendUint32(nil, version), uint32(len(entries)))...)
	at := 2048
	for _, e := range entries {
		for _, w := range e.words {
			b = le.AppendUint32(b, w)
		}
		b = le.AppendUint32(le.AppendUint32(b, uint32(at)), uint32(len(e.tree)))
		at += (len(e.tree) + 2047) &^ 2047
	}
	b = padded(append(b, 0, 0, 0, 0))
	for _, e := range entries {
		b = append(b, padded(e.tree)...)
	}
	return b
}

func padded(b []byte) []byte { return append(slices.Clone(b), make([]byte, -len(b)&2047)...) }

// zImage is a kernel of 4096 bytes with what is appended to it.
func zImage(appended ...[]byte) []byte {
	b := make([]byte, 4096)
	binary.LittleEndian.PutUint32(b[0x24:], 0x016F2818)
	binary.LittleEndian.PutUint32(b[0x2C:], 4096)
	return append(b, bytes.Join(appended, nil)...)
}

type bootImage struct {
	kernel, ramdisk, second, table []byte
	page                           uint32 // 0 is 2048
	tableSize                      int    // 0: that of the table
	magic                          string
}

func (i bootImage) build() []byte {
	le := binary.LittleEndian
	if i.ramdisk == nil {
		i.ramdisk = []byte("\x1f\x8b\x08 packed")
	}
	if i.tableSize == 0 {
		i.tableSize = len(i.table)
	}
	if i.page == 0 {
		i.page = 2048
	}
	b := make([]byte, 2048)
	copy(b, "ANDROID!"+i.magic)
	for at, v := range map[int]int{8: len(i.kernel), 16: len(i.ramdisk), 24: len(i.second), 36: int(i.page), 40: i.tableSize} {
		le.PutUint32(b[at:], uint32(v))
	}
	for _, part := range [][]byte{i.kernel, i.ramdisk, i.second, i.table} {
		b = append(b, padded(part)...)
	}
	return b
}

// What the three generations say to images that are wrong in one way each: the table of
// fastboot/bootimg/FORMAT.md §2.3 first, then its other rules and those of §2.1, §2.4 and §3.1.
func TestAbootBoot(t *testing.T) {
	const none, cut, cut15 = "FAILdtb not found", "FAILincomplete bootimage", "FAILbootimage: incomplete or not signed"
	aries := []uint32{194, 0x10000, 209, 0x10000, 210, 0x10000, 212, 0x10000}
	split := tree{"SoMC Aries ROW", aries, []uint32{8, 0}}.build()
	onePiece := tree{"SoMC Aries ROW", []uint32{194, 8, 0x10000}, nil}.build()
	second := tree{"", []uint32{126, 8, 0x20002, 194, 8, 0x10000}, nil}.build()
	newer := tree{"", []uint32{194, 8, 0x10001}, nil}.build()
	older := tree{"", []uint32{194, 8, 0xFFFF}, nil}.build()
	leo := tree{"SoMC Leo ROW", []uint32{194, 8, 0x10000}, nil}.build()
	mainline := tree{"Sony Xperia Z3 Compact", nil, nil}.build()
	subtype1 := tree{"", aries, []uint32{8, 1}}.build()
	v1 := func(words ...uint32) []byte { return qcdt(1, entry{words, onePiece}) }
	v2 := func(words ...uint32) []byte { return qcdt(2, entry{words, split}) }
	boot := func(kernel []byte, table []byte) []byte { return bootImage{kernel: kernel, table: table}.build() }
	ok := func(o Outcome) string { return "OKAY " + string(o) }
	runs := ok(OutcomeRuns)
	for _, c := range []struct {
		name                   string
		image                  []byte
		in2013, in2014, in2015 string
	}{
		{"QCDT v2", boot(zImage(), v2(194, 8, 0, 0x10000)), runs, runs, runs},
		{"appended, split ids", boot(zImage(split), nil), none, runs, runs},
		{"appended, one-piece id", boot(zImage(onePiece), nil), runs, runs, runs},
		{"no device tree", boot(zImage(), nil), none, none, none},
		{"QCDT v3 only", boot(zImage(), qcdt(3, entry{[]uint32{194, 8, 0, 0x10000, 0, 0, 0, 0}, split})), none, none, runs},

		{"QCDT v1", boot(zImage(), v1(194, 8, 0x10000)), runs, runs, runs},
		{"QCDT of an older revision", boot(zImage(), v2(194, 8, 0, 0)), runs, runs, runs},
		{"QCDT of a newer revision", boot(zImage(), v2(194, 8, 0, 0x10001)), none, none, none},
		{"QCDT of another chip", boot(zImage(), v2(126, 8, 0, 0x10000)), none, none, none},
		{"QCDT of another board", boot(zImage(), v2(194, 11, 0, 0x10000)), none, none, none},
		{"QCDT of another subtype: third round", boot(zImage(), v2(194, 8, 1, 0x10000)), runs, runs, none},
		{"QCDT version 4", boot(zImage(), qcdt(4)), none, none, none},
		{"empty QCDT", boot(zImage(), qcdt(2)), none, none, none},
		{"other magic, trees appended", boot(zImage(onePiece), []byte("XCDT")), runs, runs, runs},
		{"both, only the table fits", boot(zImage(newer), v2(194, 8, 0, 0x10000)), runs, runs, runs},
		{"both, only the appended one fits", boot(zImage(onePiece), v2(126, 8, 0, 0)), runs, runs, runs},
		{"table is shorter than its head", bootImage{kernel: zImage(), table: v2(194, 8, 0, 0x10000), tableSize: 30}.build(), none, none, none},
		{"table of a file cut after its head", bootImage{kernel: zImage(), table: v2(194, 8, 0, 0x10000)}.build()[:2048+4096+2048+2048], ok(OutcomeHang), ok(OutcomeHang), ok(OutcomeHang)},

		{"appended, fitting triple second", boot(zImage(second), nil), none, runs, runs},
		{"appended, newer revision", boot(zImage(newer), nil), none, none, none},
		{"appended, older revision", boot(zImage(older), nil), runs, runs, runs},
		{"appended, second tree fits", boot(zImage(newer, onePiece), nil), runs, runs, runs},
		{"appended, no ids", boot(zImage(mainline), nil), runs, runs, none},
		{"appended, subtype 1", boot(zImage(subtype1), nil), none, none, none},
		{"appended, but not where the kernel ends", boot(zImage(make([]byte, 8), onePiece), nil), none, none, none},
		{"appended, cut", boot(zImage(onePiece[:len(onePiece)-1]), nil), none, none, none},
		{"appended, for another model with the same ids", boot(zImage(leo), nil), ok(OutcomeDark), ok(OutcomeDark), ok(OutcomeDark)},

		{"kernel is cut", boot(zImage(), nil)[:4096], cut, cut, cut15},
		{"magic is not looked at", append([]byte("NOTHING!"), boot(zImage(onePiece), nil)[8:]...), runs, runs, runs},
		{"three bytes", []byte("AND"), "FAILinvalid bootimage header", "FAILinvalid bootimage header", "FAILinvalid bootimage header"},
		{"lz4 ramdisk", bootImage{kernel: zImage(onePiece), ramdisk: []byte("\x02\x21\x4c\x18")}.build(), ok(OutcomePanic), ok(OutcomePanic), ok(OutcomePanic)},
		{"lzma ramdisk", bootImage{kernel: zImage(onePiece), ramdisk: []byte("\x5d\x00\x00\x80\x00")}.build(), runs, runs, runs},
		{"no ramdisk", bootImage{kernel: zImage(onePiece), ramdisk: []byte{}}.build(), ok(OutcomePanic), ok(OutcomePanic), ok(OutcomePanic)},
		{"not a zImage", boot(make([]byte, 4096), v2(194, 8, 0, 0x10000)), ok(OutcomeHang), ok(OutcomeHang), ok(OutcomeHang)},
	} {
		for generation, want := range map[string]string{Aboot2013: c.in2013, Aboot2014: c.in2014, Aboot2015: c.in2015} {
			a := &Aboot{phone: &Phone{}, generation: generation, data: slices.Clone(c.image)}
			a.boot()
			if len(a.answers) != 1 {
				t.Fatalf("%s, %s: %q", c.name, generation, a.answers)
			}
			got := string(a.answers[0])
			if a.gone {
				got += " " + string(a.Outcome)
			}
			if got != want {
				t.Errorf("%s, loader of %s: %q, want %q", c.name, generation, got, want)
			}
		}
	}
}

// Sizes near 2^32 and page sizes that are none are answered, whatever the answer is.
func TestAbootBootWithWildSizes(t *testing.T) {
	good := bootImage{kernel: zImage(tree{"", []uint32{194, 8, 0x10000}, nil}.build()), table: qcdt(2)}.build()
	for _, at := range []int{8, 16, 24, 36, 40} {
		for _, v := range []uint32{0, 1, 3, 1 << 8, 1 << 17, 0x7FFFFFFF, 0x80000000, 0xFFFFF800, 0xFFFFFFFF} {
			for _, generation := range []string{Aboot2013, Aboot2014, Aboot2015} {
				a := &Aboot{phone: &Phone{}, generation: generation, data: slices.Clone(good)}
				binary.LittleEndian.PutUint32(a.data[at:], v)
				a.boot()
				if len(a.answers) != 1 {
					t.Errorf("word %d is %#x, %s: %q", at, v, generation, a.answers)
				}
			}
		}
	}
}

// Whatever is booted, there is one answer.
func FuzzAbootBoot(f *testing.F) {
	one := tree{"SoMC Aries ROW", []uint32{194, 8, 0x10000}, nil}.build()
	f.Add(bootImage{kernel: zImage(one)}.build())
	f.Add(bootImage{kernel: zImage(), table: qcdt(2, entry{[]uint32{194, 8, 0, 0x10000}, one})}.build())
	f.Add(bootImage{kernel: zImage(), table: qcdt(1, entry{[]uint32{194, 8, 0x10000}, one})}.build())
	f.Fuzz(func(t *testing.T, image []byte) {
		for _, generation := range []string{Aboot2013, Aboot2014, Aboot2015} {
			a := &Aboot{phone: &Phone{}, generation: generation, data: image}
			if a.boot(); len(a.answers) != 1 {
				t.Errorf("%q", a.answers)
			}
		}
	})
}

// Whatever is flashed, there is one answer and nothing outside the partition changes.
func FuzzAbootSparse(f *testing.F) {
	le := binary.LittleEndian
	image := func(block, total uint32, chunks ...[]byte) []byte {
		b := append(le.AppendUint32(nil, 0xED26FF3A), 1, 0, 0, 0, 28, 0, 12, 0)
		for _, v := range []uint32{block, total, uint32(len(chunks)), 0} {
			b = le.AppendUint32(b, v)
		}
		return append(b, bytes.Join(chunks, nil)...)
	}
	chunk := func(kind uint16, blocks uint32, data string) []byte {
		b := le.AppendUint16(le.AppendUint16(nil, kind), 0)
		return append(le.AppendUint32(le.AppendUint32(b, blocks), uint32(12+len(data))), data...)
	}
	f.Add(image(4, 3, chunk(chunkRaw, 1, "data"), chunk(chunkFill, 1, "fill"), chunk(chunkSkip, 1, ""), chunk(chunkCRC, 0, "1234")))
	f.Add(image(0, 1, chunk(chunkRaw, 1, "data")))
	f.Add(image(0xFFFFFFFC, 0xFFFFFFFF, chunk(chunkSkip, 0xFFFFFFFF, "")))
	p, err := Open(Options{InFastboot: true, Disk: minDisk, Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { p.Close() })
	cache, err := p.Partition("cache")
	if err != nil {
		f.Fatal(err)
	}
	around := func(t *testing.T) []byte {
		b := make([]byte, 8192)
		for i, at := range []int64{cache.Entry.Offset() - 4096, cache.Entry.Offset() + cache.Size()} {
			if _, err := p.disk.file.ReadAt(b[i*4096:][:4096], at); err != nil {
				t.Fatal(err)
			}
		}
		return b
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 28 {
			return
		}
		before := around(t)
		for _, generation := range []string{Aboot2013, Aboot2015} {
			a := &Aboot{phone: p, generation: generation, data: data}
			if a.flashSparse(cache); len(a.answers) != 1 {
				t.Errorf("%q", a.answers)
			}
		}
		if !bytes.Equal(before, around(t)) {
			t.Error("something next to the partition has changed")
		}
	})
}

// Whatever is sent as a command, an answer that fits 64 bytes comes, and it is of a known kind.
func FuzzAbootCommand(f *testing.F) {
	for _, command := range []string{"getvar:all", "getvar:", "download:0000000g", "download:00000004", "boot", "flash:", "erase:TA", "oem unlock 0x", "oem device-info", "\x00", ""} {
		f.Add(command)
	}
	p, err := Open(Options{InFastboot: true, Locked: true, Disk: minDisk, Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { p.Close() })
	f.Fuzz(func(t *testing.T, command string) {
		answers, _ := p.Fastboot().message([]byte(command))
		if len(answers) == 0 {
			t.Fatalf("%q: no answer", command)
		}
		for i, b := range answers {
			if len(b) < 4 || len(b) > 64 || !strings.Contains("OKAY FAIL INFO DATA", string(b[:4])) || i < len(answers)-1 && string(b[:4]) != "INFO" && string(b[:4]) != "DATA" {
				t.Errorf("%q: answer %q", command, b)
			}
		}
	})
}
