package sparse

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzSparse: the stream, the output written at places, and the image split
// again agree about every input, and none of them accepts what another refuses.
func FuzzSparse(f *testing.F) {
	long := simg{headerSize: 40, chunkSize: 17, parts: whole().parts}
	sums := simg{parts: []part{raw(1, pattern(16)), crcPart(0), hole(1), fill(2, 1, 2, 3, 4)}}
	for _, s := range []simg{whole(), long, sums, {blocks: 1 << 20}, {parts: []part{hole(1 << 10)}}, {trailing: []byte{1}}} {
		f.Add(s.bytes(), uint16(0))
	}
	f.Add(simg{parts: []part{raw(9, pattern(144)), hole(1), fill(4, 1, 2, 3, 4)}}.bytes(), uint16(90))
	f.Fuzz(func(t *testing.T, b []byte, limit uint16) {
		z, err := NewReader(bytes.NewReader(b))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		size := z.Header().Size()
		if size > 4<<20 { // still walked, but not held in memory
			for err == nil {
				_, err = z.Next()
			}
			return
		}
		stream, streamErr := io.ReadAll(z.Expand())
		out := newMemory(size, 0)
		placedErr := mustReader(t, b).Apply(out)
		if !errors.Is(placedErr, reason(streamErr)) || int64(len(stream)) > size {
			t.Fatalf("the stream of %d bytes ends with %v, Apply with %v", len(stream), streamErr, placedErr)
		}
		if streamErr != nil {
			return
		}
		if !bytes.Equal(stream, out) {
			t.Fatal("Expand and Apply differ")
		}
		m, err := FromSparse(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := m.Split(int64(limit))
		if err != nil {
			return // LZ4 chunks, or a limit below one block
		}
		again := newMemory(size, 0)
		for _, p := range pieces {
			if limit > 0 && p.Size > int64(limit) {
				t.Fatalf("a piece of %d bytes, the limit is %d", p.Size, limit)
			}
			if err := mustReader(t, readPiece(t, p)).Apply(again); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(again, out) {
			t.Fatal("the pieces differ from the image")
		}
	})
}

func reason(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return err
}
