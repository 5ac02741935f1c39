package usbproto

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// usbDevices is where the kernel tells of every device on the bus. It is readable for
// everyone and reading it disturbs no device, unlike opening its node.
const usbDevices = "/sys/bus/usb/devices"

// scan lists the phones in a device folder of sysfs, in the order of their ports.
func scan(dir string) ([]Device, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var phones []Device
	for _, e := range entries {
		// "1-2.3" is a device; "usb1" is a root hub and "1-2.3:1.0" an interface.
		if strings.Contains(e.Name(), ":") || !strings.Contains(e.Name(), "-") {
			continue
		}
		if d, ok := readDevice(filepath.Join(dir, e.Name())); ok {
			d.Port = e.Name()
			phones = append(phones, d)
		}
	}
	sort.Slice(phones, func(i, j int) bool { return portLess(phones[i].Port, phones[j].Port) })
	return phones, nil
}

// readDevice reads one device's folder. One that is being unplugged while it is read, or
// is no phone, is not there.
func readDevice(dir string) (Device, bool) {
	attr := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "" // phones without a serial number have no such file
		}
		return printable(strings.TrimSpace(string(b)))
	}
	vid, vidErr := strconv.ParseUint(attr("idVendor"), 16, 16)
	pid, pidErr := strconv.ParseUint(attr("idProduct"), 16, 16)
	bus, busErr := strconv.Atoi(attr("busnum"))
	address, addressErr := strconv.Atoi(attr("devnum"))
	if vidErr != nil || pidErr != nil || busErr != nil || addressErr != nil {
		return Device{}, false
	}
	d := Device{
		VID: uint16(vid), PID: uint16(pid), Mode: modeOf(uint16(vid), uint16(pid)), Bus: bus, Address: address,
		Serial: attr("serial"), Product: attr("product"), Models: modelsOf(uint16(vid), uint16(pid)),
	}
	if speed := attr("speed"); speed != "" {
		d.Speed = speed + " Mbit/s"
	}
	return d, d.Mode != ModeUnknown
}

// portLess orders "1-2" before "1-10" and "1-2.3".
func portLess(a, b string) bool {
	split := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == '-' || r == '.' })
	}
	as, bs := split(a), split(b)
	for i := range min(len(as), len(bs)) {
		x, errX := strconv.Atoi(as[i])
		y, errY := strconv.Atoi(bs[i])
		if errX != nil || errY != nil {
			return a < b
		}
		if x != y {
			return x < y
		}
	}
	return len(as) < len(bs)
}

// NoBusError means that this machine has no USB at all, as in many containers and virtual
// machines.
type NoBusError struct {
	Err error // what libusb said, where it was asked
}

func (e *NoBusError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("the USB bus of this machine cannot be used: %v", e.Err)
	}
	return "this machine has no USB bus, so no phone can be plugged in here"
}

// Unwrap gives what libusb said.
func (e *NoBusError) Unwrap() error { return e.Err }

// Hints say what to do, one step each.
func (e *NoBusError) Hints() []string {
	return []string{
		"run xflash on the computer that the phone is plugged into, outside of containers and virtual machines",
		"or give this machine the bus: a container needs /dev/bus/usb, a virtual machine a USB controller that the phone is passed to",
		"to look around without a phone, use a simulated one: --device sim:z3c",
	}
}
