package simphone

import "encoding/binary"

// loaderCommands is the dispatch table of the Z3 Compact's loader
// (internal/explain/ERRORS.md §3.1).
var loaderCommands = map[uint32]command{
	cmdInfo:      info1,
	cmdEnd:       end4,
	cmdHeader:    header5,
	cmdData:      data6,
	cmdError:     error7,
	cmdOpenTA:    openTA9,
	cmdCloseTA:   closeTA10,
	cmdFormatTA:  formatTA11,
	cmdReadTA:    readTA12,
	cmdWriteTA:   writeTA13,
	cmdReadRaw:   readRaw14,
	cmdSecurity:  security15,
	cmdAuth:      auth17,
	cmdDumpTA:    dumpTA18,
	cmdErase:     erase20,
	cmdLayout:    layout21,
	cmdConfig:    config25,
	cmdDiagnose:  diagnose27,
	cmdStorageID: storage28,
}

// config25 answers command 25: two bytes version, four bytes of bits.
func config25(s *session, _ packetHeader, data []byte) ([]byte, *refusal) {
	if len(data) != 6 {
		return nil, failed(statusCmdParam)
	}
	if v := binary.BigEndian.Uint16(data); v != 1 && v != 2 {
		return nil, failed(statusCmdParam)
	}
	s.config = binary.BigEndian.Uint32(data[2:])
	return nil, nil
}

// The commands below need Sony's service authentication, which no owner has.
// All of them end in a MAJOR error (usbproto/s1/PROTOCOL.md §11.7).

// forbidden is the refusal of what needs authentication. With one loader the session
// continues after it.
func (s *session) forbidden() *refusal {
	if s.model.majorAgain {
		return failed(statusNotAuthorised)
	}
	return gaveUp(statusNotAuthorised)
}

// readRaw14 answers command 14.
func readRaw14(s *session, _ packetHeader, data []byte) ([]byte, *refusal) {
	switch len(data) {
	case 0, 1:
		return nil, failed(statusCmdParam)
	case 8, 9, 13:
		return nil, s.forbidden()
	}
	return nil, s.wrongSize()
}

// erase20 answers command 20. It checks neither an empty payload nor a correct one.
func erase20(s *session, _ packetHeader, data []byte) ([]byte, *refusal) {
	switch len(data) {
	case 0, 8, 9, 13:
		return nil, s.forbidden()
	}
	return nil, s.wrongSize()
}

// formatTA11 answers command 11.
func formatTA11(s *session, _ packetHeader, data []byte) ([]byte, *refusal) {
	if len(data) > 1 {
		return nil, s.wrongSize()
	}
	return nil, s.forbidden()
}

// security15 answers command 15.
func security15(s *session, _ packetHeader, _ []byte) ([]byte, *refusal) {
	if s.trim.partition != 2 {
		return nil, gaveUp(statusSecurityProps)
	}
	return nil, gaveUp(statusNotAuthorised)
}

// auth17 answers command 17: version, step, data.
func auth17(_ *session, _ packetHeader, data []byte) ([]byte, *refusal) {
	if len(data) < 3 {
		return nil, gaveUp(statusAuthParam)
	}
	return nil, gaveUp(statusAuthWrongOrder)
}

// diagnose27 answers command 27: at least 5 bytes, the first four are version 1,
// 12 in all. It is refused with two replies (usbproto/s1/PROTOCOL.md §11.9), empty
// with one.
func diagnose27(s *session, _ packetHeader, data []byte) ([]byte, *refusal) {
	s.nak2 = len(data) > 0
	switch {
	case len(data) < 5:
		return nil, gaveUp(statusCmdParam)
	case binary.BigEndian.Uint32(data) != 1:
		return nil, gaveUp(statusCmdVersion)
	case len(data) != 12:
		return nil, gaveUp(statusCmdFormat)
	}
	return nil, gaveUp(statusTrimAreaAuth)
}

// storage28 answers command 28: one property byte of a storage device. What it
// means was not studied; the loaders that were run say 0.
func storage28(s *session, _ packetHeader, data []byte) ([]byte, *refusal) {
	if len(data) != 1 {
		return nil, failed(statusCmdParam)
	}
	if data[0] != layoutDevice {
		switch s.model.storage28 {
		case storageRefuses:
			return nil, failed(statusNoDevice)
		case storageHangs:
			s.dead = true
		}
	}
	return []byte{0}, nil
}
