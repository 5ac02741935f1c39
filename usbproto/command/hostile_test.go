package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"xflash/usbproto"
	"xflash/usbproto/command"
)

// over fails unless the session is over.
func over(ctx context.Context, t *testing.T, s *command.Session) {
	t.Helper()
	if _, err := s.Var(ctx, "product"); !errors.Is(err, command.ErrEnded) {
		t.Errorf("the session continues: %v", err)
	}
}

// Answers that break the protocol end the session: which one comes next is unknown.
func TestBrokenAnswers(t *testing.T) {
	getvar := func(ctx context.Context, s *command.Session) error { _, err := s.Var(ctx, "product"); return err }
	hash := func(ctx context.Context, s *command.Session) error { _, err := s.RootKeyHash(ctx); return err }
	send := func(ctx context.Context, s *command.Session) error {
		return s.Download(ctx, bytes.NewReader(pattern(16)), 16, nil)
	}
	form := func(ctx context.Context, s *command.Session) error { return s.ProbeSignature(ctx) }
	const ask, askHash, askSend, askForm = "getvar:product", "Get-root-key-hash", "download:00000010", "signature:00000000"
	for name, c := range map[string]struct {
		do      func(ctx context.Context, s *command.Session) error
		command string
		answers []string
		reason  string
	}{
		"another word":               {getvar, ask, []string{"INFOstill here"}, "an answer must start with"},
		"lower case":                 {getvar, ask, []string{"okay"}, "an answer must start with"},
		"DATA in place of a value":   {getvar, ask, []string{"DATA00000010"}, "has no data"},
		"endless value":              {getvar, ask, []string{"OKAY" + strings.Repeat("x", 6000)}, "does not end"},
		"only zeros":                 {getvar, ask, []string{strings.Repeat("\x00", 6000)}, "only zeros"},
		"a value in place of DATA":   {hash, askHash, []string{"OKAY2"}, "DATA must come first"},
		"OKAY in place of DATA":      {hash, askHash, []string{"OKAY"}, "DATA must come first"},
		"digits that are none":       {hash, askHash, []string{"DATA0000x020"}, "eight hexadecimal digits"},
		"a sign":                     {hash, askHash, []string{"DATA+0000020"}, "eight hexadecimal digits"},
		"4 GiB":                      {hash, askHash, []string{"DATAffffffff"}, "the limit is 64 bytes"},
		"more than there is":         {hash, askHash, []string{"DATA00000041"}, "the limit is 64 bytes"},
		"more in several DATA":       {hash, askHash, []string{"DATA00000020" + strings.Repeat("x", 32), "DATA00000021"}, "the limit is 64 bytes"},
		"DATA forever":               {hash, askHash, []string{strings.Repeat("DATA00000000", 30)}, "more than 16 DATA"},
		"OKAY before the bytes":      {send, askSend, []string{"OKAY"}, "DATA must come before"},
		"another number of bytes":    {send, askSend, []string{"DATA00000011"}, "a number of bytes other than"},
		"DATA of 4 GiB":              {send, askSend, []string{"DATAffffffff"}, "a number of bytes other than"},
		"DATA after the bytes":       {send, askSend, []string{"DATA00000010", "take", "DATA00000010"}, "OKAY must come after"},
		"a probe that wants bytes":   {form, askForm, []string{"DATA00000010"}, "DATA00000000 or FAIL"},
		"a probe that says OKAY":     {form, askForm, []string{"OKAY"}, "DATA00000000 or FAIL"},
		"a probe with DATA and DATA": {form, askForm, []string{"DATA00000000", "DATA00000000"}, "OKAY must come after"},
	} {
		t.Run(name, func(t *testing.T) {
			inSession(t, func(p *phone) {
				p.expect(c.command)
				for _, a := range c.answers {
					if a == "take" {
						p.take(16)
					} else {
						p.send(a)
					}
				}
			}, func(ctx context.Context, t *testing.T, s *command.Session) {
				err := c.do(ctx, s)
				var broken *command.AnswerError
				if !errors.As(err, &broken) || broken.Command != c.command || !strings.Contains(broken.Reason, c.reason) {
					t.Errorf("got %v", err)
				}
				over(ctx, t, s)
			})
		})
	}
}

