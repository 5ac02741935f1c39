package capture_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"xflash/usbproto/capture"
)

// small is a capture with a bit of everything.
func small(t testing.TB) []byte {
	t.Helper()
	file := &memory{}
	c := capture.Record(chat{}, file, capture.Options{})
	_, err1 := c.Read(t.Context(), make([]byte, 512))
	_, err2 := c.Write(t.Context(), []byte("getvar:version"))
	if err := errors.Join(err1, err2, c.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// A file that ends early is refused with the place, wherever it ends.
func TestCutCapture(t *testing.T) {
	whole := small(t)
	for n := range whole {
		_, err := capture.NewReplay(bytes.NewReader(whole[:n]))
		if err == nil {
			continue // between two packets
		}
		var bad *capture.Error
		if !errors.As(err, &bad) || bad.Offset > int64(n) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	for name, b := range map[string][]byte{"pcapng": []byte("\x0a\x0d\x0d\x0a"), "other": []byte("ustar"), "": nil} {
		b = append(b, make([]byte, 40)...)
		var bad *capture.Error
		if _, err := capture.NewReplay(bytes.NewReader(b)); !errors.As(err, &bad) || bad.Packet != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever is in a file: no panic, and no memory that the file does not have.
func FuzzRead(f *testing.F) {
	f.Add(small(f))
	f.Add(small(f)[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := capture.NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		total := 0
		for {
			e, err := r.Next()
			if err != nil {
				var bad *capture.Error
				if err != io.EOF && !errors.As(err, &bad) {
					t.Fatal(err)
				}
				break
			}
			if total += len(e.Data); total > len(b) {
				t.Fatalf("%d bytes out of %d", total, len(b))
			}
		}
		if p, err := capture.NewReplay(bytes.NewReader(b)); err == nil {
			_, _ = p.Write(t.Context(), []byte("getvar:version"))
		}
	})
}

// Whatever a phone sends, in whatever pieces: the mask changes no length, keeps nothing
// back forever, and lets nothing through of what is not a packet.
func FuzzMask(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x07\x00\x00\x00\x00"), uint64(1))
	f.Add([]byte("\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x04\x10secr\x00\x00\x00\x00"), uint64(2))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		for _, mask := range []capture.Masker{capture.FlashMask(), capture.FastbootMask()} {
			rng := rand.New(rand.NewPCG(seed, 0))
			data := bytes.Clone(b)
			mask.Host([]byte("\x00\x00\x00\x0c\x00\x00\x00\x03\x00\x00\x00\x04\x12\x00\x00\x13\x24\x00\x00\x00\x00"))
			for rest := data; len(rest) > 0; {
				n := 1 + rng.IntN(len(rest))
				mask.Phone(rest[:n:n])
				rest = rest[n:]
			}
			mask.Abandon()
			if len(data) != len(b) {
				t.Fatal("another length")
			}
		}
	})
}

// chat is a Conn on which a phone greets and takes everything.
type chat struct{}

func (chat) Read(_ context.Context, p []byte) (int, error) { return copy(p, "OKAY0.5"), nil }

func (chat) Write(_ context.Context, p []byte) (int, error) { return len(p), nil }

func (chat) Close() error { return nil }
