package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xflash/internal/restore"
)

// TestStateDiskFullInMidFlash takes the folder of the journal away while the phone is
// written to. The program stops at a safe point with exit code 9, and --resume completes the
// restore.
func TestStateDiskFullInMidFlash(t *testing.T) {
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := program(t, dir, restoreArgs(s, dir, "late=2s@40")...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state", "xflash")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if names, _ := filepath.Glob(filepath.Join(state, "restore-*.json")); len(names) > 0 {
			break
		}
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			t.Fatalf("no journal\n%s", &out)
		}
	}
	if err := os.Rename(state, state+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(state, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code tells
	if code := cmd.ProcessState.ExitCode(); code != exitBroken || !strings.Contains(out.String(), "--resume") || strings.Contains(out.String(), "Done") {
		t.Fatalf("exit code %d\n%s", code, &out)
	}
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(state+".away", state); err != nil {
		t.Fatal(err)
	}
	if out, err := program(t, dir, restoreArgs(s, dir, "", "--resume")...).CombinedOutput(); err != nil || !strings.Contains(string(out), "Done") {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := endState(t, s, dir); damagedState(got) {
		t.Error(got)
	}
}

// TestStateDiskFullBeforeTheFirstWrite: nothing was written, and the program says so.
func TestStateDiskFullBeforeTheFirstWrite(t *testing.T) {
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	state := filepath.Join(dir, "state", "xflash")
	// The lock can be made, the journal cannot: its temporary file has no name left.
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := program(t, dir, restoreArgs(s, dir, "late=2s@3")...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if names, _ := filepath.Glob(filepath.Join(state, "*.lock")); len(names) > 0 {
			break
		}
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			t.Fatalf("no lock\n%s", &out)
		}
	}
	if err := os.Rename(state, state+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(state, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code tells
	if code := cmd.ProcessState.ExitCode(); code != exitOther || !strings.Contains(out.String(), "not started: xflash cannot store the progress of the restore") ||
		!strings.Contains(out.String(), "Nothing was written to the phone") {
		t.Fatalf("exit code %d\n%s", code, &out)
	}
	if left, _ := filepath.Glob(filepath.Join(state+".away", "*.json")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestRelativeStateFolder: a folder for the journal that is not absolute is ignored, and the
// program says that, not that nothing is set.
func TestRelativeStateFolder(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_STATE_HOME", "state")
	t.Setenv("HOME", home)
	if store, err := restore.DefaultStore(); err != nil || store.Dir != filepath.Join(home, ".local/state/xflash") {
		t.Errorf("%v, %v", store, err)
	}
	t.Setenv("HOME", "home")
	if _, err := restore.DefaultStore(); err == nil || !strings.Contains(err.Error(), `XDG_STATE_HOME ("state")`) || !strings.Contains(err.Error(), "ignores relative ones") {
		t.Errorf("%v", err)
	}
}
