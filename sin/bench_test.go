package sin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/pierrec/lz4/v4"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
)

// benchSize is the size of the image that the benchmarks work on.
const benchSize = 256 << 20

// BenchmarkCheckLZ4A checks a compressed image; MB/s counts bytes of the image. Compare
// with BenchmarkSHA256 and BenchmarkLZ4Decode, which do half of the work each on the
// same bytes and one processor.
func BenchmarkCheckLZ4A(b *testing.B) { benchCheck(b, ImageOptions{LZ4: true}, false) }

// BenchmarkCheckADDR is the same for an image stored as it is.
func BenchmarkCheckADDR(b *testing.B) { benchCheck(b, ImageOptions{}, false) }

// BenchmarkUnpackLZ4A is BenchmarkCheckLZ4A that also writes the image to a file.
func BenchmarkUnpackLZ4A(b *testing.B) {
	var file bytes.Buffer
	roots := generatedSIN(b, &file, benchSize, ImageOptions{LZ4: true})
	out, err := os.Create(filepath.Join(b.TempDir(), "system.img"))
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	b.SetBytes(benchSize)
	for b.Loop() {
		opt := UnpackOptions{CheckOptions: CheckOptions{Roots: roots}}
		if _, err := Unpack(context.Background(), bytes.NewReader(file.Bytes()), int64(file.Len()), out, opt); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSend is the second pass: a verifying reader into a sink.
func BenchmarkSend(b *testing.B) { benchCheck(b, ImageOptions{LZ4: true}, true) }

func benchCheck(b *testing.B, opt ImageOptions, send bool) {
	var file bytes.Buffer
	roots := generatedSIN(b, &file, benchSize, opt)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		r := bytes.NewReader(file.Bytes())
		if !send {
			if _, err := Check(context.Background(), r, r.Size(), CheckOptions{Roots: roots}); err != nil {
				b.Fatal(err)
			}
			continue
		}
		h, err := ReadHeader(r, r.Size())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, h.NewReader(r)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSHA256 hashes the bytes of the image.
func BenchmarkSHA256(b *testing.B) {
	data := make([]byte, 16<<20)
	if _, err := newGenerated().ReadAt(data, 0); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchSize)
	for b.Loop() {
		h := sha256.New()
		for range benchSize / len(data) {
			h.Write(data)
		}
		h.Sum(nil)
	}
}

// BenchmarkLZ4Decode unpacks the chunks of the image.
func BenchmarkLZ4Decode(b *testing.B) {
	plain := make([]byte, DefaultChunk)
	if _, err := newGenerated().ReadAt(plain, 0); err != nil {
		b.Fatal(err)
	}
	packed := make([]byte, lz4.CompressBlockBound(len(plain)))
	n, err := lz4.CompressBlock(plain, packed, nil)
	if err != nil {
		b.Fatal(err)
	}
	packed = packed[:n]
	b.SetBytes(benchSize)
	for b.Loop() {
		for range benchSize / DefaultChunk {
			if n, err := lz4.UncompressBlock(packed, plain); err != nil || n != len(plain) {
				b.Fatal(n, err)
			}
		}
	}
}

// BenchmarkBuild makes the file that the others work on.
func BenchmarkBuild(b *testing.B) {
	b.SetBytes(benchSize)
	for b.Loop() {
		generatedSIN(b, io.Discard, benchSize, ImageOptions{LZ4: true, Fill: true})
	}
}
