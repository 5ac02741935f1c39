package simphone_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/testcms"
)

// signImage makes an image of raw chunks, signed for a product.
func signImage(t testing.TB, subject string, a *mkimage.Authority, build, name string, chunks ...[]byte) sinFile {
	t.Helper()
	signer, err := a.Issue(subject, 1)
	if err != nil {
		t.Fatal(err)
	}
	c := testcms.Content{Name: name, Build: build}
	for _, chunk := range chunks {
		sum := sha256.Sum256(chunk)
		c.Chunks = append(c.Chunks, sum[:])
	}
	cms, err := testcms.Sign(signer, c)
	if err != nil {
		t.Fatal(err)
	}
	return sinFile{name, cms, chunks}
}

// suffixes of the default phones.
var suffixes = map[string]string{"xz1": "C93B", "1": "A2CD", "1iii": "4BA8"}

// good is an image that the phone of that name accepts.
func good(t testing.TB, phone, name string, chunks ...[]byte) sinFile {
	t.Helper()
	return signImage(t, "commercial_"+suffixes[phone], authority(), "test", name, chunks...)
}

func bytesOf(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

// tableOf is the partition image of a unit of so many KiB.
func tableOf(t testing.TB, phone string, unit int, kib int64) []byte {
	t.Helper()
	f, err := simphone.CommandFactsOf(phone, "", "")
	if err != nil {
		t.Fatal(err)
	}
	table, err := f.Table(unit, kib)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Each rule of the phone, as the words of its refusal. Real phones' words are only used for
// the known facts about them.
func TestCommandStrict(t *testing.T) {
	const cms = "FAILFailed to verify cms"
	cases := []struct {
		name, phone string
		run         func(t *testing.T, s *session)
	}{
		{"erase without signature", "xz1", func(t *testing.T, s *session) { s.want("FAILsim:no signature", "erase:boot") }},
		{"flash without signature", "xz1", func(t *testing.T, s *session) {
			s.download(bytesOf(1, 100))
			s.want("FAILsim:no signature", "flash:boot")
		}},
		{"flash before erase", "1", func(t *testing.T, s *session) {
			img := good(t, "1", "boot", bytesOf(1, 100))
			s.mustSign(img.cms)
			s.download(img.chunks[0])
			s.want("FAILsim:not erased since the signature", "flash:boot_a")
		}},
		{"super without erase", "1iii", func(t *testing.T, s *session) {
			img := good(t, "1iii", "super", bytesOf(1, 100))
			s.mustSign(img.cms)
			s.download(img.chunks[0])
			s.want("FAILsim:not erased since the signature", "flash:super")
		}},
		{"a new signature ends the erase", "1", func(t *testing.T, s *session) {
			img := good(t, "1", "boot", bytesOf(1, 100))
			s.mustSign(img.cms)
			s.want("OKAY", "erase:boot_a")
			s.mustSign(img.cms)
			s.download(img.chunks[0])
			s.want("FAILsim:not erased since the signature", "flash:boot_a")
		}},
		{"one download per flash", "xz1", func(t *testing.T, s *session) {
			img := good(t, "xz1", "boot", bytesOf(1, 100), bytesOf(2, 100))
			s.mustSign(img.cms)
			s.download(img.chunks[0])
			s.want("OKAY", "erase:boot")
			s.want("OKAY", "flash:boot")
			s.want("FAILsim:no new download", "flash:boot")
		}},
		{"chunks in order", "xz1", func(t *testing.T, s *session) {
			img := good(t, "xz1", "boot", bytesOf(1, 100), bytesOf(2, 100))
			s.mustSign(img.cms)
			s.want("OKAY", "erase:boot")
			s.download(img.chunks[1])
			s.want("FAILsim:the download is not the next signed chunk", "flash:boot")
			s.want("FAILsim:no new download", "flash:boot")
		}},
		{"no more chunks than are signed", "xz1", func(t *testing.T, s *session) {
			img := good(t, "xz1", "boot", bytesOf(1, 100))
			s.mustSign(img.cms)
			s.want("OKAY", "erase:boot")
			s.download(img.chunks[0])
			s.want("OKAY", "flash:boot")
			s.download(img.chunks[0])
			s.want("FAILsim:more chunks than are signed", "flash:boot")
		}},
		{"the signed name", "1iii", func(t *testing.T, s *session) {
			s.mustSign(good(t, "1iii", "vbmeta", bytesOf(1, 100)).cms)
			s.want("FAILsim:the signature is for vbmeta", "erase:boot_a")
			s.want("FAILsim:the signature is for vbmeta", "erase:vbmeta_system_a")
			s.want("OKAY", "erase:vbmeta_b")
		}},
		{"slots", "1iii", func(t *testing.T, s *session) {
			s.mustSign(good(t, "1iii", "boot", bytesOf(1, 100)).cms)
			s.want("FAILsim:the name needs a slot", "erase:boot")
			s.want("FAILsim:unknown partition", "erase:boot_c")
			s.mustSign(good(t, "1iii", "super", bytesOf(1, 100)).cms)
			s.want("FAILsim:unknown partition", "erase:super_a")
		}},
		{"no slots", "xz1", func(t *testing.T, s *session) {
			s.mustSign(good(t, "xz1", "boot", bytesOf(1, 100)).cms)
			s.want("FAILsim:unknown partition", "erase:boot_a")
			s.want("FAILsim:unknown partition", "erase:system_b")
			s.want("FAILslot-count not supported", "getvar:slot-count")
			s.want("FAILcurrent-slot not supported", "getvar:current-slot")
			s.want("FAILhas-slot:boot not supported", "getvar:has-slot:boot")
			s.want("FAILsim:unknown command", "set_active:a")
		}},
		{"unknown partition", "1", func(t *testing.T, s *session) {
			s.mustSign(good(t, "1", "nonsense", bytesOf(1, 100)).cms)
			s.want("FAILsim:unknown partition", "erase:nonsense")
			s.mustSign(good(t, "1", "TA", bytesOf(1, 100)).cms)
			s.want("FAILsim:unknown partition", "erase:TA")
		}},
		{"larger than the partition", "1", func(t *testing.T, s *session) {
			img := good(t, "1", "vbmeta", bytesOf(1, 64<<10+1))
			s.mustSign(img.cms)
			s.want("OKAY", "erase:vbmeta_a")
			s.download(img.chunks[0])
			s.want("FAILsim:larger than the partition", "flash:vbmeta_a")
		}},
		{"refused signatures", "1", func(t *testing.T, s *session) {
			other, err := mkimage.NewTestAuthority("S1_Root_command")
			if err != nil {
				t.Fatal(err)
			}
			img := good(t, "1", "boot", bytesOf(1, 100))
			for name, bad := range map[string][]byte{
				"key":     signImage(t, "commercial_C93B", authority(), "test", "boot", bytesOf(1, 100)).cms,
				"role":    signImage(t, "test_A2CD", authority(), "test", "boot", bytesOf(1, 100)).cms,
				"root":    signImage(t, "commercial_A2CD", other, "test", "boot", bytesOf(1, 100)).cms,
				"bit":     append(bytes.Clone(img.cms[:len(img.cms)-1]), img.cms[len(img.cms)-1]^1),
				"nothing": {0x30},
			} {
				s.mustSign(img.cms)
				if got := s.sign(bad); got != cms {
					t.Errorf("%s: %q", name, got)
				}
				s.want("FAILsim:no signature", "erase:boot_a")
			}
		}},
		{"old form", "xz1", func(t *testing.T, s *session) {
			s.download(good(t, "xz1", "boot", bytesOf(1, 100)).cms)
			s.want("FAILsim:unknown command", "signature")
		}},
		{"new form", "1iii", func(t *testing.T, s *session) {
			s.want("FAILsim:unknown command", "signature:00000500")
			s.want(cms, "signature") // nothing was downloaded
		}},
		{"repartition", "1iii", func(t *testing.T, s *session) {
			larger := good(t, "1iii", "partitionimage_0", tableOf(t, "1iii", 0, 249896960+4))
			s.download(larger.chunks[0])
			s.want("FAILsim:no signature for this unit", "Repartition:0")
			s.mustSign(larger.cms)
			s.download(larger.chunks[0])
			s.want("FAILsim:the table is larger than the unit", "Repartition:0")
			own := good(t, "1iii", "partitionimage_0", tableOf(t, "1iii", 0, 249896960))
			s.mustSign(own.cms)
			s.want("FAILsim:no new download", "Repartition:0")
			s.download(own.chunks[0])
			s.want("FAILsim:no signature for this unit", "Repartition:1")
			s.want("FAILsim:unknown unit", "Repartition:3")
			s.download(own.chunks[0])
			s.want("OKAY", "Repartition:0")
			broken := bytes.Clone(own.chunks[0])
			broken[2*4096+60]++
			wrong := good(t, "1iii", "partitionimage_0", broken)
			s.mustSign(wrong.cms)
			s.download(broken)
			s.want("FAILsim:the entries are wrong", "Repartition:0")
		}},
		{"units", "1", func(t *testing.T, s *session) {
			s.want("FAILUnable to read TA unit 10021, error=-22", "Read-TA:2:10021")
			s.want("FAILsim:no new download", "Write-TA:2:10021")
			s.download([]byte("now\x00"))
			s.want("FAILsim:no such unit", "Write-TA:3:10021")
			s.download([]byte("now\x00"))
			s.want("OKAY", "Write-TA:2:10021")
			if got := s.data("Read-TA:2:10021"); string(got) != "now\x00" {
				t.Errorf("read %q", got)
			}
			s.download(nil) // an empty unit is one
			s.want("OKAY", "Write-TA:2:10021")
			if got := s.data("Read-TA:2:10021"); len(got) != 0 {
				t.Errorf("read %q", got)
			}
			s.want("FAILsim:no such partition", "Read-all-TA:3")
		}},
		{"commands", "1", func(t *testing.T, s *session) {
			const long = "FAILsim:command too long or not printable"
			s.want(long, "getvar:has-slot:"+strings.Repeat("x", 49))
			s.want("OKAYno", "getvar:has-slot:"+strings.Repeat("x", 48))
			s.want(long, "getvar:product\x00")
			s.want(long, strings.Repeat("A", 100_000))
			s.want("FAILsim:unknown command", "GETVAR:product")
			s.want("FAILsim:unknown command", "flashing")
			s.want("FAILsim:no such slot", "set_active:c")
		}},
		{"downloads", "1", func(t *testing.T, s *session) {
			s.want("FAILsim:download too large", "download:06400001")
			s.want("FAILsim:not 8 hexadecimal digits", "download:100")
			s.want("FAILsim:not 8 hexadecimal digits", "download:0000000g")
			s.want("DATA0000ABCD", "download:0000ABCD") // the host's own digits
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := commandPhone(t, c.phone)
			h := hostOf(t, p)
			s := &session{rawHost: h, newForm: c.phone == "1iii", slots: c.phone != "xz1"}
			c.run(t, s)
		})
	}
}

// The stream has no marks: a download ends with its last byte, however it was split, and
// nothing is said before that. Answers of the phone's are transfers, and data of whole
// packets run into what follows.
func TestCommandTransfers(t *testing.T) {
	p := commandPhone(t, "1,storage=emmc")
	h := hostOf(t, p)
	h.want("DATA00001001", "download:00001001")
	if err := h.put(bytesOf(1, 1)); err != nil {
		t.Fatal(err)
	}
	if got, err := h.get(quiet); err == nil {
		t.Errorf("%q before the last byte", got)
	}
	if err := h.put(append(bytesOf(1, 4096), "getvar:product"...)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"OKAY", "OKAYH4113"} {
		if got, err := h.get(patience); err != nil || got != want {
			t.Errorf("%q, %v instead of %q", got, err, want)
		}
	}
	h.want("DATA00000200", "Get-emmc-info")
	got, err := h.get(patience)
	if err != nil || len(got) != 516 || got[512:] != "OKAY" {
		t.Fatalf("%d bytes, %v: the OKAY after a whole packet comes with it", len(got), err)
	}
	if kib := int64(binary.LittleEndian.Uint32([]byte(got[0xD4:]))) / 2; kib != 30535680 {
		t.Errorf("EXT_CSD tells %d KiB", kib)
	}
	h.want("FAILsim:unknown command", "Get-ufs-info")
	h.want("FAILUfs-info not supported", "getvar:Ufs-info")
}

// The answers about the storage have the forms of real ones.
func TestCommandStorage(t *testing.T) {
	for spec, want := range map[string][]int64{
		"xz1": {62480384, 4096, 4096}, "xz1,model=G8141": {62480384, 4096, 4096, 4096, 4096, 4096}, "1iii": {249896960, 8192, 8192},
		"1,disk=127960842240": {124961760, 4096, 4096},
	} {
		h := hostOf(t, commandPhone(t, spec))
		b := h.data("Get-ufs-info")
		if len(b) != 0x40+0x23*len(want) || b[0] != 0x40 || int(b[6]) != len(want) {
			t.Fatalf("%s: %x", spec, b)
		}
		for i, kib := range want {
			u := b[0x40+0x23*i:]
			blocks := binary.BigEndian.Uint64(u[11:])
			if u[0] != 0x23 || int(u[2]) != i || u[3] != 1 || u[10] != 12 || int64(blocks)*4 != kib || binary.BigEndian.Uint64(u[24:]) != blocks {
				t.Errorf("%s: unit %d: %x", spec, i, u[:0x23])
			}
		}
		h.want("FAILEmmc-info not supported", "getvar:Emmc-info")
		h.want("OKAY4096", "getvar:Sector-size")
		gpt := h.data("Get-gpt-info:0")
		if len(gpt) != 0x6000 || string(gpt[4096:4104]) != "EFI PART" {
			t.Errorf("%s: table of %d bytes", spec, len(gpt))
		}
	}
}

// What the phone says of itself has the forms that were seen, and its trim area leaves out the
// key.
func TestCommandFacts(t *testing.T) {
	for spec, want := range map[string]map[string]string{
		"xz1":                                   {"product": "G8341", "max-download-size": "104857600", "version": "0.4", "Platform-id": "2005E0E1"},
		"1":                                     {"product": "J9110", "slot-count": "2", "has-slot:boot": "yes", "has-slot:modemst1": "no", "current-slot": "a", "Battery": "87"},
		"1iii":                                  {"product": "XQ-BC72", "max-download-size": "805306368", "has-slot:super": "no", "has-slot:vbmeta_system": "yes"},
		"1iii,slot=b,model=XQ-BC52,serial=QV7X": {"product": "XQ-BC52", "current-slot": "b", "serialno": "QV7X"},
	} {
		h := hostOf(t, commandPhone(t, spec))
		for name, value := range want {
			h.want("OKAY"+value, "getvar:"+name)
		}
		if spec != "1" {
			h.want("FAILBattery not supported", "getvar:Battery")
		}
		size := 48
		if spec == "xz1" {
			size = 32
		}
		if got := h.data("Get-root-key-hash"); len(got) != size {
			t.Errorf("%s: root hash of %d bytes", spec, len(got))
		}
		all := h.data("Read-all-TA:2")
		found := map[uint32]bool{}
		for len(all) > 0 {
			n := binary.BigEndian.Uint32(all[4:])
			found[binary.BigEndian.Uint32(all)] = true
			all = all[8+n:]
		}
		if !found[2010] || !found[10100] || found[66667] {
			t.Errorf("%s: units %v", spec, found)
		}
		if spec == "1" {
			if got := h.data("Read-partition:appslog"); len(got) != 0x1000000 {
				t.Errorf("appslog of %d bytes", len(got))
			}
		}
		if got := fmt.Sprintf("%.4s", h.ask("Read-partition:boot")); got != "FAIL" {
			t.Errorf("%s: boot can be read", spec)
		}
		if len(h.data("Getlog")) == 0 {
			t.Errorf("%s: no log", spec)
		}
	}
}
