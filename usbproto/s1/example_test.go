package s1_test

import (
	"fmt"

	"xflash/usbproto/s1"
)

// A phone in flash mode starts with a text that says what it is.
func ExampleParseInfo() {
	info := s1.ParseInfo([]byte(`VER="S1_Boot_MSM8974AC_11";TYPE="S1_BOOT";IMEI="00440245000000";`))
	stage, _ := info.Get("TYPE")
	fmt.Println(stage, s1.Secret("IMEI"))
	// Output: S1_BOOT true
}
