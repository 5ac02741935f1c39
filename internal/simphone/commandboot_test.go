package simphone_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"xflash/internal/simphone"
)

// flashRaw sends an image of one raw chunk to a label.
func (s *session) flashRaw(img sinFile, label string) {
	s.t.Helper()
	s.mustSign(img.cms)
	s.want("OKAY", "erase:"+label)
	for _, chunk := range img.chunks {
		s.download(chunk)
		s.want("OKAY", "flash:"+label)
	}
}

// A start tells what was written: which slot it takes, and what stops it.
func TestCommandBootResult(t *testing.T) {
	build := func(t *testing.T, version, name string) sinFile {
		return signImage(t, "commercial_4BA8", authority(), version, name, bytesOf(1, 4096))
	}
	erase := func(name, label string) func(*testing.T, *session) {
		return func(t *testing.T, s *session) {
			s.mustSign(build(t, "new", name).cms)
			s.want("OKAY", "erase:"+label)
		}
	}
	system := []string{"boot_a", "vbmeta_a", "vbmeta_system_a", "dtbo_a", "super"}
	all := func(version string, labels ...string) func(*testing.T, *session) {
		return func(t *testing.T, s *session) {
			for _, label := range labels {
				s.flashRaw(build(t, version, strings.TrimSuffix(strings.TrimSuffix(label, "_a"), "_b")), label)
			}
		}
	}
	for _, c := range []struct {
		name, spec string
		run        func(*testing.T, *session)
		mode       simphone.BootMode
		reason     string
	}{
		{"new", "1iii", nil, simphone.ModeAndroid, "boots a"},
		{"on b after an update", "1iii,slot=b", nil, simphone.ModeAndroid, "boots b"},
		{"without slots", "xz1", nil, simphone.ModeAndroid, "boots"},
		{"all of another build", "1iii", all("new", system...), simphone.ModeAndroid, "boots a"},
		{"mixed", "1iii", all("new", system[:3]...), simphone.ModeCorrupt, "corrupt: boot_a is of new, dtbo_a of factory"},
		{"super on slot b", "1iii,slot=b", all("new", "boot_b", "vbmeta_b", "vbmeta_system_b", "dtbo_b", "super"), simphone.ModeStuck,
			"boot loop: super has no system for slot b"},
		{"slot b without anything", "1iii", func(t *testing.T, s *session) { s.want("OKAY", "set_active:b") }, simphone.ModeDead, "there is nothing in bootloader_b"},
		{"super erased", "1iii", erase("super", "super"), simphone.ModeStuck, "boot loop: super has no system for slot a"},
		{"boot erased", "1iii", erase("boot", "boot_a"), simphone.ModeStuck, "boot loop: there is nothing in boot_a"},
		{"half of boot", "1iii", func(t *testing.T, s *session) {
			img := signImage(t, "commercial_4BA8", authority(), "factory", "boot", bytesOf(1, 100), bytesOf(2, 100))
			img.chunks = img.chunks[:1]
			s.flashRaw(img, "boot_a")
		}, simphone.ModeStuck, "boot loop: boot_a was not written to its end"},
		{"boot loader erased", "1iii", erase("bootloader", "bootloader_a"), simphone.ModeDead, "there is nothing in bootloader_a"},
		{"modem file system erased", "1iii", erase("modemst1", "modemst1"), simphone.ModeNoModem, "no modem identity: modemst1 was erased and not written to its end"},
		{"one of two modem file systems", "1iii", all("new", "modemst2"), simphone.ModeNoModem, "no modem identity: modemst1 and modemst2 are of different builds"},
		{"simlock overwritten", "1iii", func(t *testing.T, s *session) { s.unit(2010, []byte("x")) }, simphone.ModeNoModem, "no modem identity: unit 2010 was changed"},
		{"flash not ended", "1iii", func(t *testing.T, s *session) { s.unit(10100, []byte{1}) }, simphone.ModeFlash, "unit 10100 says that a flash was not finished"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := commandPhone(t, c.spec)
			s := &session{rawHost: hostOf(t, p), newForm: true, slots: true}
			if c.run != nil {
				c.run(t, s)
			}
			if got := p.PowerOn(); got.Mode != c.mode || got.Reason != c.reason {
				t.Errorf("%v: %s", got.Mode, got.Reason)
			}
			if p.OnBus() != (c.mode == simphone.ModeFlash) {
				t.Error("on the bus", p.OnBus())
			}
		})
	}
}

