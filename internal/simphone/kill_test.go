package simphone

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"xflash/internal/simphone/taimage"
	"xflash/internal/trimarea"
)

// killHelper in the environment makes the test program a process that runs a
// phone and is killed: KILL_AT is the packet.
const killHelper = "SIMPHONE_KILL_HELPER"

// scriptPackets is what the killed process sends after its loader upload:
// rounds of writing a pair of units and closing.
const scriptRounds = 12

// runKillHelper opens the phone in the directory, and writes the round number to
// the units 3000 and 3001 in every round, in one open and close of the trim area.
func runKillHelper() int {
	var at int
	if _, err := fmt.Sscan(os.Getenv("KILL_AT"), &at); err != nil {
		return 3
	}
	p, err := Open(Options{Dir: os.Getenv(killHelper), RootFiles: []string{os.Getenv("KILL_ROOT")},
		Faults: []Fault{{Name: FaultKill, At: at}},
		OnKill: func() { syscall.Kill(os.Getpid(), syscall.SIGKILL) }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	loader, err := os.ReadFile(os.Getenv("KILL_LOADER"))
	if err != nil {
		return 3
	}
	t := &helperT{}
	h := &host{t, p.Conn()}
	h.startLoader(loader)
	for round := range scriptRounds {
		h.ok(9, 2)
		for _, unit := range []byte{0xB8, 0xB9} {
			h.ok(13, 0, 0, 0x0B, unit, 0, 0, 0, 1, byte(round+1))
		}
		h.ok(10)
	}
	return 0
}

// helperT lets the helper process use the host of the tests.
type helperT struct{ testing.TB }

func (helperT) Helper() {}
func (helperT) Fatalf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(3)
}

// Killed at any packet, the stored trim area is that of the last close: whole, and
// never with one unit of a pair without the other.
func TestKilledProcessLeavesAWholeTrimArea(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	dir := t.TempDir()
	p := openPhone(t, Options{Dir: dir})
	p.Unplug()
	loader := dir + "/loader.sin"
	if err := os.WriteFile(loader, testLoader(t, 4, ""), 0o600); err != nil {
		t.Fatal(err)
	}
	root := rootFile(t, authority(t))
	const perRound = 4                      // open, two writes, close
	const upload = 1 + (200000+65535)/65536 // header and payload packets
	for _, at := range []int{1, upload, upload + 1, upload + 2, upload + 3, upload + 4, upload + 5, upload + 21, upload + 24, upload + perRound*scriptRounds} {
		for _, unit := range []uint32{3000, 3001} {
			if err := p.SetUnit(2, unit, []byte{0}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), killHelper+"="+dir, "KILL_LOADER="+loader, "KILL_ROOT="+root, fmt.Sprintf("KILL_AT=%d", at))
		out, _ := cmd.CombinedOutput()
		cancel()
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !status.Signaled() || status.Signal() != syscall.SIGKILL {
			t.Fatalf("packet %d: the process was not killed: %v\n%s", at, cmd.ProcessState, out)
		}
		raw, err := os.ReadFile(p.TrimArea())
		if err != nil {
			t.Fatal(err)
		}
		image, err := taimage.Parse(raw)
		if err != nil {
			t.Fatalf("packet %d: %v", at, err)
		}
		want := byte(max(at-upload, 0) / perRound) // closes that were carried out
		for _, unit := range []uint32{3000, 3001} {
			if u, _ := image.Unit(2, unit); len(u.Data) != 1 || u.Data[0] != want {
				t.Errorf("packet %d: unit %d is % X, want %02X", at, unit, u.Data, want)
			}
		}
	}
}

// Writes that were not closed are lost with the cable, and with the change of stage.
func TestUnplugLosesOpenTrimArea(t *testing.T) {
	p, h := openLoader(t, Options{})
	h.ok(9, 2)
	h.ok(13, 0, 0, 0x27, 0x74, 0, 0, 0, 1, 1)
	p.Unplug()
	if got, _, err := p.Unit(2, 10100); err != nil || len(got) != 1 || got[0] != 0 {
		t.Errorf("unit 10100 is % X, %v", got, err)
	}
	h = restart(t, p)
	h.ok(9, 2)
	h.ok(13, 0, 0, 0x27, 0x74, 0, 0, 0, 1, 1)
	h.ok(10)
	p.Unplug()
	if got, _, err := p.Unit(2, 10100); err != nil || len(got) != 1 || got[0] != 1 {
		t.Errorf("unit 10100 is % X, %v", got, err)
	}
}

// internal/explain/ERRORS.md §2.1: 0016 when there is no valid trim area; the loader then has no
// HWConf.
func TestDamagedTrimArea(t *testing.T) {
	p := openPhone(t, Options{})
	raw := readAt(t, p.TrimArea(), 0, trimarea.ImageSize)
	raw[0x20000+100] ^= 1
	if err := os.WriteFile(p.TrimArea(), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	h := restart(t, p)
	h.refused("MINOR 0016 00000000", 9, 3, 2)
	if got := parseInfo(t, h.ok(1))["HW_CONFIG"]; got != "" {
		t.Errorf("HW_CONFIG=%q", got)
	}
	if r := p.PowerOn(); r.Mode != ModeDead {
		t.Errorf("%+v", r)
	}
}

// A full trim area refuses a write with 0026.
func TestTrimAreaIsFull(t *testing.T) {
	_, h := openLoader(t, Options{})
	h.ok(9, 2)
	write := append([]byte{0, 0, 0x10, 0, 0, 1, 0xF0, 0}, make([]byte, 0x1F000)...)
	for i := range 40 {
		write[3] = byte(i)
		if h.ask(13, 3, write).flags == 0 {
			if got := h.lastError(); got != "MINOR 0026 00000000" {
				t.Error(got)
			}
			return
		}
	}
	t.Error("2 MiB hold 40 units of 124 KiB")
}
