package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRestoreOverBridge runs the simulated phone as a separate program, and restores it
// through its byte pipe, in two runs: the second one finds no greeting waiting.
func TestRestoreOverBridge(t *testing.T) {
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sim := program(t, dir, "sim", fmt.Sprintf("z3c,disk=%d,root=%s", int64(testDisk), s.root),
		"--listen", "127.0.0.1:0", "--sim-state", filepath.Join(dir, "phone"))
	out, err := sim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	sim.Stderr = io.Discard
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sim.Process.Signal(os.Interrupt) // it has ended by itself when all went well
		_ = sim.Wait()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	address, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !found {
		t.Fatalf("%q, %v", line, err)
	}
	for range 2 {
		info, err := program(t, dir, "info", "--device", "bridge:"+address).CombinedOutput()
		if err != nil || !strings.Contains(string(info), "S1_BOOT") {
			t.Fatalf("%v\n%s", err, info)
		}
	}
	got, err := program(t, dir, "restore", s.fw.Bundle, "--yes", "--device", "bridge:"+address, "--root", s.root).CombinedOutput()
	if err != nil || !strings.Contains(string(got), "Done:") {
		t.Fatalf("%v\n%s", err, got)
	}
	if err := sim.Wait(); err != nil {
		t.Errorf("the simulated phone ends with %v after it switched itself off", err)
	}
	if state := endState(t, s, dir); damagedState(state) {
		t.Errorf("the phone ends with\n%s", state)
	}
}
