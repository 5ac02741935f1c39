package s1_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// withTA is a loader session with trim-area partition 2 open.
func withTA(t *testing.T, script func(*phone), host func(ctx context.Context, t *testing.T, s *s1.Session)) {
	t.Helper()
	converse(t, func(p *phone) {
		p.greet(loaderText)
		p.answer(9, []byte{2}, nil)
		script(p)
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		if err := s.OpenTA(ctx, 2); err != nil {
			t.Fatal(err)
		}
		host(ctx, t, s)
	})
}

func TestTrimArea(t *testing.T) {
	withTA(t, func(p *phone) {
		p.answer(12, unit(2210), []byte("D5803\x00"))
		p.answer(13, written(10100, []byte{1}), nil)
		p.answer(12, unit(10100), []byte{1})
		p.answer(13, written(2404, nil), nil)
		p.refuse(12, 3, unit(2404), reason("MINOR", "0025", "00000000"))
		p.answer(10, nil, nil)
		p.answer(9, []byte{1}, nil)
		p.answer(12, unit(1877), []byte{0xFF})
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		if got, err := s.ReadUnit(ctx, 2210); err != nil || string(got) != "D5803\x00" {
			t.Errorf("%q %v", got, err)
		}
		if err := s.WriteUnit(ctx, 10100, []byte{1}); err != nil {
			t.Error(err)
		}
		if err := s.WriteUnit(ctx, 2404, nil); err != nil {
			t.Errorf("an empty unit that reads as absent: %v", err)
		}
		if s.OpenedTA() != 2 {
			t.Errorf("partition %d", s.OpenedTA())
		}
		if err := errors.Join(s.CloseTA(ctx), s.OpenTA(ctx, 1)); err != nil {
			t.Error(err)
		}
		if got, err := s.ReadUnit(ctx, 1877); err != nil || len(got) != 1 || s.OpenedTA() != 1 {
			t.Errorf("% x %v", got, err)
		}
	})
}

