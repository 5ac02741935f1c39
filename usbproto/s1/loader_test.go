package s1_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// The loader of the Z3 Compact: 247020 bytes, of them 1024 of header, go out as three full
// packets and one of 49388 (PROTOCOL.md §10.3).
const loaderHeader, loaderData = 1024, 247020 - 1024

var loaderChunks = []int{0x10000, 0x10000, 0x10000, 49388}

// inBoot is a session with the boot stage whose greeting is text.
func inBoot(t *testing.T, text string, script func(*phone), host func(ctx context.Context, t *testing.T, s *s1.Session)) {
	t.Helper()
	converse(t, func(p *phone) {
		p.greet(text)
		script(p)
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		host(ctx, t, open(ctx, t, conn, s1.Options{}))
	})
}

// The loader greets on the same connection, a moment after its last packet, and is then
// asked. Its MAX_PKT_SZ rules from then on, and no trim area is open in it.
func TestLoader(t *testing.T) {
	for name, greet := range map[string]func(*phone){
		"greets":        func(p *phone) { time.Sleep(time.Second); p.greet(loaderText) },
		"greets slowly": func(p *phone) { time.Sleep(29 * time.Second); p.cut = 1; p.greet(loaderText) },
		"greets twice":  func(p *phone) { p.greet(loaderText); p.greet(loaderText) },
		// The boot stage's greeting came twice, and its second copy only now.
		"after an old greeting": func(p *phone) {
			p.greet(bootText)
			time.Sleep(time.Second)
			if len(p.in) > 0 {
				p.fail("the host does not wait for the loader")
			}
			p.greet(loaderText)
		},
		"does not greet": func(*phone) {},
		"greets badly":   func(p *phone) { b := wire(1, 1, []byte(loaderText)); b[30] ^= 1; p.raw(b) },
		"greets in half": func(p *phone) { p.raw(wire(1, 1, []byte(loaderText))[:60]) },
	} {
		t.Run(name, func(t *testing.T) {
			inBoot(t, bootText, func(p *phone) {
				p.answer(9, []byte{2}, nil)
				header, data := p.image([]int{loaderHeader}, loaderChunks)
				if !bytes.Equal(header, pattern(loaderHeader)) || !bytes.Equal(data, pattern(loaderData)) {
					p.fail("other bytes than those of the loader")
				}
				greet(p)
				p.answer(1, nil, []byte(loaderText))
				p.image([]int{10}, []int{packetSize, 1})
			}, func(ctx context.Context, t *testing.T, s *s1.Session) {
				if err := s.OpenTA(ctx, 2); err != nil {
					t.Fatal(err)
				}
				if err := s.SendLoader(ctx, image("loader.sin", loaderHeader, loaderData), nil); err != nil {
					t.Fatal(err)
				}
				if s.Stage() != s1.StageLoader || s.Info().Version() != "MSM8974AB_22" || s.OpenedTA() != 0 {
					t.Errorf("stage %q, version %q, partition %d", s.Stage(), s.Info().Version(), s.OpenedTA())
				}
				if err := s.SendImage(ctx, image("system.sin", 10, packetSize+1), nil); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Packets of a loader are of 64 KiB, because smaller ones could hang the phone, but never
// above MAX_PKT_SZ (PROTOCOL.md §9.1, §11.6).
func TestLoaderPacketSize(t *testing.T) {
	for max, chunks := range map[string][]int{
		"00080000": loaderChunks, "00010000": loaderChunks, "00800000": loaderChunks,
		"0000C000": {0xC000, 0xC000, 0xC000, 0xC000, 0xC000, 236},
	} {
		t.Run(max, func(t *testing.T) {
			inBoot(t, strings.ReplaceAll(bootText, "00080000", max), func(p *phone) {
				p.image([]int{loaderHeader}, chunks)
				p.greet(loaderText)
				p.answer(1, nil, []byte(loaderText))
			}, func(ctx context.Context, t *testing.T, s *s1.Session) {
				if err := s.SendLoader(ctx, image("loader.sin", loaderHeader, loaderData), nil); err != nil {
					t.Error(err)
				}
			})
		})
	}
	// Headers are cut at MAX_PKT_SZ only.
	inBoot(t, bootText, func(p *phone) {
		p.image([]int{0x10001}, []int{1})
		p.greet(loaderText)
		p.answer(1, nil, []byte(loaderText))
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		if err := s.SendLoader(ctx, image("loader.sin", 0x10001, 1), nil); err != nil {
			t.Error(err)
		}
	})
}

func TestLoaderDoesNotStart(t *testing.T) {
	for name, c := range map[string]struct {
		then  func(*phone)
		took  time.Duration
		cause func(error) bool
	}{
		// As a loader that is older than the phone allows (PROTOCOL.md §11.16).
		"hangs": {func(p *phone) { p.expect(1, 3, nil); p.expect(7, 3, nil) }, 36 * time.Second,
			func(err error) bool { return errors.Is(err, usbproto.ErrTimeout) }},
		"unplugged": {func(p *phone) { p.unplug() }, 0,
			func(err error) bool {
				return errors.Is(err, usbproto.ErrGone) && strings.Contains(err.Error(), "waiting for the loader")
			}},
		"boot stage answers": {func(p *phone) { p.answer(1, nil, []byte(bootText)) }, 30 * time.Second,
			func(err error) bool { return strings.Contains(err.Error(), "did not start") }},
	} {
		t.Run(name, func(t *testing.T) {
			inBoot(t, bootText, func(p *phone) {
				p.image([]int{10}, []int{10})
				c.then(p)
			}, func(ctx context.Context, t *testing.T, s *s1.Session) {
				begin := time.Now()
				err := s.SendLoader(ctx, image("loader.sin", 10, 10), nil)
				took(t, begin, c.took)
				var e *s1.Error
				if !errors.As(err, &e) || !c.cause(err) {
					t.Error(err)
				}
			})
		})
	}
	// Refused: the boot stage continues.
	inBoot(t, bootText, func(p *phone) {
		p.refuse(5, 3, pattern(10), reason("MINOR", "0017", "800A0011"))
		p.answer(1, nil, []byte(bootText))
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		var r *s1.Refusal
		if err := s.SendLoader(ctx, image("loader.sin", 10, 10), nil); !errors.As(err, &r) || r.Image != "loader.sin" {
			t.Error(err)
		}
		info, err := s.Refresh(ctx)
		if err != nil || info != s.Info() || s.Stage() != s1.StageBoot {
			t.Error(err)
		}
	})
}

// A session in the vectors of PROTOCOL.md §2.6: a script of wire bytes, not of packets.
func TestTrace(t *testing.T) {
	steps := []struct{ host, phone []byte }{
		{fromHex(t, "00000009 00000003 00000001 12 02 EE0E612C"), fromHex(t, "00000009 00000001 00000000 0F 00000000")},
		{fromHex(t, "0000000C 00000003 00000004 12 000008A2 F00148CC"), fromHex(t, "0000000C 00000001 00000006 12 443538303300 18972F62")},
		{fromHex(t, "0000000D 00000003 00000009 0E 00002774 00000001 01 F4B54912"), fromHex(t, "0000000D 00000001 00000000 13 00000000")},
		{wire(12, 3, unit(10100)), wire(12, 1, []byte{1})}, // read back; no vector of PROTOCOL.md
		{fromHex(t, "0000000A 00000003 00000000 10 00000000"), fromHex(t, "0000000A 00000001 00000000 12 00000000")},
		{fromHex(t, "00000004 00000003 00000000 0E 00000000"), fromHex(t, "00000004 00000001 00000000 0C 00000000")},
	}
	inBoot(t, bootText, func(p *phone) {
		for _, step := range steps {
			got, ok := p.read(len(step.host))
			if !ok || !bytes.Equal(got, step.host) {
				p.fail("got % X, expected % X", got, step.host)
			}
			p.raw(step.phone)
		}
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		if err := s.OpenTA(ctx, 2); err != nil {
			t.Error(err)
		}
		if model, err := s.ReadUnit(ctx, 2210); err != nil || string(model) != "D5803\x00" {
			t.Errorf("%q, %v", model, err)
		}
		if err := errors.Join(s.WriteUnit(ctx, 10100, []byte{1}), s.CloseTA(ctx), s.End(ctx)); err != nil {
			t.Error(err)
		}
	})
}
