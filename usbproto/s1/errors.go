package s1

import (
	"errors"
	"fmt"
)

// Refusal is a phone that said no: it answered a command with flags 0. Raw is what it
// said when it was asked why, with command 7, at once (error-codes.md §1.4).
type Refusal struct {
	Command  Command
	Doing    string // what was being done: "kernel, data packet 3 of 17"
	Raw      string // text of command 7, "" when the phone gave none
	Severity string // NONE, MINOR or MAJOR
	Code     string // 4 hexadecimal digits
	Dynamic  string // 8 hexadecimal digits or a text
}

func (e *Refusal) Error() string {
	said := e.Raw
	if said == "" {
		said = "and gave no reason"
	}
	return fmt.Sprintf("the phone refused %s: %s", e.Doing, said)
}

// Limited reports whether the phone refused because of an earlier fatal error, whose
// text was fetched before: it says no but has no error. Only a restart of the phone
// helps (error-codes.md §1.4).
func (e *Refusal) Limited() bool {
	return e.Severity == "NONE" || e.Code == "0010"
}

// parseRefusal takes the text of command 7 apart.
func parseRefusal(text []byte, cmd Command, doing string) *Refusal {
	info := ParseInfo(text)
	r := &Refusal{Command: cmd, Doing: doing, Raw: trimNUL(text)}
	r.Severity, _ = info.Get("ERR_SEVERITY")
	r.Code, _ = info.Get("ERR_CODE")
	r.Dynamic, _ = info.Get("ERR_DYNAMIC")
	return r
}

// Error is a conversation that broke: no answer, a damaged or unexpected packet, a
// phone that is gone. The session cannot go on.
type Error struct {
	Command Command
	Doing   string
	Packet  int    // number of the packet sent last, from 1
	Detail  string // what the phone said afterwards, when it could still be asked
	Err     error  // *usbproto.TransferError, *PacketError or another cause
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s (packet %d): %v", e.Doing, e.Packet, e.Err)
	if e.Detail != "" {
		s += "; the phone says: " + e.Detail
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

var (
	// ErrStopped: the upload was stopped at the border of a packet, as asked for. The
	// phone has dropped the unfinished image, and the session goes on.
	ErrStopped = errors.New("stopped")
	// ErrEnded: the session is over, by End, Close or an earlier error.
	ErrEnded = errors.New("the session with the phone is over")
	// errNotS1 is a device that does not answer in this protocol.
	errNotS1 = errors.New("it does not answer like a Sony phone in flash mode")
)

// UnitError is a trim-area unit that was not written as asked.
type UnitError struct {
	Unit   uint32
	Reason string
}

func (e *UnitError) Error() string { return fmt.Sprintf("trim-area unit %d: %s", e.Unit, e.Reason) }
