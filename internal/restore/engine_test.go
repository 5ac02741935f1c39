package restore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// bootLabels are the partitions of the boot set of the phones in these tests.
var bootLabels = []string{"dbi", "aboot", "rpm", "s1sbl", "sbl1", "tz"}

// pulledDuring is a run that is cut off when a file is about to be sent.
func (b *bench) pulledDuring(name string) error {
	b.t.Helper()
	ctx, pull := context.WithCancel(context.Background())
	defer pull()
	return b.attemptIn(ctx, restore.Request{}, false, restore.RunOptions{Emit: func(e restore.Event) {
		if s, ok := e.(restore.StepStarted); ok && s.Step.Name == name && s.Step.Kind == restore.StepImage {
			pull()
		}
	}})
}

// A run that continues inside the boot set sends all of it again, because the loader counts
// its images in memory; one that continues after it sends none of it.
func TestSetIsSentAgainWhole(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		during string
		again  bool
	}{{"dbi", true}, {"rpm", true}, {"tz", true}, {"cache", false}, {"system", false}} {
		t.Run(tt.during, func(t *testing.T) {
			b := newBench(t, simphone.Options{})
			if err := b.pulledDuring(tt.during); err == nil {
				t.Fatal("the run did not end")
			}
			b.phone = newPhone(t, simphone.Options{Dir: b.phone.Dir()})
			var sent []string
			if err := b.attempt(restore.Request{}, true, restore.RunOptions{Emit: func(e restore.Event) {
				if s, ok := e.(restore.StepDone); ok && s.Step.Kind == restore.StepImage {
					sent = append(sent, s.Step.Partitions...)
				}
			}}); err != nil {
				t.Fatal(err)
			}
			for _, label := range bootLabels {
				if got := strings.Contains(" "+strings.Join(sent, " ")+" ", " "+label+" "); got != tt.again {
					t.Errorf("%s sent again: %t, want %t (%v)", label, got, tt.again, sent)
				}
			}
			fw, _ := small()
			b.restored(fw, written...)
		})
	}
}

// TestResumeOnAPhoneThatWasFlashedSince: another program has completed a flash, and cleared
// unit 10100. What this program would still send does not belong on top of that.
func TestResumeOnAPhoneThatWasFlashedSince(t *testing.T) {
	b := halfway(t)
	ctx := context.Background()
	s, err := s1.Open(ctx, b.phone.Conn(), b.opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.OpenTA(ctx, 2), s.WriteUnit(ctx, 10100, []byte{0}), s.CloseTA(ctx), s.Close()); err != nil {
		t.Fatal(err)
	}
	err = b.attempt(restore.Request{}, true, restore.RunOptions{})
	if !errors.As(err, new(*restore.JournalError)) || !strings.Contains(err.Error(), "flashed since") {
		t.Errorf("got %v", err)
	}
	if got := b.unit(10100); !bytes.Equal(got, []byte{0}) {
		t.Errorf("unit 10100 is %X", got)
	}
}

// TestDoneOnlyWhenTheFlashStateIsCleared: a phone acknowledges that unit 10100 is 0 and does
// not store it. It would come up in flash mode again: that is not a success.
func TestDoneOnlyWhenTheFlashStateIsCleared(t *testing.T) {
	b := newBench(t, simphone.Options{})
	closes := 0
	conn := &forgetful{Conn: b.phone.Conn(), lie: func(p s1.Packet) bool {
		if p.Command == s1.CmdCloseTA {
			closes++
		}
		return p.Command == s1.CmdReadUnit && closes > 5 && bytes.HasSuffix(p.Data, []byte{0x27, 0x74})
	}}
	err := flash(conn, b.fw, restore.Store{Dir: quickDir(t)}, short)
	var state *restore.StateError
	if !errors.As(err, &state) {
		t.Fatalf("got %v", err)
	}
}

// forgetful is a phone that answers some questions for a unit with 1.
type forgetful struct {
	usbproto.Conn
	lie    func(s1.Packet) bool
	parser s1.Parser
	out    []byte
	seen   int
}

func (f *forgetful) Write(ctx context.Context, p []byte) (int, error) {
	f.parser.MaxData = 1 << 24
	f.parser.Feed(p)
	n, err := f.Conn.Write(ctx, p)
	for err == nil {
		pk, ok, bad := f.parser.Next()
		if bad != nil || !ok {
			break
		}
		if f.lie(pk) {
			if f.seen++; f.seen > 1 { // the first is the read-back of the write
				err = f.swallow(ctx)
				f.out = s1.Packet{Command: pk.Command, Flags: 1, Data: []byte{1}}.Append(nil)
			}
		}
	}
	return n, err
}

// swallow takes the true answer away.
func (f *forgetful) swallow(ctx context.Context) error {
	answer := s1.Parser{MaxData: 1 << 24}
	buf := make([]byte, 512)
	for {
		n, err := f.Conn.Read(ctx, buf)
		if err != nil {
			return err
		}
		answer.Feed(buf[:n])
		if _, ok, err := answer.Next(); ok || err != nil {
			return err
		}
	}
}

func (f *forgetful) Read(ctx context.Context, p []byte) (int, error) {
	if len(f.out) == 0 {
		return f.Conn.Read(ctx, p)
	}
	n := copy(p, f.out)
	f.out = f.out[n:]
	return n, nil
}

// TestJournalThatCannotBeRemoved: a journal that cannot be removed does not make a failure of a
// phone that has everything.
func TestJournalThatCannotBeRemoved(t *testing.T) {
	b := newBench(t, simphone.Options{})
	var left []restore.Event
	err := b.attempt(restore.Request{}, false, restore.RunOptions{Emit: func(e restore.Event) {
		switch e := e.(type) {
		case restore.StepStarted:
			if e.Step.Kind == restore.StepEnd { // a folder with something in it cannot be removed as a file
				file := journalFile(t, b)
				if err := errors.Join(os.Remove(file), os.MkdirAll(filepath.Join(file, "x"), 0o700)); err != nil {
					t.Error(err)
				}
			}
		case restore.JournalLeft:
			left = append(left, e)
		}
	}})
	if err != nil || len(left) != 1 {
		t.Errorf("got %v and %v", err, left)
	}
	if got := b.unit(10100); !bytes.Equal(got, []byte{0}) {
		t.Errorf("unit 10100 is %X", got)
	}
}

// TestStateDiskFull: from some step on the journal cannot be written. The run stops at the
// next place where that is safe, outside the boot set, and can be continued.
func TestStateDiskFull(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"flash state", "s1sbl", "kernel"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, simphone.Options{})
			away := b.store.Dir + "-away"
			full := false
			err := b.attempt(restore.Request{}, false, restore.RunOptions{Emit: func(e restore.Event) {
				if e, ok := e.(restore.StepDone); ok && e.Step.Name == name && !full {
					full = true
					if err := errors.Join(os.Rename(b.store.Dir, away), os.WriteFile(b.store.Dir, nil, 0o600)); err != nil {
						t.Error(err)
					}
				}
			}})
			var record *restore.RecordError
			if !errors.As(err, &record) {
				t.Fatalf("got %v", err)
			}
			if record.Step.Name != "" && strings.Contains("aboot rpm s1sbl sbl1 tz", record.Step.Name) {
				t.Errorf("it stopped inside the boot set, before %s", record.Step.Name)
			}
			if err := errors.Join(os.Remove(b.store.Dir), os.Rename(away, b.store.Dir)); err != nil {
				t.Fatal(err)
			}
			if err := b.attempt(restore.Request{}, true, restore.RunOptions{}); err != nil {
				t.Fatal(err)
			}
			fw, _ := small()
			b.restored(fw, written...)
		})
	}
}

