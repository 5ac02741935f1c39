package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godbus/dbus/v5"
)

// TestSignalledThenResumed ends restores by every signal at random times, several of them, and
// by a reader of the output that goes away. What --resume makes of it must be what an
// undisturbed run makes, and a run that says Done must have done it.
func TestSignalledThenResumed(t *testing.T) {
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	runs := 200
	if testing.Short() {
		runs = 8
	}
	factory := newFactory(t, s)
	clean := factory(t)
	start := time.Now()
	if out, err := program(t, clean, restoreArgs(s, clean, "")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(start)
	want := endState(t, s, clean)
	rng := rand.New(rand.NewPCG(15, 2026))
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE}
	for i := range runs {
		sig := signals[i%len(signals)]
		wait, times := time.Duration(rng.Int64N(int64(whole))), 1+rng.IntN(3)
		t.Run(fmt.Sprintf("%d/%s", i, sig), func(t *testing.T) {
			dir := factory(t)
			cmd := program(t, dir, restoreArgs(s, dir, "")...)
			out := &bytes.Buffer{}
			cmd.Stdout = out
			read, write := io.Pipe()
			if sig == syscall.SIGPIPE { // the reader of the talk is gone from the start
				read.Close()
			} else {
				go io.Copy(io.Discard, read)
			}
			cmd.Stderr = write
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(wait)
			for range times {
				_ = cmd.Process.Signal(sig) // it may have ended
				time.Sleep(20 * time.Millisecond)
			}
			err := cmd.Wait()
			code := cmd.ProcessState.ExitCode()
			if done := strings.Contains(out.String(), "Done"); done != (code == 0) {
				t.Fatalf("exit code %d (%v), and it says %q", code, err, out)
			}
			finish(t, s, dir)
			if got := endState(t, s, dir); got != want {
				t.Fatalf("after %s and exit code %d the phone ends with\n%s\nwant\n%s", sig, code, got, want)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// finish continues a restore if there is one to continue, else it starts one.
func finish(t *testing.T, s shared, dir string) {
	t.Helper()
	resume := []string{"--resume"}
	if journals, _ := filepath.Glob(filepath.Join(dir, "state", "xflash", "*.json")); len(journals) == 0 {
		resume = nil
	}
	if out, err := program(t, dir, restoreArgs(s, dir, "", resume...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", resume, err, out)
	}
}

// slowRestore starts a restore that answers each packet late from some packet on, and waits
// until the phone is being written to.
func slowRestore(t *testing.T, s shared, dir string, set func(*exec.Cmd)) *exec.Cmd {
	t.Helper()
	cmd := program(t, dir, restoreArgs(s, dir, "late=1500ms@120")...)
	if set != nil {
		set(cmd)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForJournal(t, dir)
	return cmd
}

// TestTerminatedAtASafePoint: SIGTERM gives 143 where SIGINT gives 130.
func TestTerminatedAtASafePoint(t *testing.T) {
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var out bytes.Buffer
	cmd := slowRestore(t, s, dir, func(c *exec.Cmd) { c.Stderr = &out })
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitTerminated || !strings.Contains(out.String(), "--resume") {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
	finish(t, s, dir)
}

// TestNobodyReads: a pipe that is closed and a terminal that hangs up do not end a restore
// that is writing, with or without --json.
func TestNobodyReads(t *testing.T) {
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{nil, {"--json"}} {
		dir := t.TempDir()
		cmd := program(t, dir, restoreArgs(s, dir, "late=1500ms@120", more...)...)
		var pipes [2]io.ReadCloser
		for i, open := range []func() (io.ReadCloser, error){cmd.StdoutPipe, cmd.StderrPipe} {
			if pipes[i], err = open(); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for _, p := range pipes {
			p.Close()
		}
		waitForJournal(t, dir)
		_ = cmd.Process.Signal(syscall.SIGHUP)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", more, err)
		}
		if state := endState(t, s, dir); damagedState(state) {
			t.Errorf("%v: the phone ends with\n%s", more, state)
		}
	}
}

// TestFullOutputAfterSuccess: what cannot be written after the phone has everything does not
// make a failure of it.
func TestFullOutputAfterSuccess(t *testing.T) {
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	dir := t.TempDir()
	cmd := program(t, dir, restoreArgs(s, dir, "", "--json")...)
	cmd.Stdout = full
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	if state := endState(t, s, dir); damagedState(state) {
		t.Errorf("the phone ends with\n%s", state)
	}
}

// TestBlockedFileIsInterrupted: a FIFO that nobody writes to, in the place of a file, can be
// interrupted in every command that reads one.
func TestBlockedFileIsInterrupted(t *testing.T) {
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo.ftf")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{
		{"inspect", fifo}, {"verify", fifo}, {"unpack", fifo, "-o", filepath.Join(dir, "out")}, {"restore", fifo, "--dry-run"},
		{"boot", fifo, "--check", "--model", "D5803"}, {"info", "--device", "replay:" + fifo},
		{"restore", s.fw.Bundle, "--dry-run", "--model", "D5803", "--loader", fifo},
	} {
		t.Run(words[0], func(t *testing.T) {
			t.Parallel()
			cmd := program(t, dir, words...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second) // a loaded computer takes long to start it
			_ = cmd.Process.Signal(os.Interrupt)
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case <-ended:
				// Some commands refuse a FIFO without opening it.
				if code := cmd.ProcessState.ExitCode(); code != exitInterrupted && code != exitOther && code != exitFile {
					t.Errorf("%v: exit code %d", words, code)
				}
			case <-time.After(20 * time.Second):
				_ = cmd.Process.Kill()
				t.Errorf("%v: it does not end", words)
			}
		})
	}
}

// TestSleepIsInhibited: while a phone is written to, the computer neither sleeps nor shuts
// down, and afterwards it may again.
func TestSleepIsInhibited(t *testing.T) {
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip(err)
	}
	bus := exec.Command(daemon, "--session", "--print-address", "--nofork")
	lines, err := bus.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bus.Process.Kill(); _ = bus.Wait() }()
	address, err := bufio.NewReader(lines).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address = strings.TrimSpace(address)
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	logind := &fakeLogind{}
	if err := conn.Export(logind, "/org/freedesktop/login1", "org.freedesktop.login1.Manager"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName("org.freedesktop.login1", 0); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := program(t, dir, restoreArgs(s, dir, "")...)
	cmd.Env = append(cmd.Env, "DBUS_SYSTEM_BUS_ADDRESS="+address)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if logind.lock == nil || !strings.Contains(logind.what, "shutdown:sleep") || logind.mode != "block" {
		t.Fatalf("asked for %q, mode %q", logind.what, logind.mode)
	}
	// The program's end of the pipe is the lock; it is closed now.
	if n, err := logind.lock.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the lock is still held: %d, %v", n, err)
	}
}

// fakeLogind gives one end of a pipe as the lock, as logind does.
type fakeLogind struct {
	what, mode string
	lock       *os.File
}

func (l *fakeLogind) Inhibit(what, _, _, mode string) (dbus.UnixFD, *dbus.Error) {
	read, write, err := os.Pipe()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	l.what, l.mode, l.lock = what, mode, read
	time.AfterFunc(200*time.Millisecond, func() { write.Close() }) // sent by then
	return dbus.UnixFD(write.Fd()), nil
}

// TestNoSignalChangesTheOutcome: what a command has told and the exit code agree.
func TestNoSignalChangesTheOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &interrupts{force: make(chan error, 1), cancel: func(error) {}}
		in.handle(syscall.SIGTERM)
		in.settle()
		for range 3 {
			in.handle(syscall.SIGINT)
		}
		synctest.Wait()
		if len(in.force) > 0 {
			t.Fatalf("a command that has succeeded ends with %v", <-in.force)
		}
		time.Sleep(lastWait + time.Millisecond)
		if err := <-in.force; err != nil { // its last words hang
			t.Fatalf("it ends with %v", err)
		}
	})
}

// TestSignalsAfterDone sends signals from the moment Done is read until the program is gone.
func TestSignalsAfterDone(t *testing.T) {
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	factory := newFactory(t, s)
	for i := range 6 {
		sig := []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM}[i%3]
		dir := factory(t)
		cmd := program(t, dir, restoreArgs(s, dir, "")...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		word := make([]byte, 4)
		if _, err := io.ReadFull(out, word); err != nil || string(word) != "Done" {
			t.Fatalf("%q %v", word, err)
		}
		for range 2000 {
			if cmd.Process.Signal(sig) != nil {
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("after %s it ends with %v, and has said Done", sig, err)
		}
	}
}

// TestOneWordIsNotTheEnd: after the OKAY of one word of a fastboot line, signals still stop the
// next ones.
func TestOneWordIsNotTheEnd(t *testing.T) {
	in := &interrupts{force: make(chan error, 1), cancel: func(error) {}}
	a := &app{ui: &terminal{out: io.Discard, err: io.Discard}, in: in}
	if err := a.done("flash: OKAY"); err != nil {
		t.Fatal(err)
	}
	in.handle(syscall.SIGINT)
	in.handle(syscall.SIGINT)
	if len(in.force) != 1 || <-in.force == nil {
		t.Error("the second signal does not end the line as interrupted")
	}
	in.grace.Stop()
}

// TestClosedTerminal: it does not cut what is sent to a phone, and ends what only watches the
// phone afterwards.
func TestClosedTerminal(t *testing.T) {
	in := listen()
	defer in.close()
	c, watched := &fastbootConn{}, false
	c.then = func(ctx context.Context) error {
		watched = true
		in.handle(syscall.SIGHUP)
		return context.Cause(ctx)
	}
	var by *signalError
	err := c.do(in.ctx, func(ctx context.Context) error {
		in.handle(syscall.SIGHUP)
		return context.Cause(ctx)
	})
	if !watched || !errors.As(err, &by) || by.signal != syscall.SIGHUP {
		t.Errorf("watched %t, %v", watched, err)
	}
	refused := errors.New("refused")
	watched = false
	if err := c.do(t.Context(), func(context.Context) error { return refused }); err != refused || watched {
		t.Errorf("after a refusal: watched %t, %v", watched, err)
	}
}

// close ends the listening, which in the program lasts as long as the process.
func (in *interrupts) close() {
	in.end()
	in.cancel(nil)
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.grace != nil {
		in.grace.Stop()
	}
}