// Nothing is sent that a phone would refuse, or worse.
func TestTrimAreaNotNow(t *testing.T) {
	converse(t, func(p *phone) {
		p.greet(loaderText)
		p.answer(9, []byte{2}, nil)
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		_, err := s.ReadUnit(ctx, 2210)
		_, err2 := s.ReadAll(ctx)
		for name, err := range map[string]error{
			"read": err, "dump": err2, "write": s.WriteUnit(ctx, 10100, []byte{1}),
			"partition 0": s.OpenTA(ctx, 0), "partition 3": s.OpenTA(ctx, 3), "partition 258": s.OpenTA(ctx, 258),
		} {
			if !errors.Is(err, s1.ErrState) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := s.OpenTA(ctx, 2); err != nil {
			t.Error(err)
		}
		if err := s.OpenTA(ctx, 1); !errors.Is(err, s1.ErrState) {
			t.Errorf("open while open: %v", err)
		}
	})
}

// Units that identify the phone are refused before a byte is sent (DESIGN §3, safe list).
func TestNeverWritten(t *testing.T) {
	want := []uint32{2003, 2010, 2129, 2210, 4900, 66667}
	withTA(t, func(p *phone) {
		p.answer(10, nil, nil)
		p.answer(9, []byte{1}, nil)
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		refused := func(number uint32) {
			t.Helper()
			var e *s1.UnitError
			if err := s.WriteUnit(ctx, number, []byte{1}); !errors.As(err, &e) || e.Unit != number || e.Partition != s.OpenedTA() {
				t.Errorf("unit %d: %v", number, err)
			}
		}
		for _, number := range append(want, 0x10000, 66670, 66668, 66671, 66673, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF) {
			refused(number)
		}
		if err := errors.Join(s.CloseTA(ctx), s.OpenTA(ctx, 1)); err != nil {
			t.Fatal(err)
		}
		for _, number := range []uint32{1877, 10100, 2301} { // partition 1 as a whole
			refused(number)
		}
	})
}

func TestWriteUnitFits(t *testing.T) {
	fits := pattern(0x10000 - 8) // MAX_PKT_SZ of the loader, less number and length
	withTA(t, func(p *phone) {
		p.answer(13, written(2127, fits), nil)
		p.answer(12, unit(2127), fits)
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		if err := s.WriteUnit(ctx, 2127, fits); err != nil {
			t.Error(err)
		}
		var e *s1.UnitError
		if err := s.WriteUnit(ctx, 2127, append(fits, 0)); !errors.As(err, &e) {
			t.Error(err)
		}
	})
}

// What is read back must be what was written. Contents do not get into the text.
func TestWriteUnitReadBack(t *testing.T) {
	for name, c := range map[string]struct {
		back   []byte
		offset int
	}{
		"changed": {[]byte("2024-01-02"), 3}, "shorter": {[]byte("2020-"), 5}, "longer": {[]byte("2020-01-02\x00"), 10}, "empty": {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			data := []byte("2020-01-02")
			withTA(t, func(p *phone) {
				p.answer(13, written(10021, data), nil)
				p.answer(12, unit(10021), c.back)
				p.answer(10, nil, nil) // the session continues
			}, func(ctx context.Context, t *testing.T, s *s1.Session) {
				var which *s1.UnitError
				var e *s1.MismatchError
				err := s.WriteUnit(ctx, 10021, data)
				if !errors.As(err, &which) || which.Unit != 10021 || which.Partition != 2 || !errors.As(err, &e) || e.Wrote != 10 || e.Read != len(c.back) || e.Offset != c.offset {
					t.Fatalf("%+v, %v", e, err)
				}
				if strings.Contains(err.Error(), "2020") {
					t.Errorf("contents in %q", err)
				}
				if err := s.CloseTA(ctx); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestWriteUnitRefused(t *testing.T) {
	withTA(t, func(p *phone) {
		p.refuse(13, 3, written(2301, []byte{0}), reason("MINOR", "0026", "00000000"))
		p.answer(13, written(2301, []byte{0}), nil)
		p.refuse(12, 3, unit(2301), reason("MINOR", "0025", "00000000"))
		p.answer(13, written(2301, nil), nil)
		p.refuse(12, 3, unit(2301), reason("MAJOR", "0017", "80180001"))
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		var r *s1.Refusal
		if err := s.WriteUnit(ctx, 2301, []byte{0}); !errors.As(err, &r) || r.Command != s1.CmdWriteUnit || r.Code != "0026" {
			t.Errorf("writing: %v", err)
		}
		if err := s.WriteUnit(ctx, 2301, []byte{0}); !errors.As(err, &r) || r.Command != s1.CmdReadUnit || !strings.Contains(err.Error(), "reading back unit 2301") {
			t.Errorf("reading back: %v", err)
		}
		if err := s.WriteUnit(ctx, 2301, nil); !errors.As(err, &r) || !r.Fatal() {
			t.Errorf("reading back an empty unit: %v", err)
		}
	})
}

// An earlier run that was killed left the trim area open: the phone refuses to open it
// again (PROTOCOL.md §3.2, command 9), so it is closed first.
func TestOpenTALeftOpen(t *testing.T) {
	converse(t, func(p *phone) {
		p.answer(1, nil, []byte(loaderText))
		p.refuse(9, 3, []byte{2}, reason("MINOR", "001D", "00000000"))
		p.answer(10, nil, nil)
		p.answer(9, []byte{2}, nil)
		p.answer(10, nil, nil)
		p.refuse(9, 3, []byte{2}, reason("MINOR", "0016", "00000000")) // now it is known to be closed
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		if err := errors.Join(s.OpenTA(ctx, 2), s.CloseTA(ctx)); err != nil {
			t.Error(err)
		}
		var r *s1.Refusal
		if err := s.OpenTA(ctx, 2); !errors.As(err, &r) || r.Code != "0016" || s.OpenedTA() != 0 {
			t.Error(err)
		}
	})
	// If closing does not help, the first refusal tells why.
	converse(t, func(p *phone) {
		p.greet(bootText)
		p.refuse(9, 3, []byte{2}, reason("MINOR", "0016", "00000000"))
		p.refuse(10, 3, nil, reason("MINOR", "001F", "00000000"))
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		var r *s1.Refusal
		if err := s.OpenTA(ctx, 2); !errors.As(err, &r) || r.Code != "0016" {
			t.Error(err)
		}
	})
	// A phone after a fatal error is not asked for more.
	converse(t, func(p *phone) {
		p.greet(loaderText)
		p.refuse(9, 3, []byte{2}, reason("NONE", "0000", ""))
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		var r *s1.Refusal
		if err := s.OpenTA(ctx, 2); !errors.As(err, &r) || !r.Limited() {
			t.Error(err)
		}
	})
}

// A dump comes in parts, each asked for with the same command; units cross their borders.
func TestReadAll(t *testing.T) {
	want := []s1.Unit{{Number: 2202, Data: []byte("1311-2918_50.1")}, {Number: 2301}, {Number: 2003, Data: pattern(15000)}, {Number: 10100, Data: []byte{0}}}
	var dump []byte
	for _, u := range want {
		dump = append(dump, written(u.Number, u.Data)...)
	}
	parts := slices.Collect(slices.Chunk(dump, 4096))
	parts = append(parts, nil) // an empty last part is harmless
	if len(parts) != 5 {
		t.Fatalf("%d parts", len(parts))
	}
	withTA(t, func(p *phone) {
		for i, part := range parts {
			p.expect(18, 3, nil)
			flags := uint32(5)
			if i == len(parts)-1 {
				flags = 1
			}
			p.send(18, flags, part)
		}
		p.answer(18, nil, nil) // an empty partition
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		stream, err := s.ReadAll(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s1.ParseUnits(stream)
		same := func(a, b s1.Unit) bool { return a.Number == b.Number && bytes.Equal(a.Data, b.Data) }
		if err != nil || !slices.EqualFunc(got, want, same) {
			t.Errorf("%d units, %v", len(got), err)
		}
		if got, err := s.ReadAll(ctx); err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestReadAllBroken(t *testing.T) {
	for name, c := range map[string]struct {
		dump []byte
		want string
	}{
		"inside a head":  {append(written(2301, []byte{0}), 0, 0, 8), "ends at byte 12"},
		"inside a unit":  {written(2301, pattern(20))[:20], "unit 2301 at byte 0 of the dump announces 20 bytes, but 12 are left"},
		"one byte short": {written(2301, pattern(20))[:27], "announces 20 bytes, but 19 are left"},
		"4 GiB unit":     {append(unit(2301), 0xFF, 0xFF, 0xFF, 0xFF), "announces 4294967295 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			units, err := s1.ParseUnits(c.dump)
			if units != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v", units, err)
			}
		})
	}
	endless := func(t *testing.T, part []byte, want string) {
		withTA(t, func(p *phone) {
			for {
				pk, ok := p.packet()
				if !ok {
					return
				}
				if pk.cmd != 18 {
					p.fail("command %d", pk.cmd)
				}
				p.send(18, 5, part)
			}
		}, func(ctx context.Context, t *testing.T, s *s1.Session) {
			var pe *s1.PacketError
			if _, err := s.ReadAll(ctx); !errors.As(err, &pe) || !strings.Contains(pe.Reason, want) {
				t.Error(err)
			}
		})
	}
	t.Run("never ends", func(t *testing.T) { endless(t, pattern(1<<20), "more than 8388608 bytes") })
	t.Run("never comes", func(t *testing.T) { endless(t, nil, "is empty") })
	t.Run("refused in the middle", func(t *testing.T) {
		withTA(t, func(p *phone) {
			p.expect(18, 3, nil)
			p.send(18, 5, pattern(4096))
			p.refuse(18, 3, nil, reason("MINOR", "0015", "00000000"))
		}, func(ctx context.Context, t *testing.T, s *s1.Session) {
			var r *s1.Refusal
			if _, err := s.ReadAll(ctx); !errors.As(err, &r) || r.Code != "0015" {
				t.Error(err)
			}
		})
	})
}

// A reply that says that more follows, where nothing can follow, is none.
func TestAckWithMore(t *testing.T) {
	withTA(t, func(p *phone) {
		p.expect(10, 3, nil)
		p.send(10, 5, nil)
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		var pe *s1.PacketError
		if err := s.CloseTA(ctx); !errors.As(err, &pe) || s.OpenedTA() != 2 {
			t.Error(err)
		}
	})
}

// A phone that sets bit 1 in its replies is understood (internal/explain/ERRORS.md §1.1 says
// it does, PROTOCOL.md §2.4 that it does not).
func TestAckWithBit1(t *testing.T) {
	withTA(t, func(p *phone) {
		p.expect(12, 3, unit(2210))
		p.send(12, 7, []byte("D58"))
		p.expect(12, 3, unit(2210))
		p.send(12, 3, []byte("03"))
		p.expect(10, 3, nil)
		p.send(10, 2, nil)
		p.answer(7, nil, reason("MINOR", "001F", "00000000"))
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		if got, err := s.ReadUnit(ctx, 2210); err != nil || string(got) != "D5803" {
			t.Errorf("%q, %v", got, err)
		}
		var r *s1.Refusal
		if err := s.CloseTA(ctx); !errors.As(err, &r) {
			t.Error(err)
		}
	})
}