// Answers that nobody asked for are noticed before the next command, at the latest before one that changes the phone.
func TestOutOfStep(t *testing.T) {
	stray := func(t *testing.T, err error, got string) {
		t.Helper()
		var e *command.StrayError
		if !errors.As(err, &e) || !strings.HasPrefix(e.Got, got) {
			t.Errorf("got %v", err)
		}
	}
	t.Run("in the same transfer", func(t *testing.T) {
		inSession(t, func(p *phone) { p.answer("getvar:product", "OKAYOKAYG8341") }, func(ctx context.Context, t *testing.T, s *command.Session) {
			_, err := s.Var(ctx, "product")
			stray(t, err, "OKAYOKAY")
			over(ctx, t, s)
		})
	})
	t.Run("after data", func(t *testing.T) {
		inSession(t, func(p *phone) { p.answer("Read-TA:2:2210", "DATA00000004abcdOKAYOKAYabcd") }, func(ctx context.Context, t *testing.T, s *command.Session) {
			_, err := s.ReadTA(ctx, 2, 2210)
			stray(t, err, "OKAYOKAY")
			over(ctx, t, s)
		})
	})
	t.Run("late, before an erase", func(t *testing.T) {
		inSession(t, func(p *phone) {
			p.answer("signature:00000000", "FAILsim: unknown")
			p.download(pattern(30))
			p.answer("signature", "OKAY")
			p.download(pattern(10))
			p.send("OKAY")
		}, func(ctx context.Context, t *testing.T, s *command.Session) {
			no(t, s.Sign(ctx, pattern(30)))
			no(t, s.Download(ctx, bytes.NewReader(pattern(10)), 10, nil))
			synctest.Wait()
			stray(t, s.Erase(ctx, "boot_a"), "OKAY")
			over(ctx, t, s)
		})
	})
	t.Run("late, before the flag is cleared", func(t *testing.T) {
		inSession(t, func(p *phone) {
			p.download([]byte{0})
			p.send("FAILsim: late")
		}, func(ctx context.Context, t *testing.T, s *command.Session) {
			stray(t, s.WriteTA(ctx, command.UnitUpdate, []byte{0}), "FAILsim")
			over(ctx, t, s)
		})
	})
}

// A phone that says nothing has a budget for each command, and the session is over after it.
func TestSilenceAtEveryCommand(t *testing.T) {
	signed := func(p *phone) {
		p.answer("signature:00000000", "FAILsim: unknown")
		p.download(pattern(30))
		p.answer("signature", "OKAY")
		p.download(pattern(10))
	}
	sign := func(ctx context.Context, t *testing.T, s *command.Session) {
		no(t, s.Sign(ctx, pattern(30)))
		no(t, s.Download(ctx, bytes.NewReader(pattern(10)), 10, nil))
	}
	d := command.Defaults
	for _, c := range []struct {
		command string
		limit   time.Duration
		do      func(ctx context.Context, s *command.Session) error
		before  string
	}{
		{"getvar:product", d.Answer, func(ctx context.Context, s *command.Session) error { _, err := s.Var(ctx, "product"); return err }, ""},
		{"Get-root-key-hash", d.Answer, func(ctx context.Context, s *command.Session) error { _, err := s.RootKeyHash(ctx); return err }, ""},
		{"Get-ufs-info", d.Answer, func(ctx context.Context, s *command.Session) error { _, err := s.UFSInfo(ctx); return err }, ""},
		{"Get-emmc-info", d.Answer, func(ctx context.Context, s *command.Session) error { _, err := s.EMMCInfo(ctx); return err }, ""},
		{"Read-TA:2:2210", d.Answer, func(ctx context.Context, s *command.Session) error { _, err := s.ReadTA(ctx, 2, 2210); return err }, ""},
		{"Read-all-TA:1", d.Answer, func(ctx context.Context, s *command.Session) error { _, err := s.ReadAllTA(ctx, 1); return err }, ""},
		{"Getlog", d.Answer, func(ctx context.Context, s *command.Session) error { _, err := s.BootLog(ctx); return err }, ""},
		{"Read-partition:fsg", d.Answer, func(ctx context.Context, s *command.Session) error {
			_, err := s.ReadPartition(ctx, "fsg", io.Discard, 1<<20)
			return err
		}, ""},
		{"signature:00000000", d.Answer, func(ctx context.Context, s *command.Session) error { return s.ProbeSignature(ctx) }, ""},
		{"download:00000001", d.Answer, func(ctx context.Context, s *command.Session) error {
			return s.WriteTA(ctx, command.UnitUpdate, []byte{1})
		}, ""},
		{"erase:boot_a", d.Work, func(ctx context.Context, s *command.Session) error { return s.Erase(ctx, "boot_a") }, "signed"},
		{"Repartition:0", d.Work, func(ctx context.Context, s *command.Session) error { return s.Repartition(ctx, 0) }, "signed"},
		{"set_active:a", d.Work, func(ctx context.Context, s *command.Session) error { return s.SetActiveA(ctx) }, ""},
		{"Sync", d.Sync, func(ctx context.Context, s *command.Session) error { return s.Sync(ctx) }, ""},
		{"powerdown", d.Answer, func(ctx context.Context, s *command.Session) error { return s.End(ctx) }, ""},
	} {
		t.Run(c.command, func(t *testing.T) {
			inSession(t, func(p *phone) {
				if c.before != "" {
					signed(p)
				}
				p.expect(c.command)
			}, func(ctx context.Context, t *testing.T, s *command.Session) {
				if c.before != "" {
					sign(ctx, t, s)
				}
				start := time.Now()
				err := c.do(ctx, s)
				var late *command.BudgetError
				if !errors.As(err, &late) || !errors.Is(err, usbproto.ErrTimeout) || late.Command != c.command || late.Limit != c.limit {
					t.Errorf("got %v", err)
				}
				if waited := time.Since(start); waited < c.limit || waited > c.limit+time.Second {
					t.Errorf("waited %s", waited)
				}
				over(ctx, t, s)
			})
		})
	}
}

