// Package usbproto finds phones on the bus and gives a byte pipe to them.
//
// It knows in which mode a Sony phone is from its USB ids, tells the four reasons why
// a phone cannot be used apart (nothing there, another mode, no access, busy), and
// hides USB behind the interface Conn: everything above it, the flash-mode
// protocol in usbproto/s1 and fastboot, works on any Conn, also on a pipe over TCP or
// a simulated phone. Facts: usbproto/s1/PROTOCOL.md §1, internal/phone/PHONES.md §8,
// usbproto/libusb/NOTES.md §8.
package usbproto

import (
	"context"
	"errors"
	"fmt"
)

// Conn is a byte pipe to a phone. It belongs to one goroutine; only Close may be called
// from another one.
//
// It carries a stream: where one transfer ends and the next starts means
// nothing (usbproto/s1/PROTOCOL.md §1.5). Every call is bounded by the deadline of its context.
type Conn interface {
	// Read waits for at least one byte. Bytes read before an error are returned with it.
	Read(ctx context.Context, p []byte) (int, error)
	// Write sends all of p or returns an error with the number of bytes known to be taken.
	Write(ctx context.Context, p []byte) (int, error)
	// Close waits for a running transfer to end, then gives the phone back.
	Close() error
}

// What can go wrong with a transfer. They are the causes of a *TransferError.
var (
	// ErrTimeout: the deadline passed. errors.Is with context.DeadlineExceeded holds too.
	ErrTimeout error = timeoutError{}
	// ErrGone: the phone left the bus, or the other end of the pipe closed it.
	ErrGone = errors.New("the phone is no longer connected")
	// ErrStalled: the phone refuses transfers on this endpoint.
	ErrStalled = errors.New("the phone halted the transfer")
	// ErrOverflow: the phone sent more than fits the request.
	ErrOverflow = errors.New("the phone sent more than requested")
	// ErrClosed: the pipe was closed on this side.
	ErrClosed = errors.New("the connection is closed")
)

type timeoutError struct{}

func (timeoutError) Error() string        { return "the phone did not answer in time" }
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// TransferError is a transfer that failed.
type TransferError struct {
	Op     string // "open", "read" or "write"
	Device string // which phone
	N      int    // bytes that were transferred before
	Err    error  // one of the errors above, context.Canceled, or another cause
}

func (e *TransferError) Error() string {
	return fmt.Sprintf("%s %s: %v", e.Op, e.Device, e.Err)
}

// Unwrap returns the cause.
func (e *TransferError) Unwrap() error { return e.Err }
