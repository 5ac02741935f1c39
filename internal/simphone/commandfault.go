package simphone

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Faults of a phone of 2017 or later. Fault.At counts commands, or Fault.Word and At say
// which: "@flash:3" is the third flash command, "@flash:*" each. The data of a download
// belong to its command. FaultSplit, FaultJoined, FaultLate, FaultReplug, FaultShort,
// FaultKill, FaultCard, FaultFail, FaultStale, FaultDataFail and FaultGarbage are as in the
// other modes.
//
// FaultSilence, FaultUnplug and FaultKill take one of two arguments: BYTES is when so many
// bytes of the download have come, "answer" is when the command was carried out, before its
// answer, and "answer+N" after N transfers of it.
const (
	FaultData13   = "data13"    // DATA answers end with a NUL
	FaultHex      = "hex"       // upper or lower: digits of DATA are in that case, whatever the host used
	FaultOkayText = "okay-text" // TEXT follows an OKAY that should be bare
	FaultZLP      = "zlp"       // data whose length is a multiple of the packet size end with an empty packet
	FaultTwoData  = "two-data"  // data come in two DATA sections
	FaultGlued    = "glued"     // the OKAY after data is in the transfer of the data
	FaultPending  = "pending"   // a host died BYTES before the end of its download
	FaultVar      = "var"       // NAME:VALUE is what getvar tells
	FaultNoVar    = "novar"     // the variable NAME is not supported
	FaultHash     = "hash"      // the root key hash: its first bytes to a LENGTH of 0 to 64, "other", or all digits
	FaultLUN      = "lun"       // N:KIB is the size that unit N tells
	FaultUnit     = "unit"      // P:U:BYTES is a long unit that is there from the start
)

var commandFaults = []string{
	FaultSilence, FaultUnplug, FaultReplug, FaultShort, FaultSplit, FaultJoined, FaultLate, FaultKill, FaultCard,
	FaultFail, FaultStale, FaultDataFail, FaultGarbage,
	FaultData13, FaultHex, FaultOkayText, FaultZLP, FaultTwoData, FaultGlued, FaultPending, FaultVar, FaultNoVar, FaultHash, FaultLUN, FaultUnit,
}

// parseCommandArg checks the argument of the faults above; false is one that is not here.
func (f *Fault) parseCommandArg() (known bool, err error) {
	wrong := func(want string) (bool, error) {
		return true, fmt.Errorf("%q is not %s", f.Arg, want)
	}
	switch f.Name {
	case FaultData13, FaultZLP, FaultTwoData, FaultGlued:
		if f.Arg != "" {
			return true, fmt.Errorf("%s takes no argument", f.Name)
		}
	case FaultHex:
		if f.Arg != "upper" && f.Arg != "lower" {
			return wrong("upper or lower")
		}
	case FaultOkayText:
	case FaultPending:
		if n, err := strconv.ParseInt(f.Arg, 10, 64); err != nil || n <= 0 {
			return wrong("a number of bytes")
		}
	case FaultVar:
		if name, _, ok := strings.Cut(f.Arg, ":"); !ok || name == "" {
			return wrong("NAME:VALUE")
		}
	case FaultNoVar:
		if f.Arg == "" {
			return wrong("a name")
		}
	case FaultHash:
		if f.hash(nil) == nil {
			return wrong(`a length of 0 to 64, "other", or digits`)
		}
	case FaultLUN:
		if _, _, ok := f.lun(); !ok {
			return wrong("UNIT:KIB")
		}
	case FaultUnit:
		if _, _, _, ok := f.unit(); !ok {
			return wrong("PARTITION:UNIT:BYTES")
		}
	default:
		return false, nil
	}
	return true, nil
}

// hash changes the root key hash; nil for an argument that is none.
func (f *Fault) hash(real []byte) []byte {
	if f.Arg == "other" {
		return bytes.Repeat([]byte{0x5A}, cmp.Or(len(real), 1))
	}
	if n, err := strconv.Atoi(f.Arg); err == nil && n >= 0 && n <= 64 {
		return append(bytes.Clone(real), make([]byte, 64)...)[:n]
	}
	if b, err := hex.DecodeString(f.Arg); err == nil && len(b) > 1 {
		return b
	}
	return nil
}

func (f *Fault) lun() (unit int, kib int64, ok bool) {
	first, second, _ := strings.Cut(f.Arg, ":")
	unit, err := strconv.Atoi(first)
	kib, err2 := strconv.ParseInt(second, 10, 64)
	return unit, kib, err == nil && err2 == nil && unit >= 0 && kib > 0 && kib < 1<<40
}

func (f *Fault) unit() (partition int, unit uint32, size int, ok bool) {
	at := strings.LastIndexByte(f.Arg, ':')
	if at < 0 {
		return 0, 0, 0, false
	}
	partition, unit, ok = unitOf(f.Arg[:at])
	size, err := strconv.Atoi(f.Arg[at+1:])
	return partition, unit, size, ok && err == nil && size > 0 && size <= 120<<10
}

