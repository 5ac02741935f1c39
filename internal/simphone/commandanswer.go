package simphone

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// announce is the DATA answer to a download: with the host's own digits, because hosts
// compare them as text.
func (s *commandSession) announce(digits string) error {
	for _, t := range s.shape([][]byte{s.dataHead(digits)}) {
		if err := s.cable.send(t); err != nil {
			return err
		}
	}
	return nil
}

func (s *commandSession) dataHead(digits string) []byte {
	if f := s.at(FaultHex); f != nil {
		if digits = strings.ToLower(digits); f.Arg == "upper" {
			digits = strings.ToUpper(digits)
		}
	}
	head := []byte("DATA" + digits)
	if s.at(FaultData13) != nil {
		head = append(head, 0)
	}
	return head
}

// data answers with bytes: their announcement, they, and OKAY are separate transfers.
func (s *commandSession) data(b []byte) error {
	sections := [][]byte{b}
	if s.at(FaultTwoData) != nil {
		sections = [][]byte{b[:len(b)/2], b[len(b)/2:]}
	}
	var transfers [][]byte
	for _, section := range sections {
		transfers = append(transfers, s.dataHead(fmt.Sprintf("%08x", len(section))))
		if len(section) > 0 {
			transfers = append(transfers, section)
		}
	}
	if last := len(transfers) - 1; s.at(FaultGlued) != nil {
		transfers[last] = append(bytes.Clone(transfers[last]), "OKAY"...)
	} else {
		transfers = append(transfers, []byte("OKAY"))
	}
	return s.send(transfers)
}

// answer sends OKAY or FAIL, the last of a command.
func (s *commandSession) answer(b []byte) error {
	if f := s.at(FaultOkayText); f != nil && string(b) == "OKAY" {
		b = append(b, f.Arg...)
	}
	return s.send([][]byte{b})
}

// send sends the answer that ends a command.
func (s *commandSession) send(transfers [][]byte) error {
	if f := s.at(FaultLate); f != nil {
		s.note("fault: answer late by " + f.delay.String())
		if err := s.cable.pause(f.delay); err != nil {
			return err
		}
	}
	transfers = s.shape(transfers)
	for i, t := range transfers {
		if err := s.inAnswer(i); err != nil {
			return err
		}
		s.note(fmt.Sprintf("answers %s, %d bytes", t[:min(4, len(t))], len(t)))
		ends := len(t)%usbPacket != 0 || s.at(FaultZLP) != nil
		if err := s.cable.sendTransfer(transfer{t, ends}); err != nil {
			return err
		}
	}
	return s.inAnswer(len(transfers))
}

// shape turns the transfers of an answer into those of a faulty phone.
func (s *commandSession) shape(transfers [][]byte) [][]byte {
	joined := slices.Concat(transfers...)
	switch {
	case s.at(FaultGarbage) != nil:
		transfers = [][]byte{{0xFF, 0xFE, 'O', 'K', 0x80, 0}}
	case s.at(FaultShort) != nil:
		transfers = [][]byte{joined[:min(len(joined), shortReply)]}
	case s.at(FaultSplit) != nil:
		transfers = slices.Collect(slices.Chunk(joined, 1))
	case s.at(FaultJoined) != nil:
		transfers = [][]byte{joined}
	}
	if f := s.at(FaultStale); f != nil {
		transfers = append([][]byte{[]byte(f.Arg)}, transfers...)
	}
	return transfers
}

// inAnswer causes the faults due after so many transfers of an answer. A plain power cut
// is before the first.
func (s *commandSession) inAnswer(sent int) error {
	for i := range s.phone.run.faults {
		f := &s.phone.run.faults[i]
		n, in := f.inAnswerAt()
		if f.Name == FaultKill && f.Arg == "" {
			n, in = 0, true
		}
		if in && slices.Contains(timed, f.Name) && n == sent && s.isNow(f) {
			if err := s.happen(f); err != nil {
				return err
			}
		}
	}
	return nil
}
