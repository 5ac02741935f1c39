package usbproto

import (
	"os"
	"path/filepath"
	"strings"
)

// Checkup is what this computer shows of its USB bus and of the phones on it, seen without
// touching any of them.
type Checkup struct {
	Bus    bool         // there is a USB bus at all
	Kernel string       // its release, such as 6.1.0-21-amd64
	Phones []PhoneCheck // in the order of their ports
}

// PhoneCheck is a phone and what stands between it and a program.
type PhoneCheck struct {
	Device
	Node       string   // its file, /dev/bus/usb/001/005
	Controller string   // of the bus it is on, such as "xHCI Host Controller"
	Hubs       int      // between it and the computer
	Autosleep  bool     // the kernel may put it to sleep while it is idle
	Access     error    // why its file cannot be opened for writing, nil when it can
	Holders    []Holder // other programs that have it open, as far as can be seen
}

// LookAtBus makes a checkup of this computer.
func LookAtBus() Checkup { return lookAtBus(os.Getenv("UMOCKDEV_DIR"), "/proc") }

// lookAtBus reads the kernel's files below a folder that stands for /.
func lookAtBus(root, proc string) Checkup {
	var c Checkup
	if release, err := os.ReadFile(filepath.Join(proc, "sys/kernel/osrelease")); err == nil {
		c.Kernel = printable(strings.TrimSpace(string(release)))
	}
	dir := filepath.Join(root, usbDevices)
	phones, err := scan(dir)
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
		p := PhoneCheck{Device: d, Node: d.node(), Controller: text("usb"+hub, "product"), Hubs: strings.Count(d.Port, "."),
			Autosleep: text(d.Port, "power/control") == "auto"}
		f, err := os.OpenFile(filepath.Join(root, d.node()), os.O_RDWR, 0)
		if err != nil {
			p.Access = err
		} else {
			p.Access = f.Close()
		}
		p.Holders = holders(proc, d.node())
		c.Phones = append(c.Phones, p)
	}
	return c
}

// Next is the one thing to do, in a sentence; want is the mode that is wished for.
func (c Checkup) Next(want Mode) string {
	if !c.Bus {
		return "run xflash on the computer that the phone is plugged into: this one has no USB bus, as many containers and virtual machines"
	}
	if len(c.Phones) == 0 {
		return "plug the phone in: " + ModeUnknown.KeysTo(want) + ". If nothing appears, try another cable (many only charge) and a port at the back of the computer, without a hub"
	}
	for _, p := range c.Phones {
		switch {
		case p.Mode != want:
			continue
		case p.Access != nil && os.IsPermission(p.Access):
			return `give yourself the right to use the phone: "xflash udev --install" as root, then plug it in again`
		case p.Access != nil:
			return "plug the phone in again: its file cannot be opened (" + p.Access.Error() + ")"
		case len(p.Holders) > 0:
			return "end " + p.Holders[0].Program + ", which has the phone open"
		}
		return "nothing: the phone at " + p.Path() + " can be used"
	}
	return "bring the phone into " + want.String() + ": " + c.Phones[0].Mode.KeysTo(want)
}
