package usbproto_test

import (
	"fmt"

	"xflash/usbproto"
)

// A phone is chosen by its place on the bus or by its serial number.
func ExampleParseSelector() {
	s, err := usbproto.ParseSelector("usb:1-2.3")
	fmt.Println(s.Port, err)
	fmt.Println(usbproto.ModeOf(0x0fce, 0xadde) == usbproto.ModeFlash)
	// Output:
	// 1-2.3 <nil>
	// true
}
