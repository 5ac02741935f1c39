package usbproto

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sysfs builds a device folder: attributes "name=value" for each device.
func sysfs(t *testing.T, devices map[string]string) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, usbDevices)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, attributes := range devices {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, a := range strings.Split(attributes, ";") {
			key, value, _ := strings.Cut(a, "=")
			if err := os.WriteFile(filepath.Join(dir, name, key), []byte(value+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestScan(t *testing.T) {
	dir := sysfs(t, map[string]string{
		"usb1":      "idVendor=0fce;idProduct=adde;busnum=1;devnum=1", // a root hub, whatever it says
		"1-2":       "idVendor=0fce;idProduct=adde;busnum=1;devnum=5;speed=480;product=S1 Service",
		"1-2:1.0":   "bInterfaceClass=ff",
		"1-10":      "idVendor=0fce;idProduct=01bb;busnum=1;devnum=9;speed=5000;product=D5803;serial=CB5A1YPAZF",
		"1-2.3":     "idVendor=05c6;idProduct=9008;busnum=1;devnum=12;speed=12;product=evil\x1b]0\x07\xff",
		"2-1":       "idVendor=046d;idProduct=c31c;busnum=2;devnum=3;speed=1.5;product=USB Keyboard",
		"2-2":       "idVendor=0fce;busnum=2;devnum=4", // being unplugged
		"3-1":       "idVendor=0fce;idProduct=adde;busnum=three;devnum=4",
		"10-1.10.2": "idVendor=0fce;idProduct=0dde;busnum=10;devnum=112",
		"10-1.9":    "idVendor=0fce;idProduct=0dde;busnum=10;devnum=113",
	})
	got, err := Scan(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []Device{
		{VID: 0x0fce, PID: 0xadde, Mode: ModeFlash, Bus: 1, Address: 5, Port: "1-2", Product: "S1 Service", Speed: "480 Mbit/s"},
		{VID: 0x05c6, PID: 0x9008, Mode: ModeEDL, Bus: 1, Address: 12, Port: "1-2.3", Product: "evil\x1b]0\x07\xff", Speed: "12 Mbit/s"},
		{VID: 0x0fce, PID: 0x01bb, Mode: ModeMTP, Bus: 1, Address: 9, Port: "1-10", Product: "D5803", Serial: "CB5A1YPAZF", Speed: "5000 Mbit/s"},
		{VID: 0x0fce, PID: 0x0dde, Mode: ModeFastboot, Bus: 10, Address: 113, Port: "10-1.9"},
		{VID: 0x0fce, PID: 0x0dde, Mode: ModeFastboot, Bus: 10, Address: 112, Port: "10-1.10.2"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %d phones: %+v", len(got), got)
	}
	for i, d := range got {
		w := want[i]
		if d.VID != w.VID || d.PID != w.PID || d.Mode != w.Mode || d.Bus != w.Bus || d.Address != w.Address || d.Port != w.Port ||
			d.Serial != w.Serial || d.Product != w.Product || d.Speed != w.Speed {
			t.Errorf("got  %+v\nwant %+v", d, w)
		}
	}
	if got := want[1].Node(); got != "/dev/bus/usb/001/012" {
		t.Errorf("node %s", got)
	}
}

// A machine without USB says so.
func TestNoBus(t *testing.T) {
	root := t.TempDir()
	empty := filepath.Join(root, usbDevices)
	for range 2 { // first without the folder, then with an empty one
		_, err := Scan(root)
		var noBus *NoBusError
		if !errors.As(err, &noBus) {
			t.Fatalf("got %v", err)
		}
		if noBus.Error() != "this machine has no USB bus, so no phone can be plugged in here" {
			t.Errorf("%q", noBus)
		}
		if err := os.MkdirAll(empty, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cause := errors.New("libusb: not supported")
	if err := (&NoBusError{Err: cause}); !errors.Is(err, cause) || !strings.Contains(err.Error(), cause.Error()) {
		t.Errorf("got %v", err)
	}
}
