package sparse

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// chunkList is what a piece looks like, as "type blocks" words.
func chunkList(t *testing.T, b []byte) string {
	t.Helper()
	z := mustReader(t, b)
	short := map[ChunkType]string{Raw: "raw", Fill: "fill", DontCare: "hole", CRC32: "crc", LZ4: "lz4"}
	var words []string
	for {
		c, err := z.Next()
		if err == io.EOF {
			return strings.Join(words, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, short[c.Type]+digits(int(c.Blocks)))
	}
}

func digits(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return digits(n/10) + digits(n%10)
}

func readPiece(t *testing.T, p *Piece) []byte {
	t.Helper()
	b, err := io.ReadAll(p.Reader())
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != p.Size {
		t.Fatalf("the piece has %d bytes, %d were announced", len(b), p.Size)
	}
	return b
}

// blocks of 16 bytes: r raw, z zero, f filled with a word.
func rawOf(kinds string) []byte {
	var b []byte
	for i, k := range kinds {
		switch k {
		case 'z':
			b = append(b, make([]byte, 16)...)
		case 'f':
			b = append(b, bytes.Repeat([]byte{1, 2, 3, 4}, 4)...)
		default:
			block := pattern(16)
			block[0] = byte(i)
			b = append(b, block...)
		}
	}
	return b
}

// TestSplitPlan compares with plans worked out by hand: 28 bytes of header, 12
// per chunk, 16 per block, 4 per fill, and 12 kept free for the hole after.
func TestSplitPlan(t *testing.T) {
	for name, c := range map[string]struct {
		blocks string
		opt    RawOptions
		limit  int64
		want   []string
	}{
		"no limit":            {blocks: "rrzzff", want: []string{"raw2 fill2 fill2"}},
		"zeros left out":      {blocks: "zrrzzff", opt: RawOptions{SkipZeros: true}, want: []string{"hole1 raw2 hole2 fill2"}},
		"only zeros left out": {blocks: "zzz", opt: RawOptions{SkipZeros: true}, want: []string{"hole3"}},
		"all in one fill":     {blocks: "zzz", want: []string{"fill3"}},
		"exactly fits":        {blocks: "rrr", limit: 28 + 12 + 48 + 12, want: []string{"raw3"}},
		"raw cut":             {blocks: "rrr", limit: 28 + 12 + 47 + 12, want: []string{"raw2 hole1", "hole2 raw1"}},
		// the lead hole of the second piece costs 12 bytes, so only one block fits there
		"raw cut twice": {blocks: "rrrrr", limit: 28 + 12 + 32 + 12, want: []string{"raw2 hole3", "hole2 raw1 hole2", "hole3 raw1 hole1", "hole4 raw1"}},
		// after the fill 28 bytes are left: a block would fit, but that is no more than an eighth of 272
		"no crumbs": {blocks: "rrrrrrrrrrrfrr", limit: 28 + 12 + 11*16 + 16 + 28 + 12, want: []string{"raw11 fill1 hole2", "hole12 raw2"}},
		// and here 44 are left, more than an eighth of 288
		"a good rest":      {blocks: "rrrrrrrrrrrfrrr", limit: 28 + 12 + 11*16 + 16 + 44 + 12, want: []string{"raw11 fill1 raw2 hole1", "hole14 raw1"}},
		"fill is not cut":  {blocks: "ffffrr", limit: 28 + 16 + 12 + 16 + 12, want: []string{"fill4 raw1 hole1", "hole5 raw1"}},
		"holes between":    {blocks: "rzzrz", opt: RawOptions{SkipZeros: true}, limit: 28 + 28 + 12 + 28 + 12, want: []string{"raw1 hole2 raw1 hole1"}},
		"hole at the seam": {blocks: "rzzrz", opt: RawOptions{SkipZeros: true}, limit: 28 + 28 + 12 + 27 + 12, want: []string{"raw1 hole4", "hole3 raw1 hole1"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.opt.BlockSize = 16
			b := rawOf(c.blocks)
			m, err := FromRaw(bytes.NewReader(b), int64(len(b)), c.opt)
			if err != nil {
				t.Fatal(err)
			}
			pieces, err := m.Split(c.limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			out := newMemory(m.head.Size(), 0)
			for _, p := range pieces {
				image := readPiece(t, p)
				if c.limit > 0 && p.Size > c.limit {
					t.Errorf("a piece of %d bytes is above the limit %d", p.Size, c.limit)
				}
				got = append(got, chunkList(t, image))
				if err := mustReader(t, image).Apply(out); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
			if !bytes.Equal(out, b) {
				t.Error("the pieces applied together differ from the image")
			}
		})
	}
}

// TestSplitRandom: whatever the image and the limit, the pieces keep the limit,
// describe the whole partition, never overlap, and give the image; and the
// same when they are split again, smaller.
func TestSplitRandom(t *testing.T) {
	r := newRand(3)
	for range 60 {
		b := randomRaw(r, 1+r.IntN(60))
		b = b[:len(b)-r.IntN(4096)]
		m, err := FromRaw(bytes.NewReader(b), int64(len(b)), RawOptions{})
		if err != nil {
			t.Fatal(err)
		}
		padded := append(bytes.Clone(b), make([]byte, m.head.Size()-int64(len(b)))...)
		checkSplit(t, m, 4160+r.Int64N(int64(len(b))+1), padded)

		whole, err := m.Split(0)
		if err != nil || len(whole) != 1 {
			t.Fatalf("%d pieces without a limit, error %v", len(whole), err)
		}
		one := readPiece(t, whole[0])
		again, err := FromSparse(bytes.NewReader(one), int64(len(one)))
		if err != nil {
			t.Fatal(err)
		}
		checkSplit(t, again, 4160+r.Int64N(int64(len(one))+1), padded)
	}
}

func checkSplit(t *testing.T, m *Image, limit int64, want []byte) {
	t.Helper()
	pieces, err := m.Split(limit)
	if err != nil {
		t.Fatal(err)
	}
	out := newMemory(m.head.Size(), 0xEE)
	end := int64(0)
	for _, p := range pieces {
		if p.First < end {
			t.Fatalf("piece of blocks %d to %d overlaps the one before, which ends at %d", p.First, p.End, end)
		}
		end = p.End
		b := readPiece(t, p)
		z := mustReader(t, b)
		if p.Size > limit || z.Header().Size() != int64(len(want)) || !z.Header().Plain() {
			t.Fatalf("limit %d, piece of %d bytes with header %+v", limit, p.Size, z.Header())
		}
		if err := z.Apply(out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out, want) {
		t.Fatal("the pieces applied together differ from the image")
	}
}

// TestLongRun checks the arithmetic of a run longer than one chunk can hold.
func TestLongRun(t *testing.T) {
	m := &Image{head: Header{BlockSize: 1 << 20, Blocks: 10000}}
	for _, c := range []struct{ blocks, chunks, size int64 }{
		{1, 1, 12 + 1<<20},
		{4095, 1, 12 + 4095<<20}, // 4096 blocks of 1 MiB and a header are above 2³² - 1
		{4096, 2, 24 + 4096<<20},
		{8190, 2, 24 + 8190<<20},
		{8191, 3, 36 + 8191<<20},
	} {
		if chunks, size := m.rawChunks(c.blocks); chunks != c.chunks || size != c.size {
			t.Errorf("%d blocks: %d chunks, %d bytes; want %d, %d", c.blocks, chunks, size, c.chunks, c.size)
		}
	}
}

// endless is an image of any length in which no block of 1 MiB repeats a word.
type endless struct{}

func (endless) ReadAt(p []byte, at int64) (int, error) {
	for i := (1<<20 - at%(1<<20)) % (1 << 20); i < int64(len(p)); i += 1 << 20 {
		p[i] = 1 // the rest may be anything
	}
	return len(p), nil
}

// TestFiveGiB reads a piece whose run of raw blocks needs two chunks.
func TestFiveGiB(t *testing.T) {
	const size = 5 << 30
	m, err := FromRaw(endless{}, size, RawOptions{BlockSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := m.Split(0)
	if err != nil {
		t.Fatal(err)
	}
	if len(pieces) != 1 || pieces[0].Chunks != 2 || pieces[0].Size != 28+24+size {
		t.Fatalf("got %d pieces, the first is %+v", len(pieces), *pieces[0])
	}
	in := pieces[0].Reader()
	var head [40]byte
	for _, c := range []struct{ skip, blocks int64 }{{28, 4095}, {4095 << 20, 5120 - 4095}} {
		if _, err := io.CopyN(io.Discard, in, c.skip); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(in, head[:12]); err != nil {
			t.Fatal(err)
		}
		if want := appendChunk(nil, Raw, c.blocks, c.blocks<<20); !bytes.Equal(head[:12], want) {
			t.Errorf("chunk header % x, want % x", head[:12], want)
		}
	}
	if n, err := io.Copy(io.Discard, in); n != (5120-4095)<<20 || err != nil {
		t.Errorf("%d bytes follow, %v", n, err)
	}
}

func TestSplitRefuses(t *testing.T) {
	good := rawOf("rrrr")
	if _, err := FromRaw(bytes.NewReader(nil), 0, RawOptions{}); err == nil {
		t.Error("an empty image was taken")
	}
	for _, bs := range []int{-4, 2, 18, 1<<20 + 4} {
		if _, err := FromRaw(bytes.NewReader(good), 64, RawOptions{BlockSize: bs}); err == nil {
			t.Errorf("block size %d was taken", bs)
		}
	}
	if _, err := FromRaw(bytes.NewReader(good), 1<<34, RawOptions{BlockSize: 4}); err == nil {
		t.Error("2³² blocks were taken")
	}
	m, _ := FromRaw(bytes.NewReader(good), 64, RawOptions{BlockSize: 16})
	if _, err := m.Split(28 + 36 + 15); err == nil {
		t.Error("a limit below one block was taken")
	}
	if _, err := m.Split(28 + 36 + 16); err != nil {
		t.Errorf("a limit of one block: %v", err)
	}

	for name, c := range map[string]struct {
		b      []byte
		reason error
	}{
		"not sparse":      {good, ErrNotSparse},
		"short":           {simg{}.bytes()[:20], ErrTruncated},
		"data cut":        {whole().bytes()[:50], ErrTruncated},
		"fill cut":        {whole().bytes()[:86], ErrTruncated},
		"chunk cut":       {whole().bytes()[:90], ErrTruncated},
		"lz4":             {whole().bytes(), ErrMalformed},
		"too few blocks":  {simg{blocks: 3, parts: []part{hole(2)}}.bytes(), ErrMalformed},
		"too many blocks": {simg{blocks: 2, parts: []part{hole(2), hole(1)}}.bytes(), ErrMalformed},
	} {
		m, err := FromSparse(bytes.NewReader(c.b), int64(len(c.b)))
		if err == nil {
			_, err = m.Split(0)
		}
		if !errors.Is(err, c.reason) {
			t.Errorf("%s: %v, want %v", name, err, c.reason)
		}
	}
}

// TestSourceChanges: an image that is not what it was while it was planned is never sent as if it were.
func TestSourceChanges(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"raw becomes fill": {"rrr", "rfr"}, "fill becomes raw": {"rfr", "rrr"},
		"fill grows": {"rff", "fff"}, "shorter": {"rrr", "r"},
	} {
		b := rawOf(c.before)
		src := &swap{bytes.NewReader(b)}
		m, err := FromRaw(src, int64(len(b)), RawOptions{BlockSize: 16})
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := m.Split(0)
		if err != nil {
			t.Fatal(err)
		}
		src.Reader = bytes.NewReader(rawOf(c.after))
		if got, err := io.ReadAll(pieces[0].Reader()); !errors.Is(err, ErrChanged) || int64(len(got)) > pieces[0].Size {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

type swap struct{ *bytes.Reader }

// TestPieceReader: small reads, and the source's own failure.
func TestPieceReader(t *testing.T) {
	b := rawOf("rrzzrfr")[:16*7-5]
	m, err := FromRaw(bytes.NewReader(b), int64(len(b)), RawOptions{BlockSize: 16})
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := m.Split(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(pieces[0].Reader(), readPiece(t, pieces[0])); err != nil {
		t.Error(err)
	}
	broken := errors.New("cable pulled")
	m.src = failing{broken}
	if _, err := io.ReadAll(pieces[0].Reader()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := m.Split(0); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }
