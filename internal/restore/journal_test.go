package restore_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"xflash/internal/restore"
	"xflash/internal/simphone"
)

// halfway is a restore that was stopped while system was sent.
func halfway(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, simphone.Options{})
	stop := make(chan struct{})
	asked := false
	err := b.attempt(restore.Request{}, false, restore.RunOptions{Stop: stop, Emit: func(e restore.Event) {
		if s, ok := e.(restore.Sending); ok && s.Step.Name == "system" && !asked {
			asked = true
			close(stop)
		}
	}})
	if !errors.As(err, new(*restore.Stopped)) {
		t.Fatal(err)
	}
	return b
}

// journalFile finds the only journal.
func journalFile(t *testing.T, b *bench) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(b.store.Dir, "*.json"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	return names[0]
}

// TestJournalIsRefused: a journal that is damaged, from a newer version, or about another
// phone or bundle is not used, and the reason is given.
func TestJournalIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, b *bench, file string)
		says   string
	}{
		{"cut off", func(t *testing.T, _ *bench, file string) {
			rewrite(t, file, func(d []byte) []byte { return d[:len(d)/2] })
		}, "damaged"},
		{"newer version", func(t *testing.T, _ *bench, file string) {
			rewrite(t, file, func(d []byte) []byte { return bytes.Replace(d, []byte(`"version": 1`), []byte(`"version": 99`), 1) })
		}, "another version"},
		{"another phone", func(t *testing.T, b *bench, _ string) { b.phone = newPhone(t, simphone.Options{Serial: "OTHER12345"}) }, "no unfinished restore"},
		{"another way", func(t *testing.T, _ *bench, file string) {
			rewrite(t, file, func(d []byte) []byte {
				return bytes.Replace(d, []byte(`"request": {}`), []byte(`"request": {"route": "fastboot"}`), 1)
			})
		}, "through fastboot"},
		{"another bundle", func(t *testing.T, b *bench, _ string) { b.fw.Identity = "another" }, "another bundle"},
		{"another plan", func(t *testing.T, _ *bench, file string) {
			rewrite(t, file, func(d []byte) []byte { return bytes.Replace(d, []byte(`"plan_hash": "`), []byte(`"plan_hash": "0`), 1) })
		}, "a different plan"},
		{"more steps done", func(t *testing.T, _ *bench, file string) {
			rewrite(t, file, func(d []byte) []byte {
				return regexp.MustCompile(`"done": (\d+)`).ReplaceAll(d, []byte(`"done": ${1}0`))
			})
		}, "steps"},
		{"a step more done", func(t *testing.T, _ *bench, file string) {
			rewrite(t, file, func(d []byte) []byte {
				return regexp.MustCompile(`"doing": "[^"]*"`).ReplaceAll(d, []byte(`"doing": "closing the trim area"`))
			})
		}, "it was changed"},
		{"a pipe", func(t *testing.T, _ *bench, file string) {
			if err := errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600)); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := halfway(t)
			tt.change(t, b, journalFile(t, b))
			err := b.attempt(restore.Request{}, true, restore.RunOptions{})
			var refused *restore.JournalError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want something about %q", err, tt.says)
			}
		})
	}
}

func rewrite(t *testing.T, file string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, change(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestJournalHoldsNoIdentity: serial number, IMEI and chip id of the simulated phone are
// nowhere in the journal.
func TestJournalHoldsNoIdentity(t *testing.T) {
	b := halfway(t)
	data, err := os.ReadFile(journalFile(t, b))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{b.phone.Serial(), "0049990106400", "0011223344556677"} {
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("the journal holds %q", secret)
		}
	}
}

// TestJournalThatCannotBeWritten: a restore that could not be resumed does not start.
func TestJournalThatCannotBeWritten(t *testing.T) {
	b := newBench(t, simphone.Options{})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.store = restore.Store{Dir: filepath.Join(file, "below")} // a file is not a folder
	if err := b.attempt(restore.Request{}, false, restore.RunOptions{}); err == nil || !strings.Contains(err.Error(), "journal") {
		t.Errorf("got %v", err)
	}
	if got := b.unit(10100); !bytes.Equal(got, []byte{0}) {
		t.Errorf("unit 10100 is %X", got)
	}
}

// TestSamePlanEveryTime: plans of the same inputs are equal to the byte.
func TestSamePlanEveryTime(t *testing.T) {
	fw, err := small()
	if err != nil {
		t.Fatal(err)
	}
	var text, machine, hash string
	for i := range 3 {
		checked, err := check(t, fw.Bundle, restore.Request{})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := restore.Build(checked, nil, restore.Request{Model: "D5803"})
		if err != nil {
			t.Fatal(err)
		}
		form, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && (plan.Text() != text || string(form) != machine || plan.Hash() != hash) {
			t.Fatal("the plan differs")
		}
		text, machine, hash = plan.Text(), string(form), plan.Hash()
	}
	for _, line := range strings.Split(text, "\n") {
		if len([]rune(line)) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
	other, err := check(t, fw.Bundle, restore.Request{Wipe: true})
	if err != nil {
		t.Fatal(err)
	}
	if plan, err := restore.Build(other, nil, restore.Request{Wipe: true}); err != nil || plan.Hash() == hash || !plan.Wipes {
		t.Errorf("a wipe is no other plan: %v", err)
	}
}
