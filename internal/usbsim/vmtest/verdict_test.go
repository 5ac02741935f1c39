package vmtest

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"xflash/internal/simphone"
	"xflash/internal/usbsim"
)

// The four verdicts of usbproto/libusb/NOTES.md §9: each has its own words and its own exit code
// (§6), and none of them waits for something that will not come.

func TestNothingThere(t *testing.T) {
	b := newBench(t, simphone.Options{})
	for _, words := range [][]string{{"devices"}, {"info"}} {
		o := b.xflash(nil, words...).want(t, 3)
		contains(t, o.stderr, "no phone is plugged in", "Volume Down")
	}
}

func TestOtherMode(t *testing.T) {
	b := newBench(t, simphone.Options{})
	b.plugAs(usbsim.Fastboot("CB5A1XYZ"), usbsim.Watch{})
	o := b.xflash(nil, "info").want(t, 3)
	contains(t, o.stderr, "in fastboot, not in flash mode", "Volume Down")
}

func TestNoAccess(t *testing.T) {
	b := newBench(t, simphone.Options{})
	b.plug(usbsim.Watch{})
	o := b.xflash(user, "info").want(t, 4)
	contains(t, o.stderr, "no permission", "udev")
	// Listing needs no rights.
	contains(t, b.xflash(user, "devices").want(t, 0).stdout, "0fce:adde")
	b.allow(user)
	contains(t, b.xflash(user, "info").want(t, 0).stdout, "D5803")
}

// usbfs gives an interface to one opener at a time.
func TestBusy(t *testing.T) {
	b := newBench(t, simphone.Options{})
	b.plug(usbsim.Watch{})
	node, err := os.OpenFile(b.node(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	const claimInterface = 0x8004550f // USBDEVFS_CLAIMINTERFACE
	if err := unix.IoctlSetPointerInt(int(node.Fd()), claimInterface, 0); err != nil {
		t.Fatal(err)
	}
	o := b.xflash(nil, "info").want(t, 5)
	contains(t, o.stderr, "used by another program", "test.bin")
	if err := node.Close(); err != nil {
		t.Fatal(err)
	}
	b.xflash(nil, "info").want(t, 0)
}
