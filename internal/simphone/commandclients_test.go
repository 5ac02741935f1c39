package simphone_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"xflash/internal/simphone"
	"xflash/internal/simphone/xperifirm"
)

// The sessions here are those that three other programs were seen to have: the order of
// their commands, and what they do after a refusal. The rules of the phone must let a
// session pass that real phones took, and what destroyed phones must destroy this one.

// opening is what newflasher asks first.
func (s *session) opening() {
	s.t.Helper()
	for _, name := range []string{"max-download-size", "product", "version", "version-bootloader", "version-baseband", "serialno", "secure", "Sector-size",
		"Loader-version", "Phone-id", "Device-id", "Platform-id", "Rooting-status", "Ufs-info", "Emmc-info", "Default-security", "Keystore-counter",
		"Security-state", "S1-root", "Sake-root", "slot-count", "current-slot", "Battery"} {
		answer := s.ask("getvar:" + name)
		if !strings.HasPrefix(answer, "OKAY") && answer != "FAIL"+name+" not supported" {
			s.t.Errorf("%s: %q", name, answer)
		}
	}
	s.data("Get-root-key-hash")
}

// newflasher is a session of its version 59: everything into the slot in use, the boot
// loader last, no look at the journal of refusals. It gives what refused an image, "" when
// none did; after that the flag is cleared and Android started anyway.
func (s *session) newflasher(files []string) (refused string) {
	s.t.Helper()
	s.opening()
	slot := ""
	if s.slots {
		slot = strings.TrimPrefix(s.ask("getvar:current-slot"), "OKAY")
	}
	s.unit(10100, []byte{1})
	if !s.fw.Facts.EMMC {
		s.data("Get-ufs-info")
		for unit := range min(len(s.fw.Facts.LUNs), 4) { // it knows no further unit
			s.table(unit, s.tableFile(unit))
		}
	}
	for _, file := range append(files, s.bootLoader()) {
		img := readSIN(s.t, file)
		if refused = s.sign(img.cms); refused != "OKAY" {
			break
		}
		refused = ""
		label := img.name
		for i, chunk := range img.chunks {
			s.download(chunk)
			if i == 0 {
				if s.slots && s.ask("getvar:has-slot:"+img.name) == "OKAYyes" {
					label += "_" + slot
					if strings.Contains(file, "_other") {
						label = img.name + "_" + map[string]string{"a": "b", "b": "a"}[slot]
					}
				}
				s.want("OKAY", "erase:"+label)
			}
			s.want("OKAY", "flash:"+label)
		}
	}
	s.data("Read-TA:2:2475")
	if s.slots {
		s.want("OKAY", "set_active:"+slot)
	}
	s.unit(10100, []byte{0})
	s.want("OKAY", "Sync")
	s.want("OKAY", "continue")
	return refused
}

