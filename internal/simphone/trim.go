package simphone

import (
	"encoding/binary"
	"slices"

	"xflash/internal/simphone/taimage"
)

// Units of trim area 2 that the phone itself knows (internal/trimarea/FORMAT.md §3).
const (
	unitHWConf       = 2003
	unitSIMLock      = 2010
	unitSIMLockSign  = 2129
	unitSecondChip   = 2150
	unitSoftware     = 2202
	unitCustom       = 2205
	unitFileSystem   = 2206
	unitBootVersion  = 2207
	unitBuildType    = 2209
	unitModel        = 2210
	unitUnlockCode   = 2226 // two bytes or less: locked
	unitShutdown     = 2227
	unitFOTA         = 2404
	unitSerial       = 4900
	unitFlashTime    = 10021
	unitFlashState   = 10100 // 1 while a flash is in progress
	unitPrivate      = 0x10000
	unitDeviceKey    = 66667
	unitKernelHeader = 66670 // the SIN header of the kernel
)

// An openTrim is a trim area partition between commands 9 and 10. What is
// written lives in memory until the partition is closed.
type openTrim struct {
	partition int // 1 or 2; 0: none is open
	image     *taimage.Image
	changed   bool
	lost      bool // the card did not take a write: found when it is closed
}

// put writes a unit of partition 2 for the loader itself; false when that is
// not open.
func (t *openTrim) put(unit uint32, data []byte) bool {
	if t.partition != 2 || t.image.Set(2, unit, data) != nil {
		return false
	}
	t.changed = true
	return true
}

// keepHeader stores the whole SIN header of the kernel, or of system with one loader,
// in unit 66670 (usbproto/s1/PROTOCOL.md §11.1).
func (s *session) keepHeader(header []byte) status {
	if !s.trim.put(unitKernelHeader, header) {
		return statusTrimAreaIO
	}
	return 0
}

// openTA9 answers command 9.
func openTA9(s *session, h packetHeader, data []byte) ([]byte, *refusal) {
	if h.more() {
		return nil, gaveUp(statusCmdMissing)
	}
	switch {
	case len(data) != 1 || data[0] != 1 && data[0] != 2:
		return nil, s.sizeOr(len(data) == 1, trimError(codeOpenTA, wordsWrong))
	case s.trim.partition != 0:
		return nil, trimError(codeOpenTA, wordsOpen)
	}
	image, err := s.phone.readTrimArea()
	if err != nil || !image.HasPartition(int(data[0])) {
		return nil, trimError(codeTAInvalid, wordsOpen)
	}
	s.trim = openTrim{partition: int(data[0]), image: image}
	return nil, nil
}

// closeTA10 answers command 10: what was written is stored now. Closing a trim
// area that is not open is fine (usbproto/s1/PROTOCOL.md §3.2, command 10).
//
// Data the card did not store are found missing when the trim area is read back: the close is
// refused and may be repeated, which writes everything again.
func closeTA10(s *session, h packetHeader, data []byte) ([]byte, *refusal) {
	if h.more() && s.stage == StageLoader {
		return nil, gaveUp(statusCmdMissing)
	}
	if len(data) != 0 {
		return nil, s.sizeOr(false, trimError(codeCloseTA, wordsUnexpected))
	}
	t := &s.trim
	if t.changed && (t.lost || s.lose) {
		t.lost = false
		return nil, trimError(codeCloseTA, wordsWrite)
	}
	if t.changed && s.phone.storeTrimArea(t.image) != nil {
		return nil, trimError(codeCloseTA, wordsWrite)
	}
	s.trim = openTrim{}
	return nil, nil
}

// hidden reports that a unit may not be used from outside (internal/explain/ERRORS.md §4).
func (s *session) hidden(unit uint32) bool {
	return s.trim.partition == 2 && unit >= unitPrivate && !s.sec.privateUnits()
}

