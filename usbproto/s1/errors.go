package s1

import (
	"errors"
	"fmt"
)

// At is the place of an error in the conversation.
type At struct {
	Command Command
	Doing   string // what was being done, for people: "system.sin, data packet 3 of 17"
	Image   string // name of the image that was being sent, "" for other commands
	Chunk   int    // number of its data packet, from 1; 0 while its header is sent
	Chunks  int    // how many there are
	Packet  int    // number of the packet sent last, from 1
}

// Error is a conversation that broke: no answer, a damaged or unexpected packet, a
// phone that is gone. The session cannot continue, except after a context that ended
// between two packets.
type Error struct {
	At
	Detail string // what the phone said afterwards, when it could still be asked
	Err    error  // *usbproto.TransferError, *PacketError or another cause
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s (command %d, packet %d): %v", e.Doing, uint32(e.Command), e.Packet, e.Err)
	if e.Detail != "" {
		s += "; the phone says: " + e.Detail
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// PacketError is a packet from the phone that breaks the protocol.
type PacketError struct {
	Index  int    // number of the packet from the phone, from 0
	Reason string // what is wrong
}

func (e *PacketError) Error() string {
	return fmt.Sprintf("packet %d from the phone breaks the protocol: %s", e.Index, e.Reason)
}

// SourceError is an image that could not be read, or has not the announced size. The
// phone has dropped the unfinished image, and the session continues.
type SourceError struct {
	Image  string
	Offset int64 // in the data after the header, in bytes, where the read began
	Err    error // what the reader said; io.ErrUnexpectedEOF for an image that is too short
}

func (e *SourceError) Error() string {
	return fmt.Sprintf("reading %s at byte %d of its data: %v", e.Image, e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// UnitError is a trim-area unit that was not written as asked: it was refused here, before
// a byte was sent, or something else is read back (*MismatchError).
type UnitError struct {
	Partition int
	Unit      uint32
	Err       error
}

func (e *UnitError) Error() string {
	return fmt.Sprintf("unit %d of trim-area partition %d: %v", e.Unit, e.Partition, e.Err)
}

// Unwrap returns the reason.
func (e *UnitError) Unwrap() error { return e.Err }

// MismatchError is a unit that reads back differently than it was written. The contents
// are not in it: they may identify the phone.
type MismatchError struct {
	Wrote, Read int // lengths in bytes
	Offset      int // of the first byte that differs
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%d bytes were written and %d read back; they differ from byte %d on", e.Wrote, e.Read, e.Offset)
}

var (
	// ErrStopped: the upload was stopped at the border of a packet, as asked for. The
	// phone has dropped the unfinished image, and the session continues.
	ErrStopped = errors.New("stopped")
	// ErrEnded: the session is over, by End, Close or an earlier error.
	ErrEnded = errors.New("the session with the phone is over")
	// ErrState: the command makes no sense now, and the phone would refuse it or worse.
	// Nothing was sent.
	ErrState = errors.New("not possible now")
	// ErrNotS1: the device does not answer in this protocol.
	ErrNotS1 = errors.New("it does not answer like a Sony phone in flash mode")
)
