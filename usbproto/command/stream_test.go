package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"xflash/usbproto"
	"xflash/usbproto/command"
)

// Every way in which a phone is known to send data, or may (PROTOCOL.md §1.4). The data hold words of the protocol and
// start with a zero where that is harder.
func TestDataFromThePhone(t *testing.T) {
	const ask = "Get-root-key-hash"
	text := []byte("OKAY0123FAILDATA00000001OKAYend.")
	zero := append([]byte{0}, text[1:]...)
	for name, c := range map[string]struct {
		transfers []string
		want      []byte
	}{
		"three transfers":                   {[]string{"DATA00000020", string(text), "OKAY"}, text},
		"upper-case digits":                 {[]string{"DATA0000001E", string(text[:30]), "OKAY"}, text[:30]},
		"13 bytes":                          {[]string{"DATA00000020\x00", string(text), "OKAY"}, text},
		"13 bytes, data start with 0":       {[]string{"DATA00000020\x00", string(zero), "OKAY"}, zero},
		"12 bytes, data start with 0":       {[]string{"DATA00000020", string(zero), "OKAY"}, zero},
		"one transfer":                      {[]string{"DATA00000020" + string(text) + "OKAY"}, text},
		"one transfer, starts with 0":       {[]string{"DATA00000020" + string(zero) + "OKAY"}, zero},
		"one transfer of 13":                {[]string{"DATA00000020\x00" + string(text) + "OKAY"}, text},
		"one transfer of 13, with 0":        {[]string{"DATA00000020\x00" + string(zero) + "OKAY"}, zero},
		"data and answer together":          {[]string{"DATA00000020", string(text) + "OKAY"}, text},
		"head and data together":            {[]string{"DATA00000020" + string(text), "OKAY"}, text},
		"two DATA":                          {[]string{"DATA00000010", string(text[:16]), "DATA00000010", string(text[16:]), "OKAY"}, text},
		"two DATA together":                 {[]string{"DATA00000010" + string(text[:16]) + "DATA00000010" + string(text[16:]) + "OKAY"}, text},
		"nothing":                           {[]string{"DATA00000000", "OKAY"}, nil},
		"nothing, together":                 {[]string{"DATA00000000OKAY"}, nil},
		"nothing, 13 bytes":                 {[]string{"DATA00000000\x00", "OKAY"}, nil},
		"OKAY with text":                    {[]string{"DATA00000020", string(text), "OKAYdone"}, text},
		"OKAY with a NUL":                   {[]string{"DATA00000020", string(text), "OKAY\x00"}, text},
		"one byte a transfer":               {strings.Split("DATA00000020"+string(text)+"OKAY", ""), text},
		"one byte, starts with 0":           {strings.Split("DATA00000020"+string(zero)+"OKAY", ""), zero},
		"cut inside the answer":             {[]string{"DA", "TA000000", "20", string(text[:7]), string(text[7:]) + "O", "KAY"}, text},
		"a refusal after the data":          {[]string{"DATA00000020", string(text), "FAILsim: no"}, nil},
		"a refusal in place of it":          {[]string{"FAILsim: no"}, nil},
		"refusal in parts":                  {[]string{"FA", "ILsim", ": no"}, nil},
		"nothing, 13 bytes, one a transfer": {strings.Split("DATA00000000\x00OKAY", ""), nil},
	} {
		t.Run(name, func(t *testing.T) {
			inSession(t, func(p *phone) {
				p.answer(ask, c.transfers...)
				p.answer("getvar:product", "OKAYXQ-BC72")
			}, func(ctx context.Context, t *testing.T, s *command.Session) {
				got, err := s.RootKeyHash(ctx)
				if strings.Contains(strings.Join(c.transfers, ""), "sim: no") {
					var r *command.Refusal
					if !errors.As(err, &r) || r.Text != "sim: no" || r.Command != ask {
						t.Errorf("got %v", err)
					}
				} else if err != nil || !bytes.Equal(got, c.want) {
					t.Errorf("got %q, %v", got, err)
				}
				// The answers are still in step.
				if product, err := s.Var(ctx, "product"); product != "XQ-BC72" || err != nil {
					t.Errorf("got %q, %v", product, err)
				}
			})
		})
	}
}