// images are the SIN files of the folder but persist.
func (s *session) images() (files []string) {
	all, err := filepath.Glob(filepath.Join(s.fw.Folder, "*.sin"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range all {
		if !strings.HasPrefix(filepath.Base(f), "persist") {
			files = append(files, f)
		}
	}
	return files
}

func TestCommandNewflasher(t *testing.T) {
	for _, c := range []struct {
		name, phone, slot, storage string
		damage                     map[string]xperifirm.Damage
		mode                       simphone.BootMode
		reason, refused            string
	}{
		{"2017", "xz1", "", "", nil, simphone.ModeAndroid, "boots", ""},
		{"2019", "1", "a", "", nil, simphone.ModeAndroid, "boots a", ""},
		{"2019 eMMC", "1", "a", "emmc", nil, simphone.ModeAndroid, "boots a", ""},
		{"2021", "1iii", "a", "", nil, simphone.ModeAndroid, "boots a", ""},
		{"2021 on slot b", "1iii", "b", "", nil, simphone.ModeStuck, "boot loop: super has no system for slot b", ""},
		{"refused in the middle", "1iii", "a", "", map[string]xperifirm.Damage{"super": xperifirm.DamageSignature}, simphone.ModeCorrupt,
			"", "FAILFailed to verify cms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := openPhone(t, simphone.Options{Name: c.phone, Slot: c.slot, Storage: c.storage})
			fw := firmwareFor(t, xperifirm.Options{Phone: c.phone, Storage: c.storage, Damage: c.damage})
			s := start(hostOf(t, p), fw)
			if got := s.newflasher(s.images()); got != c.refused {
				t.Errorf("refused: %q", got)
			}
			boot := p.PowerOn()
			if boot.Mode != c.mode || c.reason != "" && boot.Reason != c.reason {
				t.Errorf("%v: %s", boot.Mode, boot.Reason)
			}
			journal, err := p.Journal()
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range journal {
				if strings.HasPrefix(w.Refused, "sim:") {
					t.Errorf("a rule stands in the way of a session that works: %+v", w)
				}
			}
		})
	}
}

// Old versions sent the second chunk of an image without its slot.
func TestCommandOldNewflasher(t *testing.T) {
	s := &session{rawHost: hostOf(t, commandPhone(t, "1")), slots: true}
	img := good(t, "1", "system", bytesOf(1, 100), bytesOf(2, 100))
	s.mustSign(img.cms)
	s.download(img.chunks[0])
	s.want("OKAY", "erase:system_a")
	s.want("OKAY", "flash:system_a")
	s.download(img.chunks[1])
	s.want("FAILsim:the name needs a slot", "flash:system")
}

// Flashtool of 2019 sends both forms of the signature, erases at once, and ignores every
// refusal: after that of a signature neither erase nor flash does anything here.
func TestCommandFlashtool(t *testing.T) {
	for _, accepted := range []bool{true, false} {
		t.Run(fmt.Sprint(accepted), func(t *testing.T) {
			p := commandPhone(t, "1")
			s := &session{rawHost: hostOf(t, p), slots: true}
			subject := "commercial_A2CD"
			if !accepted {
				subject = "commercial_F007"
			}
			img := signImage(t, subject, authority(), "factory", "boot", bytesOf(1, 5000), bytesOf(2, 5000))
			s.unit(10100, []byte{1})
			if got := s.sign(img.cms); (got == "OKAY") != accepted {
				t.Errorf("signature: %q", got)
			}
			s.want("FAILsim:unknown command", "signature")
			answers := []string{s.ask("erase:boot_a")}
			for _, chunk := range img.chunks {
				s.want(fmt.Sprintf("DATA%08X", len(chunk)), fmt.Sprintf("download:%08X", len(chunk)))
				if err := s.put(chunk); err != nil {
					t.Fatal(err)
				}
				if got, err := s.get(patience); got != "OKAY" {
					t.Fatal(got, err)
				}
				answers = append(answers, s.ask("flash:boot_a"))
			}
			s.unit(10021, []byte("2019-04-01 12:00:00\x00"))
			s.unit(10100, []byte{0})
			s.want("OKAY", "Sync")
			s.want("OKAY", "powerdown")
			for _, a := range answers {
				if want := map[bool]string{true: "OKAY", false: "FAILsim:no signature"}[accepted]; a != want {
					t.Errorf("%q", answers)
				}
			}
			if boot := p.PowerOn(); boot.Mode != simphone.ModeAndroid {
				t.Errorf("%v: %s", boot.Mode, boot.Reason)
			}
		})
	}
}

// sxflasher probes the signature's form, asks for the log around its work, and leaves the
// phone in flash mode.
func TestCommandSxflasher(t *testing.T) {
	for _, phone := range []string{"xz1", "1iii"} {
		t.Run(phone, func(t *testing.T) {
			p := commandPhone(t, phone)
			fw := firmwareFor(t, xperifirm.Options{Phone: phone})
			h := hostOf(t, p)
			(&session{rawHost: h, fw: fw}).opening()
			s := start(h, fw)
			s.unit(10100, []byte{1})
			s.data("Getlog")
			for unit := range min(len(fw.Facts.LUNs), 4) {
				s.table(unit, s.tableFile(unit))
			}
			for _, file := range s.images() {
				slot := "a"
				if strings.Contains(file, "_other") {
					slot = "b"
				}
				s.image(file, slot)
			}
			s.image(s.bootLoader(), "a")
			s.data("Getlog")
			s.data("Read-TA:2:2475")
			if s.slots {
				s.want("OKAY", "set_active:a")
			}
			s.unit(10100, []byte{0})
			s.want("OKAY", "Sync")
			s.data("Getlog")
			if !p.OnBus() {
				t.Error("it left the bus")
			}
			if err := fw.Check(p); err != nil {
				t.Error(err)
			}
		})
	}
}
