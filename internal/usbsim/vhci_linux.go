package usbsim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// vhci is where the kernel's virtual host controller takes devices.
const vhci = "/sys/devices/platform/vhci_hcd.0/"

const (
	freePort     = "004" // VDEV_ST_NULL
	socketBuffer = 4 << 20
)

// ErrNoVHCI: the kernel has no virtual host controller, or this user may not use it.
var ErrNoVHCI = errors.New("no virtual USB host controller: it takes the kernel module vhci-hcd and root")

// PlugVHCI plugs the device into this machine and serves it until it has left the bus,
// which it does when ctx ends or somebody detaches it. It needs root and the module vhci-hcd; without them the error is ErrNoVHCI.
func PlugVHCI(ctx context.Context, d *Device) error {
	port, err := freeVHCIPort()
	if err != nil {
		return err
	}
	host, phone, err := socketPair()
	if err != nil {
		return err
	}
	// The kernel looks up the number of the socket in the process that writes it, and
	// holds the socket from then on.
	line := fmt.Sprintf("%d %d %d %d", port, host.Fd(), 1<<16|(port+1), speedHigh)
	err = os.WriteFile(vhci+"attach", []byte(line), 0)
	if err = errors.Join(err, host.Close()); err != nil {
		return errors.Join(err, phone.Close())
	}
	stop := context.AfterFunc(ctx, d.Unplug)
	defer stop()
	defer d.Unplug()
	return d.serve(phone) // the kernel unplugs the device when the socket is closed
}

// freeVHCIPort finds a high-speed port with nothing in it.
func freeVHCIPort() (int, error) {
	text, err := os.ReadFile(vhci + "status")
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission):
		return 0, ErrNoVHCI
	case err != nil:
		return 0, err
	case unix.Access(vhci+"attach", unix.W_OK) != nil:
		return 0, ErrNoVHCI
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "hs" && f[2] == freePort {
			return strconv.Atoi(f[1])
		}
	}
	return 0, errors.New("every port of the virtual USB host controller is taken")
}

// socketPair makes the two ends of the cable.
func socketPair() (host *os.File, phone net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, socketBuffer) // only for speed
	}
	host = os.NewFile(uintptr(fds[0]), "vhci")
	end := os.NewFile(uintptr(fds[1]), "phone")
	phone, err = net.FileConn(end)
	err = errors.Join(err, end.Close())
	if err != nil {
		return nil, nil, errors.Join(err, host.Close())
	}
	return host, phone, nil
}
