package sin_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
	"xflash/sin/gpt"
)

// The tags of a map written down by hand, big-endian (FORMAT.md §4.2).

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// tag joins a name, its length and the body.
func tag(name string, body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	return bytes.Join([][]byte{[]byte(name), be32(uint32(8 + len(all))), all}, nil)
}

func gptp(fill byte) []byte { return tag("GPTP", bytes.Repeat([]byte{fill}, 16)) }

func addr(data, length, dest uint64) []byte {
	return tag("ADDR", be64(data), be64(length), be64(dest), be32(0))
}

func lz4a(data, plain, packed, dest uint64) []byte {
	return tag("LZ4A", be64(data), be64(plain), be64(packed), be64(dest), be64(plain), be32(0))
}

func fill(dest, length uint64, word uint32) []byte {
	return tag("FILL", be64(dest), be64(length), be32(word))
}

// mapAt is the offset that the tests give the map in its file.
const mapAt = 1000

// TestMapRules breaks each rule of §4.2 and §9 once (test 4 of docs/contributing.md §5).
func TestMapRules(t *testing.T) {
	hash := bytes.Repeat([]byte{7}, 32)
	for _, c := range []struct {
		name string
		data int64 // bytes in the data area
		tags [][]byte
		want string // in the error; empty: accepted
		at   int64  // offset of the error in the map, 0: not compared
	}{
		{"one of each", 60, [][]byte{gptp(1), addr(0, 10, 0), lz4a(10, 100, 20, 100), fill(200, 8, 5),
			tag("MTKP", []byte("system\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")), addr(30, 10, 0),
			tag("MTKM", be64(40), be64(5), be64(45), be64(5), be64(50), be64(10), be32(0), be32(0))}, "", 0},
		{"with hashes", 10, [][]byte{gptp(1), tag("ADDR", be64(0), be64(4), be64(0), be32(2), hash), tag("ADDR", be64(4), be64(6), be64(4), be32(1), hash[:20])}, "", 0},
		{"only low byte of hash type", 4, [][]byte{gptp(1), tag("ADDR", be64(0), be64(4), be64(0), be32(0xFF02), hash)}, "", 0},
		{"data before the first piece", 30, [][]byte{gptp(1), addr(20, 10, 0)}, "", 0},
		{"out of order in the partition", 20, [][]byte{gptp(1), addr(0, 10, 10), addr(10, 10, 0)}, "", 0},
		{"nothing but a fill", 0, [][]byte{gptp(1), fill(0, 4096, 0)}, "", 0},
		{"same range of two partitions", 20, [][]byte{gptp(1), addr(0, 10, 0), gptp(2), addr(10, 10, 0)}, "", 0},
		{"FILL of 32 bytes", 0, [][]byte{gptp(1), tag("FILL", be64(0), be64(4), be32(0), be32(0))}, "", 0},
		{"FILL of 40 bytes", 0, [][]byte{gptp(1), tag("FILL", be64(0), be64(4), be32(0), be64(9), be32(9))}, "", 0},
		{"up to 2^63", 0, [][]byte{gptp(1), fill(math.MaxInt64-7, 4, 0)}, "", 0},

		{"empty", 0, nil, "no partition is selected", 0},
		{"no partition first", 10, [][]byte{addr(0, 10, 0), gptp(1)}, "before any partition", 8},
		{"fill before partition", 0, [][]byte{fill(0, 4, 0), gptp(1)}, "before any partition", 8},
		{"unknown tag", 0, [][]byte{gptp(1), tag("GPTX", make([]byte, 16))}, `unknown tag "GPTX"`, 8 + 24},
		{"tag of 7 bytes", 0, [][]byte{gptp(1), {'F', 'I', 'L', 'L', 0, 0, 0, 7, 0, 0, 0, 0}}, "7 bytes instead of 28", 8 + 24},
		{"tag of 0 bytes", 0, [][]byte{gptp(1), {'F', 'I', 'L', 'L', 0, 0, 0, 0}}, "0 bytes instead of 28", 8 + 24},
		{"tag past the map", 0, [][]byte{gptp(1), {'F', 'I', 'L', 'L', 0, 0, 0, 28, 0}}, "runs past the map", 8 + 24},
		{"half a tag head", 0, [][]byte{gptp(1), {'F', 'I', 'L'}}, "ends inside a tag", 8 + 24},
		{"long GPTP", 0, [][]byte{tag("GPTP", make([]byte, 17))}, "25 bytes instead of 24", 8},
		{"short MTKP", 0, [][]byte{tag("MTKP", make([]byte, 15))}, "23 bytes instead of 24", 8},
		{"nameless MTKP", 0, [][]byte{tag("MTKP", make([]byte, 16))}, "name is not readable", 8},
		{"ADDR with half a hash", 4, [][]byte{gptp(1), tag("ADDR", be64(0), be64(4), be64(0), be32(2), hash[:31])}, "67 bytes instead of 68", 8 + 24},
		{"LZ4A without its hash", 4, [][]byte{gptp(1), tag("LZ4A", be64(0), be64(9), be64(4), be64(0), be64(9), be32(1))}, "52 bytes instead of 72", 8 + 24},
		{"FILL too short", 0, [][]byte{gptp(1), tag("FILL", be64(0), be64(4), []byte{0, 0, 0})}, "27 bytes instead of 28", 8 + 24},
		{"hash type 3", 4, [][]byte{gptp(1), tag("ADDR", be64(0), be64(4), be64(0), be32(3))}, "hash type 3", 8 + 24 + 32},
		{"gap in the data", 21, [][]byte{gptp(1), addr(0, 10, 0), addr(11, 10, 10)}, "starts at 0x", 8 + 24 + 36},
		{"data twice", 10, [][]byte{gptp(1), addr(0, 10, 0), addr(0, 10, 10)}, "starts at 0x", 8 + 24 + 36},
		{"data past the end of the file", 10, [][]byte{gptp(1), addr(0, 11, 0)}, "past the end of the file", 8 + 24},
		{"data left over", 11, [][]byte{gptp(1), addr(0, 10, 0)}, "1 bytes of data belong to no piece", 8 + 60 + 10},
		{"data without pieces", 1, [][]byte{gptp(1)}, "1 bytes of data belong to no piece", 8 + 24},
		{"LZ4A over 16 MiB", 10, [][]byte{gptp(1), lz4a(0, 16<<20+1, 10, 0)}, "not between 1 byte and 16 MiB", 8 + 24},
		{"LZ4A packed over 16 MiB", 16<<20 + 1, [][]byte{gptp(1), lz4a(0, 10, 16<<20+1, 0)}, "not between 1 byte and 16 MiB", 8 + 24},
		{"LZ4A to nothing", 10, [][]byte{gptp(1), lz4a(0, 0, 10, 0)}, "not between 1 byte and 16 MiB", 8 + 24},
		{"LZ4A from nothing", 0, [][]byte{gptp(1), lz4a(0, 10, 0, 0)}, "not between 1 byte and 16 MiB", 8 + 24},
		{"overlap", 20, [][]byte{gptp(1), addr(0, 10, 0), addr(10, 10, 9)}, "same bytes of the partition, from 0x9", 8 + 24 + 36},
		{"overlap backwards", 20, [][]byte{gptp(1), addr(0, 10, 100), addr(10, 10, 91)}, "same bytes", 8 + 24 + 36},
		{"overlap with a fill", 10, [][]byte{gptp(1), fill(0, 400, 0), addr(0, 10, 100)}, "same bytes", 8 + 24 + 28},
		{"overlap after another partition", 20, [][]byte{gptp(1), addr(0, 10, 0), gptp(2), gptp(1), addr(10, 10, 5)}, "same bytes", 8 + 24 + 36 + 48},
		{"destination past 2^63", 10, [][]byte{gptp(1), addr(0, 10, math.MaxInt64-9)}, "too large", 8 + 24},
		{"destination past 2^64", 10, [][]byte{gptp(1), addr(0, 10, math.MaxUint64)}, "too large", 8 + 24},
		{"fill past 2^63", 0, [][]byte{gptp(1), fill(math.MaxInt64-3, 8, 0)}, "too large", 8 + 24},
		{"length past 2^63", 10, [][]byte{gptp(1), addr(0, math.MaxUint64, 0)}, "too large", 8 + 24},
		{"data offset past 2^63", 10, [][]byte{gptp(1), addr(math.MaxInt64, 10, 0)}, "too large", 8 + 24},
		{"fill of half a word", 0, [][]byte{gptp(1), fill(0, 6, 0)}, "not a whole number of words", 8 + 24},
		{"MTKM with a gap", 10, [][]byte{gptp(1), tag("MTKM", be64(0), be64(4), be64(5), be64(0), be64(5), be64(5), be32(0), be32(0))}, "do not follow", 8 + 24},
		{"MTKM overflow", 10, [][]byte{gptp(1), tag("MTKM", be64(4), be64(math.MaxInt64), be64(5), be64(0), be64(5), be64(5), be32(0), be32(0))}, "do not follow", 8 + 24},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := bytes.Join(c.tags, nil)
			m, err := ParseMap(list, mapAt, mapAt+8+int64(len(list))+c.data)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for range m.Tags() {
					n++
				}
				if n != len(c.tags) {
					t.Errorf("%d tags, want %d", n, len(c.tags))
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Reason != BadMap || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if c.at != 0 && e.Offset != mapAt+c.at {
				t.Errorf("offset %d, want %d", e.Offset-mapAt, c.at)
			}
		})
	}
}

