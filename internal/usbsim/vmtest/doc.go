// Package vmtest tests the built program against simulated phones on a real USB bus, over
// libusb and the kernel: "make test-usb" runs it in a virtual machine whose kernel has the
// vhci-hcd module (packaging/vm). Anywhere else its tests are skipped.
package vmtest