// After the data the phone has longer, and so it has for a signature.
func TestSilenceAfterData(t *testing.T) {
	inSession(t, func(p *phone) { p.answer("download:00000010", "DATA00000010"); p.take(16) }, func(ctx context.Context, t *testing.T, s *command.Session) {
		start := time.Now()
		words(t, s.Download(ctx, bytes.NewReader(pattern(16)), 16, nil), "within 2m0s")
		took(t, start, command.Defaults.Stored)
	})
	inSession(t, func(p *phone) { p.answer("Get-root-key-hash", "DATA00000020", "half") }, func(ctx context.Context, t *testing.T, s *command.Session) {
		start := time.Now()
		_, err := s.RootKeyHash(ctx)
		words(t, err, "within 5s")
		took(t, start, command.Defaults.Answer)
	})
}

// A phone that sends one byte at a time, each of them soon, does not keep a command forever.
func TestOneByteForEver(t *testing.T) {
	for name, stream := range map[string]string{"value": "x", "zeros": "\x00"} {
		t.Run(name, func(t *testing.T) {
			inSession(t, func(p *phone) {
				p.expect("getvar:product")
				if name == "value" {
					p.send("OK", "AY")
				}
				for range 200 {
					p.silence(50 * time.Millisecond)
					p.send(stream)
				}
			}, func(ctx context.Context, t *testing.T, s *command.Session) {
				start := time.Now()
				_, err := s.Var(ctx, "product")
				var late *command.BudgetError
				if !errors.As(err, &late) {
					t.Errorf("got %v", err)
				}
				took(t, start, command.Defaults.Answer)
				over(ctx, t, s)
			})
		})
	}
}

// Sync may take minutes; a person hears that nothing moves.
func TestSlowSync(t *testing.T) {
	stalls := 0
	inSessionWith(t, command.Options{OnStall: func(what string) {
		if what == "Sync" {
			stalls++
		}
	}}, func(p *phone) {
		p.expect("Sync")
		p.silence(5*time.Minute + time.Second)
		p.send("OKAY")
	}, func(ctx context.Context, t *testing.T, s *command.Session) {
		no(t, s.Sync(ctx))
		if stalls != 10 {
			t.Errorf("%d reports of a stall", stalls)
		}
	})
}