// A phone that ends DATA with a NUL in a transfer by itself is understood once an unambiguous answer told of the NUL.
func TestNULInATransferByItself(t *testing.T) {
	inSession(t, func(p *phone) {
		p.answer("download:00000001", "DATA00000001\x00")
		p.take(1)
		p.send("OKAY")
		p.answer("Read-TA:2:2330", "DATA00000002", "\x00", "\x00\x01", "OKAY")
		p.answer("Read-TA:2:2330", "DATA00000002\x00\x00\x01", "OKAY")
	}, func(ctx context.Context, t *testing.T, s *command.Session) {
		no(t, s.Download(ctx, bytes.NewReader([]byte{1}), 1, nil))
		for range 2 {
			if got, err := s.ReadTA(ctx, 2, 2330); err != nil || !bytes.Equal(got, []byte{0, 1}) {
				t.Errorf("got %x, %v", got, err)
			}
		}
	})
}

// A byte pipe joins and cuts transfers anywhere: a unit of one zero is not taken for the NUL of a longer DATA answer,
// wherever the cut is.
func TestZeroInAPipe(t *testing.T) {
	for _, whole := range []string{"DATA00000001\x00OKAY", "DATA00000001\x00\x00OKAY", "DATA00000002\x00\x00OKAY"} {
		for cut := 13; cut < len(whole); cut++ {
			inSession(t, func(p *phone) {
				p.answer("Read-TA:2:10100", whole[:cut], whole[cut:])
				p.answer("getvar:product", "OKAYXQ-BC72")
			}, func(ctx context.Context, t *testing.T, s *command.Session) {
				want := make([]byte, whole[11]-'0')
				if got, err := s.ReadTA(ctx, 2, 10100); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%q cut at %d: got %x, %v", whole, cut, got, err)
				}
				if product, err := s.Var(ctx, "product"); product != "XQ-BC72" || err != nil {
					t.Errorf("%q cut at %d: got %q, %v", whole, cut, product, err)
				}
			})
		}
	}
}

// Every form of a short answer (PROTOCOL.md §2.1).
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		transfers []string
		want      string
	}{
		{[]string{"OKAY"}, ""},
		{[]string{"OKAY0.4"}, "0.4"},
		{[]string{"OKAY0.4\x00"}, "0.4"},
		{[]string{"O", "K", "A", "Y", "0", ".", "4"}, "0.4"},
		{[]string{"OKAY", ""}, ""},
		{[]string{"OKAY" + strings.Repeat("x", 508)}, strings.Repeat("x", 508)}, // a whole packet
		{[]string{"OKAY" + strings.Repeat("x", 508), "yz"}, strings.Repeat("x", 508) + "yz"},
	} {
		t.Run(fmt.Sprintf("%.20q", c.transfers), func(t *testing.T) {
			inSession(t, func(p *phone) {
				p.answer("getvar:version", c.transfers...)
			}, func(ctx context.Context, t *testing.T, s *command.Session) {
				if got, err := s.Var(ctx, "version"); got != c.want || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			})
		})
	}
}

// A phone that sends one byte a transfer, upper-case digits and a text after OKAY gets through a whole image.
func TestImageInOddForms(t *testing.T) {
	for _, cut := range []int{0, 1, 3} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			inSession(t, func(p *phone) {
				p.cut = cut
				p.answer("signature:00000000", "FAILsim: unknown")
				p.answer("download:0000001e", "DATA0000001E\x00")
				p.take(30)
				p.send("OKAYdone")
				p.answer("signature", "OKAY\x00")
				p.answer("download:0000000a", "DATA0000000A\x00")
				p.take(10)
				p.send("OKAYdone")
				p.answer("erase:boot_a", "OKAYdone")
				p.answer("flash:boot_a", "OKAYdone")
			}, func(ctx context.Context, t *testing.T, s *command.Session) {
				no(t, s.Sign(ctx, pattern(30)))
				no(t, s.Download(ctx, bytes.NewReader(pattern(10)), 10, nil))
				no(t, s.Erase(ctx, "boot_a"))
				no(t, s.Flash(ctx, "boot_a"))
			})
		})
	}
}

