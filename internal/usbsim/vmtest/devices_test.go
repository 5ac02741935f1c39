package vmtest

import (
	"testing"

	"xflash/internal/simphone"
	"xflash/internal/usbsim"
)

// The phone is seen through sysfs and asked through libusb.
func TestDevicesAndInfo(t *testing.T) {
	b := newBench(t, simphone.Options{})
	b.plug(usbsim.Watch{})
	o := b.xflash(nil, "devices").want(t, 0)
	contains(t, o.stdout, "usb:", "0fce:adde", "flash mode")
	o = b.xflash(nil, "info").want(t, 0)
	contains(t, o.stdout, "D5803", "S1_Boot_MSM8974AC")
	// A second run finds no greeting and must ask (usbproto/s1/PROTOCOL.md §1.4).
	again := b.xflash(nil, "info").want(t, 0)
	if again.stdout != o.stdout {
		t.Errorf("the second run differs:\n%s\n%s", o.stdout, again.stdout)
	}
}
