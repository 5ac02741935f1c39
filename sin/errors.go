package sin

import (
	"fmt"
	"strings"
)

// Reason says in which way a file is wrong. Each reason calls for another action:
// a truncated file is downloaded again, a forged root means another source.
type Reason int

// Reasons, in the order in which Check prefers them when several apply.
const (
	NotSIN             Reason = iota + 1 // no version of the format
	Truncated                            // the file ends before its end
	Malformed                            // the header contradicts itself
	HeaderChanged                        // the signature is whole, what it signs is not
	CertificateDamaged                   // the certificate was changed after it was made
	SignatureDamaged                     // the signature does not fit the key
	ForgedRoot                           // the root named as issuer did not sign the certificate
	CorruptBlock                         // a block of the payload has another hash
	Trailing                             // bytes after the end
	BadMap                               // the map of an image breaks a rule
	BadData                              // the data of an image do not give what its map says
	BadLayout                            // a partition layout breaks a rule
	BadArchive                           // the archive of version 4 or 5 breaks a rule
)

var reasonNames = [...]string{"", "not a SIN file", "truncated", "malformed header", "header changed",
	"certificate damaged", "signature damaged", "forged root", "corrupt block", "trailing data",
	"bad image map", "bad image data", "bad partition layout", "bad archive"}

// String names the reason in a few words.
func (r Reason) String() string {
	if r < 1 || int(r) >= len(reasonNames) {
		return fmt.Sprintf("reason %d", int(r))
	}
	return reasonNames[r]
}

// Error is every failure that lies in the file. Failures of the reader it came
// from are returned as they are.
type Error struct {
	File   string // name given by the caller, may be empty
	Reason Reason
	Offset int64  // where in the file, -1 when it is not a single place
	Block  int    // index in the hash list, -1 when it is not a block
	Detail string // what was found, in words
	Err    error  // cause, may be nil
}

// Error returns one line: file, place, reason and detail.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File + ": ")
	}
	b.WriteString(e.Reason.String())
	switch {
	case e.Block >= 0 && e.Offset >= 0 && e.Reason == CorruptBlock:
		fmt.Fprintf(&b, " %d at file offset %#x", e.Block, e.Offset)
	case e.Block >= 0 && e.Offset >= 0:
		fmt.Fprintf(&b, " in block %d at file offset %#x", e.Block, e.Offset)
	case e.Offset >= 0:
		fmt.Fprintf(&b, " at file offset %#x", e.Offset)
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error with the same reason and, where target
// sets them, the same block and offset. So errors.Is(err, sin.Because(sin.Truncated)) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Reason == e.Reason && (t.Offset < 0 || t.Offset == e.Offset) && (t.Block < 0 || t.Block == e.Block)
}

// Because is the pattern of a reason for errors.Is.
func Because(r Reason) error { return &Error{Reason: r, Offset: -1, Block: -1} }

// fail makes an Error at an offset (-1: none) that belongs to no block.
func fail(r Reason, offset int64, format string, args ...any) *Error {
	return &Error{Reason: r, Offset: offset, Block: -1, Detail: fmt.Sprintf(format, args...)}
}

// inFile puts the file name into an Error.
func inFile(err error, name string) error {
	if e, ok := err.(*Error); ok && e != nil && e.File == "" {
		e.File = name
	}
	return err
}

// Note is something odd in a file that is not a failure.
type Note struct {
	Offset int64
	Text   string
}
