package simphone

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names of the faults a phone can be asked for.
const (
	FaultSilence = "silence"    // never answers this packet nor any later one
	FaultUnplug  = "unplug"     // the cable goes when this packet has arrived, before it is carried out
	FaultReplug  = "replug"     // the cable goes when this packet has arrived and comes back; a loader that stays on carries the packet out, its reply is lost
	FaultShort   = "short-read" // only the first 5 bytes of the reply are sent
	FaultSplit   = "split"      // the reply comes in transfers of one byte
	FaultJoined  = "joined"     // the reply comes in one transfer
	FaultLate    = "late"       // the reply comes after DURATION, 2s if not given
	FaultRefuse  = "refuse"     // refused without being carried out: [MAJOR/]CODE/DYNAMIC in hexadecimal
	FaultCorrupt = "corrupt"    // one bit of the reply is wrong: in its "header" (as without argument), "data" or "crc"
	FaultKill    = "kill"       // Options.OnKill is called when this packet was carried out, before the reply
	FaultCard    = "card"       // the storage chip does not store what this packet carries
)

// lateDefault is the delay of FaultLate without an argument.
const lateDefault = 2 * time.Second

// shortReply is how much of a reply FaultShort lets through.
const shortReply = 5

// mostInfo is how many lines FaultInfo can have.
const mostInfo = 100000

// everyPacket as Fault.At means every packet and the hellos.
const everyPacket = -1

// A Fault is something that goes wrong at one packet.
type Fault struct {
	Name string // one of the Fault constants
	Arg  string // as in NAME=ARG@N
	Word string // the command whose At-th use is meant; empty: At counts all
	At   int    // number of the host packet, 1 is the first after flash mode began, of commands in fastboot mode; 0 is before it, for the hello and FaultStale; -1 is every packet

	refusal *refusal      // of FaultRefuse
	delay   time.Duration // of FaultLate
}

// ParseFault reads NAME@N or NAME=ARG@N, where N is a packet number or *. For phones that
// take commands it may be WORD, WORD:N or WORD:* too: the first, the N-th, every use of that
// command.
func ParseFault(text string) (Fault, error) {
	i := strings.LastIndexByte(text, '@')
	if i < 0 {
		return Fault{}, fmt.Errorf("fault %q has no @N for the packet it happens at", text)
	}
	name, at := text[:i], text[i+1:]
	f := Fault{At: everyPacket}
	f.Name, f.Arg, _ = strings.Cut(name, "=")
	if f.Word, at = faultWord(at); at != "*" {
		n, err := strconv.Atoi(at)
		if err != nil || n < 0 {
			return Fault{}, fmt.Errorf("fault %q: %q is not a packet number", text, at)
		}
		f.At = n
	}
	if err := f.parseArg(); err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", text, err)
	}
	return f, nil
}

// faultWord takes the command's word off the place of a fault.
func faultWord(at string) (word, n string) {
	if at == "" || at == "*" || at[0] >= '0' && at[0] <= '9' || at[0] == '-' {
		return "", at
	}
	word, n, found := strings.Cut(at, ":")
	if !found {
		n = "1"
	}
	return word, n
}

func (f *Fault) parseArg() (err error) {
	if known, err := f.parseCommandArg(); known {
		return err
	}
	switch f.Name {
	case FaultSilence, FaultUnplug, FaultKill:
		_, inData := f.inDataAt()
		if _, inAnswer := f.inAnswerAt(); f.Arg != "" && !inData && !inAnswer {
			return fmt.Errorf("%q does not say when %s happens", f.Arg, f.Name)
		}
	case FaultReplug, FaultShort, FaultSplit, FaultJoined, FaultCard:
		if f.Arg != "" {
			return fmt.Errorf("%s takes no argument", f.Name)
		}
	case FaultLate:
		f.delay = lateDefault
		if f.Arg != "" {
			f.delay, err = time.ParseDuration(f.Arg)
		}
	case FaultCorrupt:
		if !slices.Contains([]string{"", "header", "data", "crc"}, f.Arg) {
			return fmt.Errorf("%q is not a part of a reply: header, data or crc", f.Arg)
		}
	case FaultRefuse:
		f.refusal, err = parseRefusal(f.Arg)
	case FaultFail, FaultStale:
	case FaultDataFail, FaultEarlyOkay, FaultText, FaultLong, FaultGarbage, FaultEmpty:
		if f.Arg != "" {
			return fmt.Errorf("%s takes no argument", f.Name)
		}
	case FaultDataSize, FaultInfo:
		var n int64
		if n, err = strconv.ParseInt(f.Arg, 10, 32); err == nil && f.Name == FaultInfo && (n < 0 || n > mostInfo) {
			err = fmt.Errorf("%d is not a number of lines up to %d", n, mostInfo)
		}
	default:
		return fmt.Errorf("no fault is called %q", f.Name)
	}
	return err
}

