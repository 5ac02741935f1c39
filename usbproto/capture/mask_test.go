package capture_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"xflash/fastboot"
	"xflash/internal/simphone"
	"xflash/usbproto/capture"
	"xflash/usbproto/s1"
)

// readUnits is what a masked capture holds of a unit that a host reads.
func readUnits(t *testing.T, unit uint32, content []byte) (data []byte) {
	t.Helper()
	mask := capture.FlashMask()
	mask.Host(s1.Packet{Command: s1.CmdReadUnit, Flags: 3, Data: binary.BigEndian.AppendUint32(nil, unit)}.Append(nil))
	b := s1.Packet{Command: s1.CmdReadUnit, Flags: 1, Data: content}.Append(nil)
	if !mask.Phone(b) {
		t.Fatal("a whole packet waits")
	}
	return whole(t, b)
}

// whole is the data of a packet, whose checksums must be right.
func whole(t *testing.T, b []byte) []byte {
	t.Helper()
	var p s1.Parser
	p.MaxData = 1 << 16
	p.Feed(b)
	packet, ok, err := p.Next()
	if !ok || err != nil {
		t.Fatalf("no whole packet: %v %v", ok, err)
	}
	return packet.Data
}

// Of a unit that identifies a phone not one byte can be told: two phones give one capture,
// whatever their units hold. Numbers in BCD have bytes that are control characters, and
// keys in hexadecimal are digits here and letters there.
func TestMaskLeavesNothingOfAUnit(t *testing.T) {
	bcd, err := hex.DecodeString("00499901064000")
	if err != nil {
		t.Fatal(err)
	}
	pairs := map[string][2][]byte{
		"IMEI in BCD":    {bcd, bytes.Repeat([]byte{0x35}, len(bcd))},
		"every byte":     {allBytes(), bytes.Repeat([]byte{0xa5}, 256)},
		"a key in hex":   {[]byte("0123456789ABCDEF"), []byte("F0E1D2C3B4A59687")},
		"a serial":       {[]byte("CB5A77QZ19\x00"), []byte("1111111111\x00")},
		"separators":     {[]byte("12-34.56_78\x00"), []byte("1-234.5_678\x00")},
		"a MAC":          {[]byte{0x00, 0x0a, 0x20, 0x2d, 0x1f, 0x11}, []byte{0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa}},
		"text, not text": {[]byte("secretsecret"), bytes.Repeat([]byte{0x01}, 12)},
	}
	for name, pair := range pairs {
		for _, unit := range []uint32{2003, 2560, 4900} {
			a, b := readUnits(t, unit, pair[0]), readUnits(t, unit, pair[1])
			if !bytes.Equal(a, b) {
				t.Errorf("%s in unit %d: %x and %x can be told apart", name, unit, a, b)
			}
		}
	}
}

func allBytes() (b []byte) {
	for i := range 256 {
		b = append(b, byte(i))
	}
	return b
}

// The hardware configuration of a phone holds its IMEI in BCD. REV="…" stays.
func TestMaskOfHardwareConfiguration(t *testing.T) {
	bcd, _ := hex.DecodeString("00499901064000")
	got := readUnits(t, 2003, bytes.Join([][]byte{bcd, []byte(`;REV="APQ8974 v2";`), bcd}, nil))
	if !bytes.Contains(got, []byte(`REV="APQ8974 v2"`)) {
		t.Errorf("the revision is gone: %q", got)
	}
	for at := range bcd[:len(bcd)-1] {
		if part := bcd[at : at+2]; !bytes.Equal(part, []byte{0, 0}) && bytes.Contains(got, part) {
			t.Errorf("%x of the IMEI is in %x", part, got)
		}
	}
}

// A trace keeps what a restore may write when it is read back, else the playback of a restore
// would fail where it compares (usbproto/s1/PROTOCOL.md §6.3).
func TestMaskKeepsWhatARestoreWrites(t *testing.T) {
	for _, unit := range []uint32{2127, 2212, 2301, 2311, 2330, 2402, 2404, 2473, 2486, 2550, 2553, 10021, 10100} {
		if got := readUnits(t, unit, []byte("\x01value")); string(got) != "\x01value" {
			t.Errorf("unit %d: %q", unit, got)
		}
	}
}

// A variable of which it is unknown what it holds is masked; versions and sizes are not.
// A command after a refused download is a command again.
func TestMaskOfVariablesAndRefusedDownloads(t *testing.T) {
	for variable, kept := range map[string]bool{"Phone-id": false, "Device-id": false, "serialno": false, "imei2": false, "version-bootloader": true, "partition-size:system": true, "product": true} {
		mask := capture.FastbootMask()
		mask.Host([]byte("getvar:" + variable))
		answer := []byte("OKAYKQ7G3")
		mask.Phone(answer)
		if bytes.Contains(answer, []byte("KQ7G3")) != kept {
			t.Errorf("%s: %q", variable, answer)
		}
		line := []byte("INFO" + variable + ": KQ7G3")
		mask.Host([]byte("getvar:all"))
		mask.Phone(line)
		if bytes.Contains(line, []byte("KQ7G3")) != kept {
			t.Errorf("%s in the list: %q", variable, line)
		}
	}
	mask := capture.FastbootMask()
	mask.Host([]byte("download:00100000"))
	mask.Phone([]byte("DATA00100000"))
	mask.Host(make([]byte, 100))
	mask.Phone([]byte("FAILno"))
	code := []byte("oem unlock 0x0123456789ABCDEF")
	mask.Host(code)
	if bytes.Contains(code, []byte("0123456789ABCDEF")) {
		t.Errorf("after a refused download: %q", code)
	}
	for _, command := range []string{"flashing unlock 0123456789ABCDEF", "Write-TA:2:2226:0123456789ABCDEF", "oem unlock-go 0123456789ABCDEF"} {
		b := []byte(command)
		mask.Host(b)
		if bytes.Contains(b, []byte("0123456789ABCDEF")) {
			t.Errorf("%q", b)
		}
	}
	answer := []byte("OKAY0123456789ABCDEF")
	mask.Host([]byte("Read-TA:2:4900"))
	mask.Phone(answer)
	if bytes.Contains(answer, []byte("0123456789ABCDEF")) {
		t.Errorf("a unit that was read: %q", answer)
	}
}

// A session in fastboot mode continues as before with a trace of it.
func TestFastbootMaskChangesNothingForTheHost(t *testing.T) {
	p := phone(t, simphone.Options{InFastboot: true, Aboot: simphone.Aboot2015})
	c, err := fastboot.Open(t.Context(), capture.Record(p.Fastboot().Conn(), &memory{}, capture.Options{Mask: capture.FastbootMask()}), fastboot.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := c.Getvar(t.Context(), "serialno"); err != nil || v != serial {
		t.Errorf("%q, %v", v, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}