// readTA12 answers command 12.
func readTA12(s *session, h packetHeader, data []byte) ([]byte, *refusal) {
	if h.more() {
		return nil, gaveUp(statusCmdMissing)
	}
	switch {
	case len(data) != 4:
		return nil, s.sizeOr(false, trimError(codeReadTA, wordsWrong))
	case s.trim.partition == 0:
		return nil, trimError(codeReadTA, wordsNotOpen)
	}
	unit := binary.BigEndian.Uint32(data)
	u, ok := s.trim.image.Unit(s.trim.partition, unit)
	switch {
	case s.hidden(unit):
		return nil, trimError(codeReadTA, wordsAuth)
	case !ok || len(u.Data) == 0 || len(u.Data) > int(s.maxPacket):
		return nil, trimError(codeReadTA, wordsWrong)
	}
	return u.Data, nil
}

// writeTA13 answers command 13. The declared length is not compared with that of
// the packet: a longer one takes bytes from after the packet
// (usbproto/s1/PROTOCOL.md §11.8). No unit below 0x10000 is protected.
func writeTA13(s *session, h packetHeader, data []byte) ([]byte, *refusal) {
	if h.more() {
		return nil, gaveUp(statusCmdMissing)
	}
	switch {
	case len(data) < 8:
		return nil, s.sizeOr(false, trimError(codeWriteTA, wordsWrong))
	case s.trim.partition == 0:
		return nil, trimError(codeWriteTA, wordsNotOpen)
	}
	unit, length := binary.BigEndian.Uint32(data), int64(binary.BigEndian.Uint32(data[4:]))
	if s.hidden(unit) {
		return nil, trimError(codeWriteTA, wordsAuth)
	}
	if length > int64(len(s.buffer)-8) {
		return nil, trimError(codeWriteTA, wordsWrong)
	}
	if s.trim.image.Set(s.trim.partition, unit, slices.Clone(s.buffer[8:8+length])) != nil {
		return nil, trimError(codeWriteTA, wordsWrite)
	}
	s.trim.changed = true
	s.trim.lost = s.trim.lost || s.lose
	return nil, nil
}

// dumpPart is the size of the parts of a dump without configBigDumps.
const dumpPart = 4096

// A partReply is a reply that the host fetches in parts by repeating the command.
type partReply struct {
	command uint32 // 0: none is under way
	rest    []byte
}

// more reports that there are parts left.
func (p *partReply) more() bool { return p.command != 0 }

// next takes the next part; whole is the reply if this is the first one.
func (p *partReply) next(command uint32, size int, whole func() []byte) []byte {
	if !p.more() {
		p.rest = whole()
	}
	part := p.rest[:min(size, len(p.rest))]
	p.command, p.rest = command, p.rest[len(part):]
	if len(p.rest) == 0 {
		*p = partReply{}
	}
	return part
}

// sizeOr is the refusal of a payload of wrong size or, when its size is right, of
// its content.
func (s *session) sizeOr(right bool, why *refusal) *refusal {
	if s.model.sizesMinor && !right {
		return failed(statusCmdParam)
	}
	return why
}

// dumpTA18 answers command 18: every unit of the open partition as unit, length,
// data. Units that may not be read are left out. A payload is ignored.
func dumpTA18(s *session, h packetHeader, _ []byte) ([]byte, *refusal) {
	if h.more() {
		return nil, gaveUp(statusCmdMissing)
	}
	if s.trim.partition == 0 {
		return nil, trimError(codeTANotOpen, wordsNotOpen)
	}
	return s.parts.next(cmdDumpTA, s.partSize(), func() (all []byte) {
		for _, u := range s.trim.image.Stored(s.trim.partition) {
			if s.hidden(u.Number) {
				continue
			}
			all = binary.BigEndian.AppendUint32(all, u.Number)
			all = binary.BigEndian.AppendUint32(all, uint32(len(u.Data)))
			all = append(all, u.Data...)
		}
		return all
	}), nil
}

// partSize is how much one part of a reply has.
func (s *session) partSize() int {
	if s.config&configBigDumps != 0 {
		return int(s.maxPacket)
	}
	return dumpPart
}
