package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"xflash/internal/simphone"
)

// built is the program as a person has it, without the race detector.
var built = sync.OnceValues(func() (string, error) {
	if _, err := theBundle(); err != nil { // makes the folder that is removed in the end
		return "", err
	}
	path := filepath.Join(sharedDir, "xflash")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return path, err
})

// program runs xflash for a phone whose state is in dir/phone.
func program(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+filepath.Join(dir, "state"))
	return cmd
}

// restoreArgs is a restore of the phone in dir, with a fault at a packet.
func restoreArgs(s shared, dir, fault string, more ...string) []string {
	// Small packets, so that a small bundle has many places to be killed at.
	spec := fmt.Sprintf("sim:z3c,disk=%d,root=%s,maxpkt=0x8000", int64(testDisk), s.root)
	if fault != "" {
		spec += ",fault=" + fault
	}
	return append([]string{"restore", s.fw.Bundle, "--yes", "--device", spec, "--sim-state", filepath.Join(dir, "phone")}, more...)
}

// endState is what a phone holds in the end: all of its trim area but the time stamp, and
// the partitions that the bundle writes.
func endState(t *testing.T, s shared, dir string) string {
	t.Helper()
	phone, err := simphone.Open(simphone.Options{Dir: filepath.Join(dir, "phone"), RootFiles: []string{s.root}})
	if err != nil {
		t.Fatal(err)
	}
	defer phone.Close()
	var state strings.Builder
	for _, unit := range []uint32{2003, 2010, 2127, 2129, 2210, 2212, 2301, 2404, 4900, 10100, 66667, 66670} {
		data, there, err := phone.Unit(2, unit)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		fmt.Fprintf(&state, "%d %t %x\n", unit, there, sum[:4])
	}
	if data, _, _ := phone.Unit(2, 10100); !bytes.Equal(data, []byte{0}) {
		fmt.Fprintf(&state, "the flash state is %x\n", data)
	}
	for label, image := range s.fw.Images {
		if label == "userdata" || label == "apps_log" {
			continue // kept
		}
		want, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		part, err := phone.Partition(label)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(io.NewSectionReader(part, 0, part.Size()), got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			fmt.Fprintf(&state, "%s differs\n", label)
		}
	}
	return state.String()
}

// damagedState reports that a phone is not as a complete restore leaves it.
func damagedState(state string) bool {
	return strings.Contains(state, "differs") || strings.Contains(state, "the flash state")
}

// TestKilledAtAnyPacketThenResumed kills program and phone with SIGKILL after each of 200
// random packets of a whole restore. What --resume then makes of it must be what an
// undisturbed run makes.
func TestKilledAtAnyPacketThenResumed(t *testing.T) {
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	kills := 200
	if testing.Short() {
		kills = 10
	}
	factory := newFactory(t, s)
	clean := factory(t)
	if out, err := program(t, clean, restoreArgs(s, clean, "")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := endState(t, s, clean)
	if damagedState(want) {
		t.Fatalf("an undisturbed run ends in\n%s", want)
	}
	packets := countPackets(t, s, factory)
	rng := rand.New(rand.NewPCG(2, 2026))
	for i := range kills {
		at := 1 + rng.IntN(packets)
		t.Run(fmt.Sprintf("%d/packet %d", i, at), func(t *testing.T) {
			t.Parallel()
			killAndResume(t, s, factory(t), at, want)
		})
	}
}

// killAndResume kills a restore at a packet and continues with it.
func killAndResume(t *testing.T, s shared, dir string, at int, want string) {
	out, err := program(t, dir, restoreArgs(s, dir, fmt.Sprintf("kill@%d", at))...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%v\n%s", err, out)
	}
	resume := []string{"--resume"}
	if journals, _ := filepath.Glob(filepath.Join(dir, "state", "xflash", "*.json")); len(journals) == 0 {
		resume = nil // killed before the first step: nothing to resume
	}
	if out, err := program(t, dir, restoreArgs(s, dir, "", resume...)...).CombinedOutput(); err != nil {
		t.Fatalf("killed, then %v: %v\n%s", resume, err, out)
	}
	if got := endState(t, s, dir); got != want {
		t.Fatalf("the phone ends with\n%s\nwant\n%s", got, want)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

// newFactory makes a phone and returns a function that makes a folder with a copy of it:
// a phone's own keys take longer to make than a restore.
func newFactory(t *testing.T, s shared) func(t *testing.T) string {
	t.Helper()
	first := t.TempDir()
	spec := fmt.Sprintf("sim:z3c,disk=%d,root=%s", int64(testDisk), s.root)
	if out, err := program(t, first, "info", "--device", spec, "--sim-state", filepath.Join(first, "phone")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return func(t *testing.T) string {
		t.Helper()
		dir, err := os.MkdirTemp(first, "copy")
		if err != nil {
			t.Fatal(err)
		}
		// cp keeps the holes of the disk image.
		if out, err := exec.Command("cp", "-a", filepath.Join(first, "phone"), filepath.Join(dir, "phone")).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return dir
	}
}

// countPackets is the number of host packets of a whole restore.
func countPackets(t *testing.T, s shared, factory func(t *testing.T) string) int {
	t.Helper()
	low, high := 1, 4096 // a kill after the last packet never comes
	for low+1 < high {
		at := (low + high) / 2
		run := factory(t)
		if program(t, run, restoreArgs(s, run, fmt.Sprintf("kill@%d", at))...).Run() == nil {
			high = at
		} else {
			low = at
		}
		if err := os.RemoveAll(run); err != nil {
			t.Fatal(err)
		}
	}
	return low
}

// TestInterruptOnce sends one SIGINT in the middle of a restore over TCP: exit 130, a
// journal, and the next run offers --resume, which needs no replugging.
func TestInterruptOnce(t *testing.T) {
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := program(t, dir, restoreArgs(s, dir, "late=1500ms@120")...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForJournal(t, dir)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "--resume") {
		t.Errorf("it does not say how to continue:\n%s", out.String())
	}
	again, err := program(t, dir, restoreArgs(s, dir, "", "--dry-run")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, again)
	}
	next, err := program(t, dir, restoreArgs(s, dir, "", "--resume")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, next)
	}
	if !strings.Contains(string(next), "Continuing at step") {
		t.Errorf("the resumed run does not say where it continues:\n%s", next)
	}
	if state := endState(t, s, dir); damagedState(state) {
		t.Errorf("the phone ends with\n%s", state)
	}
}

// waitForJournal waits until the phone is being written to.
func waitForJournal(t *testing.T, dir string) {
	t.Helper()
	for range 600 {
		names, _ := filepath.Glob(filepath.Join(dir, "state", "xflash", "*.json"))
		for _, name := range names {
			if data, err := os.ReadFile(name); err == nil && bytes.Contains(data, []byte(`"doing": "sending`)) && !bytes.Contains(data, []byte(`"doing": "sending loader`)) {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("no journal")
}