// packets is a Conn that answers like USB: a request gets whole transfers of the phone or fails, and one that is not a
// multiple of a packet would overflow.
type packets struct {
	t    *testing.T
	size int      // of a packet
	out  []string // transfers
	then func(command string) []string
}

func (c *packets) Read(ctx context.Context, p []byte) (int, error) {
	if len(p)%512 != 0 || len(p) == 0 {
		c.t.Errorf("a request of %d bytes", len(p))
	}
	n := 0
	for n < len(p) && len(c.out) > 0 {
		part := copy(p[n:], c.out[0][:min(len(c.out[0]), c.size)])
		short := part < c.size
		n += part
		if c.out[0] = c.out[0][part:]; c.out[0] == "" {
			c.out = c.out[1:]
		}
		if short {
			return n, nil
		}
	}
	if n > 0 && n == len(p) {
		return n, nil
	}
	return n, &usbproto.TransferError{Op: "read", Device: "test", N: n, Err: usbproto.ErrTimeout}
}

func (c *packets) Write(_ context.Context, p []byte) (int, error) {
	c.out = append(c.out, c.then(string(p))...)
	return len(p), nil
}

func (c *packets) Close() error { return nil }

// Data of a multiple of the packet size without a zero-length packet: the OKAY must not be lost in the same request, and
// no request asks for anything but whole packets.
func TestDataOfWholePackets(t *testing.T) {
	for _, n := range []int{511, 512, 513, 1024, 4096, 64 << 10, 64<<10 + 512, 200_000} {
		for name, glue := range map[string]func(data string) []string{
			"apart":  func(data string) []string { return []string{fmt.Sprintf("DATA%08x", len(data)), data, "OKAY"} },
			"glued":  func(data string) []string { return []string{fmt.Sprintf("DATA%08x", len(data)), data + "OKAY"} },
			"as one": func(data string) []string { return []string{fmt.Sprintf("DATA%08x%sOKAY", len(data), data)} },
		} {
			c := &packets{t: t, size: 512}
			data := string(pattern(n))
			c.then = func(command string) []string {
				if command == "Getlog" {
					return glue(data)
				}
				return []string{"OKAY104857600"}
			}
			s, err := command.Open(t.Context(), c, command.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.BootLog(t.Context())
			if err != nil || string(got) != data {
				t.Errorf("%d bytes %s: got %d, %v", n, name, len(got), err)
			}
			if v, err := s.Var(t.Context(), "x"); v != "104857600" || err != nil {
				t.Errorf("%d bytes %s: then %q, %v", n, name, v, err)
			}
		}
	}
}

// broken fails after some writes.
type broken struct{ left int }

var errDisk = errors.New("disk full")

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errDisk
	}
	return len(p), nil
}

// A file that cannot be written does not put the answers out of step.
func TestReadPartitionToAFullDisk(t *testing.T) {
	inSession(t, func(p *phone) {
		p.answer("Read-partition:modemst1", "DATA00010000", string(pattern(1<<16)), "OKAY")
		p.answer("Read-partition:fsg", "DATA00000200", string(pattern(512)), "OKAY")
	}, func(ctx context.Context, t *testing.T, s *command.Session) {
		if _, err := s.ReadPartition(ctx, "modemst1", &broken{1000}, 1<<20); !errors.Is(err, errDisk) {
			t.Errorf("got %v", err)
		}
		if n, err := s.ReadPartition(ctx, "fsg", io.Discard, 1<<20); n != 512 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	})
}
