package unpack

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// FuzzUnpack: whatever the input, the limit holds, errors are typed, First
// never claims more bytes than there are, and what it gives is what a reader
// of exactly those bytes gives.
func FuzzUnpack(f *testing.F) {
	text := bytes.Repeat([]byte("xflash "), 40)
	writers := map[Format]func(io.Writer) (io.WriteCloser, error){
		Gzip: func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		XZ:   func(w io.Writer) (io.WriteCloser, error) { return xz.WriterConfig{DictCap: 1 << 16}.NewWriter(w) },
		LZMA: func(w io.Writer) (io.WriteCloser, error) { return lzma.WriterConfig{DictCap: 1 << 16}.NewWriter(w) },
	}
	for format, open := range writers {
		var b bytes.Buffer
		w, err := open(&b)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			f.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes(), byte(format))
	}
	// by hand: an empty bzip2 file, one literal run in the two forms of lz4 and in zstd
	f.Add([]byte("BZh9\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"), byte(Bzip2))
	f.Add([]byte("\x02\x21\x4c\x18\x06\x00\x00\x00\x50hello"), byte(LZ4Legacy))
	f.Add([]byte("\x04\x22\x4d\x18\x60\x40\x82\x05\x00\x00\x80hello\x00\x00\x00\x00"), byte(LZ4Frame))
	f.Add([]byte("\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00hello"), byte(Zstd))
	f.Add(lzopFile(0, []byte("hello"), nil), byte(LZO))
	f.Add(lzopFile(lzoAdlerData, []byte("abababab"), []byte{19, 'a', 'b', 0x84, 0, 17, 0, 0}), byte(LZO))
	f.Fuzz(func(t *testing.T, data []byte, number byte) {
		const limit = 1 << 16
		format := Format(int(number) % len(formatNames))
		// Decoders allocate the dictionary that the header asks for, up to 64 MiB: bounded, but too slow here.
		switch {
		case format == XZ && len(data) > 18:
			data[17] = min(data[17], 10)
		case format == LZMA && len(data) > 4:
			data[3], data[4] = data[3]&0x0f, 0
		case format == Zstd && len(data) > 5:
			data[5] = min(data[5], 0x40)
		}
		Detect(data)
		out, used, err := First(data, format, limit)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("untyped error %v", err)
		}
		if len(out) > limit || used > len(data) {
			t.Fatalf("%d bytes out, %d of %d used", len(out), used, len(data))
		}
		if err != nil || format == LZMA {
			return
		}
		z, err := NewReader(bytes.NewReader(data[:used]), format, limit)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := io.ReadAll(z); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("First gives %d bytes, a reader of the same stream %d and %v", len(out), len(again), err)
		}
	})
}
