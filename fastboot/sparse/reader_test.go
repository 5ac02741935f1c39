package sparse

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// lz4Block expands to 4096 × 'A' (sin/FORMAT.md §10.2).
var lz4Block, _ = hex.DecodeString("1f410100fffffffffffffffffffffffffffffff6504141414141")

// TestSIN5Vector applies the two members of the deterministic SIN v5 of
// sin/FORMAT.md §10.2 to one output and compares with its published hash.
func TestSIN5Vector(t *testing.T) {
	members := []simg{
		{blockSize: 4096, parts: []part{raw(2, pattern(0x2000)), hole(6)}},
		{blockSize: 4096, parts: []part{hole(3), lz4Part(1, lz4Block...), fill(1, 0, 0, 0, 0), hole(3)}},
	}
	out := newMemory(32768, 0)
	for _, m := range members {
		if err := mustReader(t, m.bytes()).Apply(out); err != nil {
			t.Fatal(err)
		}
	}
	const want = "93e1e2d4ec35a8897fee440c48a3adcd471e1be4b6530d7b4331367f4b790b3c"
	if sum := sha256.Sum256(out); hex.EncodeToString(sum[:]) != want {
		t.Errorf("the result has SHA-256 %x, not %s", sum, want)
	}
}

// expanded is what the parts of whole() mean, written out by hand.
func expanded(holes byte) []byte {
	return bytes.Join([][]byte{
		pattern(32), bytes.Repeat([]byte{1, 2, 3, 4}, 12), bytes.Repeat([]byte{holes}, 32),
		bytes.Repeat([]byte{'A'}, 4096), pattern(16)}, nil)
}

func whole() simg {
	return simg{parts: []part{raw(2, pattern(32)), fill(3, 1, 2, 3, 4), hole(2), lz4Part(256, lz4Block...), raw(1, pattern(16))}}
}

func TestExpand(t *testing.T) {
	for name, s := range map[string]simg{"plain": whole(), "long headers": {headerSize: 40, chunkSize: 17, parts: whole().parts}} {
		for reader, in := range map[string]io.Reader{
			"at once":         bytes.NewReader(s.bytes()),
			"byte by byte":    iotest.OneByteReader(bytes.NewReader(s.bytes())),
			"data with error": iotest.DataErrReader(bytes.NewReader(s.bytes())),
		} {
			z, err := NewReader(in)
			if err != nil {
				t.Fatal(name, reader, err)
			}
			got, err := io.ReadAll(iotest.OneByteReader(z.Expand()))
			if err != nil || !bytes.Equal(got, expanded(0)) {
				t.Errorf("%s, %s: %d bytes, error %v; want %d", name, reader, len(got), err, len(expanded(0)))
			}
		}
	}
}

func TestApplyLeavesHoles(t *testing.T) {
	z := mustReader(t, whole().bytes())
	out := newMemory(z.Header().Size(), 0xEE)
	if err := z.Apply(out); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out, expanded(0xEE)) {
		t.Error("the output is wrong, or a don't-care area was written")
	}
}