// A start with a newer vbmeta raises the rollback index, and an older one is refused then.
func TestCommandRollback(t *testing.T) {
	p := commandPhone(t, "1iii")
	vbmeta := func(index uint64) sinFile {
		b := make([]byte, 4096)
		copy(b, "AVB0")
		binary.BigEndian.PutUint64(b[112:], index)
		return signImage(t, "commercial_4BA8", authority(), "factory", "vbmeta", b)
	}
	for _, c := range []struct {
		index uint64
		mode  simphone.BootMode
	}{{3, simphone.ModeAndroid}, {2, simphone.ModeCorrupt}, {3, simphone.ModeAndroid}} {
		s := &session{rawHost: hostOf(t, p), newForm: true, slots: true}
		s.flashRaw(vbmeta(c.index), "vbmeta_a")
		if got := p.PowerOn(); got.Mode != c.mode {
			t.Errorf("index %d: %v, %s", c.index, got.Mode, got.Reason)
		}
		p.FlashMode()
	}
	hostOf(t, p).want("OKAY3", "getvar:Rollback-index:0")
}

// The state directory keeps everything, also when the phone is opened without a name.
func TestCommandState(t *testing.T) {
	dir := t.TempDir()
	open := func(o simphone.Options) *simphone.Phone {
		o.Dir = dir
		o.RootFiles = []string{rootFile(t)}
		p, err := simphone.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := open(simphone.Options{Name: "1", Storage: simphone.StorageEMMC, Slot: "b", Serial: "QV7X"})
	s := &session{rawHost: &rawHost{t, p.Conn()}, slots: true}
	s.unit(10100, []byte{1})
	s.flashRaw(signImage(t, "commercial_18AE", authority(), "new", "boot", bytesOf(7, 5000)), "boot_a")
	s.want("OKAY", "set_active:a")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for _, o := range []simphone.Options{{Name: "1"}, {}} {
		p := open(o)
		h := &rawHost{t, p.Conn()}
		h.want("OKAYa", "getvar:current-slot")
		h.want("OKAYQV7X", "getvar:serialno")
		h.want("OKAYH4113", "getvar:product")
		if got := h.data("Read-TA:2:10100"); len(got) != 1 || got[0] != 1 {
			t.Errorf("unit 10100 is %x", got)
		}
		b := make([]byte, 5000)
		if part, err := p.Partition("boot_a"); err != nil {
			t.Error(err)
		} else if _, err := part.ReadAt(b, 0); err != nil || b[0] != 7 || b[4999] != 7 {
			t.Errorf("boot_a lost: %v", err)
		}
		journal, err := p.Journal()
		if err != nil || len(journal) != 5 || journal[4].Command != "set_active" || journal[3].Bytes != 5000 {
			t.Errorf("journal %+v, %v", journal, err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range []simphone.Options{{Name: "xz1"}, {Name: "1", Storage: simphone.StorageUFS}} {
		o.Dir = dir
		if p, err := simphone.Open(o); err == nil {
			t.Errorf("%+v opened it", o)
			p.Close()
		}
	}
}

// Settings that these phones do not have are refused, and theirs by the others.
func TestCommandSettings(t *testing.T) {
	for _, spec := range []string{"xz1,mode=fastboot", "1,hello=none", "1iii,hwconf=missing", "xz1,fault=refuse=0017/1@1", "z3c,slot=a", "z3c,storage=emmc",
		"1,slot=c", "1,storage=sd", "1,fault=unplug=soon@1", "1,fault=hex=mixed@1", "1,fault=hash=65@*", "1,fault=lun=0@*", "1,fault=var=x@*", "1,fault=pending=0@0"} {
		if _, err := simphone.ParseSpec(spec); err == nil {
			t.Errorf("%s was accepted", spec)
		}
	}
	if _, err := simphone.Open(simphone.Options{Name: "1", Disk: 1 << 30}); err == nil {
		t.Error("a unit without room for its partitions was made")
	}
}
