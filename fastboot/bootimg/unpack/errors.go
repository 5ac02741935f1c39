package unpack

import (
	"errors"
	"fmt"
)

// Reasons of an Error, for errors.Is.
var (
	ErrUnsupported = errors.New("cannot be decompressed by xflash")
	ErrLimit       = errors.New("expands beyond the limit")
	ErrDictionary  = errors.New("needs a dictionary above the limit")
	ErrTruncated   = errors.New("the compressed data ends early")
	ErrCorrupt     = errors.New("the compressed data is damaged")
	ErrTrailing    = errors.New("other bytes follow the compressed data")
)

// Error is a failure that lies in the compressed data. Failures of the reader
// after them are returned as they are.
type Error struct {
	Format Format
	Reason error // one of the reasons above
	Offset int64 // bytes of the input taken when it was noticed; decoders may read a little ahead
	Err    error // what the decoder said, may be nil
}

// Error returns one line: format, reason and place.
func (e *Error) Error() string {
	text := fmt.Sprintf("%v: %v (input offset %#x)", e.Format, e.Reason, e.Offset)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the reason and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}
