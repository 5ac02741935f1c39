package vmtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"xflash/internal/simphone"
	"xflash/internal/usbsim"
	"xflash/usbproto"
)

// Where packaging/vm puts things.
const (
	program  = "/rig/xflash"
	fixtures = "/rig/fixture"
)

// patience bounds everything that is only waited for. The machine is emulated.
const patience = 120 * time.Second

// needVM skips outside the virtual machine, whose init sets the variable.
func needVM(t testing.TB) {
	t.Helper()
	if os.Getenv("XFLASH_VM") == "" {
		t.Skip("this runs in the virtual machine of make test-usb")
	}
}

// A bench is a simulated phone that can be plugged into the machine's kernel.
type bench struct {
	t      testing.TB
	phone  *simphone.Phone
	home   string // of who runs the program; anybody may write there
	device *usbsim.Device
	served chan error
	port   string // where it is plugged in, "1-1"; "" when it is not
}

// newBench makes a phone that is in flash mode but not plugged in.
func newBench(t testing.TB, o simphone.Options) *bench {
	t.Helper()
	needVM(t)
	o.Dir = t.TempDir()
	if o.RootFiles == nil {
		o.RootFiles = []string{filepath.Join(fixtures, RootFile)}
	}
	phone, err := simphone.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, phone: phone}
	if b.home, err = os.MkdirTemp("", "home-"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(b.home, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(b.home); err != nil {
			t.Error(err)
		}
		b.unplug()
		if err := phone.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// plug puts the phone, in flash mode, onto the bus and waits until the kernel has it.
func (b *bench) plug(watch usbsim.Watch) {
	b.t.Helper()
	b.plugAs(usbsim.FlashMode(), watch)
}

func (b *bench) plugAs(id usbsim.Identity, watch usbsim.Watch) {
	b.t.Helper()
	b.plugConn(id, b.phone.Conn(), watch)
}

// plugFastboot puts the phone onto the bus in fastboot mode.
func (b *bench) plugFastboot(watch usbsim.Watch) *simphone.Aboot {
	b.t.Helper()
	aboot := b.phone.Fastboot()
	b.plugConn(usbsim.Fastboot(b.phone.Serial()), aboot.Conn(), watch)
	return aboot
}

func (b *bench) plugConn(id usbsim.Identity, conn usbproto.Conn, watch usbsim.Watch) {
	b.t.Helper()
	plugging.Lock()
	defer plugging.Unlock()
	before := busIDs(b.t)
	b.device = usbsim.New(id, conn, watch)
	b.served = make(chan error, 1)
	go func() { b.served <- usbsim.PlugVHCI(context.Background(), b.device) }()
	b.until("the kernel has the phone", func() bool {
		for id := range busIDs(b.t) {
			if !before[id] {
				b.port = id
			}
		}
		return b.port != "" && b.node() != ""
	})
}

// plugging is held while a phone is being plugged in, so that the new one is known.
var plugging sync.Mutex

// busIDs are the ports of the virtual host controller with something in them.
func busIDs(t testing.TB) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("/sys/devices/platform/vhci_hcd.0/status")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		// hub port state speed devid socket busid; the busid of an empty port is 0-0
		if f := strings.Fields(line); len(f) == 7 && strings.Contains(f[6], "-") && f[6] != "0-0" {
			ids[f[6]] = true
		}
	}
	return ids
}

// node is the phone's file in /dev; "" when the kernel does not have the phone ready.
func (b *bench) node() string {
	text := func(name string) int {
		t, _ := os.ReadFile("/sys/bus/usb/devices/" + b.port + "/" + name) // it may not be there
		n, _ := strconv.Atoi(strings.TrimSpace(string(t)))
		return n
	}
	bus, address := text("busnum"), text("devnum")
	if b.port == "" || bus == 0 || address == 0 || text("bConfigurationValue") == 0 {
		return ""
	}
	return fmt.Sprintf("/dev/bus/usb/%03d/%03d", bus, address)
}

// unplug takes the phone off the bus, if it is there, and waits until the kernel knows.
func (b *bench) unplug() {
	b.t.Helper()
	if b.device == nil {
		return
	}
	b.device.Unplug()
	b.gone()
}

// gone waits until a phone that leaves by itself has left, for the kernel too.
func (b *bench) gone() {
	b.t.Helper()
	select {
	case err := <-b.served:
		if err != nil {
			b.t.Error("on the bus:", err)
		}
	case <-time.After(patience):
		b.t.Fatal("the phone does not leave the bus")
	}
	if err := b.device.Close(); err != nil {
		b.t.Error(err)
	}
	b.device = nil
	b.until("the kernel has seen the phone go", func() bool { return b.node() == "" })
	b.port = ""
}

func (b *bench) until(what string, done func() bool) {
	b.t.Helper()
	for limit := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			b.t.Fatal("given up waiting until ", what)
		}
	}
}

// An outcome is how a run of a program ended.
type outcome struct {
	stdout, stderr string
	code           int // -1: it did not run or was stopped
	took, cpu      time.Duration
	ended          time.Time
}

// user is the ordinary user of the virtual machine.
var user = &syscall.Credential{Uid: 1000, Gid: 1000, Groups: []uint32{46}}

// xflash runs the program as somebody, nil for root, with the phone where it is plugged in.
func (b *bench) xflash(who *syscall.Credential, words ...string) outcome {
	b.t.Helper()
	if b.port != "" {
		words = append(words, "--device", "usb:"+b.port)
	}
	return run(b.home, who, program, words...)
}

func run(home string, who *syscall.Credential, name string, words ...string) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, words...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Dir = "/tmp"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}
	if who != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	}
	begun := time.Now()
	err := cmd.Run()
	ended := time.Now()
	o := outcome{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode(), took: ended.Sub(begun), ended: ended}
	if s := cmd.ProcessState; s != nil {
		o.cpu = s.UserTime() + s.SystemTime()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		o.stderr += err.Error()
	}
	return o
}

// want checks the exit code and shows everything when it differs.
func (o outcome) want(t testing.TB, code int) outcome {
	t.Helper()
	if o.code != code {
		t.Fatalf("exit code %d, want %d, after %v\n%s%s", o.code, code, o.took, o.stdout, o.stderr)
	}
	return o
}

// contains checks that a text has all these words in it.
func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in:\n%s", w, text)
		}
	}
}
