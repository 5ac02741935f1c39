package simphone

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"xflash/internal/gpt"
	"xflash/sin"
)

// factoryUnit is a trim area unit of a new phone.
type factoryUnit struct {
	partition int
	unit      uint32
	data      []byte
}

// factoryUnits is the trim area of a healthy phone without its hardware
// configuration. Formats of the texts are those of s1-protocol.md §6.3; keys and
// calibration are invented bytes.
func factoryUnits(s settings) []factoryUnit {
	const software = "1285-6416_23.5.A.1.291"
	simlock := fmt.Sprintf("OP_ID=\"0\";OP_NAME=\"Customized\";ROOTING_ALLOWED=\"1\";RCK_H=\"%X\";", invented("unlock code", 32))
	return []factoryUnit{
		{1, 1877, invented("band calibration", 600)},
		{1, 6828, invented("LTE calibration", 3000)},
		{2, 2002, invented("flafla", 32)},
		{2, unitSIMLock, append([]byte(simlock), invented("simlock", 512)...)},
		{2, 2021, []byte{1}},
		{2, unitSIMLockSign, invented("simlock signature", 128)},
		{2, unitSoftware, cString(software)},
		{2, unitCustom, cString("1272-3750_R6C")},
		{2, unitFileSystem, cString(software)},
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

// factoryHWConf is the hardware configuration that the settings ask for.
func factoryHWConf(s settings) (*hwConf, error) {
	table, err := DefaultLayout(DiskSize)
	if err != nil {
		return nil, err
	}
	id, err := hex.DecodeString(s.UniqueID)
	if err != nil {
		return nil, fmt.Errorf("chip id: %w", err)
	}
	pick := func(labels ...string) (ids []gpt.GUID) {
		for _, label := range labels {
			e, _ := table.ByName(label)
			ids = append(ids, e.Unique)
		}
		return ids
	}
	const accept = permitEnforced | permitLive
	boot := hwRole{roleBoot, 1, accept | permitWrite, pick("sbl1", "s1sbl", "dbi", "aboot", "rpm", "tz",
		"alt_sbl1", "alt_s1sbl", "alt_dbi", "alt_aboot", "alt_rpm", "alt_tz")}
	software := hwRole{roleSW, 1, accept | permitWrite, pick("boot", "ramdump", "FOTAKernel", "LTALabel",
		"modemst1", "modemst2", "fsg", "apps_log", "system", "cache", "userdata")}
	conf := &hwConf{
		prodID: 1, imei: s.IMEI, devices: [][]byte{id},
		attributes: `OP_ID="0";OP_NAME="Customized";ROOTING_ALLOWED="1";REV="AP";`,
		roles: []hwRole{
			boot,
			{roleLoader, 1, accept, nil},
			{roleSL, 1, accept | permitSIMLock, nil},
			software,
			{roleCust, 1, accept | permitWrite, software.partitions},
			{roleHWConf, 1, accept, nil},
			{roleRLock, 1, accept, nil},
		},
	}
	service := func(r hwRole) bool { return r.name == roleLoader || r.name == roleHWConf }
	switch s.HWConf {
	case HWConfNoLiveBit:
		for i := range conf.roles {
			if r := &conf.roles[i]; !service(*r) {
				r.flags &^= permitLive
			}
		}
	case HWConfNoUsage:
		conf.roles = slices.DeleteFunc(conf.roles, func(r hwRole) bool { return !service(r) })
	}
	return conf, nil
}

// signHWConf makes the SIN of type 0x22 that unit 2003 holds.
func signHWConf(authority *sin.Authority, conf *hwConf) ([]byte, error) {
	signer, err := authority.Issue(roleHWConf, 1)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = sin.Builder{Type: payloadHWConf, Signer: signer}.Build(&b, sin.BytesPayload(conf.encode()))
	return b.Bytes(), err
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

// invented is n bytes that look like nothing and are the same every time.
func invented(name string, n int) (b []byte) {
	for i := 0; len(b) < n; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "simphone %s %d", name, i))
		b = append(b, sum[:]...)
	}
	return b[:n]
}

// cString is a text unit: most end with a NUL.
func cString(s string) []byte { return append([]byte(s), 0) }