func TestNextDescribesChunks(t *testing.T) {
	z := mustReader(t, whole().bytes())
	want := []Chunk{
		{Index: 0, Type: Raw, Blocks: 2, Offset: 28, Data: 32, Dest: 0, Size: 32},
		{Index: 1, Type: Fill, Blocks: 3, Offset: 72, Data: 4, Dest: 32, Size: 48, Value: 0x04030201},
		{Index: 2, Type: DontCare, Blocks: 2, Offset: 88, Dest: 80, Size: 32},
		{Index: 3, Type: LZ4, Blocks: 256, Offset: 100, Data: 26, Dest: 112, Size: 4096},
		{Index: 4, Type: Raw, Blocks: 1, Offset: 138, Data: 16, Dest: 4208, Size: 16},
	}
	for _, w := range want {
		if c, err := z.Next(); err != nil || c != w {
			t.Errorf("got %+v, %v\nwant %+v", c, err, w)
		}
	}
	if _, err := z.Next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// TestChecksums puts the sum under both conventions into the header and into
// chunks, and damages it. The sums come from the standard library over the written-out image.
func TestChecksums(t *testing.T) {
	image := expanded(0)
	left := append(bytes.Clone(image[:80]), image[112:]...) // without the don't-care area
	for name, sum := range map[string]uint32{
		"holes counted": crc32.ChecksumIEEE(image), "holes left out": crc32.ChecksumIEEE(left),
	} {
		for _, damage := range []uint32{0, 1, 1 << 31} {
			inHeader, inChunk := whole(), whole()
			inHeader.checksum = sum ^ damage
			inChunk.parts = append(inChunk.parts, crcPart(sum^damage))
			for where, s := range map[string]simg{"header": inHeader, "chunk": inChunk} {
				walk := func() error { // skipping chunks must check as much as reading them
					z := mustReader(t, s.bytes())
					for {
						if _, err := z.Next(); err != nil {
							return err
						}
						var some [7]byte
						z.Read(some[:])
					}
				}
				_, readErr := io.Copy(io.Discard, mustReader(t, s.bytes()).Expand())
				walkErr := walk()
				if damage == 0 {
					if readErr != nil || walkErr != io.EOF {
						t.Errorf("%s in %s: %v, %v", name, where, readErr, walkErr)
					}
				} else if !errors.Is(readErr, ErrChecksum) || !errors.Is(walkErr, ErrChecksum) {
					t.Errorf("%s in %s, damaged: %v, %v", name, where, readErr, walkErr)
				}
			}
		}
	}
}

// TestHugeSkip walks an image that claims nearly MaxSize in a fill and a hole;
// without the shift identity this would take minutes.
func TestHugeSkip(t *testing.T) {
	const blocks = MaxSize / 2 / 4096
	s := simg{blockSize: 4096, parts: []part{fill(blocks, 9, 8, 7, 6), hole(blocks - 1), fill(1, 0, 0, 0, 0)}, checksum: 1}
	z := mustReader(t, s.bytes())
	for range s.parts {
		if _, err := z.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := z.Next(); !errors.Is(err, ErrChecksum) {
		t.Errorf("a wrong checksum over a terabyte: %v", err)
	}
}

// Test 5 of docs/contributing.md §5: everything that a header or a chunk can say wrongly.
func TestRules(t *testing.T) {
	one := []part{raw(1, pattern(16))}
	for name, c := range map[string]struct {
		s      simg
		raw    []byte // instead of s
		reason error
		text   string // part of the message
	}{
		"empty file":                {raw: []byte{}, reason: ErrNotSparse},
		"other magic":               {raw: []byte("PK\x03\x04 and so on, long enough"), reason: ErrNotSparse},
		"header cut":                {raw: simg{parts: one}.bytes()[:27], reason: ErrTruncated, text: "27 of 28"},
		"header surplus cut":        {raw: simg{headerSize: 99, parts: one}.bytes()[:60], reason: ErrTruncated, text: "offset 0x3c"},
		"major version 2":           {s: simg{major: 2, parts: one}, reason: ErrMalformed, text: "version 2"},
		"header size 27":            {s: simg{headerSize: 27, parts: one}, reason: ErrMalformed, text: "header size 27"},
		"chunk header size 11":      {s: simg{chunkSize: 11, parts: one}, reason: ErrMalformed, text: "chunk header size 11"},
		"block size 18":             {s: simg{blockSize: 18, parts: one}, reason: ErrMalformed, text: "block size 18"},
		"block size 64 MiB + 4":     {s: simg{blockSize: 64<<20 + 4, blocks: 1}, reason: ErrTooLarge},
		"above the size limit":      {s: simg{blockSize: 64 << 20, blocks: MaxSize>>26 + 1}, reason: ErrTooLarge},
		"chunk header cut":          {raw: simg{parts: one}.bytes()[:39], reason: ErrTruncated, text: "chunk 0"},
		"raw data cut":              {raw: simg{parts: one}.bytes()[:55], reason: ErrTruncated, text: "offset 0x37, chunk 0"},
		"fill data cut":             {raw: simg{parts: []part{fill(1, 1, 2, 3, 4)}}.bytes()[:43], reason: ErrTruncated, text: "four bytes"},
		"lz4 data cut":              {raw: simg{parts: []part{lz4Part(256, lz4Block...)}}.bytes()[:60], reason: ErrTruncated, text: "LZ4"},
		"too few chunks in file":    {s: simg{chunks: 2, parts: one}, reason: ErrTruncated, text: "chunk 1"},
		"one byte too many":         {s: simg{parts: one, trailing: []byte{0}}, reason: ErrTrailing, text: "offset 0x38"},
		"total size below header":   {s: simg{parts: []part{{kind: 0xCAC3, blocks: 1, total: 11}}}, reason: ErrMalformed, text: "total size 11"},
		"raw too short":             {s: simg{parts: []part{raw(2, pattern(16))}}, reason: ErrMalformed, text: "16 bytes of data, not 32"},
		"raw too long":              {s: simg{parts: []part{raw(1, pattern(20))}}, reason: ErrMalformed},
		"raw size overflows 32 bit": {s: simg{blockSize: 1 << 16, blocks: 1<<16 + 1, parts: []part{{kind: 0xCAC1, blocks: 1 << 16, total: 12}}}, reason: ErrMalformed, text: "4294967296"},
		"fill of 8 bytes":           {s: simg{parts: []part{fill(1, 1, 2, 3, 4, 5, 6, 7, 8)}}, reason: ErrMalformed},
		"fill of no bytes":          {s: simg{parts: []part{fill(1)}}, reason: ErrMalformed},
		"hole with data":            {s: simg{parts: []part{{kind: 0xCAC3, blocks: 1, data: []byte{1}}}}, reason: ErrMalformed},
		"crc without data":          {s: simg{parts: []part{raw(1, pattern(16)), {kind: 0xCAC4}}}, reason: ErrMalformed},
		"crc with blocks":           {s: simg{parts: []part{{kind: 0xCAC4, blocks: 1, data: make([]byte, 4)}}}, reason: ErrMalformed, text: "claims 1 blocks"},
		"unknown chunk":             {s: simg{parts: []part{{kind: 0xCAC6, blocks: 1}}}, reason: ErrMalformed, text: "0xcac6"},
		"more blocks than total":    {s: simg{blocks: 2, parts: []part{hole(1), hole(2)}}, reason: ErrMalformed, text: "block 3 of an image of 2"},
		"blocks wrap around":        {s: simg{blocks: 1, parts: []part{hole(1), hole(0xFFFFFFFF)}}, reason: ErrMalformed},
		"fewer blocks than total":   {s: simg{blocks: 3, parts: []part{hole(1), hole(1)}}, reason: ErrMalformed, text: "2 of 3 blocks"},
		"lz4 block too short":       {s: simg{parts: []part{lz4Part(257, lz4Block...)}}, reason: ErrLZ4},
		"lz4 block too long":        {s: simg{parts: []part{lz4Part(255, lz4Block...)}}, reason: ErrLZ4},
		"lz4 one byte missing":      {s: simg{parts: []part{lz4Part(256, lz4Block[:25]...)}}, reason: ErrLZ4},
		"lz4 one byte more":         {s: simg{parts: []part{lz4Part(256, append(bytes.Clone(lz4Block), 0)...)}}, reason: ErrLZ4},
		"lz4 offset before start":   {s: simg{parts: []part{lz4Part(1, 0x1f, 'A', 9, 0, 0, 0, 0x50, 1, 2, 3, 4, 5)}}, reason: ErrLZ4},
		"lz4 of no blocks":          {s: simg{parts: []part{hole(1), lz4Part(0, 0)}}, reason: ErrMalformed},
		"lz4 ratio":                 {s: simg{parts: []part{lz4Part(1000, lz4Block...)}}, reason: ErrLZ4, text: "cannot expand"},
		"lz4 longer than stored":    {s: simg{parts: []part{lz4Part(1, pattern(40)...)}}, reason: ErrLZ4, text: "cannot expand"},
		"lz4 above its limit":       {s: simg{blockSize: 1 << 20, blocks: 65, parts: []part{{kind: 0xCAC5, blocks: 65, total: 70 << 20}}}, reason: ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			b := c.raw
			if b == nil {
				b = c.s.bytes()
			}
			z, err := NewReader(bytes.NewReader(b))
			if err == nil {
				_, err = io.Copy(io.Discard, z.Expand())
			}
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, c.reason) || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("got %v; want %v with %q", err, c.reason, c.text)
			}
			if e.Offset < 0 || e.Offset > int64(len(b)) {
				t.Errorf("offset %d lies outside the file of %d bytes", e.Offset, len(b))
			}
		})
	}
}