// inDataAt is the byte of the download at which the fault happens; false when it is
// another time.
func (f *Fault) inDataAt() (int64, bool) {
	n, err := strconv.ParseInt(f.Arg, 10, 64)
	return n, err == nil && n >= 0
}

// inAnswerAt is how many transfers of the answer come before the fault; false when it is
// another time.
func (f *Fault) inAnswerAt() (int, bool) {
	rest, ok := strings.CutPrefix(f.Arg, "answer")
	if !ok || rest == "" {
		return 0, ok
	}
	n, err := strconv.Atoi(strings.TrimPrefix(rest, "+"))
	return n, err == nil && n >= 0 && strings.HasPrefix(rest, "+")
}

// isNow reports that the fault belongs to the present command.
func (s *commandSession) isNow(f *Fault) bool {
	if f.Word != "" {
		return f.Word == s.word && (f.At == everyPacket || f.At == s.words[s.word])
	}
	return f.At == everyPacket || f.At == s.heard
}

// at is the first fault of one of the names at the present command, or nil.
func (s *commandSession) at(names ...string) *Fault {
	for i, f := range s.phone.run.faults {
		if slices.Contains(names, f.Name) && s.isNow(&f) {
			return &s.phone.run.faults[i]
		}
	}
	return nil
}

// atVariable is the fault of a variable.
func (s *commandSession) atVariable(name string) *Fault {
	for i, f := range s.phone.run.faults {
		arg := f.Arg
		if f.Name == FaultVar && strings.HasPrefix(arg, name+":") {
			arg = name
		}
		if (f.Name == FaultVar || f.Name == FaultNoVar) && arg == name && s.isNow(&f) {
			return &s.phone.run.faults[i]
		}
	}
	return nil
}

// start causes the faults due before the first command.
func (s *commandSession) start() (err error) {
	if s.trim, err = s.phone.readTrimArea(); err != nil {
		return err
	}
	for _, f := range s.phone.run.faults {
		var err error
		switch f.Name {
		case FaultUnit:
			partition, unit, size, _ := f.unit() // checked by parseArg
			err = errors.Join(s.trim.Set(partition, unit, invented("long unit", size)), s.phone.storeTrimArea(s.trim))
		case FaultStale:
			if f.At == 0 && f.Word == "" {
				err = s.cable.send([]byte(f.Arg))
			}
		case FaultPending:
			if s.phone.command.replugged {
				continue // plugging in again ends what the dead host began
			}
			n, _ := f.inDataAt() // checked by parseArg
			s.word = "download"
			if err = s.take(n); err == nil {
				err = s.okay("")
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lunSize is what the phone tells of a unit.
func (s *commandSession) lunSize(unit int, size int64) int64 {
	for _, f := range s.phone.run.faults {
		if n, kib, _ := f.lun(); f.Name == FaultLUN && n == unit {
			return kib << 10
		}
	}
	return size
}

// happen pulls the cable, hangs the phone or cuts the power.
func (s *commandSession) happen(f *Fault) error {
	switch f.Name {
	case FaultUnplug:
		s.note("fault: unplugged")
		s.cable.unplug()
		return errUnplugged
	case FaultSilence:
		s.note("fault: silent from now on")
		return s.cable.hang()
	case FaultKill:
		s.note("fault: power cut")
		if s.phone.options.OnKill != nil {
			s.phone.options.OnKill()
		}
	}
	return nil
}

// timed are the faults whose argument says when.
var timed = []string{FaultUnplug, FaultSilence, FaultKill}

// before causes the faults due when a command has arrived; done when it is not carried
// out.
func (s *commandSession) before(arg string) (done bool, err error) {
	if f := s.at(FaultReplug); f != nil {
		s.note("fault: unplugged and plugged in again")
		s.drop()
		s.signed, s.erased, s.next = nil, nil, 0
		s.cable.replug()
		return true, nil
	}
	for i := range s.phone.run.faults {
		if f := &s.phone.run.faults[i]; f.Arg == "" && (f.Name == FaultUnplug || f.Name == FaultSilence) && s.isNow(f) {
			return true, s.happen(f)
		}
	}
	if f := s.at(FaultFail); f != nil {
		return true, s.refuse(arg, f.Arg)
	}
	return false, nil
}

// stopsInData is the first byte of a download after at, at most n further, where a fault
// happens.
func (s *commandSession) stopsInData(at, n int64) (stop int64, ok bool) {
	for _, f := range s.phone.run.faults {
		if b, in := f.inDataAt(); in && slices.Contains(timed, f.Name) && b > at && b <= at+n && s.isNow(&f) && (!ok || b < stop) {
			stop, ok = b, true
		}
	}
	return stop, ok
}

// inData causes the faults due after so many bytes of a download.
func (s *commandSession) inData(at int64) error {
	for i := range s.phone.run.faults {
		f := &s.phone.run.faults[i]
		if b, in := f.inDataAt(); in && slices.Contains(timed, f.Name) && b == at && s.isNow(f) {
			if err := s.happen(f); err != nil {
				return err
			}
		}
	}
	return nil
}
