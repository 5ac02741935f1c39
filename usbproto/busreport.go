package usbproto

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// LookAtBus reports on this computer. root is the folder that holds /sys and /dev, empty
// except in test beds; proc is /proc.
func LookAtBus(root, proc string) BusReport {
	c := BusReport{Kernel: readText(proc, "sys/kernel/osrelease")}
	phones, err := Scan(root)
	if err != nil {
		return c
	}
	c.Bus = true
	for _, d := range phones {
		hub, _, _ := strings.Cut(d.Port, "-")
		p := PhoneCheck{Device: d, Controller: readText(root, usbDevices, "usb"+hub, "product"), Hubs: strings.Count(d.Port, "."),
			Autosleep: readText(root, usbDevices, d.Port, "power/control") == "auto", Holders: Holders(proc, d.Node())}
		f, err := os.OpenFile(filepath.Join(root, d.Node()), os.O_RDWR, 0)
		if err != nil {
			p.Access = err
		} else {
			p.Access = f.Close()
		}
		c.Phones = append(c.Phones, p)
	}
	return c
}

// Holder is a program that has a phone open.
type Holder struct {
	PID     int
	Program string // its short name, at most 15 characters
}

// Holders finds the programs that have the file of a phone open, from /proc. A user sees
// only their own programs, so an empty list does not prove that there are none.
func Holders(proc, node string) []Holder {
	fds, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	if err != nil {
		return nil
	}
	var found []Holder
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != node {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		pid, err := strconv.Atoi(filepath.Base(dir))
		name := readText(dir, "comm")
		if err != nil || name == "" { // it ended just now
			continue
		}
		found = append(found, Holder{pid, name})
	}
	slices.SortFunc(found, func(a, b Holder) int { return a.PID - b.PID })
	return slices.Compact(found)
}

// readText reads a file of the kernel that holds one line. What is not there is empty.
func readText(path ...string) string {
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
