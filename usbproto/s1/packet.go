// Package s1 speaks the flash mode of Sony phones from 2010 to 2016 ("S1"), the
// side of the computer.
//
// A Session is one phone in flash mode: first the boot stage inside the phone
// answers, then, after SendLoader, the loader that was sent to it. Both use the same
// packets on the same connection. Facts: PROTOCOL.md, cited by section.
//
// Formatting the trim area, raw reads and erases, authentication and the loader's
// settings (commands 11, 14, 15, 17, 20, 25, 27, 28) have no function here on
// purpose.
package s1

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Command is the number of a command; a reply carries that of its question.
type Command uint32

// The commands that are sent (PROTOCOL.md §3.1).
const (
	CmdInfo      Command = 1
	CmdEnd       Command = 4
	CmdHeader    Command = 5
	CmdData      Command = 6
	CmdError     Command = 7
	CmdOpenTA    Command = 9
	CmdCloseTA   Command = 10
	CmdReadUnit  Command = 12
	CmdWriteUnit Command = 13
	CmdReadAll   Command = 18
	CmdReadTable Command = 21
)

var commandNames = map[Command]string{
	CmdInfo: "get information", CmdEnd: "end session", CmdHeader: "image header", CmdData: "image data", CmdError: "get error",
	CmdOpenTA: "open trim area", CmdCloseTA: "close trim area", CmdReadUnit: "read unit", CmdWriteUnit: "write unit",
	CmdReadAll: "read all units", CmdReadTable: "read partition table",
}

// String names the command in the words of the protocol.
func (c Command) String() string {
	if name, known := commandNames[c]; known {
		return fmt.Sprintf("%s (%d)", name, uint32(c))
	}
	return fmt.Sprintf("command %d", uint32(c))
}

// Flags of a packet (PROTOCOL.md §2.4). The computer sends flagsHost, with flagMore
// when more parts of the same header or image follow. The phone answers flagOK, with
// flagMore when more of the reply can be fetched, and 0 when it refuses. flagAlways is
// set by the computer; what the phone does with it is described differently
// (internal/explain/ERRORS.md §1.1), so it is not looked at in replies.
const (
	flagOK     = 1
	flagAlways = 2
	flagMore   = 4
	flagsHost  = flagOK | flagAlways
	flagsKnown = flagsHost | flagMore
)

// Packet is one packet without its checksums.
type Packet struct {
	Command Command
	Flags   uint32
	Data    []byte
}

// OK reports whether the phone accepted.
func (p Packet) OK() bool { return p.Flags&flagOK != 0 }

// more reports whether more parts follow.
func (p Packet) more() bool { return p.Flags&flagMore != 0 }

// What surrounds the data: command, flags and data length, 4 bytes big-endian each,
// and the checksum byte before, the CRC after (PROTOCOL.md §2.1).
const (
	headerSize = 13
	crcSize    = 4
)

// AppendHeader adds the 13 bytes before the data.
func (p Packet) AppendHeader(dst []byte) []byte {
	at := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.Command))
	dst = binary.BigEndian.AppendUint32(dst, p.Flags)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(p.Data)))
	return append(dst, Checksum(dst[at:]))
}

// Append adds the whole packet: header, data, CRC. The CRC is always there, also
// without data (PROTOCOL.md §2.1).
func (p Packet) Append(dst []byte) []byte {
	dst = append(p.AppendHeader(dst), p.Data...)
	return binary.BigEndian.AppendUint32(dst, CRC(p.Data))
}

// Checksum is the byte after the first 12 bytes of a header: their exclusive or, plus 7
// (PROTOCOL.md §2.2).
func Checksum(header []byte) byte {
	var x byte
	for _, b := range header {
		x ^= b
	}
	return x + 7
}

// CRC is the checksum of packet data: the reflected CRC-32 with initial value 0 and no
// final inversion, so not the usual one (PROTOCOL.md §2.3). Go inverts before and
// after, which is undone here.
func CRC(data []byte) uint32 {
	return ^crc32.Update(0xFFFFFFFF, crc32.IEEETable, data)
}
