package usbproto

import (
	"os"
	"path/filepath"
	"testing"
)

// busFolder lays out a bus with phones as the kernel tells of them: pairs of port and files.
func busFolder(t *testing.T, devices map[string]map[string]string) (root, proc string) {
	t.Helper()
	root, proc = t.TempDir(), t.TempDir()
	put := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(proc, "sys/kernel/osrelease"), "6.1.0-21-amd64\n")
	for device, files := range devices {
		for name, text := range files {
			put(filepath.Join(root, usbDevices, device, name), text+"\n")
		}
	}
	return root, proc
}

func flashPhone(more map[string]string) map[string]string {
	files := map[string]string{"idVendor": "0fce", "idProduct": "adde", "busnum": "1", "devnum": "5", "speed": "480", "product": "S1 Service", "power/control": "auto"}
	for name, text := range more {
		files[name] = text
	}
	return files
}

func TestBusReport(t *testing.T) {
	root, proc := busFolder(t, map[string]map[string]string{
		"usb1":  {"product": "xHCI Host Controller"},
		"1-2.3": flashPhone(nil),
		"1-4":   {"idVendor": "046d", "idProduct": "c077", "busnum": "1", "devnum": "7"}, // a mouse
	})
	c := LookAtBus(root, proc)
	if !c.Bus || c.Kernel != "6.1.0-21-amd64" || len(c.Phones) != 1 {
		t.Fatalf("%+v", c)
	}
	p := c.Phones[0]
	if p.Port != "1-2.3" || p.Mode != ModeFlash || p.Controller != "xHCI Host Controller" || p.Hubs != 1 || !p.Autosleep || p.Node() != "/dev/bus/usb/001/005" {
		t.Errorf("%+v", p)
	}
	// Its file is not there, so it cannot be used, and another phone's file does not help.
	if p.Access == nil {
		t.Error("a phone without a device file can be opened")
	}
	node := filepath.Join(root, p.Node())
	if err := os.MkdirAll(filepath.Dir(node), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(node, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c = LookAtBus(root, proc); c.Phones[0].Access != nil {
		t.Errorf("%+v", c)
	}
	// Another program has it open.
	fd := filepath.Join(proc, "4711/fd/3")
	if err := os.MkdirAll(filepath.Dir(fd), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(p.Node(), fd); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(proc, "4711/comm"), []byte("fwupd\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := LookAtBus(root, proc).Phones[0].Holders; len(got) != 1 || got[0] != (Holder{4711, "fwupd"}) {
		t.Errorf("%+v", got)
	}
}

func TestBusReportOfNothing(t *testing.T) {
	if c := LookAtBus(t.TempDir(), t.TempDir()); c.Bus {
		t.Errorf("%+v", c)
	}
	root, proc := busFolder(t, map[string]map[string]string{"usb1": {"product": "xHCI Host Controller"}})
	if c := LookAtBus(root, proc); !c.Bus || c.Phones != nil {
		t.Errorf("%+v", c)
	}
}

// Without the right to open its file, the error says so. Root has every right, so
// only others can see this.
func TestBusReportWithoutAccess(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may open every file")
	}
	root, proc := busFolder(t, map[string]map[string]string{"1-2": flashPhone(nil)})
	node := filepath.Join(root, "/dev/bus/usb/001/005")
	if err := os.MkdirAll(filepath.Dir(node), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(node, nil, 0); err != nil {
		t.Fatal(err)
	}
	if err := LookAtBus(root, proc).Phones[0].Access; !os.IsPermission(err) {
		t.Error(err)
	}
}
