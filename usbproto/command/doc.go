// Package command speaks the flash protocol of Sony's phones of 2017 and later (USB 0fce:b00b) over any usbproto.Conn.
//
// It looks like fastboot and is not: the answers are OKAY, FAIL and DATA, but the commands are Sony's own, and some send
// data to the host. The host speaks first. An image is a signature, then a download and a flash for each chunk, with one
// erase in between; the phone judges the signature.
//
// Anything that must never reach a phone is refused here, whatever the caller thinks: units of the trim area and partitions that
// are not on the lists of this package, slot b, an erase without a signature that the phone accepted, and the end of an
// update in which the phone refused a step.
//
// Facts: PROTOCOL.md.
package command
