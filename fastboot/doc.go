// Package fastboot speaks Android's fastboot protocol to a phone's boot loader, over any
// usbproto.Conn on which one Read gives one message: USB, or one of the two network
// transports in tcp.go and udp.go.
//
// A command is one message of ASCII text; the answers are OKAY, FAIL, INFO, TEXT and DATA,
// with text after them. The host speaks first, always, and one goroutine owns the client.
//
// Facts: PROTOCOL.md; docs/contributing.md §5 (what went wrong in other clients).
package fastboot
