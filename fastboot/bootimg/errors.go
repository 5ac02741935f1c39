package bootimg

import (
	"errors"
	"fmt"
)

// Reasons of an Error, for errors.Is.
var (
	ErrWrongKind   = errors.New("not of this kind")
	ErrTruncated   = errors.New("cut")
	ErrMalformed   = errors.New("malformed")
	ErrUnsupported = errors.New("of an unknown version")
	ErrTooLarge    = errors.New("too large for its header")
)

// Error is a failure that lies in the image.
type Error struct {
	Part   string // "boot image", "ramdisk", "QCDT table", "device tree", …
	Reason error  // one of the reasons above
	Offset int64  // in the data that were given, bytes
	Detail string // what was found
}

// Error returns one line: part, reason, place and detail.
func (e *Error) Error() string {
	return fmt.Sprintf("%s is %v at offset %#x: %s", e.Part, e.Reason, e.Offset, e.Detail)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Reason }

func fail(part string, reason error, offset int64, format string, args ...any) *Error {
	return &Error{Part: part, Reason: reason, Offset: offset, Detail: fmt.Sprintf(format, args...)}
}
