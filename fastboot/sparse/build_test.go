package sparse

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"
)

// part is one chunk of a test image, written by hand and not by the code under test.
type part struct {
	kind   uint16
	blocks uint32
	data   []byte
	total  uint32 // total size field, 0 means the right one
}

// simg is a test image; zero fields are filled with what is right.
type simg struct {
	major, headerSize, chunkSize uint16
	blockSize, blocks, chunks    uint32
	checksum                     uint32
	parts                        []part
	trailing                     []byte
}

func (s simg) bytes() []byte {
	if s.major == 0 {
		s.major = 1
	}
	if s.headerSize == 0 {
		s.headerSize = 28
	}
	if s.chunkSize == 0 {
		s.chunkSize = 12
	}
	if s.blockSize == 0 {
		s.blockSize = 16
	}
	if s.blocks == 0 {
		for _, p := range s.parts {
			s.blocks += p.blocks
		}
	}
	if s.chunks == 0 {
		s.chunks = uint32(len(s.parts))
	}
	var b bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	b.Write([]byte{0x3A, 0xFF, 0x26, 0xED})
	put([]uint16{s.major, 0, s.headerSize, s.chunkSize})
	put([]uint32{s.blockSize, s.blocks, s.chunks, s.checksum})
	b.Write(make([]byte, max(0, int(s.headerSize)-28)))
	for _, p := range s.parts {
		if p.total == 0 {
			p.total = uint32(len(p.data)) + uint32(s.chunkSize)
		}
		put([]uint16{p.kind, 0})
		put([]uint32{p.blocks, p.total})
		b.Write(make([]byte, max(0, int(s.chunkSize)-12)))
		b.Write(p.data)
	}
	b.Write(s.trailing)
	return b.Bytes()
}

func raw(blocks uint32, data []byte) part   { return part{kind: 0xCAC1, blocks: blocks, data: data} }
func fill(blocks uint32, word ...byte) part { return part{kind: 0xCAC2, blocks: blocks, data: word} }
func hole(blocks uint32) part               { return part{kind: 0xCAC3, blocks: blocks} }
func crcPart(crc uint32) part {
	return part{kind: 0xCAC4, data: binary.LittleEndian.AppendUint32(nil, crc)}
}
func lz4Part(blocks uint32, b ...byte) part { return part{kind: 0xCAC5, blocks: blocks, data: b} }
func pattern(n int) []byte                  { b := make([]byte, n); fillPattern(b); return b }
func fillPattern(b []byte) {
	for i := range b {
		b[i] = byte(i % 251)
	}
}
func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
func mustReader(t *testing.T, b []byte) *Reader {
	t.Helper()
	z, err := NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// memory is an io.WriterAt over a slice that never grows, filled with a byte
// that shows what was left alone.
type memory []byte

func newMemory(n int64, untouched byte) memory { return bytes.Repeat([]byte{untouched}, int(n)) }

func (m memory) WriteAt(p []byte, at int64) (int, error) {
	if at < 0 || at+int64(len(p)) > int64(len(m)) {
		return 0, io.ErrShortWrite
	}
	return copy(m[at:], p), nil
}

// randomRaw makes a raw image with all kinds of runs of 4096-byte blocks and an odd end.
func randomRaw(r *rand.Rand, blocks int) []byte {
	var b []byte
	for len(b) < blocks*4096 {
		run := (1 + r.IntN(9)) * 4096
		switch r.IntN(4) {
		case 0:
			b = append(b, make([]byte, run)...)
		case 1:
			word := binary.LittleEndian.AppendUint32(nil, r.Uint32())
			b = append(b, bytes.Repeat(word, run/4)...)
		default:
			for range run / 8 {
				b = binary.LittleEndian.AppendUint64(b, r.Uint64())
			}
		}
	}
	return b[:blocks*4096]
}