// TestMapFields reads each field of each tag.
func TestMapFields(t *testing.T) {
	hash := bytes.Repeat([]byte{9}, 20)
	list := bytes.Join([][]byte{
		gptp(1), tag("ADDR", be64(6), be64(10), be64(0x100000000), be32(1), hash),
		tag("LZ4A", be64(16), be64(100), be64(20), be64(0x2000), be64(99), be32(0)),
		fill(0x3000, 8, 0x11223344),
		tag("MTKP", []byte("boot\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")), addr(36, 1, 7),
	}, nil)
	dataAt := mapAt + 8 + int64(len(list))
	m, err := ParseMap(list, mapAt, dataAt+37)
	if err != nil {
		t.Fatal(err)
	}
	var got []Tag
	for tag := range m.Tags() {
		got = append(got, tag)
	}
	if len(got) != 6 {
		t.Fatalf("%d tags", len(got))
	}
	a, l, f, b := got[1], got[2], got[3], got[5]
	if a.Data != dataAt+6 || a.DataLen != 10 || a.Dest != 0x100000000 || a.DestLen != 10 || a.HashType != SHA1 || !bytes.Equal(a.Hash, hash) || a.Target != 0 {
		t.Errorf("ADDR %+v", a)
	}
	if l.Data != dataAt+16 || l.DataLen != 20 || l.Dest != 0x2000 || l.DestLen != 100 || l.HashType != NoHash || len(l.Hash) != 0 {
		t.Errorf("LZ4A %+v", l)
	}
	// usbproto/s1/PROTOCOL.md §11.12: word 0x11223344 becomes 44 33 22 11 on the eMMC.
	if f.Fill != [4]byte{0x44, 0x33, 0x22, 0x11} || f.Dest != 0x3000 || f.DestLen != 8 || f.DataLen != 0 {
		t.Errorf("FILL %+v", f)
	}
	if b.Target != 1 || m.Targets[1].Name != "boot" || m.Targets[0].End != 0x100000000+10 || m.Targets[1].End != 8 {
		t.Errorf("targets %+v, last tag %+v", m.Targets, b)
	}
	// Data before the first piece, and a destination length that is not the uncompressed one.
	if len(m.Notes) != 2 || m.Notes[0].Offset != dataAt && m.Notes[1].Offset != dataAt {
		t.Errorf("notes %+v", m.Notes)
	}
}

