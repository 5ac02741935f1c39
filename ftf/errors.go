package ftf

import (
	"cmp"
	"fmt"
	"strings"
)

// Reason says in which way a bundle or a text in it is wrong. It is an error so
// that errors.Is(err, ftf.Truncated) works.
type Reason int

// Reasons.
const (
	NotBundle    Reason = iota + 1 // neither an archive nor a folder with firmware
	Truncated                      // the file ends before its end: download again
	Malformed                      // the archive contradicts its own format
	UnsafeName                     // a member name that would be dangerous as a path
	Duplicate                      // two members of one name, or one thing said twice
	NotRegular                     // a member that is a link or a device
	Encrypted                      // a member that needs a password
	Disagreement                   // two places in the archive say different things about a member
	Overlap                        // two members share bytes
	TooMany                        // more members than any firmware has
	TooLarge                       // unpacks to more than it may
	Unsupported                    // a packing method that is not stored or deflate
	Corrupt                        // contents do not have the CRC-32 or size they should
	BadText                        // a .ta file or manifest breaks its grammar
	BadXML                         // an XML file that is malformed or not plain
	Missing                        // something named is not in the bundle
	Ambiguous                      // several members fit where one is wanted
	Surplus                        // bytes before the archive or after its end
)

var reasonNames = [...]string{"", "not a firmware bundle", "the file ends early", "malformed archive",
	"unsafe member name", "duplicate", "not a regular file", "encrypted", "archive headers disagree",
	"members overlap", "too many members", "too large", "unsupported packing", "corrupt contents",
	"malformed text", "malformed XML", "missing", "ambiguous", "bytes outside the archive"}

// Error names the reason in a few words.
func (r Reason) Error() string {
	if r < 1 || int(r) >= len(reasonNames) {
		return fmt.Sprintf("reason %d", int(r))
	}
	return reasonNames[r]
}

// Error is every failure that lies in the bundle itself.
type Error struct {
	File   string // path of the bundle, empty for a text parsed on its own
	Member string // name in the archive, may be empty
	Reason Reason
	Offset int64 // where in the file, -1 when it is not a single place
	Line   int   // of a text, from 1; 0 when it is not text
	Column int   // of a text, in bytes from 1; 0 when the whole line is meant
	Have   int64 // Truncated and TooLarge: bytes there
	Want   int64 // Truncated: bytes needed at least, 0 when unknown; TooLarge: the limit
	Detail string
	Err    error // cause, may be nil
}

// Error returns one line: file, member, place, reason and detail.
func (e *Error) Error() string {
	var b strings.Builder
	for _, part := range []string{e.File, e.Member} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	switch {
	case e.Line > 0 && e.Column > 0:
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	case e.Line > 0:
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	b.WriteString(e.Reason.Error())
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " at offset %#x", e.Offset)
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

// Is reports whether target is the Reason of this error.
func (e *Error) Is(target error) bool {
	r, ok := target.(Reason)
	return ok && r == e.Reason
}

// fail makes an Error that belongs to no place.
func fail(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, Offset: -1, Detail: fmt.Sprintf(format, args...)}
}

// failAt makes an Error at an offset of the archive.
func failAt(r Reason, offset int64, format string, args ...any) *Error {
	return &Error{Reason: r, Offset: offset, Detail: fmt.Sprintf(format, args...)}
}

// failLine makes an Error at a place in a text.
func failLine(r Reason, line, column int, format string, args ...any) *Error {
	return &Error{Reason: r, Offset: -1, Line: line, Column: column, Detail: fmt.Sprintf(format, args...)}
}

// within puts file and member into an Error that lacks them.
func within(err error, file, member string) error {
	if e, ok := err.(*Error); ok && e != nil {
		e.File, e.Member = cmp.Or(e.File, file), cmp.Or(e.Member, member)
	}
	return err
}

// Note is something odd in a bundle that is not a failure.
type Note struct {
	Member string // may be empty
	Text   string
}

// String returns the note with the member it is about.
func (n Note) String() string {
	if n.Member == "" {
		return n.Text
	}
	return n.Member + ": " + n.Text
}
