package command

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"xflash/usbproto"
)

// Refusal is a FAIL. The session continues.
type Refusal struct {
	Command string
	Text    string // after FAIL, as the phone sent it
}

func (e *Refusal) Error() string { return fmt.Sprintf("the phone refused %s: %q", e.Command, e.Text) }

// Unsupported reports whether the phone does not know the variable that was asked for, which is normal (PROTOCOL.md §2.3).
func (e *Refusal) Unsupported() bool {
	return strings.HasPrefix(e.Command, "getvar:") && strings.HasSuffix(e.Text, "not supported")
}

// NoUnit reports whether a unit could not be read because the phone does not have it, which is normal (PROTOCOL.md §2.3).
func (e *Refusal) NoUnit() bool {
	return strings.HasPrefix(e.Command, "Read-TA:") && strings.HasSuffix(e.Text, "error=-22")
}

// AnswerError is an answer that the protocol does not allow. The session is over: nothing says which answer the next one
// would be.
type AnswerError struct {
	Command string
	Got     string // the start of it
	Reason  string
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("after %s the phone sent %.40q: %s", e.Command, e.Got, e.Reason)
}

// StrayError is an answer that came before the command it would be taken for. Command was not sent, or its answer cannot
// be told from the stray one. The session is over.
type StrayError struct {
	Command string
	Got     string // the start of it
}

func (e *StrayError) Error() string {
	return fmt.Sprintf("before the answer to %s the phone sent %.40q unrequested: the answers are out of step", e.Command, e.Got)
}

// TransferError is a transfer that failed, or a context that ended during a command. The session is over.
type TransferError struct {
	Command string
	Err     error // *usbproto.TransferError or a cause of one
}

func (e *TransferError) Error() string { return fmt.Sprintf("%s: %v", e.Command, e.Err) }

// Unwrap returns the cause.
func (e *TransferError) Unwrap() error { return e.Err }

// BudgetError is a command that the phone did not answer, or not completely, in its time. The session is over.
// errors.Is with usbproto.ErrTimeout holds.
type BudgetError struct {
	Command string
	Limit   time.Duration
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("the phone did not answer %s within %s", e.Command, e.Limit)
}

// Unwrap is usbproto.ErrTimeout.
func (e *BudgetError) Unwrap() error { return usbproto.ErrTimeout }

// SilentError is a phone that is in flash mode and answers nothing when a session starts. Most likely another program was
// killed in the middle of a download, and the phone accepts every command for data until it is unplugged (PROTOCOL.md §1.5).
type SilentError struct {
	Taken bool  // the phone accepted the commands, as one that waits for data does
	Err   error // of the last attempt
}

func (e *SilentError) Error() string {
	if e.Taken {
		return "the phone accepts commands but answers none: it probably waits for the rest of a download that another program did not finish"
	}
	return "the phone accepts no command: " + e.Err.Error()
}

// Unwrap returns the error of the last attempt.
func (e *SilentError) Unwrap() error { return e.Err }

// Forbidden is a command that this package never sends. Nothing was sent, and the session continues.
type Forbidden struct {
	What string // "unit 2010", "partition persist"
	Why  string
}

func (e *Forbidden) Error() string { return fmt.Sprintf("%s is never written: %s", e.What, e.Why) }

// TooLargeError is a download above the limit of the phone. Nothing was sent, and the session continues.
type TooLargeError struct{ Size, Limit int64 }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("a download of %d bytes is larger than the %d that the phone accepts", e.Size, e.Limit)
}

// SourceError is data for the phone that could not be read to the end. The rest of the download was filled with zeros,
// which the phone keeps in its memory and nothing can flash, and the session continues.
type SourceError struct {
	Offset int64 // bytes sent before
	Err    error // io.ErrUnexpectedEOF for a source that is too short
}

func (e *SourceError) Error() string { return fmt.Sprintf("reading at byte %d: %v", e.Offset, e.Err) }

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }

var (
	// ErrEnded: the session is over, by End, Close or an earlier error.
	ErrEnded = errors.New("the session with the phone is over")
	// ErrState: the order of commands would harm the phone. Nothing was sent.
	ErrState = errors.New("not possible now")
)
