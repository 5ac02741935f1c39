package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A phone that is told "reboot bootloader" is away for a while and then back at the same
// address; after "reboot" it is gone for good, and so is "xflash sim".
func TestSimComesBackAfterRebootBootloader(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			sim := program(t, dir, "sim", "z3c,disk=4G,mode=fastboot", "--fastboot-"+network, "127.0.0.1:0", "--sim-state", filepath.Join(dir, "phone"))
			out, err := sim.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			sim.Stderr = io.Discard
			if err := sim.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			defer func() { _ = sim.Process.Signal(os.Interrupt) }()
			line, err := bufio.NewReader(out).ReadString('\n')
			address, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
			if err != nil || !found {
				t.Fatalf("%q, %v", line, err)
			}
			go func() { ended <- sim.Wait() }()
			fastboot := func(words ...string) (string, error) {
				got, err := program(t, dir, append([]string{"fastboot", "-s", network + ":" + address}, words...)...).CombinedOutput()
				return string(got), err
			}
			if got, err := fastboot("reboot", "bootloader"); err != nil {
				t.Fatalf("%v\n%s", err, got)
			}
			back := func() error { _, err := fastboot("getvar", "product"); return err }
			if back() == nil {
				t.Error("it answers at once, as if it had not left")
			}
			for deadline := time.Now().Add(20 * time.Second); back() != nil; {
				if time.Now().After(deadline) {
					t.Fatal("it does not come back")
				}
			}
			if got, err := fastboot("reboot"); err != nil {
				t.Fatalf("%v\n%s", err, got)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(20 * time.Second):
				t.Error("the simulator continues after the phone left")
			}
		})
	}
}