// TestTooManyTargets bounds what a map can make us keep.
func TestTooManyTargets(t *testing.T) {
	var list []byte
	for i := range MaxTargets + 1 {
		list = append(list, gptp(byte(i))...)
	}
	if _, err := ParseMap(list, mapAt, mapAt+8+int64(len(list))); err == nil || !strings.Contains(err.Error(), "more than 64 partitions") {
		t.Error(err)
	}
}

// randomImage is a partition image with runs of zeros, of words, of text and of noise.
func randomImage(rnd *rand.Rand, size int) []byte {
	var out []byte
	for len(out) < size {
		n := 4 * (1 + rnd.IntN(3000))
		switch rnd.IntN(4) {
		case 0:
			out = append(out, make([]byte, n)...)
		case 1:
			word := be32(rnd.Uint32())
			out = append(out, bytes.Repeat(word, n/4)...)
		case 2:
			out = append(out, bytes.Repeat([]byte("partition "), n/10+1)...)
		default:
			for range n / 4 {
				out = binary.LittleEndian.AppendUint32(out, rnd.Uint32())
			}
		}
	}
	return out[:size]
}

// TestImageRoundTrip builds random images of up to three partitions, unpacks them and
// compares every byte.
func TestImageRoundTrip(t *testing.T) {
	s, roots := signer(t, "S1_SW", 3)
	rnd := rand.New(rand.NewPCG(3, 4))
	kinds := map[TagKind]int{}
	for round := range 40 {
		m := MapBuilder{HashType: []HashType{NoHash, SHA1, SHA256}[rnd.IntN(3)]}
		images := map[gpt.GUID][]byte{}
		for i := range 1 + rnd.IntN(3) {
			guid := gpt.GUID{byte(i + 1)}
			images[guid] = randomImage(rnd, 4+rnd.IntN(70000))
			m.Select(guid)
			opt := ImageOptions{LZ4: rnd.IntN(4) > 0, Fill: rnd.IntN(4) > 0, Chunk: 4 << rnd.IntN(14)}
			if err := m.Image(bytes.NewReader(images[guid]), int64(len(images[guid])), opt); err != nil {
				t.Fatal(err)
			}
		}
		p, err := m.Payload()
		if err != nil {
			t.Fatal(err)
		}
		file := build(t, Builder{Type: TypeImage, Signer: s, BlockSize: 1 + rnd.Int64N(100000)}, p)
		outs := map[gpt.GUID]*memFile{}
		opt := UnpackOptions{
			CheckOptions: CheckOptions{Roots: roots, Workers: 1 + rnd.IntN(4)},
			Open: func(t Target) (io.WriterAt, error) {
				outs[t.GUID] = &memFile{b: make([]byte, len(images[t.GUID]))}
				return outs[t.GUID], nil
			},
		}
		report, err := Unpack(context.Background(), bytes.NewReader(file), int64(len(file)), nil, opt)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for tag := range report.Map.Tags() {
			kinds[tag.Kind]++
		}
		for _, part := range report.Parts {
			want := images[part.Target.GUID]
			if part.Size != int64(len(want)) || !bytes.Equal(outs[part.Target.GUID].b, want) {
				t.Fatalf("round %d: %v differs, %d bytes, want %d", round, part.Target, part.Size, len(want))
			}
			if !bytes.Equal(part.Head, want[:min(len(want), HeadSize)]) {
				t.Fatalf("round %d: the head of %v differs", round, part.Target)
			}
		}
	}
	for _, k := range []TagKind{TagGPTP, TagADDR, TagLZ4A, TagFILL} {
		if kinds[k] == 0 {
			t.Errorf("no %s in any image", k)
		}
	}
}

