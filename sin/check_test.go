package sin_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/pierrec/lz4/v4"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
	"xflash/sin/gpt"
)

// TestReadersOfAnyShape: the result does not depend on how the stream comes in.
func TestReadersOfAnyShape(t *testing.T) {
	file, roots := signedFile(t)
	for name, r := range map[string]io.Reader{
		"byte by byte":   iotest.OneByteReader(bytes.NewReader(file)),
		"half":           iotest.HalfReader(bytes.NewReader(file)),
		"data with EOF":  iotest.DataErrReader(bytes.NewReader(file)),
		"more than once": io.MultiReader(bytes.NewReader(file[:700]), bytes.NewReader(file[700:])),
	} {
		var last int64
		_, err := Check(context.Background(), r, int64(len(file)), CheckOptions{Roots: roots, Progress: func(n int64) {
			if n <= last {
				t.Errorf("%s: progress went from %d to %d", name, last, n)
			}
			last = n
		}})
		if err != nil || last != int64(len(file)) {
			t.Errorf("%s: progress up to %d of %d, %v", name, last, len(file), err)
		}
	}
}

// TestReadError gives back the reader's own error, wherever it comes.
func TestReadError(t *testing.T) {
	file, roots := signedFile(t)
	broken := errors.New("the disk is broken")
	for n := range file {
		r := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken))
		if _, err := Check(context.Background(), r, int64(len(file)), CheckOptions{Roots: roots, Workers: 1}); err != broken {
			t.Fatalf("at byte %d: %v", n, err)
		}
	}
}

// TestLimits: no image may pass the allowed size.
func TestLimits(t *testing.T) {
	file, roots := signedFile(t) // writes up to 0x5000
	for _, c := range []struct {
		name string
		opt  CheckOptions
		want string
	}{
		{"exactly allowed", CheckOptions{MaxOutput: 0x5000}, ""},
		{"a byte too much", CheckOptions{MaxOutput: 0x4FFF}, "the limit is 20479"},
	} {
		c.opt.Roots = roots
		out := &memFile{}
		_, err := Unpack(context.Background(), bytes.NewReader(file), -1, out, UnpackOptions{CheckOptions: c.opt})
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.want != "" && (!errors.Is(err, Because(BadMap)) || !strings.Contains(err.Error(), c.want) || len(out.b) != 0) {
			t.Errorf("%s: %v, %d bytes written", c.name, err, len(out.b))
		}
	}
}

// TestUnsendable: whole and genuine, and still nothing for a phone.
func TestUnsendable(t *testing.T) {
	s, roots := signer(t, "S1_SW", 3)
	sha1File := build(t, Builder{Type: TypeImage, HashType: SHA1, Signer: s}, mmcfVector(t, true))
	report, err := check(sha1File, -1, roots)
	if err != nil || !strings.Contains(report.Unsendable, "SHA-1") || report.Map == nil || !report.Trust.Proven() {
		t.Errorf("SHA-1: %v, %q", err, report.Unsendable)
	}
	if report.Header.Unsendable() == "" {
		t.Error("the header alone tells nothing")
	}
	bare := build(t, Builder{Type: TypeImage, Signer: s}, BytesPayload(pat(5000)))
	if report, err := check(bare, -1, roots); err != nil || !strings.Contains(report.Unsendable, "80090003") {
		t.Errorf("no map: %v, %q", err, report.Unsendable)
	}
	for _, n := range []int{1, 3, 4, 7, 8} {
		head := append([]byte("MMCF\x00\x00\x00\x10"), 0)[:n]
		file := build(t, Builder{Type: TypeImage, Signer: s}, BytesPayload(head))
		if report, err := check(file, -1, roots); !errors.Is(err, Because(BadMap)) && (err != nil || report.Unsendable == "") {
			t.Errorf("%d bytes of a map: %v, %q", n, err, report.Unsendable)
		}
	}
}

// failingFile is an output that is full after some bytes.
type failingFile struct{ err error }

func (f failingFile) WriteAt(p []byte, at int64) (int, error) {
	if at > 0x1000 {
		return 0, f.err
	}
	return len(p), nil
}

