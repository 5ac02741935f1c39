package usbproto

import (
	"os"
	"path/filepath"
	"strings"
)

// BusReport is what this computer shows of its USB bus and of the phones on it, seen without
// touching any of them.
type BusReport struct {
	Bus    bool         // there is a USB bus at all
	Kernel string       // its release, such as 6.1.0-21-amd64
	Phones []PhoneCheck // in the order of their ports
}

// PhoneCheck is a phone and what stands between it and a program.
type PhoneCheck struct {
	Device
	Controller string   // of the bus it is on, such as "xHCI Host Controller"
	Hubs       int      // between it and the computer
	Autosleep  bool     // the kernel may put it to sleep while it is idle
	Access     error    // why its file cannot be opened for writing, nil when it can
	Holders    []Holder // other programs that have it open, as far as can be seen
}

// LookAtBus reports on this computer.
func LookAtBus() BusReport { return lookAtBus(os.Getenv("UMOCKDEV_DIR"), "/proc") }

// lookAtBus reads the kernel's files below a folder that stands for /.
func lookAtBus(root, proc string) BusReport {
	var c BusReport
	if release, err := os.ReadFile(filepath.Join(proc, "sys/kernel/osrelease")); err == nil {
		c.Kernel = printable(strings.TrimSpace(string(release)))
	}
	dir := filepath.Join(root, usbDevices)
	phones, err := Scan(root)
	if err != nil {
		return c
	}
	c.Bus = true
	for _, d := range phones {
		text := func(device, name string) string {
			b, err := os.ReadFile(filepath.Join(dir, device, name))
			if err != nil {
				return ""
			}
			return printable(strings.TrimSpace(string(b)))
		}
		hub, _, _ := strings.Cut(d.Port, "-")
		p := PhoneCheck{Device: d, Controller: text("usb"+hub, "product"), Hubs: strings.Count(d.Port, "."),
			Autosleep: text(d.Port, "power/control") == "auto"}
		f, err := os.OpenFile(filepath.Join(root, d.Node()), os.O_RDWR, 0)
		if err != nil {
			p.Access = err
		} else {
			p.Access = f.Close()
		}
		p.Holders = holders(proc, d.Node())
		c.Phones = append(c.Phones, p)
	}
	return c
}
