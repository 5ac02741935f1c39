package usbsim

import (
	"encoding/binary"
	"unicode/utf16"
)

// maxPacket is the bulk packet size at high speed in bytes (usbproto/s1/PROTOCOL.md §1.3).
const maxPacket = 512

// deviceVersion is bcdDevice, 1.00.
const deviceVersion = 0x0100

// Addresses of the bulk endpoints.
const (
	addressIn  = 0x81
	addressOut = 0x01
)

// An Identity is what a phone shows in its descriptors in one mode. All modes have one
// configuration with one vendor interface and two bulk endpoints, at high speed.
type Identity struct {
	VID, PID  uint16
	Class     [3]byte // class, subclass and protocol of the device
	Interface [3]byte // the same of the interface
	Maker     string
	Product   string
	Serial    string // "": the device has none
}

// FlashMode is a phone in S1 flash mode, 0fce:adde (usbproto/s1/PROTOCOL.md §1.3). Both stages
// show the same, and there is no serial number.
func FlashMode() Identity {
	return Identity{
		VID: 0x0fce, PID: 0xadde,
		Class: [3]byte{0xef, 0x02, 0x01}, Interface: [3]byte{0xff, 0xff, 0x00},
		Maker: "Sony Mobile Communications AB", Product: "S1 Service",
	}
}

// Flash2017 is a phone of 2017 or later in flash mode, 0fce:b00b: no serial number, and the
// texts that were seen. The interface is a conclusion: fastboot's own matcher takes it.
func Flash2017() Identity {
	return Identity{
		VID: 0x0fce, PID: 0xb00b,
		Interface: [3]byte{0xff, 0x42, 0x03},
		Maker:     "Google", Product: "Android",
	}
}

// Fastboot is a phone in fastboot, 0fce:0dde, with the interface that fastboot clients
// look for (ff/42/03). The texts are a model: no descriptor of Sony's fastboot was seen.
func Fastboot(serial string) Identity {
	return Identity{
		VID: 0x0fce, PID: 0x0dde,
		Interface: [3]byte{0xff, 0x42, 0x03},
		Maker:     "Sony Mobile Communications AB", Product: "S1Boot Fastboot", Serial: serial,
	}
}

// Android is a phone whose system runs, with USB debugging: one of the ids of a Z3 Compact
// (usbproto/libusb/NOTES.md §8), and the interface that adb looks for.
func Android(serial string) Identity {
	return Identity{
		VID: 0x0fce, PID: 0x51bb,
		Interface: [3]byte{0xff, 0x42, 0x01},
		Maker:     "Sony", Product: "D5803", Serial: serial,
	}
}

// Indexes of the string descriptors.
const (
	stringMaker = iota + 1
	stringProduct
	stringSerial
)

func (id Identity) device() []byte {
	b := []byte{18, descriptorDevice, 0, 2, id.Class[0], id.Class[1], id.Class[2], 64}
	b = binary.LittleEndian.AppendUint16(b, id.VID)
	b = binary.LittleEndian.AppendUint16(b, id.PID)
	b = binary.LittleEndian.AppendUint16(b, deviceVersion)
	b = append(b, stringMaker, stringProduct, stringSerial, 1)
	if id.Serial == "" {
		b[16] = 0
	}
	return b
}

// qualifier says how the device is at full speed: the same.
func (id Identity) qualifier() []byte {
	return []byte{10, descriptorQualifier, 0, 2, id.Class[0], id.Class[1], id.Class[2], 64, 1, 0}
}

func (id Identity) configuration() []byte {
	const selfPowered = 0xc0
	b := []byte{9, descriptorConfiguration, 0, 0, 1, 1, 0, selfPowered, 0}
	b = append(b, 9, 4, 0, 0, 2, id.Interface[0], id.Interface[1], id.Interface[2], 0)
	for _, address := range []byte{addressIn, addressOut} {
		const bulk = 2
		b = append(b, 7, 5, address, bulk, maxPacket&0xff, maxPacket>>8, 0)
	}
	binary.LittleEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// text is a string descriptor; false when there is none with that index.
func (id Identity) text(index byte) ([]byte, bool) {
	var s string
	switch index {
	case 0:
		return []byte{4, descriptorString, 0x09, 0x04}, true // English only
	case stringMaker:
		s = id.Maker
	case stringProduct:
		s = id.Product
	case stringSerial:
		s = id.Serial
	}
	if s == "" {
		return nil, false
	}
	b := []byte{0, descriptorString}
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	b = b[:min(len(b), 254)]
	b[0] = byte(len(b))
	return b, true
}