// parseRefusal reads [MINOR/|MAJOR/]CODE/DYNAMIC.
func parseRefusal(text string) (*refusal, error) {
	parts := strings.Split(text, "/")
	r := &refusal{severity: sevMinor}
	if len(parts) == 3 {
		switch parts[0] {
		case "MAJOR":
			r.severity = sevMajor
		case "MINOR":
		default:
			return nil, fmt.Errorf("severity %q is neither MINOR nor MAJOR", parts[0])
		}
		parts = parts[1:]
	}
	if len(parts) != 2 {
		return nil, fmt.Errorf("%q is not CODE/DYNAMIC, such as 0017/80080021", text)
	}
	code, err := strconv.ParseUint(parts[0], 16, 16)
	if err != nil {
		return nil, fmt.Errorf("code %q is not a 16-bit hexadecimal number", parts[0])
	}
	dynamic, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, fmt.Errorf("dynamic %q is not a 32-bit hexadecimal number", parts[1])
	}
	r.code, r.dynamic = uint16(code), status(dynamic)
	return r, nil
}

// fault returns the fault of that name at the present packet, or nil.
func (s *session) fault(name string) *Fault {
	r := s.phone.run
	for i, f := range r.faults {
		if f.Name == name && (f.At == r.packet || f.At == everyPacket) {
			return &r.faults[i]
		}
	}
	return nil
}

// before causes the faults due when a packet has arrived.
func (s *session) before() error {
	s.lose = s.fault(FaultCard) != nil
	switch {
	case s.fault(FaultReplug) != nil && !s.model.stopsUnplugged:
		s.note("fault: unplugged and plugged in again")
		s.cable.replug()
	case s.fault(FaultUnplug) != nil || s.fault(FaultReplug) != nil:
		s.note("fault: unplugged")
		s.cable.unplug()
		return errUnplugged
	case s.fault(FaultSilence) != nil:
		s.note("fault: silent from now on")
		return s.cable.hang()
	}
	return nil
}

// after causes the faults due between the work and the reply.
func (s *session) after() error {
	if s.fault(FaultKill) != nil && s.phone.options.OnKill != nil {
		s.note("fault: power cut")
		s.phone.options.OnKill()
	}
	if f := s.fault(FaultLate); f != nil {
		s.note("fault: reply late by " + f.delay.String())
		return s.cable.pause(f.delay)
	}
	return nil
}

// shape turns the transfers of one reply into those of a faulty one.
func (s *session) shape(transfers [][]byte) [][]byte {
	if f := s.fault(FaultCorrupt); f != nil {
		i := 0
		switch {
		case f.Arg == "crc":
			i = len(transfers) - 1
		case f.Arg == "data" && len(transfers) == 3:
			i = 1
		}
		transfers[i] = bytes.Clone(transfers[i])
		transfers[i][len(transfers[i])-1] ^= 0x10
	}
	joined := slices.Concat(transfers...)
	switch {
	case s.fault(FaultReplug) != nil:
		return nil // nobody was there to fetch it
	case s.fault(FaultShort) != nil:
		return [][]byte{joined[:shortReply]}
	case s.fault(FaultSplit) != nil:
		return slices.Collect(slices.Chunk(joined, 1))
	case s.fault(FaultJoined) != nil:
		return [][]byte{joined}
	}
	return transfers
}
