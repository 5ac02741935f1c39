package s1_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// reading is a session up to the question for unit 2210, whose answer a test scripts.
func reading(t *testing.T, script func(*phone), check func(ctx context.Context, t *testing.T, s *s1.Session, data []byte, err error)) {
	t.Helper()
	converse(t, func(p *phone) {
		p.greet(loaderText)
		p.answer(9, []byte{2}, nil)
		script(p)
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		if err := s.OpenTA(ctx, 2); err != nil {
			t.Error(err)
			return
		}
		data, err := s.ReadUnit(ctx, 2210)
		check(ctx, t, s, data, err)
	})
}

// Every refusal is followed at once by command 7, and the text is taken apart in the
// grammars of all generations (internal/explain/ERRORS.md §1.2).
func TestRefusal(t *testing.T) {
	for name, c := range map[string]struct {
		text                    string
		severity, code, dynamic string
		extra                   map[string]string
		limited, fatal, noUnit  bool
	}{
		"absent unit": {text: string(reason("MINOR", "0025", "00000000")), severity: "MINOR", code: "0025", dynamic: "00000000", noUnit: true},
		"fatal":       {text: string(reason("MAJOR", "0017", "8011001C")), severity: "MAJOR", code: "0017", dynamic: "8011001C", fatal: true},
		"fetched before": {text: string(reason("NONE", "0000", "")), severity: "NONE", code: "0000",
			limited: true, fatal: true},
		"after a fatal one": {text: string(reason("MINOR", "0010", "80110002")), severity: "MINOR", code: "0010", dynamic: "80110002",
			limited: true, fatal: true},
		"of 2010": {text: `ERR_SEVERITY="MAJOR";ERR_CLASS="SECURITY_CLASS";ERR_STATIC="SIN_HEAD_VER";ERR_DYNAMIC="SIN header verification failed";` + "\x00",
			severity: "MAJOR", dynamic: "SIN header verification failed", fatal: true,
			extra: map[string]string{"ERR_CLASS": "SECURITY_CLASS", "ERR_STATIC": "SIN_HEAD_VER"}},
		"of 2012": {text: `ERR_SEVERITY="MINOR";ERR_CODE="0013";ERR_DYNAMIC="read TA unit fail";`,
			severity: "MINOR", code: "0013", dynamic: "read TA unit fail", noUnit: true},
		"unknown command of 2012": {text: `ERR_SEVERITY="MINOR";ERR_CODE="0010";ERR_DYNAMIC="Unknown";` + "\x00",
			severity: "MINOR", code: "0010", dynamic: "Unknown"},
		"of 2013": {text: string(reason("MINOR", "0017", "0x80080021 ")), severity: "MINOR", code: "0017", dynamic: "0x80080021 "},
		"of 2014": {text: string(reason("MINOR", "0017", "FAC_CORE_SECMGR - ERR_ROOT_CERT_TYPE_CHECK")),
			severity: "MINOR", code: "0017", dynamic: "FAC_CORE_SECMGR - ERR_ROOT_CERT_TYPE_CHECK"},
		"no grammar": {text: "HELP"},
		"nothing":    {text: ""},
	} {
		t.Run(name, func(t *testing.T) {
			reading(t, func(p *phone) {
				p.refuse(12, 3, unit(2210), []byte(c.text))
				p.answer(10, nil, nil) // the session continues
			}, func(ctx context.Context, t *testing.T, s *s1.Session, data []byte, err error) {
				var r *s1.Refusal
				if !errors.As(err, &r) || data != nil {
					t.Fatalf("%q, %v", data, err)
				}
				raw := strings.TrimRight(c.text, "\x00")
				if r.Raw != raw || r.Severity != c.severity || r.Code != c.code || r.Dynamic != c.dynamic || !maps.Equal(r.Extra, c.extra) {
					t.Errorf("%+v", r)
				}
				if r.Limited() != c.limited || r.Fatal() != c.fatal || r.NoUnit() != c.noUnit {
					t.Errorf("limited %v, fatal %v, no unit %v", r.Limited(), r.Fatal(), r.NoUnit())
				}
				if r.Command != s1.CmdReadUnit || r.Packet != 2 || !strings.Contains(r.Error(), "unit 2210") || !strings.Contains(r.Error(), raw) {
					t.Errorf("command %v, packet %d: %v", r.Command, r.Packet, r)
				}
				if err := s.CloseTA(ctx); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A phone that refuses the question for the reason has given none; it is not asked again.
func TestRefusalWithoutReason(t *testing.T) {
	reading(t, func(p *phone) {
		p.expect(12, 3, unit(2210))
		p.send(12, 0, nil)
		p.expect(7, 3, nil)
		p.send(7, 0, nil)
		p.answer(10, nil, nil)
	}, func(ctx context.Context, t *testing.T, s *s1.Session, _ []byte, err error) {
		var r *s1.Refusal
		if !errors.As(err, &r) || r.Raw != "" || r.Fatal() || !strings.Contains(r.Error(), "no reason") {
			t.Error(err)
		}
		if err := s.CloseTA(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestRefusalReasonLost(t *testing.T) {
	for name, c := range map[string]struct {
		then  func(*phone)
		cause error
	}{
		"silence": {func(*phone) {}, usbproto.ErrTimeout},
		"unplug":  {func(p *phone) { p.unplug() }, usbproto.ErrGone},
	} {
		t.Run(name, func(t *testing.T) {
			reading(t, func(p *phone) {
				p.expect(12, 3, unit(2210))
				p.send(12, 0, nil)
				p.expect(7, 3, nil)
				c.then(p)
			}, func(ctx context.Context, t *testing.T, s *s1.Session, _ []byte, err error) {
				var e *s1.Error
				if !errors.Is(err, c.cause) || !errors.As(err, &e) || !strings.Contains(e.Doing, "refused") {
					t.Error(err)
				}
				if err := s.CloseTA(ctx); !errors.Is(err, s1.ErrEnded) || !errors.Is(err, c.cause) {
					t.Errorf("the session continues: %v", err)
				}
			})
		})
	}
}

// After a limit that passed the phone is asked once what is the matter, and the session
// is over (PROTOCOL.md §2.5, §5).
func TestTimeout(t *testing.T) {
	for name, c := range map[string]struct {
		script func(*phone)
		took   time.Duration
		detail string
	}{
		"silence": {func(p *phone) { p.expect(12, 3, unit(2210)); p.expect(7, 3, nil) }, 6 * time.Second, ""},
		"told": {func(p *phone) {
			p.expect(12, 3, unit(2210))
			p.answer(7, nil, reason("MAJOR", "0017", "80030004"))
		}, 5 * time.Second, `ERR_SEVERITY="MAJOR";ERR_CODE="0017";ERR_DYNAMIC="80030004";`},
		"late answer": {func(p *phone) {
			p.expect(12, 3, unit(2210))
			time.Sleep(5500 * time.Millisecond)
			p.send(12, 1, []byte("D5803"))
			p.answer(7, nil, reason("NONE", "0000", ""))
		}, 5500 * time.Millisecond, `ERR_SEVERITY="NONE";ERR_CODE="0000";ERR_DYNAMIC="";`},
		// The rest of an answer may still come, so nothing else is asked.
		"half an answer":  {func(p *phone) { p.expect(12, 3, unit(2210)); p.raw(wire(12, 1, []byte("D5803"))[:15]) }, 5 * time.Second, ""},
		"drip by drip":    {func(p *phone) { p.expect(12, 3, unit(2210)); drip(p, wire(12, 1, []byte("D5803"))) }, 5 * time.Second, ""},
		"greetings only":  {func(p *phone) { p.expect(12, 3, unit(2210)); p.greet(bootText); p.expect(7, 3, nil) }, 6 * time.Second, ""},
		"refuses to tell": {func(p *phone) { p.expect(12, 3, unit(2210)); p.expect(7, 3, nil); p.send(7, 0, nil) }, 5 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			reading(t, c.script, func(ctx context.Context, t *testing.T, s *s1.Session, _ []byte, err error) {
				took(t, bubbleBegin, c.took)
				var e *s1.Error
				if !errors.Is(err, usbproto.ErrTimeout) || !errors.As(err, &e) {
					t.Fatal(err)
				}
				if e.Detail != c.detail || e.Command != s1.CmdReadUnit || e.Packet != 2 || !strings.Contains(e.Error(), "reading unit 2210") {
					t.Errorf("%+v: %v", e, e)
				}
				if err := s.CloseTA(ctx); !errors.Is(err, s1.ErrEnded) {
					t.Errorf("the session continues: %v", err)
				}
			})
		})
	}
}

// drip sends a byte a second: a limit holds for the whole answer.
func drip(p *phone, b []byte) {
	for _, x := range b {
		p.raw([]byte{x})
		time.Sleep(time.Second)
	}
}

func TestBrokenReplies(t *testing.T) {
	damage := func(at int) func(*phone) {
		return func(p *phone) {
			b := wire(12, 1, []byte("D5803\x00"))
			b[at] ^= 0x10
			p.raw(b)
		}
	}
	for name, c := range map[string]struct {
		send func(*phone)
		want string
	}{
		"header damaged": {damage(7), "checksum"},
		"data damaged":   {damage(14), "checksum"},
		"CRC damaged":    {damage(22), "checksum"},
		"other command":  {func(p *phone) { p.send(13, 1, nil) }, "it answers write unit (13), but the command was read unit (12)"},
		"other refusal":  {func(p *phone) { p.send(0x80, 0, nil) }, "command 128"},
		"no command":     {func(p *phone) { p.send(0, 1, nil) }, "command 0"},
		"too long":       {func(p *phone) { p.raw(fromHex(t, "0000000C 00000001 00800001 93")) }, "8388609 bytes"},
		"unknown flags":  {func(p *phone) { p.send(12, 0x11, nil) }, "flags"},
		"greetings forever": {func(p *phone) {
			for range 100 {
				p.greet(bootText)
			}
		}, "unrequested"},
	} {
		t.Run(name, func(t *testing.T) {
			reading(t, func(p *phone) {
				p.expect(12, 3, unit(2210))
				c.send(p)
			}, func(ctx context.Context, t *testing.T, s *s1.Session, data []byte, err error) {
				var e *s1.Error
				var pe *s1.PacketError
				if !errors.As(err, &e) || !errors.As(err, &pe) || !strings.Contains(pe.Reason, c.want) {
					t.Fatalf("%q %v, expected %q", data, err, c.want)
				}
				if e.Packet != 2 || !strings.Contains(err.Error(), "unit 2210") {
					t.Errorf("%v", err)
				}
				if err := s.CloseTA(ctx); !errors.Is(err, s1.ErrEnded) {
					t.Errorf("the session continues: %v", err)
				}
			})
		})
	}
}

// A context that ended between two packets costs nothing; in the middle of one it ends
// the session.
func TestCancel(t *testing.T) {
	converse(t, func(p *phone) {
		p.greet(loaderText)
		p.answer(9, []byte{2}, nil)
		p.expect(12, 3, unit(2210))
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.OpenTA(gone, 2); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := s.OpenTA(ctx, 2); err != nil {
			t.Error(err)
		}
		soon, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Second, cancel)
		begin := time.Now()
		if _, err := s.ReadUnit(soon, 2210); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		took(t, begin, time.Second)
		if err := s.CloseTA(ctx); !errors.Is(err, s1.ErrEnded) {
			t.Errorf("the session continues: %v", err)
		}
	})
	// A deadline of the caller counts like one of the session; then nothing more is asked.
	converse(t, func(p *phone) {
		p.greet(loaderText)
		p.expect(9, 3, []byte{2})
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		begin := time.Now()
		if err := s.OpenTA(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		took(t, begin, 2*time.Second)
	})
	// Close from another goroutine cuts off a command that waits.
	converse(t, func(p *phone) {
		p.greet(loaderText)
		p.expect(9, 3, []byte{2})
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s := open(ctx, t, conn, s1.Options{})
		time.AfterFunc(time.Second, func() { _ = s.Close() })
		if err := s.OpenTA(ctx, 2); !errors.Is(err, usbproto.ErrClosed) {
			t.Error(err)
		}
	})
}
