package usbproto

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The phone of the test bed: ids, port and descriptors of a Z3 Compact in flash mode
// (s1-protocol.md §1.3).
var bedPhone = Device{VID: 0x0fce, PID: 0xadde, Mode: ModeFlash, Bus: 1, Address: 5, Port: "1-2", Product: "S1 Service", Speed: "480 Mbit/s"}

const bedPath = "/devices/pci0000:00/0000:00:14.0/usb1/1-2"

var bedDescriptors = []byte{
	18, 1, 0x00, 0x02, 0xef, 0x02, 0x01, 64, 0xce, 0x0f, 0xde, 0xad, 0x00, 0x01, 1, 2, 0, 1, // device
	9, 2, 32, 0, 1, 1, 0, 0xc0, 0, // configuration
	9, 4, 0, 0, 2, 0xff, 0xff, 0, 0, // interface
	7, 5, 0x81, 2, 0x00, 0x02, 0, // bulk IN, 512 bytes
	7, 5, 0x01, 2, 0x00, 0x02, 0, // bulk OUT, 512 bytes
}

// bedDescription is the phone in umockdev's language.
func bedDescription() string {
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
`, bedPath, hex.EncodeToString(bedDescriptors))
}

// inBed runs the named test again in a process that sees the phone of the test bed on its
// USB bus; the phone behaves as the capture says. In the process itself it returns true.
func inBed(t *testing.T, c *capture) bool {
	if os.Getenv("UMOCKDEV_DIR") != "" {
		return true
	}
	run, err := exec.LookPath("umockdev-run")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("umockdev-run is not installed; continuous integration needs the Debian package umockdev")
		}
		t.Skip("umockdev-run is not installed (Debian package umockdev), and this machine needs it to imitate a USB bus")
	}
	dir := t.TempDir()
	description, recording := filepath.Join(dir, "phone.umockdev"), filepath.Join(dir, "phone.pcap")
	for name, data := range map[string][]byte{description: []byte(bedDescription()), recording: c.buf.Bytes()} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(run, "-d", description, "--pcap", "/sys"+bedPath+"="+recording, "--",
		self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in the test bed: %v", err)
	}
	return false
}

func TestBedList(t *testing.T) {
	if !inBed(t, newCapture(bedPhone)) {
		return
	}
	bus, err := NewUSB()
	if err != nil {
		t.Fatal(err)
	}
	d, err := bus.List(t.Context())
	t.Log(d, err)
	out, _ := exec.Command("find", os.Getenv("UMOCKDEV_DIR")).CombinedOutput()
	t.Logf("%s", out)
}

func TestBedExchange(t *testing.T) {
	c := newCapture(bedPhone)
	c.out([]byte("hello"), 0)
	c.in(512, []byte("world"), 0)
	if !inBed(t, c) {
		return
	}
	bus, err := NewUSB()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Open(t.Context(), bedPhone)
	if err != nil {
		t.Fatal(err)
	}
	n, err := conn.Write(t.Context(), []byte("hello"))
	t.Log(n, err)
	b := make([]byte, 100)
	n, err = conn.Read(t.Context(), b)
	t.Logf("%q %v", b[:n], err)
	t.Log(conn.Close())
}
