package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/ulikunitz/xz/lzma"
)

const enough = 64 << 20

func all(t testing.TB, packed []byte, f Format, limit int64) ([]byte, error) {
	t.Helper()
	z, err := NewReader(bytes.NewReader(packed), f, limit)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// TestRoundTrip: what the programs pack comes out, read in any way.
func TestRoundTrip(t *testing.T) {
	for name, p := range packers {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{0, 1, 4097, 300_001} {
				data := machineCode(n)
				packed := pack(t, data, p.args[0], p.args[1:]...)
				if f := Detect(packed[:min(HeadSize, len(packed))]); f != p.format && (n > 0 || p.format != LZ4Legacy) {
					t.Errorf("%d bytes are detected as %v", n, f)
				}
				for how, in := range map[string]io.Reader{
					"at once": bytes.NewReader(packed), "byte by byte": iotest.OneByteReader(bytes.NewReader(packed)),
					"data with error": iotest.DataErrReader(bytes.NewReader(packed)),
				} {
					z, err := NewReader(in, p.format, int64(n))
					if n == 0 && p.format == LZ4Legacy { // no block at all: nothing tells this from a cut file
						if err != nil {
							t.Fatal(err)
						}
						if _, err = io.ReadAll(z); !errors.Is(err, ErrTruncated) {
							t.Errorf("an empty frame: %v", err)
						}
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, data) {
						t.Errorf("%d bytes, %s: got %d, %v", n, how, len(got), err)
					}
				}
			}
		})
	}
}

// TestBCJ packs as kernels are packed. The filters must do something in the
// test data: they make it smaller, which the library must undo.
func TestBCJ(t *testing.T) {
	data := machineCode(64 << 10)
	for filter, data := range map[string][]byte{"--arm": data, "--x86": machineCodeX86(64 << 10)} {
		plain := pack(t, data, "xz", "-c", "--lzma2=dict=32MiB")
		packed := pack(t, data, "xz", "-c", "--check=crc32", filter, "--lzma2=dict=32MiB")
		if len(packed) >= len(plain) {
			t.Errorf("%s does not shrink the data (%d and %d bytes), so this test shows nothing", filter, len(packed), len(plain))
		}
		if got, err := all(t, packed, XZ, enough); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", filter, len(got), err)
		}
	}
	if _, err := all(t, pack(t, data, "xz", "-c", "--arm64", "--lzma2"), XZ, enough); !errors.Is(err, ErrUnsupported) {
		t.Errorf("the arm64 filter, which the library does not have: %v", err)
	}
}

