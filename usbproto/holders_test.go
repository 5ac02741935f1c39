package usbproto

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

func TestHolders(t *testing.T) {
	const node = "/dev/bus/usb/001/007"
	proc := t.TempDir()
	for _, p := range []struct {
		pid, comm string
		open      []string
	}{
		{"4711", "adb\n", []string{"/dev/bus/usb/001/001", node, node}}, // twice is still one program
		{"12", "evil\x1b[31m\n", []string{node}},
		{"13", "vim\n", []string{"/home/me/file"}},
		{"14", "usb2\n", []string{node + "1"}},
		{"99", "", []string{node}}, // ended between two looks: no name
		{"self", "adb\n", []string{node}},
	} {
		fd := filepath.Join(proc, p.pid, "fd")
		if err := os.MkdirAll(fd, 0o755); err != nil {
			t.Fatal(err)
		}
		for i, target := range p.open {
			if err := os.Symlink(target, filepath.Join(fd, strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
		}
		if p.comm != "" {
			if err := os.WriteFile(filepath.Join(proc, p.pid, "comm"), []byte(p.comm), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []Holder{{12, "evil\x1b[31m"}, {4711, "adb"}}
	if got := Holders(proc, node); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := Holders(filepath.Join(proc, "none"), node); got != nil {
		t.Errorf("without /proc: %+v", got)
	}
}

// The real /proc knows a file that this very process has open.
func TestHoldersOfProc(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("there is no /proc here")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "node"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := Holders("/proc", f.Name())
	if len(got) != 1 || got[0].PID != os.Getpid() || got[0].Program == "" {
		t.Errorf("got %+v, want process %d", got, os.Getpid())
	}
}
