package command_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"xflash/usbproto"
	"xflash/usbproto/command"
)

// deaf is a phone that sends what a fuzzer made, in transfers of a few bytes, and hears nothing. Its reads never wait:
// silence is a deadline that has passed, so that no run depends on a clock. One byte of the script in front of each command
// says how many of the bytes come before the next one.
type deaf struct {
	out   []byte
	ready int // bytes that may be read now
	step  int // longest transfer
	sent  []string
}

func (d *deaf) Read(_ context.Context, p []byte) (int, error) {
	n := min(len(p), d.step, d.ready, len(d.out))
	if n == 0 {
		return 0, &usbproto.TransferError{Op: "read", Device: "fuzz", Err: usbproto.ErrTimeout}
	}
	copy(p, d.out[:n])
	d.out, d.ready = d.out[n:], d.ready-n
	return n, nil
}

func (d *deaf) Write(_ context.Context, p []byte) (int, error) {
	d.sent = append(d.sent, string(p))
	if len(d.out) > 0 {
		d.ready += int(d.out[0])
		d.out = d.out[1:]
	}
	return len(p), nil
}

func (d *deaf) Close() error { return nil }

// script puts the number of bytes in front of each answer.
func script(answers ...string) (b []byte) {
	for _, a := range answers {
		b = append(append(b, byte(len(a))), a...)
	}
	return b
}

// FuzzSession lets a phone answer anything to a whole conversation. No answer may make the client write what is on no
// list, erase without an accepted signature, or end in anything but an error of this package.
func FuzzSession(f *testing.F) {
	start := []string{"OKAY104857600", "OKAYXQ-BC72", "OKAY2", "OKAYa", "OKAYyes", "DATA00000020" + strings.Repeat("k", 32) + "OKAY", "FAILUfs-info not supported",
		"FAILEmmc-info not supported", "DATA00000004abcdOKAY", "DATA0000000c\x00\x00\x00\x09\xb2\x00\x00\x00\x04abcdOKAY"}
	f.Add(script(append(start, "FAILno", "DATA00000001", "OKAY", "OKAY", "DATA0000001e", "OKAY", "OKAY", "DATA00000258", "OKAY", "OKAY", "OKAY", "OKAY", "DATA00000001", "OKAY", "OKAY", "OKAY", "OKAY")...), 512)
	f.Add(script(append(start, "DATA00000000OKAY", "DATA00000001\x00", "OKAY", "OKAY", "DATA0000001E", "OKAY", "DATA00000258", "OKAY")...), 1)
	f.Add(script("OKAYOKAY1", "DATAffffffff", "DATA00000000", "FAIL"), 3)
	f.Add(script("DATA"+strings.Repeat("\x00", 100), "OKAY1"), 13)
	f.Fuzz(func(t *testing.T, answers []byte, step int) {
		if step < 1 || step > 1<<16 {
			step = 1 + int(uint(step)%(1<<16))
		}
		ctx := t.Context()
		d := &deaf{out: answers, step: step}
		s, err := command.Open(ctx, d, command.Options{Wait: 1})
		if err != nil {
			typed(t, err)
			return
		}
		chunk := func(n int) error { return s.Download(ctx, bytes.NewReader(pattern(n)), int64(n), nil) }
		signed := false
		for _, do := range []func() error{
			func() error { _, err := s.Var(ctx, "product"); return err },
			func() error { _, err := s.Slots(ctx); return err },
			func() error { _, err := s.RootKeyHash(ctx); return err },
			func() error { _, err := s.UFSInfo(ctx); return described(err) },
			func() error { _, err := s.EMMCInfo(ctx); return described(err) },
			func() error { _, err := s.ReadTA(ctx, 2, 2330); return err },
			func() error { _, err := s.ReadAllTA(ctx, 2); return err },
			func() error { return s.WriteTA(ctx, command.UnitUpdate, []byte{1}) },
			func() error { err := s.Sign(ctx, pattern(30)); signed = err == nil; return err },
			func() error { return chunk(600) },
			func() error { return s.Erase(ctx, "boot_a") },
			func() error { return s.Flash(ctx, "boot_a") },
			func() error { _, err := s.ReadPartition(ctx, "fsg", io.Discard, 1<<20); return err },
			func() error { return s.WriteTA(ctx, command.UnitUpdate, []byte{0}) },
			func() error { return s.Sync(ctx) },
			func() error { return s.End(ctx) },
		} {
			typed(t, do())
		}
		for _, sent := range d.sent {
			if strings.HasPrefix(sent, "erase:") && !signed {
				t.Error("erased without a signature")
			}
		}
		before := len(d.sent)
		for _, err := range []error{s.WriteTA(ctx, 2003, []byte{0}), s.Erase(ctx, "persist"), s.Flash(ctx, "boot_b")} {
			if err == nil || len(d.sent) != before {
				t.Errorf("%v, %q sent", err, d.sent[before:])
			}
		}
	})
}

// described lets errors about the content of descriptors pass.
func described(err error) error {
	if err != nil && strings.Contains(err.Error(), "description") {
		return nil
	}
	return err
}

// typed fails unless an error says what was being done.
func typed(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.As(err, new(*command.Refusal)) || errors.As(err, new(*command.AnswerError)) || errors.As(err, new(*command.StrayError)) ||
		errors.As(err, new(*command.TransferError)) || errors.As(err, new(*command.BudgetError)) || errors.As(err, new(*command.SilentError)) || errors.As(err, new(*command.TooLargeError)) ||
		errors.Is(err, command.ErrEnded) || errors.Is(err, command.ErrState) {
		return
	}
	t.Errorf("untyped: %v", err)
}

// FuzzUFS reads descriptors that a fuzzer made.
func FuzzUFS(f *testing.F) {
	f.Add(descriptors([3]uint64{0, 12, 15620096}, [3]uint64{1, 12, 1024}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		u, err := command.ParseUFS(raw)
		if err != nil {
			return
		}
		for _, l := range u {
			if l.Size() < 0 {
				t.Errorf("%+v", l)
			}
		}
	})
}
