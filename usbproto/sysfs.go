package usbproto

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// usbDevices is where the kernel tells of every device on the bus. It is readable for
// everyone and reading it disturbs no device, unlike opening its node.
const usbDevices = "/sys/bus/usb/devices"

// Scan lists the phones on this computer's bus in the order of their ports, from the
// kernel's files alone. root is the folder that holds /sys, empty except in test beds.
// A computer without a bus gives a *NoBusError.
func Scan(root string) ([]Device, error) {
	dir := root + usbDevices
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return nil, &NoBusError{}
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
	slices.SortFunc(phones, func(a, b Device) int { return slices.Compare(portNumbers(a.Port), portNumbers(b.Port)) })
	return phones, nil
}

// readDevice reads one device's folder. One that is being unplugged while it is read, or
// is not a phone, is not there.
func readDevice(dir string) (Device, bool) {
	attr := func(name string) string { return readText(dir, name) } // phones without a serial number have no such file
	vid, vidErr := strconv.ParseUint(attr("idVendor"), 16, 16)
	pid, pidErr := strconv.ParseUint(attr("idProduct"), 16, 16)
	bus, busErr := strconv.Atoi(attr("busnum"))
	address, addressErr := strconv.Atoi(attr("devnum"))
	if vidErr != nil || pidErr != nil || busErr != nil || addressErr != nil {
		return Device{}, false
	}
	d := Device{
		VID: uint16(vid), PID: uint16(pid), Mode: ModeOf(uint16(vid), uint16(pid)), Bus: bus, Address: address,
		Serial: attr("serial"), Product: attr("product"),
	}
	if speed := attr("speed"); speed != "" {
		d.Speed = speed + " Mbit/s"
	}
	return d, d.Mode != ModeUnknown
}

// portNumbers are the numbers of a port, by which "1-2" is before "1-10" and "1-2.3".
func portNumbers(port string) (numbers []int) {
	for _, s := range strings.FieldsFunc(port, func(r rune) bool { return r == '-' || r == '.' }) {
		n, _ := strconv.Atoi(s) // the kernel writes nothing else
		numbers = append(numbers, n)
	}
	return numbers
}

// NoBusError means that this machine has no USB at all, as in many containers and virtual
// machines.
type NoBusError struct {
	Err error // what libusb said, where it was asked
}

func (e *NoBusError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("cannot use the USB bus of this machine: %v", e.Err)
	}
	return "this machine has no USB bus, so no phone can be plugged in here"
}

// Unwrap returns what libusb said.
func (e *NoBusError) Unwrap() error { return e.Err }