func TestUnpackWriteError(t *testing.T) {
	s, roots := signer(t, "S1_SW", 3)
	full := errors.New("no space left")
	image := randomImage(rand.New(rand.NewPCG(1, 1)), 3<<20)
	for name, opt := range map[string]ImageOptions{"plain": {}, "packed": {LZ4: true}, "fill": {LZ4: true, Fill: true, Chunk: 4096}} {
		m := MapBuilder{}
		m.Select(systemGUID)
		if err := m.Image(bytes.NewReader(image), int64(len(image)), opt); err != nil {
			t.Fatal(err)
		}
		p, err := m.Payload()
		if err != nil {
			t.Fatal(err)
		}
		file := build(t, Builder{Type: TypeImage, Signer: s}, p)
		_, err = Unpack(context.Background(), bytes.NewReader(file), -1, failingFile{full}, UnpackOptions{CheckOptions: CheckOptions{Roots: roots}})
		if err != full {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := MapBuilder{}
	m.Select(systemGUID)
	m.Fill(0x2000, 4096, [4]byte{1})
	p, err := m.Payload()
	if err != nil {
		t.Fatal(err)
	}
	file := build(t, Builder{Type: TypeImage, Signer: s}, p)
	if _, err := Unpack(context.Background(), bytes.NewReader(file), -1, failingFile{full}, UnpackOptions{}); err != full {
		t.Errorf("nothing but a fill: %v", err)
	}
}

// TestCancel stops a check after each number of progress calls; TestMain finds what is
// left running.
func TestCancel(t *testing.T) {
	s, roots := signer(t, "S1_SW", 3)
	image := randomImage(rand.New(rand.NewPCG(1, 1)), 4<<20)
	m := MapBuilder{HashType: SHA256}
	m.Select(systemGUID)
	if err := m.Image(bytes.NewReader(image), int64(len(image)), ImageOptions{LZ4: true}); err != nil {
		t.Fatal(err)
	}
	p, err := m.Payload()
	if err != nil {
		t.Fatal(err)
	}
	file := build(t, Builder{Type: TypeImage, Signer: s, BlockSize: 0x10000}, p)
	for stop := range 12 {
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		if stop == 0 {
			cancel()
		}
		_, err := Check(ctx, bytes.NewReader(file), -1, CheckOptions{Roots: roots, Progress: func(int64) {
			if calls++; calls == stop {
				cancel()
			}
		}})
		cancel()
		if err != context.Canceled {
			t.Errorf("stopped after %d: %v", stop, err)
		}
	}
}

// TestSeveralPartitionsNeedOutputs refuses to mix two partitions in one file.
func TestSeveralPartitionsNeedOutputs(t *testing.T) {
	m := MapBuilder{}
	for i := range byte(2) {
		m.Select(gpt.GUID{i})
		m.Fill(0, 8, [4]byte{i})
	}
	p, err := m.Payload()
	if err != nil {
		t.Fatal(err)
	}
	file := build(t, Builder{Type: TypeImage, Blob: dummyBlob}, p)
	_, err = Unpack(context.Background(), bytes.NewReader(file), -1, &memFile{}, UnpackOptions{})
	if err == nil || !strings.Contains(err.Error(), "there is only one output") {
		t.Error(err)
	}
}

// TestMediaTek: images select partitions by name, and MTKM can be checked, not unpacked.
func TestMediaTek(t *testing.T) {
	s, roots := signer(t, "S1_SW", 3)
	m := MapBuilder{HashType: SHA256}
	m.SelectName("boot")
	m.Addr(bytes.NewReader(pat(100)), 0, 0, 100)
	p, err := m.Payload()
	if err != nil {
		t.Fatal(err)
	}
	report, err := check(build(t, Builder{Type: TypeImage, Signer: s}, p), -1, roots)
	if err != nil || report.Parts[0].Target.String() != "boot" || report.Parts[0].Size != 100 {
		t.Errorf("%+v, %v", report.Parts, err)
	}
	list := append(gptp(1), tag("MTKM", be64(0), be64(10), be64(10), be64(20), be64(30), be64(0), be32(0), be32(0))...)
	p = BytesPayload(pat(30))
	p.Head = bytes.Join([][]byte{[]byte("MMCF"), be32(uint32(len(list))), list}, nil)
	file := build(t, Builder{Type: TypeImage, Signer: s}, p)
	if report, err := check(file, -1, roots); err != nil || report.Parts[0].Size != 0 {
		t.Errorf("MTKM: %v", err)
	}
	out := &memFile{}
	if _, err := Unpack(context.Background(), bytes.NewReader(file), -1, out, UnpackOptions{}); !errors.Is(err, Because(BadMap)) || len(out.b) != 0 {
		t.Errorf("MTKM unpacked: %v", err)
	}
}

// TestFileSystemSize: the part is as large as the ext4 file system in it, and the kind
// comes from the bytes in the partition, here from compressed ones.
func TestFileSystemSize(t *testing.T) {
	s, roots := signer(t, "S1_SW", 3)
	for _, c := range []struct {
		blocks, shift uint32
		want          int64
		notes         int
	}{{100, 2, 100 * 4096, 0}, {2, 0, 8192, 0}, {0xFFFFFFFF, 6, 8192, 1}} {
		image := make([]byte, 8192)
		binary.LittleEndian.PutUint16(image[0x438:], 0xEF53)
		binary.LittleEndian.PutUint32(image[0x404:], c.blocks)
		binary.LittleEndian.PutUint32(image[0x418:], c.shift)
		m := MapBuilder{HashType: SHA256}
		m.Select(systemGUID)
		m.LZ4(bytes.NewReader(image), 0, 0, 8192)
		p, err := m.Payload()
		if err != nil {
			t.Fatal(err)
		}
		file := build(t, Builder{Type: TypeImage, Signer: s}, p)
		report, err := check(file, -1, roots)
		if err != nil || report.Parts[0].Kind != KindExt4 || report.Parts[0].Size != c.want || len(report.Notes) != c.notes {
			t.Errorf("%d blocks: %+v, %v, %v", c.blocks, report.Parts[0].Size, report.Notes, err)
		}
	}
}

func TestRecognize(t *testing.T) {
	ext := make([]byte, HeadSize)
	copy(ext[0x438:], "\x53\xEF")
	binary.LittleEndian.PutUint32(ext[0x404:], 7)
	for kind, head := range map[Kind]string{
		KindELF: "\x7fELF....", KindBoot: "ANDROID!....", KindSparse: "\x3a\xff\x26\xed", KindSIN: "\x03SIN",
		KindFAT: "\xeb\x3c\x90MSDOS5.0", KindExt4: string(ext), KindRaw: "S1 modem",
	} {
		if got := Recognize([]byte(head)); got != kind {
			t.Errorf("%s is taken for %s", kind, got)
		}
		for n := range head {
			Recognize([]byte(head[:n])) // must not look past the end
		}
	}
	if Recognize(nil) != KindRaw {
		t.Error("nothing is raw")
	}
}

// TestVerifyingReader holds back a block until it is known to be right.
func TestVerifyingReader(t *testing.T) {
	payload := pat(3 << 20)
	for _, blockSize := range []int64{1000, 0x80000, 3 << 20} {
		file := build(t, Builder{Type: TypeRaw, BlockSize: blockSize, Blob: dummyBlob}, BytesPayload(payload))
		h, err := ReadHeader(bytes.NewReader(file), -1)
		if err != nil {
			t.Fatal(err)
		}
		body := file[len(h.Raw):]
		if got, err := io.ReadAll(h.NewReader(bytes.NewReader(body))); err != nil || !bytes.Equal(got, payload) {
			t.Fatalf("blocks of %d: %d bytes, %v", blockSize, len(got), err)
		}
		// Every byte that comes out lies in front of the held back piece of the bad block.
		at := 2<<20 + 5
		bad := bytes.Clone(body)
		bad[at] ^= 1
		got, err := io.ReadAll(h.NewReader(bytes.NewReader(bad)))
		block := at / int(blockSize)
		if !errors.Is(err, &Error{Reason: CorruptBlock, Block: block, Offset: int64(len(h.Raw) + block*int(blockSize))}) {
			t.Errorf("blocks of %d: %v", blockSize, err)
		}
		if len(got) > at || !bytes.Equal(got, payload[:len(got)]) {
			t.Errorf("blocks of %d: %d bytes came out, byte %d is bad", blockSize, len(got), at)
		}
		if _, err := io.ReadAll(h.NewReader(bytes.NewReader(body[:at]))); !errors.Is(err, &Error{Reason: Truncated, Block: block, Offset: int64(len(h.Raw) + at)}) {
			t.Errorf("blocks of %d: %v", blockSize, err)
		}
		if _, err := io.ReadAll(h.NewReader(bytes.NewReader(append(bytes.Clone(body), 0)))); !errors.Is(err, &Error{Reason: Trailing, Block: -1, Offset: int64(len(file))}) {
			t.Errorf("blocks of %d: %v", blockSize, err)
		}
	}
}

// TestReadMapOfStream reads the map off a verifying reader, and the data after it.
func TestReadMapOfStream(t *testing.T) {
	file := build(t, Builder{Type: TypeImage, Blob: dummyBlob}, mmcfVector(t, true))
	r := bytes.NewReader(file)
	h, err := ReadHeader(r, -1)
	if err != nil {
		t.Fatal(err)
	}
	payload := h.NewReader(r)
	m, err := h.ReadMap(payload)
	if err != nil || len(m.Targets) != 1 || m.DataOffset != int64(len(h.Raw))+212 {
		t.Fatalf("%+v, %v", m, err)
	}
	if rest, err := io.ReadAll(payload); err != nil || len(rest) != 0x2000+26 {
		t.Errorf("%d bytes of data, %v", len(rest), err)
	}
	bad := bytes.Clone(file)
	bad[len(h.Raw)+40] ^= 1
	if _, err := h.ReadMap(h.NewReader(bytes.NewReader(bad[len(h.Raw):]))); !errors.Is(err, &Error{Reason: CorruptBlock, Block: 0, Offset: int64(len(h.Raw))}) {
		t.Errorf("damaged map: %v", err)
	}
	if _, err := h.ReadMap(bytes.NewReader(pat(5))); !errors.Is(err, &Error{Reason: Truncated, Offset: int64(len(h.Raw)) + 5, Block: -1}) {
		t.Errorf("short: %v", err)
	}
}

// generated is an endless image that compresses about one to two, made on the fly.
type generated struct{ noise []byte }

func newGenerated() *generated {
	g := &generated{noise: make([]byte, 1<<16)}
	rnd := rand.NewChaCha8([32]byte{1})
	for i := 0; i < len(g.noise); i += 16 {
		_, _ = rnd.Read(g.noise[i : i+8]) // never fails; the other half stays zero
	}
	return g
}

func (g *generated) ReadAt(p []byte, at int64) (int, error) {
	for n := 0; n < len(p); {
		page := (at + int64(n)) >> 16
		inPage := int((at + int64(n)) & 0xFFFF)
		got := copy(p[n:], g.noise[inPage:])
		if inPage == 0 && got >= 8 {
			binary.LittleEndian.PutUint64(p[n:], uint64(page))
		}
		n += got
	}
	return len(p), nil
}

// generatedSIN builds an image of that many bytes into w.
func generatedSIN(t testing.TB, w io.Writer, size int64, opt ImageOptions) *RootSet {
	s, roots := signer(t, "S1_SW", 3)
	m := MapBuilder{HashType: SHA256}
	m.Select(systemGUID)
	if err := m.Image(newGenerated(), size, opt); err != nil {
		t.Fatal(err)
	}
	p, err := m.Payload()
	if err != nil {
		t.Fatal(err)
	}
	if err := (Builder{Type: TypeImage, Signer: s}).Build(w, p); err != nil {
		t.Fatal(err)
	}
	return roots
}

// repeated is a partition of many equal chunks, so that it is packed once only.
func repeated(t testing.TB, w io.Writer, size, chunk int64, packed bool) {
	s, _ := signer(t, "S1_SW", 3)
	src := newGenerated()
	plain := make([]byte, chunk)
	if _, err := src.ReadAt(plain, 0); err != nil {
		t.Fatal(err)
	}
	block := make([]byte, lz4.CompressBlockBound(len(plain)))
	n, err := lz4.CompressBlock(plain, block, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := MapBuilder{HashType: SHA256}
	m.Select(systemGUID)
	for at := int64(0); at < size; at += chunk {
		if packed {
			m.Packed(block[:n], src, 0, at, chunk)
		} else {
			m.Addr(src, 0, at, chunk)
		}
	}
	p, err := m.Payload()
	if err != nil {
		t.Fatal(err)
	}
	if err := (Builder{Type: TypeImage, Signer: s}).Build(w, p); err != nil {
		t.Fatal(err)
	}
}

// TestMemory builds and checks images through a pipe and watches the heap.
func TestMemory(t *testing.T) {
	signer(t, "S1_SW", 3)
	for name, c := range map[string]struct {
		chunk, size int64
		packed      bool
		limit       uint64 // bytes that may be held, builder and checker together
	}{
		"plain":  {1 << 20, 96 << 20, false, 10 << 20},
		"packed": {DefaultChunk, 96 << 20, true, 12 << 20},
		// Both sides need a block and what it makes, each up to 16 MiB.
		"largest blocks": {MaxLZ4, 3 * MaxLZ4, true, 80 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.GC()
			var before, now runtime.MemStats
			runtime.ReadMemStats(&before)
			r, w := io.Pipe()
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer w.Close()
				repeated(t, w, c.size, c.chunk, c.packed)
			}()
			peak, calls := uint64(0), 0
			report, err := Check(context.Background(), r, -1, CheckOptions{Progress: func(int64) {
				if calls++; calls%32 == 0 {
					runtime.GC() // what counts is what is held
					runtime.ReadMemStats(&now)
					peak = max(peak, now.HeapAlloc)
				}
			}})
			<-done
			if err != nil || report.Parts[0].Size != c.size || peak == 0 {
				t.Fatal(err)
			}
			if held := peak - min(peak, before.HeapAlloc); held > c.limit {
				t.Errorf("%d MiB were held", held>>20)
			}
		})
	}
}