func TestDictionaryCap(t *testing.T) {
	data := machineCode(5000)
	for dict, reason := range map[string]error{"dict=64MiB": nil, "dict=65MiB": ErrDictionary, "dict=96MiB": ErrDictionary} {
		for _, c := range []struct {
			f    Format
			args []string
		}{{XZ, []string{"-c", "--lzma2=" + dict}}, {LZMA, []string{"-c", "--format=lzma", "--lzma1=" + dict}}} {
			got, err := all(t, pack(t, data, "xz", c.args...), c.f, enough)
			if !errors.Is(err, reason) || reason == nil && !bytes.Equal(got, data) {
				t.Errorf("%v with %s: %d bytes, %v", c.f, dict, len(got), err)
			}
		}
	}
	for long, reason := range map[string]error{"--long=26": nil, "--long=27": ErrDictionary} {
		if got, err := all(t, pack(t, data, "zstd", "-c", "-q", long), Zstd, enough); !errors.Is(err, reason) || reason == nil && !bytes.Equal(got, data) {
			t.Errorf("zstd with %s: %d bytes, %v", long, len(got), err)
		}
	}
	// A header that asks for much in a file of 19 bytes.
	hostile := append([]byte{0x5d, 0, 0, 0, 0x40}, bytes.Repeat([]byte{0xff}, 8)...)
	hostile = append(hostile, 0, 0, 0, 0, 0, 0)
	if used := allocated(func() {
		if _, err := all(t, hostile, LZMA, enough); !errors.Is(err, ErrDictionary) {
			t.Errorf("1 GiB dictionary: %v", err)
		}
	}); used > 1<<20 {
		t.Errorf("%d bytes were allocated for a file of 19", used)
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestTruncation: no prefix is taken for the whole, and the reason is right
// wherever the decoder can know it.
func TestTruncation(t *testing.T) {
	data := machineCode(1200)
	for name, p := range packers {
		packed := pack(t, data, p.args[0], p.args[1:]...)
		for n := range packed {
			got, err := all(t, packed[:n], p.format, enough)
			if !errors.Is(err, ErrTruncated) {
				t.Errorf("%s: %d of %d bytes give %d bytes and %v", name, n, len(packed), len(got), err)
				break
			}
			if len(got) > len(data) || !bytes.Equal(got, data[:len(got)]) {
				t.Errorf("%s: %d of %d bytes give wrong data", name, n, len(packed))
				break
			}
			if _, _, err := First(packed[:n], p.format, enough); !errors.Is(err, ErrTruncated) {
				t.Errorf("%s: First of %d of %d bytes: %v", name, n, len(packed), err)
				break
			}
		}
	}
}

// TestTrailing puts after a stream what is found there in real files.
func TestTrailing(t *testing.T) {
	data := machineCode(5000)
	size := binary.LittleEndian.AppendUint32(nil, 5000) // as in a zImage; starts 88 13 00 00
	for name, p := range packers {
		packed := pack(t, data, p.args[0], p.args[1:]...)
		for what, tail := range map[string][]byte{
			"nothing": nil, "size": size, "one zero": {0}, "three zeros": {0, 0, 0}, "zeros and more": {0, 0, 0x70, 0, 1, 2, 3},
			"page": make([]byte, 4096), "device tree": []byte("\xd0\x0d\xfe\xed and so on for a while"), "a B": []byte("B"),
			"two bytes of gzip": {0x1f, 0x8b}, "half a magic": packed[:2], "itself": packed,
		} {
			got, used, err := First(append(bytes.Clone(packed), tail...), p.format, enough)
			if err != nil || !bytes.Equal(got, data) || used != len(packed) {
				t.Errorf("%s, then %s: First gives %d bytes of %d, %d of %d used, %v", name, what, len(got), len(data), used, len(packed), err)
			}
			_, err = all(t, append(bytes.Clone(packed), tail...), p.format, enough)
			zeros := len(bytes.Trim(tail, "\x00")) == 0
			// a cut further stream may be called so, and three decoders read ahead
			exact := !bytes.HasPrefix(packed, tail) && p.format != XZ && p.format != LZ4Frame && p.format != Zstd
			switch {
			case len(tail) == 0 || what == "itself":
				if (err != nil) != (len(tail) > 0 && p.format == LZMA) { // whose files hold one stream
					t.Errorf("%s, then %s: %v", name, what, err)
				}
			case p.format == XZ && zeros && len(tail)%4 == 0: // legal padding
				if err != nil {
					t.Errorf("%s, then %s: %v", name, what, err)
				}
			case err == nil || exact && !errors.Is(err, ErrTrailing):
				t.Errorf("%s, then %s: %v", name, what, err)
			}
		}
	}
}

// TestTrailingReason: the decoders that read ahead say it too, when the tail is long enough to tell.
func TestTrailingReason(t *testing.T) {
	for _, name := range []string{"xz", "lz4 frame", "zstd"} {
		p := packers[name]
		packed := pack(t, machineCode(5000), p.args[0], p.args[1:]...)
		if _, err := all(t, append(packed, "a line of text after it"...), p.format, enough); !errors.Is(err, ErrTrailing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKnownSize: a .lzma stream that tells its size has no end mark, or has one as well; where
// it ends is exact.
func TestKnownSize(t *testing.T) {
	for size := range 64 {
		data := machineCode(500 + size)
		for _, mark := range []bool{false, true} {
			var b bytes.Buffer
			w, err := lzma.WriterConfig{SizeInHeader: true, Size: int64(len(data)), EOSMarker: mark}.NewWriter(&b)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(data); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			got, used, err := First(append(bytes.Clone(b.Bytes()), "tail"...), LZMA, enough)
			if err != nil || !bytes.Equal(got, data) || used != b.Len() {
				t.Errorf("%d bytes, %d of %d used, %v", len(got), used, b.Len(), err)
			}
			for cut, want := range map[int]error{0: nil, 6: ErrTruncated} {
				if _, err := all(t, b.Bytes()[:b.Len()-cut], LZMA, enough); !errors.Is(err, want) {
					t.Errorf("cut by %d: %v", cut, err)
				}
			}
			if _, err := all(t, append(b.Bytes(), 0), LZMA, enough); !errors.Is(err, ErrTrailing) {
				t.Errorf("with one byte after it: %v", err)
			}
		}
	}
}

// TestXZInsideXZ: an .xz file that could not be shrunk is readable inside
// another one, at each alignment; its end is not the end.
func TestXZInsideXZ(t *testing.T) {
	inner := pack(t, machineCode(900), "xz", "-c")
	for shift := range 4 {
		data := append(make([]byte, shift), inner...)
		packed := pack(t, data, "xz", "-c", "-0")
		if !bytes.Contains(packed, inner) {
			t.Fatal("xz has shrunk an .xz file, so this test shows nothing")
		}
		got, used, err := First(append(packed, 0, 0, 1), XZ, enough)
		if err != nil || !bytes.Equal(got, data) || used != len(packed) {
			t.Errorf("shift %d: %d bytes, %d of %d used, %v", shift, len(got), used, len(packed), err)
		}
	}
}

// TestDamage flips every bit: where the format has checksums, wrong data never come out as right.
func TestDamage(t *testing.T) {
	data := machineCode(300)
	step := 1
	if testing.Short() {
		step = 7
	}
	for name, p := range packers {
		packed := pack(t, data, p.args[0], p.args[1:]...)
		for bit := 0; bit < 8*len(packed); bit += step {
			bad := bytes.Clone(packed)
			bad[bit/8] ^= 1 << (bit % 8)
			got, err := all(t, bad, p.format, enough)
			if p.sums && err == nil && !bytes.Equal(got, data) {
				t.Errorf("%s: bit %d of byte %d flipped gives wrong data and no error", name, bit%8, bit/8)
			}
			var e *Error
			if err != nil && !errors.As(err, &e) {
				t.Errorf("%s: untyped error %v", name, err)
			}
		}
	}
}

// TestLimit: not a byte more than the limit, also when the header or the data promise much more.
func TestLimit(t *testing.T) {
	const limit = 100_000
	bomb := make([]byte, 40<<20)
	for name, p := range packers {
		packed := pack(t, bomb, p.args[0], p.args[1:]...)
		used := allocated(func() {
			got, err := all(t, packed, p.format, limit)
			if len(got) != limit || !errors.Is(err, ErrLimit) {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		})
		if used > 24<<20 { // a block of lz4 legacy has 8 MiB
			t.Errorf("%s: %d bytes allocated", name, used)
		}
		got, _, err := First(packed, p.format, limit)
		if len(got) != limit || !errors.Is(err, ErrLimit) {
			t.Errorf("%s: First gives %d bytes, %v", name, len(got), err)
		}
	}
	if _, err := all(t, pack(t, make([]byte, limit), "gzip", "-c"), Gzip, limit); err != nil {
		t.Errorf("exactly the limit: %v", err)
	}
}

// TestBlocks: legacy frames of several blocks, one of them exactly full.
func TestBlocks(t *testing.T) {
	for _, n := range []int{8<<20 - 1, 8 << 20, 8<<20 + 1, 17 << 20} {
		data := machineCode(n)
		packed := pack(t, data, "lz4", "-l", "-c")
		got, used, err := First(append(packed, 0, 0, 0, 0), LZ4Legacy, enough)
		if err != nil || !bytes.Equal(got, data) || used != len(packed) {
			t.Errorf("%d bytes: %d, %d of %d used, %v", n, len(got), used, len(packed), err)
		}
	}
}

// TestSourceFailure: a failure of the input is handed on, not called a damaged file.
func TestSourceFailure(t *testing.T) {
	broken := errors.New("cable pulled")
	for name, p := range packers {
		packed := pack(t, machineCode(2000), p.args[0], p.args[1:]...)
		for n := range packed {
			z, err := NewReader(io.MultiReader(bytes.NewReader(packed[:n]), iotest.ErrReader(broken)), p.format, enough)
			if err == nil {
				_, err = io.ReadAll(z)
			}
			var e *Error
			if !errors.Is(err, broken) || errors.As(err, &e) {
				t.Fatalf("%s, broken at %d: %v", name, n, err)
			}
		}
	}
}

func TestUnsupported(t *testing.T) {
	for _, f := range []Format{None} {
		if _, err := NewReader(bytes.NewReader(nil), f, 1); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%v: %v", f, err)
		}
	}
}
