package s1_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// A greeting arrives in every shape a transfer can have, and is enough: nothing is sent.
func TestOpenGreeted(t *testing.T) {
	for name, shape := range map[string]func(*phone){
		"three transfers": func(p *phone) { p.greet(bootText) },
		"one transfer":    func(p *phone) { p.hold = true; p.greet(bootText); p.flush() },
		"single bytes":    func(p *phone) { p.cut = 1; p.greet(bootText) },
		"seven bytes":     func(p *phone) { p.cut = 7; p.greet(bootText) },
		"just in time":    func(p *phone) { time.Sleep(2900 * time.Millisecond); p.greet(bootText) },
	} {
		t.Run(name, func(t *testing.T) {
			converse(t, shape, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
				s := open(ctx, t, conn, s1.Options{})
				if got := s.Info().Version(); got != "S1_Boot_MSM8974AC_11" || s.Stage() != s1.StageBoot {
					t.Errorf("version %q, stage %q", got, s.Stage())
				}
				if s.OpenedTA() != 0 {
					t.Errorf("partition %d", s.OpenedTA())
				}
			})
		})
	}
}

// Without a greeting the phone is asked after three seconds: it may have been used by an
// earlier run (PROTOCOL.md §1.4).
func TestOpenAsks(t *testing.T) {
	for name, before := range map[string]func(*phone){
		"silence":        func(*phone) {},
		"end of a reply": func(p *phone) { p.raw([]byte{0, 0, 0, 0}) },
		"half a dump":    func(p *phone) { p.raw(wire(18, 5, pattern(4096))[1234:]) },
		"whole replies":  func(p *phone) { p.send(6, 1, nil); p.send(13, 1, nil) },
		"lost greeting":  func(p *phone) { p.raw(wire(1, 1, []byte(bootText))[:50]) },
		"bad greeting":   func(p *phone) { b := wire(1, 1, []byte(bootText)); b[20] ^= 1; p.raw(b) },
		"empty greeting": func(p *phone) { p.greet("\x00") },
		// The head of a long reply; what it announces will never come.
		"lost long reply": func(p *phone) { p.raw(wire(12, 1, pattern(100_000))[:13]) },
		"noise":           func(p *phone) { p.raw(pattern(20000)) },
	} {
		t.Run(name, func(t *testing.T) {
			converse(t, func(p *phone) {
				before(p)
				p.answer(1, nil, []byte(loaderText))
				p.answer(9, []byte{2}, nil)
			}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
				begin := time.Now()
				s := open(ctx, t, conn, s1.Options{})
				took(t, begin, 3*time.Second)
				if s.Stage() != s1.StageLoader {
					t.Errorf("stage %q", s.Stage())
				}
				if err := s.OpenTA(ctx, 2); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Requests fit what a phone sends: longer ones would wait for an end that does not come,
// shorter ones overflow (PROTOCOL.md §1.5).
func TestRequestsFitUSB(t *testing.T) {
	for _, length := range []int{100, 495, 499, 500, 512 - 13, 512, 1024, 1024 - 17, 4096, 4096 - 4, 4096 - 17, 20480} {
		text := []byte(`X="` + strings.Repeat("x", length-5) + `";`)
		whole := wire(1, 1, text)
		for name, transfers := range map[string][][]byte{
			"three":    {whole[:13], text, whole[13+length:]},
			"one":      {whole},
			"head off": {whole[:13], whole[13:]},
			"CRC off":  {whole[:13+length], whole[13+length:]},
		} {
			conn := &usbConn{}
			for _, b := range transfers {
				conn.packets = slices.AppendSeq(conn.packets, slices.Chunk(b, 512))
			}
			s, err := s1.Open(t.Context(), conn, s1.Options{})
			if err != nil || conn.waits > 0 {
				t.Errorf("%d bytes, %s: %v, %d requests that cannot end", length, name, err, conn.waits)
				continue
			}
			if got, _ := s.Info().Get("X"); len(got) != length-5 {
				t.Errorf("%d bytes, %s: %d bytes of value", length, name, len(got))
			}
		}
	}
}

// usbConn sends packets of up to 512 bytes. A request ends when it is full or with a
// shorter packet, and overflows when a packet does not fit.
type usbConn struct {
	packets [][]byte
	waits   int // requests that would not have ended
}

func (c *usbConn) Read(_ context.Context, p []byte) (n int, err error) {
	for n < len(p) {
		if len(c.packets) == 0 {
			c.waits++
			return n, usbproto.ErrTimeout
		}
		next := c.packets[0]
		if len(next) > len(p)-n {
			return n, usbproto.ErrOverflow
		}
		n += copy(p[n:], next)
		c.packets = c.packets[1:]
		if len(next) < 512 {
			break
		}
	}
	return n, nil
}

func (c *usbConn) Write(context.Context, []byte) (int, error) { return 0, usbproto.ErrStalled }

func (c *usbConn) Close() error { return nil }

// A greeting that comes late, or twice, is not the answer to the next command.
func TestOpenLateGreeting(t *testing.T) {
	for name, script := range map[string]func(*phone){
		"before the answer": func(p *phone) {
			time.Sleep(3500 * time.Millisecond)
			p.greet(bootText)
			p.answer(1, nil, []byte(bootText))
		},
		"after the answer": func(p *phone) {
			p.answer(1, nil, []byte(bootText))
			p.greet(bootText)
		},
		"twice":                  func(p *phone) { p.greet(bootText); p.greet(bootText) },
		"twice, in one transfer": func(p *phone) { p.hold = true; p.greet(bootText); p.greet(bootText); p.flush() },
	} {
		t.Run(name, func(t *testing.T) {
			converse(t, func(p *phone) {
				script(p)
				p.answer(9, []byte{2}, nil)
				p.answer(12, unit(2210), []byte("D5803\x00"))
			}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
				s := open(ctx, t, conn, s1.Options{})
				if err := s.OpenTA(ctx, 2); err != nil {
					t.Fatal(err)
				}
				if got, err := s.ReadUnit(ctx, 2210); err != nil || string(got) != "D5803\x00" {
					t.Errorf("%q, %v", got, err)
				}
			})
		})
	}
}

// An upload that an earlier run left unfinished makes the phone refuse the question, and
// is dropped with that (PROTOCOL.md §3.2, command 5).
func TestOpenUnfinishedUpload(t *testing.T) {
	converse(t, func(p *phone) {
		p.refuse(1, 3, nil, reason("MINOR", "005C", "80110002"))
		p.answer(1, nil, []byte(loaderText))
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		if s := open(ctx, t, conn, s1.Options{}); s.Stage() != s1.StageLoader {
			t.Errorf("stage %q", s.Stage())
		}
	})
	converse(t, func(p *phone) {
		p.refuse(1, 3, nil, reason("MINOR", "005C", "80110002"))
		p.refuse(1, 3, nil, reason("MAJOR", "0017", "80110002"))
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		_, err := s1.Open(ctx, conn, s1.Options{})
		var r *s1.Refusal
		if !errors.As(err, &r) || !r.Fatal() {
			t.Errorf("%v", err)
		}
	})
}

// Nothing, or nothing in this protocol, is reported within the deadlines: three seconds for
// the greeting, five for the answer, one for the question for details.
func TestOpenNotS1(t *testing.T) {
	for name, c := range map[string]struct {
		script func(*phone)
		took   time.Duration
	}{
		"silence": {func(p *phone) { p.expect(1, 3, nil); p.expect(7, 3, nil) }, 9 * time.Second},
		// Half a packet stands in the way of another question.
		"pre-Android phone": {func(p *phone) { p.raw([]byte("z")); p.expect(1, 3, nil) }, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			converse(t, c.script, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
				begin := time.Now()
				s, err := s1.Open(ctx, conn, s1.Options{})
				if s != nil || !errors.Is(err, s1.ErrNotS1) || !errors.Is(err, usbproto.ErrTimeout) {
					t.Errorf("%v, %v", s, err)
				}
				took(t, begin, c.took)
			})
		})
	}
	t.Run("no information", func(t *testing.T) {
		converse(t, func(p *phone) { p.answer(1, nil, nil) }, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
			_, err := s1.Open(ctx, conn, s1.Options{})
			var pe *s1.PacketError
			if !errors.As(err, &pe) || !strings.Contains(pe.Reason, "no information") {
				t.Error(err)
			}
		})
	})
}

// A phone that sends without end is left at the deadline, with little kept of it.
func TestOpenEndlessNoise(t *testing.T) {
	flood := slices.Repeat(wire(6, 1, nil), 1000)
	converse(t, func(p *phone) {
		for range 100 {
			p.raw(flood)
			time.Sleep(100 * time.Millisecond)
		}
		p.expect(1, 3, nil)
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		begin := time.Now()
		if _, err := s1.Open(ctx, conn, s1.Options{}); err == nil {
			t.Error("opened")
		}
		if d := time.Since(begin); d > 9*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestOpenUnplugged(t *testing.T) {
	for name, script := range map[string]func(*phone){
		"at once":         func(p *phone) { p.unplug() },
		"in the greeting": func(p *phone) { p.raw(wire(1, 1, []byte(bootText))[:30]); p.unplug() },
		"when asked":      func(p *phone) { p.expect(1, 3, nil); p.unplug() },
	} {
		t.Run(name, func(t *testing.T) {
			converse(t, script, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
				_, err := s1.Open(ctx, conn, s1.Options{})
				var e *s1.Error
				if !errors.Is(err, usbproto.ErrGone) || !errors.As(err, &e) || e.Doing == "" {
					t.Error(err)
				}
			})
		})
	}
}

func TestOpenCancelled(t *testing.T) {
	converse(t, func(*phone) {}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Second, cancel)
		begin := time.Now()
		if _, err := s1.Open(ctx, conn, s1.Options{}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		took(t, begin, time.Second)
	})
	// A deadline of the caller is not taken for a phone that does not greet.
	converse(t, func(*phone) {}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_, err := s1.Open(ctx, conn, s1.Options{})
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, s1.ErrNotS1) {
			t.Error(err)
		}
	})
}

