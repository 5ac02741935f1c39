package simphone

import (
	"encoding/binary"
	"slices"

	"xflash/internal/simphone/taimage"
)

// Units of trim area 2 that the phone itself knows (s1-protocol.md §6.3).
const (
	unitHWConf       = 2003
	unitSIMLock      = 2010
	unitSIMLockSign  = 2129
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
	unitFlashState   = 10100 // 1 while a flash is going on
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

// keepKernelHeader stores the whole SIN header of the kernel in unit 66670
// (loader-behaviour.md, correction 1).
func (s *session) keepKernelHeader(header []byte) status {
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
	if len(data) != 1 || data[0] != 1 && data[0] != 2 || s.trim.partition != 0 {
		return nil, minor(codeOpenTA, 0)
	}
	image, err := s.phone.readTrimArea()
	if err != nil || !image.HasPartition(int(data[0])) {
		return nil, minor(codeTAInvalid, 0)
	}
	s.trim = openTrim{partition: int(data[0]), image: image}
	return nil, nil
}

// closeTA10 answers command 10: what was written is stored now. Closing a trim
// area that is not open is fine (loader-behaviour.md).
func closeTA10(s *session, _ packetHeader, data []byte) ([]byte, *refusal) {
	if len(data) != 0 {
		return nil, minor(codeCloseTA, 0)
	}
	t := s.trim
	s.trim = openTrim{}
	if t.changed && s.phone.storeTrimArea(t.image) != nil {
		return nil, minor(codeCloseTA, 0)
	}
	return nil, nil
}

// hidden reports that a unit may not be used from outside (error-codes.md §4).
func (s *session) hidden(unit uint32) bool {
	return s.trim.partition == 2 && unit >= unitPrivate && !s.sec.privateUnits()
}

// readTA12 answers command 12.
func readTA12(s *session, h packetHeader, data []byte) ([]byte, *refusal) {
	if h.more() {
		return nil, gaveUp(statusCmdMissing)
	}
	if len(data) != 4 || s.trim.partition == 0 {
		return nil, minor(codeReadTA, 0)
	}
	unit := binary.BigEndian.Uint32(data)
	u, ok := s.trim.image.Unit(s.trim.partition, unit)
	if !ok || len(u.Data) == 0 || len(u.Data) > int(s.maxPacket) || s.hidden(unit) {
		return nil, minor(codeReadTA, 0)
	}
	return u.Data, nil
}

// writeTA13 answers command 13. The declared length is not compared with that of
// the packet: a longer one takes bytes from behind the packet
// (loader-behaviour.md, correction 8). No unit below 0x10000 is protected.
func writeTA13(s *session, h packetHeader, data []byte) ([]byte, *refusal) {
	if h.more() {
		return nil, gaveUp(statusCmdMissing)
	}
	if len(data) < 8 || s.trim.partition == 0 {
		return nil, minor(codeWriteTA, 0)
	}
	unit, length := binary.BigEndian.Uint32(data), int64(binary.BigEndian.Uint32(data[4:]))
	if length > int64(len(s.buffer)-8) || s.hidden(unit) {
		return nil, minor(codeWriteTA, 0)
	}
	if s.trim.image.Set(s.trim.partition, unit, slices.Clone(s.buffer[8:8+length])) != nil {
		return nil, minor(codeWriteTA, 0)
	}
	s.trim.changed = true
	return nil, nil
}

// dumpPart is the size of the parts of a dump without configBigDumps.
const dumpPart = 4096

// A partReply is a reply that the host fetches in parts by repeating the command.
type partReply struct {
	rest    []byte
	started bool
}

// more reports that there are parts left.
func (p *partReply) more() bool { return p.started && len(p.rest) > 0 }

// dumpTA18 answers command 18: every unit of the open partition as unit, length,
// data. Units that may not be read are left out.
func dumpTA18(s *session, h packetHeader, data []byte) ([]byte, *refusal) {
	if h.more() {
		return nil, gaveUp(statusCmdMissing)
	}
	if len(data) != 0 {
		return nil, failed(statusCmdParam)
	}
	if s.trim.partition == 0 {
		return nil, minor(codeTANotOpen, 0)
	}
	if !s.parts.more() {
		s.parts = partReply{started: true}
		for _, u := range s.trim.image.Units(s.trim.partition) {
			if s.hidden(u.Number) {
				continue
			}
			s.parts.rest = binary.BigEndian.AppendUint32(s.parts.rest, u.Number)
			s.parts.rest = binary.BigEndian.AppendUint32(s.parts.rest, uint32(len(u.Data)))
			s.parts.rest = append(s.parts.rest, u.Data...)
		}
	}
	size := dumpPart
	if s.config&configBigDumps != 0 {
		size = int(s.maxPacket)
	}
	part := s.parts.rest[:min(size, len(s.parts.rest))]
	s.parts.rest = s.parts.rest[len(part):]
	return part, nil
}
