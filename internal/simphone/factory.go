package simphone

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"

	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/taimage"
)

// softwareVersion is the version of Android on a healthy phone.
const softwareVersion = "1285-6416_23.5.A.1.291"

// factoryTrimArea is the trim area of a healthy phone and the root, in PEM form, of
// the hardware configuration in it. All phones that one process makes are alike.
func factoryTrimArea(k *phoneKind) (trim, root []byte, err error) {
	authority, err := hwAuthority()
	if err != nil {
		return nil, nil, err
	}
	trim, err = factoryTrim(authority, healthy(k))
	return trim, authority.RootPEM(), err
}

// factoryTrims are those made so far, by the phone's name.
var factoryTrims sync.Map

func factoryTrim(authority *mkimage.Authority, s settings) ([]byte, error) {
	if made, ok := factoryTrims.Load(s.Name); ok {
		return made.([]byte), nil
	}
	conf, err := signedHWConf(authority, s)
	if err != nil {
		return nil, err
	}
	image := taimage.New()
	for _, u := range append(factoryUnits(s), factoryUnit{2, unitHWConf, conf}) {
		if err := image.Set(u.partition, u.unit, u.data); err != nil {
			return nil, err
		}
	}
	factoryTrims.Store(s.Name, image.Encode())
	return image.Encode(), nil
}

// factoryUnit is a trim area unit of a new phone.
type factoryUnit struct {
	partition int
	unit      uint32
	data      []byte
}

// factoryUnits is the trim area of a healthy phone without its hardware
// configuration. Formats of the texts are those of internal/trimarea/FORMAT.md §3; keys and
// calibration are invented bytes.
func factoryUnits(s settings) []factoryUnit {
	simlock := fmt.Sprintf("OP_ID=\"0\";OP_NAME=\"Customized\";ROOTING_ALLOWED=\"1\";RCK_H=\"%X\";", invented("unlock code", 32))
	return []factoryUnit{
		{1, 1877, invented("band calibration", 600)},
		{1, 6828, invented("LTE calibration", 3000)},
		{2, 2002, invented("flafla", 32)},
		{2, unitSIMLock, append([]byte(simlock), invented("simlock", 512)...)},
		{2, 2021, []byte{1}},
		{2, unitSIMLockSign, invented("simlock signature", 128)},
		{2, unitSoftware, cString(softwareVersion)},
		{2, unitCustom, cString("1272-3750_R6C")},
		{2, unitFileSystem, cString(softwareVersion)},
		{2, unitBootVersion, cString(spaceID + "_" + s.BootVersion)},
		{2, unitBuildType, cString("user")},
		{2, unitModel, cString(s.Model)},
		{2, unitShutdown, []byte{0xAA, 0, 0, 0}},
		{2, unitFOTA, []byte{0}},
		{2, 2560, invented("wlan", 6)},
		{2, 2568, invented("bluetooth", 6)},
		{2, unitSerial, cString(s.Serial)},
		{2, unitFlashTime, cString("2016-06-30 12:00:00")},
		{2, unitFlashState, []byte{0}},
		{2, unitDeviceKey, invented("device key", 16)},
	}
}

// content is what a healthy phone has at the start of a partition of size bytes.
func (f fill) content(label string, size int64) []byte {
	switch f {
	case fillPattern:
		return invented(label, int(min(size, 64<<10)))
	case fillELF:
		return append(elfStub(), invented(label, 4096)...)
	case fillExt4:
		return ext4Stub(size)
	}
	return nil
}

// elfStub is the header of a 32-bit ARM program with nothing in it.
func elfStub() []byte {
	b := make([]byte, 52)
	copy(b, "\x7fELF\x01\x01\x01")
	binary.LittleEndian.PutUint16(b[16:], 2)  // executable
	binary.LittleEndian.PutUint16(b[18:], 40) // ARM
	binary.LittleEndian.PutUint32(b[20:], 1)
	binary.LittleEndian.PutUint16(b[40:], 52)
	return b
}

// ext4Stub has as much of a superblock as a boot loader or a tool looks at for
// the kind and size of a file system: block count, block size, magic number.
func ext4Stub(size int64) []byte {
	b := make([]byte, 4096)
	binary.LittleEndian.PutUint32(b[0x404:], uint32(size/4096))
	binary.LittleEndian.PutUint32(b[0x418:], 2) // 1024 << 2
	copy(b[ext4MagicAt:], ext4Magic)
	return b
}

// invented is n bytes that look random and are the same every time.
func invented(name string, n int) (b []byte) {
	for i := 0; len(b) < n; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "simphone %s %d", name, i))
		b = append(b, sum[:]...)
	}
	return b[:n]
}

// cString is a text unit: most end with a NUL.
func cString(s string) []byte { return append([]byte(s), 0) }
