package s1_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// deaf is a phone that sends what a fuzzer made, in transfers of a few bytes, and hears
// nothing. Its reads never wait: silence is a deadline that has passed, so that no run
// depends on a clock.
type deaf struct {
	out  []byte
	step int // longest transfer
	sent int // bytes from the host
}

func (d *deaf) Read(_ context.Context, p []byte) (int, error) {
	if len(d.out) == 0 {
		return 0, &usbproto.TransferError{Op: "read", Device: "fuzz", Err: usbproto.ErrTimeout}
	}
	n := copy(p[:min(len(p), d.step)], d.out)
	d.out = d.out[n:]
	return n, nil
}

func (d *deaf) Write(_ context.Context, p []byte) (int, error) { d.sent += len(p); return len(p), nil }

func (d *deaf) Close() error { return nil }

// FuzzSession lets a phone answer anything to a whole conversation. No answer may make the
// client write a protected unit, send data of an image whose header was not accepted, or
// end in anything but an error of this package.
func FuzzSession(f *testing.F) {
	ok := func(cmd uint32, data []byte) []byte { return wire(cmd, 1, data) }
	greeting := ok(1, []byte(loaderText))
	whole := bytes.Join([][]byte{greeting, ok(9, nil), ok(12, []byte("D5803\x00")), ok(13, nil), ok(12, []byte{1}), ok(10, nil),
		ok(5, nil), wire(1, 0, nil), ok(7, reason("MINOR", "005C", "80110002")), ok(5, nil), ok(6, nil), ok(18, nil), ok(4, nil)}, nil)
	f.Add(greeting, 512)
	f.Add(whole, 13)
	f.Add(append(bytes.Clone(greeting[5:]), whole...), 64)
	f.Add(append(bytes.Clone(greeting), wire(12, 5, []byte{1})...), 1)
	f.Fuzz(func(t *testing.T, answers []byte, step int) {
		if step < 1 || step > 1<<16 {
			step = 1 + int(uint(step)%(1<<16))
		}
		ctx := t.Context()
		d := &deaf{out: answers, step: step}
		s, err := s1.Open(ctx, d, s1.Options{})
		if err != nil {
			typed(t, err)
			return
		}
		image := func() s1.Image {
			return s1.Image{Name: "kernel.sin", Header: pattern(40), Data: bytes.NewReader(pattern(600)), Size: 600}
		}
		for _, do := range []func() error{
			func() error { return s.OpenTA(ctx, 2) },
			func() error { _, err := s.ReadUnit(ctx, 2210); return err },
			func() error { return s.WriteUnit(ctx, 10100, []byte{1}) },
			func() error { return s.CloseTA(ctx) },
			func() error { return s.OfferHeader(ctx, "kernel.sin", pattern(40)) },
			func() error { return s.SendImage(ctx, image(), nil) },
			func() error { _, err := s.ReadAll(ctx); return err },
			func() error { return s.End(ctx) },
		} {
			typed(t, do())
		}
		before := d.sent
		if err := s.WriteUnit(ctx, 2003, []byte{0}); err == nil || d.sent != before {
			t.Errorf("a protected unit: %v, %d bytes sent", err, d.sent-before)
		}
	})
}

// typed fails unless an error says what was being done.
func typed(t *testing.T, err error) {
	t.Helper()
	var talk *s1.Error
	var refusal *s1.Refusal
	var unit *s1.UnitError
	if err == nil || errors.As(err, &talk) || errors.As(err, &refusal) || errors.As(err, &unit) ||
		errors.Is(err, s1.ErrEnded) || errors.Is(err, s1.ErrState) {
		return
	}
	t.Errorf("untyped: %v", err)
}
