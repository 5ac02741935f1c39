package command_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"xflash/usbproto"
	"xflash/usbproto/command"
)

// opened runs Open against a script and gives what it logged.
func opened(t *testing.T, script func(*phone), check func(ctx context.Context, t *testing.T, s *command.Session, err error, log []string)) {
	t.Helper()
	converse(t, script, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		var log []string
		s, err := command.Open(ctx, conn, command.Options{Log: func(text string) { log = append(log, text) }})
		check(ctx, t, s, err, log)
	})
}

// The download limit is what the first question is about; a phone that does not tell it is believed after three.
func TestOpenLimit(t *testing.T) {
	const ask = "getvar:max-download-size"
	for answer, c := range map[string]struct {
		limit int64
		asked int
	}{
		"OKAY104857600":           {104857600, 1},
		"OKAY805306368":           {805306368, 1},
		"OKAY4294967296":          {1 << 32, 1},
		"OKAY9223372036854775808": {0, 3},
		"OKAY-1":                  {0, 3},
		"OKAY0":                   {0, 3},
		"OKAY0x6400000":           {0, 3},
		"OKAY":                    {0, 3},
		"FAILsim: not supported":  {0, 3},
		"OKAY104857600\x00":       {104857600, 1},
		"O\x00KAY":                {-1, 3},
	} {
		t.Run(fmt.Sprintf("%q", answer), func(t *testing.T) {
			opened(t, func(p *phone) {
				for range c.asked {
					p.answer(ask, answer)
				}
			}, func(ctx context.Context, t *testing.T, s *command.Session, err error, _ []string) {
				if c.limit < 0 {
					var stray *command.StrayError
					if !errors.As(err, &stray) {
						t.Errorf("got %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got, told := s.MaxDownload(); got != c.limit || told != (c.limit > 0) {
					t.Errorf("got %d, %t", got, told)
				}
			})
		})
	}
}

// Leftovers of an earlier program are discarded and reported; a value that is in fact its answer is asked for again.
func TestOpenAfterAnotherProgram(t *testing.T) {
	const ask = "getvar:max-download-size"
	for name, script := range map[string]func(*phone){
		"answers before": func(p *phone) {
			p.send("DATA00000020", string(pattern(32)), "OKAY")
			p.hello()
		},
		"an answer for ours": func(p *phone) { // it comes when the first command arrives
			p.expect(ask)
			p.send("OKAY4096", "OKAY104857600")
			p.hello()
		},
		"garbage, then the answer": func(p *phone) {
			p.expect(ask)
			p.send("rest of some data", "OKAY104857600")
			p.hello()
		},
		"the end of a download": func(p *phone) { // the first command filled it, and its rest is a command that nobody knows
			p.expect(ask)
			p.send("OKAY")
			synctest.Wait()
			p.send("FAILsim: unknown command")
			p.hello()
		},
	} {
		t.Run(name, func(t *testing.T) {
			opened(t, script, func(ctx context.Context, t *testing.T, s *command.Session, err error, log []string) {
				if err != nil {
					t.Fatal(err)
				}
				if n, _ := s.MaxDownload(); n != 104857600 {
					t.Errorf("the limit is %d", n)
				}
				if !slices.ContainsFunc(log, func(s string) bool { return strings.Contains(s, "discarded") }) {
					t.Errorf("not said: %q", log)
				}
			})
		})
	}
}

// A phone that does not stop talking is not worked with.
func TestOpenOutOfStep(t *testing.T) {
	opened(t, func(p *phone) {
		for range 3 {
			p.answer("getvar:max-download-size", "OKAY104857600", "OKAY104857600")
		}
	}, func(ctx context.Context, t *testing.T, s *command.Session, err error, _ []string) {
		var stray *command.StrayError
		if !errors.As(err, &stray) {
			t.Errorf("got %v", err)
		}
	})
}

// A phone that waits for the rest of a download of a dead program takes commands and answers none. It is asked twice.
func TestOpenInsideADownload(t *testing.T) {
	opened(t, func(p *phone) {
		p.expect("getvar:max-download-size")
		p.expect("getvar:max-download-size")
	}, func(ctx context.Context, t *testing.T, s *command.Session, err error, log []string) {
		var silent *command.SilentError
		if !errors.As(err, &silent) || !silent.Taken || !errors.Is(err, usbproto.ErrTimeout) {
			t.Fatalf("got %v", err)
		}
		words(t, err, "waits for the rest of a download")
		if len(log) != 1 {
			t.Errorf("log: %q", log)
		}
	})
}

// "It just worked the second time" (PROTOCOL.md §1.5).
func TestOpenSecondTime(t *testing.T) {
	opened(t, func(p *phone) {
		p.expect("getvar:max-download-size")
		p.hello()
	}, func(ctx context.Context, t *testing.T, s *command.Session, err error, log []string) {
		if err != nil || len(log) != 1 {
			t.Errorf("%v, %q", err, log)
		}
	})
}

// stuck is a pipe that takes nothing.
type stuck struct{}

func (stuck) Read(ctx context.Context, _ []byte) (int, error)  { return wait(ctx, "read") }
func (stuck) Write(ctx context.Context, _ []byte) (int, error) { return wait(ctx, "write") }
func (stuck) Close() error                                     { return nil }

func wait(ctx context.Context, op string) (int, error) {
	<-ctx.Done()
	return 0, &usbproto.TransferError{Op: op, Device: "test", Err: usbproto.ContextError(ctx)}
}

// A phone that does not even take the command.
func TestOpenStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := command.Open(t.Context(), stuck{}, command.Options{})
		var silent *command.SilentError
		if !errors.As(err, &silent) || silent.Taken {
			t.Errorf("got %v", err)
		}
		words(t, err, "accepts no command")
		if waited := time.Since(start); waited > 15*time.Second {
			t.Errorf("it took %s", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err = command.Open(ctx, stuck{}, command.Options{}); !errors.Is(err, usbproto.ErrTimeout) || errors.As(err, &silent) {
			t.Errorf("the end of the context became %v", err)
		}
	})
}

// The end of a session, and a phone that refuses it.
func TestEnd(t *testing.T) {
	for _, c := range []struct {
		script func(*phone)
		fails  bool
	}{
		{func(p *phone) { p.answer("powerdown", "OKAY") }, false},
		{func(p *phone) { p.answer("powerdown", "FAILsim: no") }, true},
		{func(p *phone) { // it is gone before the answer was read
			p.expect("powerdown")
			_ = p.c.Close()
		}, false},
	} {
		inSession(t, c.script, func(ctx context.Context, t *testing.T, s *command.Session) {
			if err := s.End(ctx); (err != nil) != c.fails {
				t.Errorf("%v", err)
			} else if err == nil {
				over(ctx, t, s)
			}
		})
	}
}

// While a person thinks the phone is asked something every ten seconds; the session can be used afterwards.
func TestKeepAlive(t *testing.T) {
	inSession(t, func(p *phone) {
		p.answer("getvar:version", "OKAY0.4")
		p.answer("getvar:version", "FAILversion not supported")
		p.answer("getvar:version", "OKAY0.4")
		p.answer("getvar:product", "OKAYG8341")
	}, func(ctx context.Context, t *testing.T, s *command.Session) {
		stop := s.KeepAlive(ctx)
		time.Sleep(35 * time.Second)
		no(t, stop())
		_, err := s.Var(ctx, "product")
		no(t, err)
	})
	// A phone that leaves meanwhile is noticed.
	inSession(t, func(p *phone) { p.expect("getvar:version"); _ = p.c.Close() }, func(ctx context.Context, t *testing.T, s *command.Session) {
		stop := s.KeepAlive(ctx)
		time.Sleep(time.Minute)
		if err := stop(); !errors.Is(err, usbproto.ErrGone) {
			t.Errorf("got %v", err)
		}
	})
	inSession(t, func(p *phone) {}, func(ctx context.Context, t *testing.T, s *command.Session) {
		soon, cancel := context.WithCancel(ctx)
		stop := s.KeepAlive(soon)
		cancel()
		time.Sleep(time.Minute)
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
