package capture_test

import (
	"errors"
	"fmt"
	"strings"

	"xflash/usbproto/capture"
)

// NewReader says why a file is not a capture.
func ExampleNewReader() {
	_, err := capture.NewReader(strings.NewReader("\x0a\x0d\x0d\x0a and the rest of a pcapng file"))
	var bad *capture.Error
	fmt.Println(errors.As(err, &bad), bad.Reason)
	// Output: true it is in the newer pcapng format; Wireshark can save it as pcap
}