// TestBadPieces damages what a map describes before the file is signed, so that only
// the piece itself is wrong.
func TestBadPieces(t *testing.T) {
	s, roots := signer(t, "S1_SW", 3)
	as := bytes.NewReader(bytes.Repeat([]byte{'A'}, 4096))
	short, bent := lz4As[:len(lz4As)-1], bytes.Clone(lz4As)
	bent[1] = 'B'
	wrap := func(m *MapBuilder) Payload {
		p, err := m.Payload()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		name string
		add  func(m *MapBuilder)
		want string
	}{
		{"right", func(m *MapBuilder) { m.Packed(lz4As, as, 0, 0, 4096) }, ""},
		{"a byte too few", func(m *MapBuilder) { m.Packed(short, as, 0, 0, 4096) }, "does not unpack"},
		{"a byte too many", func(m *MapBuilder) { m.Packed(append(bytes.Clone(lz4As), 0), as, 0, 0, 4096) }, "does not unpack"},
		{"ends early", func(m *MapBuilder) {
			m.Packed(lz4As, bytes.NewReader(bytes.Repeat([]byte{'A'}, 4097)), 0, 0, 4097)
		}, "does not unpack"},
		{"makes too much", func(m *MapBuilder) { m.Packed(lz4As, as, 0, 0, 4095) }, "does not unpack"},
		{"other content", func(m *MapBuilder) { m.Packed(bent, as, 0, 0, 4096) }, "another SHA-256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &MapBuilder{HashType: SHA256}
			m.Select(systemGUID)
			c.add(m)
			file := build(t, Builder{Type: TypeImage, Signer: s}, wrap(m))
			report, err := check(file, int64(len(file)), roots)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, &Error{Reason: BadData, Offset: report.Map.DataOffset, Block: -1}) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if report.DamagedCount != 0 {
				t.Error("the blocks are right")
			}
		})
	}
	// A plain piece whose hash is not that of its bytes: the hash is the end of the map.
	m := &MapBuilder{HashType: SHA256}
	m.Select(systemGUID)
	m.Addr(bytes.NewReader(pat(300000)), 0, 0, 300000)
	p := wrap(m)
	p.Head[len(p.Head)-1] ^= 1
	file := build(t, Builder{Type: TypeImage, Signer: s}, p)
	if _, err := check(file, int64(len(file)), roots); !errors.Is(err, Because(BadData)) {
		t.Errorf("ADDR with a wrong hash: %v", err)
	}
}