// TestCutEverywhere: no prefix of an image is taken for a whole one.
func TestCutEverywhere(t *testing.T) {
	b := whole().bytes()
	for n := range b {
		z, err := NewReader(bytes.NewReader(b[:n]))
		if err == nil {
			err = z.Apply(newMemory(z.Header().Size(), 0))
		}
		if n >= 4 && !errors.Is(err, ErrTruncated) || n < 4 && !errors.Is(err, ErrNotSparse) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
}

// TestReaderFailure: a failure of the source is handed on, not called a damaged image.
func TestReaderFailure(t *testing.T) {
	b, broken := whole().bytes(), errors.New("cable pulled")
	for n := range b {
		z, err := NewReader(io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(broken)))
		if err == nil {
			err = z.Apply(newMemory(z.Header().Size(), 0))
		}
		var e *Error
		if !errors.Is(err, broken) || errors.As(err, &e) {
			t.Fatalf("broken at %d: %v", n, err)
		}
	}
}

// TestLZ4AllocatesLittle: lengths in a chunk header make no allocation by themselves.
func TestLZ4AllocatesLittle(t *testing.T) {
	s := simg{blockSize: 1 << 20, blocks: 64, parts: []part{{kind: 0xCAC5, blocks: 64, total: 64 << 20}}}
	b := s.bytes()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	z := mustReader(t, b)
	_, err := z.Next()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTruncated) {
		t.Fatal(err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes allocated for a file of %d", got, len(b))
	}
}
