package sparse

import (
	"errors"
	"fmt"
)

// Reasons of an Error, for errors.Is.
var (
	ErrNotSparse = errors.New("not an Android sparse image")
	ErrTruncated = errors.New("truncated sparse image")
	ErrMalformed = errors.New("malformed sparse image")
	ErrTooLarge  = errors.New("sparse image above the limits")
	ErrChecksum  = errors.New("wrong checksum in sparse image")
	ErrLZ4       = errors.New("damaged LZ4 chunk in sparse image")
	ErrTrailing  = errors.New("bytes after the end of the sparse image")
	ErrChanged   = errors.New("the image changed while it was being read")
)

// Error is a failure that lies in the sparse image. Failures of the reader
// after it are returned as they are.
type Error struct {
	Reason error  // one of the reasons above
	Offset int64  // in the sparse file, bytes
	Chunk  int    // index of the chunk, -1 when it is the header or the end
	Detail string // what was found
}

// Error returns one line: reason, place and detail.
func (e *Error) Error() string {
	if e.Chunk < 0 {
		return fmt.Sprintf("%v at offset %#x: %s", e.Reason, e.Offset, e.Detail)
	}
	return fmt.Sprintf("%v at offset %#x, chunk %d: %s", e.Reason, e.Offset, e.Chunk, e.Detail)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Reason }

func fail(reason error, offset int64, chunk int, format string, args ...any) *Error {
	return &Error{Reason: reason, Offset: offset, Chunk: chunk, Detail: fmt.Sprintf(format, args...)}
}
