package sparse

import (
	"bytes"
	"io"
	"testing"
)

// BenchmarkSplit plans a raw image in pieces of 32 MiB and reads them all.
func BenchmarkSplit(b *testing.B) {
	image := randomRaw(newRand(1), 16<<10)
	b.SetBytes(int64(len(image)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := FromRaw(bytes.NewReader(image), int64(len(image)), RawOptions{})
		if err != nil {
			b.Fatal(err)
		}
		pieces, err := m.Split(32 << 20)
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range pieces {
			if _, err := io.CopyBuffer(io.Discard, p.Reader(), make([]byte, 256<<10)); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkApply expands a sparse image into memory, checksums included.
func BenchmarkApply(b *testing.B) {
	image := randomRaw(newRand(1), 16<<10)
	m, err := FromRaw(bytes.NewReader(image), int64(len(image)), RawOptions{})
	if err != nil {
		b.Fatal(err)
	}
	pieces, err := m.Split(0)
	if err != nil {
		b.Fatal(err)
	}
	var whole bytes.Buffer
	if _, err := io.Copy(&whole, pieces[0].Reader()); err != nil {
		b.Fatal(err)
	}
	out := newMemory(m.head.Size(), 0)
	b.SetBytes(m.head.Size())
	b.ReportAllocs()
	for b.Loop() {
		z, err := NewReader(bytes.NewReader(whole.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		if err := z.Apply(out); err != nil {
			b.Fatal(err)
		}
	}
}