// TestRefusalBeforeTheFirstWriteLeavesNoJournal: there is nothing to continue.
func TestRefusalBeforeTheFirstWriteLeavesNoJournal(t *testing.T) {
	b := newBench(t, simphone.Options{HWConf: simphone.HWConfMissing})
	var step *restore.StepError
	if err := b.attempt(restore.Request{}, false, restore.RunOptions{}); !errors.As(err, &step) {
		t.Fatalf("got %v", err)
	}
	if step.Begun || step.Flashing || step.Written {
		t.Errorf("it says that something was written: %+v", step)
	}
	if left, err := filepath.Glob(filepath.Join(b.store.Dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestLock: one program at a time restores a phone, and the lock of one that has ended is
// free.
func TestLock(t *testing.T) {
	store := restore.Store{Dir: filepath.Join(t.TempDir(), "new")}
	release, err := store.Lock("aaaa")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Lock("aaaa"); !errors.Is(err, restore.ErrLocked) {
		t.Errorf("got %v", err)
	}
	other, err := store.Lock("bbbb")
	if err != nil {
		t.Fatal(err)
	}
	release()
	other()
	again, err := store.Lock("aaaa")
	if err != nil {
		t.Fatal(err)
	}
	again()
	if left, _ := filepath.Glob(filepath.Join(store.Dir, "*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// FuzzJournal resumes from any journal. What is accepted names a step of the plan, and a
// damaged one is a *JournalError, whatever is in it.
func FuzzJournal(f *testing.F) {
	fw, err := small()
	if err != nil {
		f.Fatal(err)
	}
	checked, err := check(f, fw.Bundle, restore.Request{})
	if err != nil {
		f.Fatal(err)
	}
	facts := &restore.Facts{Stage: "S1_BOOT", Identity: strings.Repeat("5e", 32), Flashing: true,
		Info: map[string]string{"VER": "S1_Boot_MSM8974AC_11", "S1_ROOT": "S1_Root_cafe", "TYPE": "S1_BOOT", "OTP_LOCK_STATUS_1": "LOCKED",
			"OTP_DATA_1": "00000000", "IDCODE_1": "107B00E1"},
		Units: map[uint32]string{2210: "D5803"}}
	store := restore.Store{Dir: f.TempDir()}
	_, journal, err := restore.PrepareRun(store, checked, facts, restore.Request{Skip: []string{"boot"}}, false)
	if err != nil {
		f.Fatal(err)
	}
	if err := journal.Step(9, "sending kernel"); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(journal.Path())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, done := range []string{"-1", "0", "1e3", "99999", "9223372036854775807"} {
		f.Add(bytes.Replace(good, []byte(`"done": 9`), []byte(`"done": `+done), 1))
	}
	f.Add(good[:len(good)/2])
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(journal.Path(), data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, j, err := restore.PrepareRun(store, checked, facts, restore.Request{}, true)
		var refused *restore.JournalError
		var problems restore.Problems
		switch {
		case err == nil:
			if j.Done < 0 || j.Done >= len(got.Steps) || got.Hash() != j.PlanHash {
				t.Errorf("step %d of %d is accepted", j.Done, len(got.Steps))
			}
		case errors.As(err, &refused), errors.As(err, &problems):
		default:
			// What the journal asks for may name nothing of the bundle.
			if json.Valid(data) && strings.Contains(err.Error(), "skip") || strings.Contains(err.Error(), "only") {
				return
			}
			t.Errorf("%T: %v", err, err)
		}
	})
}

// TestJournalBeyondThePlan: a count past the plan is damage, not Done.
func TestJournalBeyondThePlan(t *testing.T) {
	t.Parallel()
	for _, done := range []int{1000, -1} {
		b := halfway(t)
		file := journalFile(t, b)
		rewrite(t, file, func(d []byte) []byte {
			var j map[string]any
			if err := json.Unmarshal(d, &j); err != nil {
				t.Fatal(err)
			}
			j["done"] = done
			d, err := json.Marshal(j)
			if err != nil {
				t.Fatal(err)
			}
			return d
		})
		if err := b.attempt(restore.Request{}, true, restore.RunOptions{}); !errors.As(err, new(*restore.JournalError)) {
			t.Errorf("done %d: %v", done, err)
		}
		if got := b.unit(10100); !bytes.Equal(got, []byte{1}) {
			t.Errorf("done %d: unit 10100 is %X", done, got)
		}
	}
}