func TestEnd(t *testing.T) {
	converse(t, func(p *phone) {
		p.greet(loaderText)
		p.answer(4, nil, nil)
		p.unplug() // the phone is off now
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		if err := s.End(ctx); err != nil {
			t.Error(err)
		}
		if err := s.OpenTA(ctx, 2); !errors.Is(err, s1.ErrEnded) {
			t.Errorf("after the end: %v", err)
		}
		if err := s.End(ctx); !errors.Is(err, s1.ErrEnded) {
			t.Errorf("second end: %v", err)
		}
	})
	// Written units are stored when the trim area is closed (PROTOCOL.md §3.2, 10).
	converse(t, func(p *phone) {
		p.greet(loaderText)
		p.answer(9, []byte{2}, nil)
		p.answer(10, nil, nil)
		p.answer(4, nil, nil)
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		if err := errors.Join(s.OpenTA(ctx, 2), s.End(ctx)); err != nil {
			t.Error(err)
		}
	})
	// A trim area that is not closed does not keep the phone on, and is not kept secret.
	converse(t, func(p *phone) {
		p.greet(loaderText)
		p.answer(9, []byte{2}, nil)
		p.refuse(10, 3, nil, reason("MINOR", "001F", "00000000"))
		p.answer(4, nil, nil)
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		if err := s.OpenTA(ctx, 2); err != nil {
			t.Error(err)
		}
		var r *s1.Refusal
		if err := s.End(ctx); !errors.As(err, &r) || r.Command != s1.CmdCloseTA {
			t.Error(err)
		}
		if err := s.End(ctx); !errors.Is(err, s1.ErrEnded) {
			t.Errorf("second end: %v", err)
		}
	})
	converse(t, func(p *phone) {
		p.greet(loaderText)
		p.refuse(4, 3, nil, reason("MINOR", "005C", "80110002"))
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		var r *s1.Refusal
		if err := s.End(ctx); !errors.As(err, &r) || r.Command != s1.CmdEnd {
			t.Error(err)
		}
	})
	// Gone before it confirmed: that the phone has ended the session is not certain.
	converse(t, func(p *phone) {
		p.greet(loaderText)
		p.expect(4, 3, nil)
		p.unplug()
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		if err := s.End(ctx); !errors.Is(err, usbproto.ErrGone) {
			t.Error(err)
		}
	})
}
