package libusb

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"xflash/usbproto"
)

// The phone of the test bed: ids, port and descriptors of a Z3 Compact in flash mode
// (usbproto/s1/PROTOCOL.md §1.3).
var bedPhone = usbproto.Device{VID: 0x0fce, PID: 0xadde, Mode: usbproto.ModeFlash, Bus: 1, Address: 5, Port: "1-2", Product: "S1 Service", Speed: "480 Mbit/s"}

const bedPath = "/devices/pci0000:00/0000:00:14.0/usb1/1-2"

var bedDescriptors = []byte{
	18, 1, 0x00, 0x02, 0xef, 0x02, 0x01, 64, 0xce, 0x0f, 0xde, 0xad, 0x00, 0x01, 1, 2, 0, 1, // device
	9, 2, 32, 0, 1, 1, 0, 0xc0, 0, // configuration
	9, 4, 0, 0, 2, 0xff, 0xff, 0, 0, // interface
	7, 5, 0x81, 2, 0x00, 0x02, 0, // bulk IN, 512 bytes
	7, 5, 0x01, 2, 0x00, 0x02, 0, // bulk OUT, 512 bytes
}

// description is a phone in umockdev's language.
func description(descriptors []byte) string {
	return fmt.Sprintf(`P: %s
N: bus/usb/001/005
E: DEVNAME=/dev/bus/usb/001/005
E: DEVTYPE=usb_device
E: SUBSYSTEM=usb
E: BUSNUM=001
E: DEVNUM=005
A: busnum=1\n
A: devnum=5\n
A: devpath=2\n
A: idVendor=0fce\n
A: idProduct=adde\n
A: bConfigurationValue=1\n
A: bNumConfigurations=1\n
A: speed=480\n
A: product=S1 Service\n
H: descriptors=%s
`, bedPath, hex.EncodeToString(descriptors))
}

// inBed runs the test again in a process that sees a phone on its USB bus, which has
// these descriptors and behaves as the capture says: real libusb and gousb, and umockdev
// instead of the kernel (NOTES.md §6). It returns true in that process only.
//
// preload is a library that the process loads before umockdev's.
func inBed(t *testing.T, descriptors []byte, c *capture, preload ...string) bool {
	t.Helper()
	if os.Getenv("UMOCKDEV_DIR") != "" {
		return true
	}
	t.Parallel() // most of the time these tests wait
	umockdev, err := exec.LookPath("umockdev-run")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("umockdev-run is not installed; continuous integration needs it (Debian package umockdev)")
		}
		t.Skip("umockdev-run is not installed (Debian package umockdev), which imitates the kernel's USB")
	}
	dir := t.TempDir()
	device, recording := filepath.Join(dir, "phone.umockdev"), filepath.Join(dir, "phone.pcap")
	for name, data := range map[string][]byte{device: []byte(description(descriptors)), recording: c.buf.Bytes()} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(umockdev, "-d", device, "--pcap", "/sys"+bedPath+"="+recording, "--",
		"sh", "-c", `LD_PRELOAD="$1 $LD_PRELOAD" exec "$2" "-test.run=^$3\$" -test.v -test.timeout=60s`,
		"sh", strings.Join(preload, " "), self, t.Name())
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in the test bed: %v", err)
	}
	return false
}

// openBed opens the phone of the test bed, as a command does. Afterwards it must close
// cleanly and leave no goroutine behind.
func openBed(t *testing.T) usbproto.Conn {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	bus, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := usbproto.Find(t.Context(), bus, usbproto.Selector{}, usbproto.ModeFlash)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(conn.Close(), bus.Close()); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, leaks)
	})
	return conn
}

// busyClaims makes a library that lets the first n claims of an interface fail as if
// another program had it, which umockdev cannot do. gcc is there where cgo works.
func busyClaims(t *testing.T, n int) string {
	t.Helper()
	if os.Getenv("UMOCKDEV_DIR") != "" {
		return "" // it is loaded already
	}
	library := filepath.Join(t.TempDir(), "busy.so")
	gcc := exec.Command("gcc", "-shared", "-fPIC", fmt.Sprintf("-DCLAIMS=%d", n), "-o", library, "testdata/busyclaims.c", "-ldl")
	if out, err := gcc.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return library
}
