package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"xflash/usbproto/s1"
)

// Units whose content is kept: they say the model, the versions and the state of a flash,
// and are the same on every phone of a model and firmware (usbproto/s1/PROTOCOL.md §6.3). All
// units that a restore may write are among them: they are read back and compared, so without
// them a capture could not be played back. Of unit 2003 only REV="…" is kept.
var openUnits = []uint32{
	2127, 2202, 2205, 2206, 2207, 2209, 2210, 2212, 2301, 2311, 2330, 2402, 2404, 2473, 2486, 2550, 2553, 10021, 10100,
}

const unitHWConf = 2003

// FlashMask masks what goes over in flash mode: all information keys but those of
// s1.PublicKeys, and the contents of trim-area units but for a few that are the same on
// many phones. The checksums of changed packets are made again.
func FlashMask() Masker { return &flashMask{} }

type flashMask struct {
	host struct {
		stream
		command s1.Command
		unit    uint32
	}
	phone stream
	units unitMask
	parts [][]byte // of the packet that is not complete: slices of what was received
}

// stream finds the packets in the data of one direction (usbproto/s1/PROTOCOL.md §2.1).
type stream struct {
	header []byte
	data   []byte // its beginning
	left   int    // bytes of data and CRC that are missing
	whole  int    // data length
}

const (
	headerSize  = 13
	trailerSize = 4
)

// feed takes the next bytes; rest is what is after the end of a packet. An error says that
// this is not a packet.
func (s *stream) feed(b []byte, keep int) (rest []byte, complete bool, err error) {
	if len(s.header) < headerSize {
		n := min(headerSize-len(s.header), len(b))
		s.header, b = append(s.header, b[:n]...), b[n:]
		if len(s.header) < headerSize {
			return nil, false, nil
		}
		if s1.Checksum(s.header[:headerSize-1]) != s.header[headerSize-1] {
			return nil, false, errNoPacket
		}
		s.whole = int(binary.BigEndian.Uint32(s.header[8:]))
		s.left = s.whole + trailerSize
	}
	n := min(s.left, len(b))
	if room := min(keep, s.whole) - len(s.data); room > 0 {
		s.data = append(s.data, b[:min(room, n)]...)
	}
	s.left -= n
	return b[n:], s.left == 0, nil
}

var errNoPacket = errors.New("no packet starts here")

func (s *stream) command() s1.Command { return s1.Command(binary.BigEndian.Uint32(s.header)) }

func (s *stream) next() { *s = stream{} }

// Host follows what the host asks for. What it writes is from a firmware bundle: s1 refuses
// to write a unit that identifies a phone.
func (m *flashMask) Host(b []byte) {
	for len(b) > 0 {
		rest, complete, err := m.host.feed(b, 4)
		if err != nil {
			m.host.next() // the next transfer starts one, perhaps
		}
		if !complete {
			return
		}
		m.host.command = m.host.stream.command()
		if len(m.host.data) == 4 {
			m.host.unit = binary.BigEndian.Uint32(m.host.data)
		}
		m.host.next()
		m.units = unitMask{}
		b = rest
	}
}

// Phone gathers packets, because a checksum comes after what it is of.
func (m *flashMask) Phone(b []byte) bool {
	for len(b) > 0 {
		rest, complete, err := m.phone.feed(b, 0)
		m.parts = append(m.parts, b[:len(b)-len(rest)])
		if err != nil {
			m.Abandon()
			return true
		}
		if b = rest; complete {
			m.packet()
		}
	}
	return len(m.parts) == 0
}

// packet masks the packet that is complete.
func (m *flashMask) packet() {
	whole := bytes.Join(m.parts, nil)
	data := whole[headerSize : headerSize+m.phone.whole]
	switch m.phone.command() {
	case s1.CmdInfo:
		maskInfo(data)
	case s1.CmdReadUnit:
		maskUnit(m.host.unit, data)
	case s1.CmdReadAll:
		m.units.mask(data)
	case s1.CmdError, s1.CmdReadTable: // a partition table is the same on every phone of a model
	default:
		hide(data)
	}
	binary.BigEndian.PutUint32(whole[headerSize+len(data):], s1.CRC(data))
	for _, part := range m.parts {
		whole = whole[copy(part, whole):]
	}
	m.parts = nil
	m.phone.next()
}

// Abandon overwrites what is there of an incomplete packet.
func (m *flashMask) Abandon() {
	for _, part := range m.parts {
		hide(part)
	}
	m.parts = nil
	m.phone.next()
}

func maskUnit(unit uint32, data []byte) {
	switch {
	case slices.Contains(openUnits, unit):
	case unit == unitHWConf:
		const mark = `REV="`
		at := bytes.Index(data, []byte(mark))
		if at < 0 {
			hide(data)
			return
		}
		end := at + len(mark)
		if n := bytes.IndexByte(data[end:], '"'); n >= 0 {
			end += n + 1
		}
		hide(data[:at])
		hide(data[end:])
	default:
		hide(data)
	}
}

// unitMask masks a dump of units, which comes in several packets: unit and length as 4
// bytes big-endian each, then the data (usbproto/s1/PROTOCOL.md §3.2, command 18).
type unitMask struct {
	head []byte
	left int
}

func (u *unitMask) mask(b []byte) {
	for len(b) > 0 {
		if u.left > 0 {
			n := min(u.left, len(b))
			if unit := binary.BigEndian.Uint32(u.head); !slices.Contains(openUnits, unit) {
				hide(b[:n])
			}
			u.left, b = u.left-n, b[n:]
			if u.left == 0 {
				u.head = nil
			}
			continue
		}
		n := min(8-len(u.head), len(b))
		u.head, b = append(u.head, b[:n]...), b[n:]
		if len(u.head) == 8 {
			if u.left = int(binary.BigEndian.Uint32(u.head[4:])); u.left == 0 {
				u.head = nil
			}
		}
	}
}

// maskInfo masks the values of KEY="value"; pairs that are not public. What is no such
// pair is overwritten.
func maskInfo(data []byte) {
	for len(data) > 0 {
		pair := data
		// A value ends with a quote and a semicolon.
		if end := bytes.Index(data, []byte(`";`)); end >= 0 {
			pair = data[:end+2]
		}
		data = data[len(pair):]
		key, value, ok := bytes.Cut(pair, []byte(`="`))
		if len(bytes.Trim(pair, "\x00")) == 0 {
			continue
		}
		if !ok {
			hide(pair)
			continue
		}
		if !slices.Contains(s1.PublicKeys, string(bytes.TrimSpace(key))) {
			overwrite(bytes.TrimRight(value, "\x00;\""))
		}
	}
}

// overwrite replaces each word by zeros when it is a number, decimal or hexadecimal, and by
// X when it is not, so that a number stays one. What is between the words stays when it
// separates text; a value that is not text is hidden whole.
func overwrite(b []byte) {
	if bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && !separates(byte(r)) || r > '~' }) {
		hide(b)
		return
	}
	for at := 0; at < len(b); {
		end := at
		for end < len(b) && !separates(b[end]) {
			end++
		}
		fill := byte('0')
		for _, c := range b[at:end] {
			if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
				fill = 'X'
			}
		}
		for ; at < end; at++ {
			b[at] = fill
		}
		at++
	}
}

func separates(c byte) bool { return bytes.IndexByte([]byte("\x00\t\r\n =\"';,:.-_/"), c) >= 0 }

// hide leaves nothing of b but its length: numbers in BCD and keys would show through
// anything that depends on what they are.
func hide(b []byte) {
	for i := range b {
		b[i] = 'X'
	}
}
