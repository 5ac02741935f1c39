package fastboot_test

import (
	"context"
	"fmt"
	"net"

	"xflash/fastboot"
	"xflash/usbproto"
)

// A loader answers with OKAY or with the reason why not.
func ExampleOpen() {
	near, far := net.Pipe()
	go func() { // a locked phone
		b := make([]byte, 64)
		for _, answer := range []string{"OKAY0.5", "OKAYD5803", "FAILnot allowed"} {
			if _, err := far.Read(b); err != nil {
				return
			}
			if _, err := far.Write([]byte(answer)); err != nil {
				return
			}
		}
	}()
	ctx := context.Background()
	c, err := fastboot.Open(ctx, usbproto.NewNetConn(near, "example"), fastboot.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println(c.Getvar(ctx, "product"))
	fmt.Println(c.Erase(ctx, "cache"))
	// Output:
	// D5803 <nil>
	// the phone refused "erase:cache": not allowed
}