// A context that ends at any time ends the command at once. Between two commands nothing is lost.
func TestCancelled(t *testing.T) {
	for name, c := range map[string]struct {
		script func(*phone)
		do     func(ctx context.Context, s *command.Session) error
	}{
		"waiting for a value": {func(p *phone) { p.expect("getvar:product") }, func(ctx context.Context, s *command.Session) error {
			_, err := s.Var(ctx, "product")
			return err
		}},
		"inside an answer in parts": {func(p *phone) { p.answer("getvar:product", "O") }, func(ctx context.Context, s *command.Session) error {
			_, err := s.Var(ctx, "product")
			return err
		}},
		"inside data": {func(p *phone) { p.answer("Getlog", "DATA00001000", "x") }, func(ctx context.Context, s *command.Session) error {
			_, err := s.BootLog(ctx)
			return err
		}},
		"waiting for Sync": {func(p *phone) { p.expect("Sync") }, func(ctx context.Context, s *command.Session) error { return s.Sync(ctx) }},
		"after a download": {func(p *phone) { p.answer("download:00000010", "DATA00000010"); p.take(16) }, func(ctx context.Context, s *command.Session) error {
			return s.Download(ctx, bytes.NewReader(pattern(16)), 16, nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inSession(t, c.script, func(ctx context.Context, t *testing.T, s *command.Session) {
				soon, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Second, cancel)
				start := time.Now()
				err := c.do(soon, s)
				var e *command.TransferError
				if !errors.Is(err, context.Canceled) || !errors.As(err, &e) {
					t.Errorf("got %v", err)
				}
				took(t, start, time.Second)
				over(ctx, t, s)
			})
		})
	}
	t.Run("between two commands", func(t *testing.T) {
		inSession(t, func(p *phone) { p.answer("getvar:product", "OKAYG8341") }, func(ctx context.Context, t *testing.T, s *command.Session) {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := s.Var(gone, "product"); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if got, err := s.Var(ctx, "product"); got != "G8341" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
	})
}

// An unplugged phone is told apart from a silent one.
func TestUnplugged(t *testing.T) {
	inSession(t, func(p *phone) {
		p.expect("Get-root-key-hash")
		synctest.Wait()
		_ = p.c.Close()
	}, func(ctx context.Context, t *testing.T, s *command.Session) {
		_, err := s.RootKeyHash(ctx)
		if !errors.Is(err, usbproto.ErrGone) {
			t.Errorf("got %v", err)
		}
		over(ctx, t, s)
	})
}

// A file that ends early leaves no phone that waits for bytes: zeros fill the download, which nothing can flash.
func TestSourceThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		source io.Reader
		want   error
		at     int64
	}{
		"short":        {bytes.NewReader(pattern(10)), io.ErrUnexpectedEOF, 0},
		"an error":     {io.MultiReader(bytes.NewReader(pattern(10)), &failing{}), errDisk, 0},
		"a later one":  {io.MultiReader(bytes.NewReader(pattern(1<<20)), &failing{}), errDisk, 1 << 20},
		"short, later": {bytes.NewReader(pattern(1<<20 + 5)), io.ErrUnexpectedEOF, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			const size = 2 << 20
			inSession(t, func(p *phone) {
				p.answer("signature:00000000", "FAILsim: unknown")
				p.download(pattern(30))
				p.answer("signature", "OKAY")
				p.answer(fmt.Sprintf("download:%08x", size), fmt.Sprintf("DATA%08x", size))
				if rest := p.take(size)[c.at:]; !bytes.Equal(rest, make([]byte, len(rest))) {
					p.fail("something else than zeros")
				}
				p.send("OKAY")
				p.answer("getvar:product", "OKAYG8341")
			}, func(ctx context.Context, t *testing.T, s *command.Session) {
				no(t, s.Sign(ctx, pattern(30)))
				err := s.Download(ctx, c.source, size, nil)
				var e *command.SourceError
				if !errors.As(err, &e) || !errors.Is(err, c.want) || e.Offset != c.at {
					t.Errorf("got %v", err)
				}
				if err := s.Erase(ctx, "boot_a"); !errors.Is(err, command.ErrState) {
					t.Errorf("erased for a file that cannot be sent: %v", err)
				}
				if _, err := s.Var(ctx, "product"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, errDisk }

// Sizes are compared in 64 bits, before a byte is sent.
func TestTooLarge(t *testing.T) {
	inSession(t, func(*phone) {}, func(ctx context.Context, t *testing.T, s *command.Session) {
		for _, n := range []int64{-1, 104857601, 1<<32 - 1, 1 << 32, 1<<32 + 1, math.MaxInt64} {
			var e *command.TooLargeError
			if err := s.Download(ctx, bytes.NewReader(nil), n, nil); !errors.As(err, &e) || e.Size != n || e.Limit != 104857600 {
				t.Errorf("%d: got %v", n, err)
			}
		}
	})
}

// A chunk of exactly the limit is sent.
func TestLargestChunk(t *testing.T) {
	converse(t, func(p *phone) {
		p.answer("getvar:max-download-size", "OKAY4096")
		p.download(pattern(4096))
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s, err := command.Open(ctx, conn, command.Options{})
		if err != nil {
			t.Fatal(err)
		}
		sent := int64(0)
		no(t, s.Download(ctx, bytes.NewReader(pattern(4096)), 4096, func(n int64) { sent = n }))
		if sent != 4096 {
			t.Errorf("progress ended at %d", sent)
		}
		var e *command.TooLargeError
		if err := s.Download(ctx, bytes.NewReader(pattern(4097)), 4097, nil); !errors.As(err, &e) {
			t.Errorf("got %v", err)
		}
	})
}
