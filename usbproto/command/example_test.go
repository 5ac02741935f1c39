package command_test

import (
	"bytes"
	"context"
	"fmt"
	"net"

	"xflash/usbproto"
	"xflash/usbproto/command"
)

// The phone judges a signature before anything is erased.
func Example() {
	near, far := net.Pipe()
	go func() { // a phone that accepts only firmware of its own kind
		b := make([]byte, 64)
		for _, answer := range []string{"OKAY104857600", "FAILunknown", "DATA00000003", "OKAY", "FAILFailed to verify cms"} {
			if _, err := far.Read(b); err != nil {
				return
			}
			if _, err := far.Write([]byte(answer)); err != nil {
				return
			}
		}
	}()
	ctx := context.Background()
	s, err := command.Open(ctx, usbproto.NewNetConn(near, "example"), command.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Println(s.Sign(ctx, []byte("cms")))
	fmt.Println(s.Erase(ctx, "system_a"))
	fmt.Println(s.Download(ctx, bytes.NewReader(nil), 200<<20, nil))
	// Output:
	// the phone refused signature: "Failed to verify cms"
	// not possible now: send erase:system_a once per image, after its signature and first chunk
	// a download of 209715200 bytes is larger than the 104857600 that the phone accepts
}
