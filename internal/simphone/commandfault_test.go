package simphone_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"xflash/internal/simphone"
	"xflash/usbproto"
)

// faulty makes a phone with faults and a host for it.
func faulty(t *testing.T, spec string, faults ...string) (*simphone.Phone, *session) {
	t.Helper()
	for _, f := range faults {
		spec += ",fault=" + f
	}
	p := commandPhone(t, spec)
	name, _, _ := strings.Cut(spec, ",")
	return p, &session{rawHost: hostOf(t, p), newForm: name == "1iii", slots: name != "xz1"}
}

// reads returns the transfers of the answer, as single reads see them; of a phone that should
// not answer too.
func (s *session) reads(command string, answers bool) (list []string) {
	s.t.Helper()
	if err := s.put([]byte(command)); err != nil {
		s.t.Fatal(err)
	}
	wait := quiet
	if answers {
		wait = patience
	}
	for ; ; wait = quiet {
		got, err := s.get(wait)
		if err != nil {
			return list
		}
		list = append(list, got)
	}
}

func TestCommandFaultForms(t *testing.T) {
	for _, c := range []struct {
		fault, spec, command string
		want                 []string
	}{
		{"data13@*", "1", "Read-TA:2:2021", []string{"DATA00000001\x00", "\x01", "OKAY"}},
		{"hex=upper@*", "1", "download:0000abcd", []string{"DATA0000ABCD"}},
		{"hex=lower@*", "1", "download:0000ABCD", []string{"DATA0000abcd"}},
		{"okay-text=done@Sync", "1", "Sync", []string{"OKAYdone"}},
		{"glued@Read-TA", "1", "Read-TA:2:2021", []string{"DATA00000001", "\x01OKAY"}},
		{"joined@Read-TA", "1", "Read-TA:2:2021", []string{"DATA00000001\x01OKAY"}},
		{"two-data@Read-TA", "1", "Read-TA:2:2171", []string{"DATA00000003", "c00", "DATA00000004", "1526", "OKAY"}},
		{"split@Sync", "1", "Sync", []string{"O", "K", "A", "Y"}},
		{"short-read@getvar", "1", "getvar:version", []string{"OKAY0"}},
		{"garbage@1", "1", "Sync", []string{"\xff\xfeOK\x80\x00"}},
		{"stale=OKAYold@getvar", "1", "getvar:version", []string{"OKAYold", "OKAY0.4"}},
		{"stale=OKAYold@0", "1", "getvar:version", []string{"OKAYold", "OKAY0.4"}},
		{"silence@Sync", "1", "Sync", nil},
		{"fail=no@2", "1", "getvar:version", []string{"OKAY0.4"}},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			_, s := faulty(t, c.spec, c.fault)
			if got := s.reads(c.command, c.want != nil); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
				t.Errorf("%q instead of %q", got, c.want)
			}
		})
	}
	t.Run("zlp", func(t *testing.T) {
		_, s := faulty(t, "1,storage=emmc", "zlp@*")
		if got := s.reads("Get-emmc-info", true); len(got) != 3 || len(got[1]) != 512 || got[2] != "OKAY" {
			t.Errorf("%d reads", len(got))
		}
	})
	t.Run("unit", func(t *testing.T) {
		_, s := faulty(t, "1", "unit=2:2500:67584@0")
		if got := s.data("Read-TA:2:2500"); len(got) != 67584 {
			t.Errorf("%d bytes", len(got))
		}
	})
}

// Every refusal that a host can meet: nothing of the command is carried out, and the phone
// continues.
func TestCommandFaultFail(t *testing.T) {
	boot := good(t, "1", "boot", bytesOf(1, 100), bytesOf(2, 100))
	table := good(t, "1", "partitionimage_1", tableOf(t, "1", 1, 4096))
	for _, place := range []string{"signature", "download", "erase", "flash:2", "Repartition", "Write-TA", "set_active", "Sync", "download:*"} {
		t.Run(place, func(t *testing.T) {
			p, s := faulty(t, "1", "fail=sim:asked for@"+place)
			const failed = "FAILsim:asked for"
			var got string
			switch word, _, _ := strings.Cut(place, ":"); word {
			case "signature":
				got = s.ask(fmt.Sprintf("signature:%08x", len(boot.cms)))
			case "download":
				got = s.ask("download:00000001")
			case "Repartition":
				s.mustSign(table.cms)
				s.download(table.chunks[0])
				got = s.ask("Repartition:1")
			case "Write-TA":
				s.download([]byte{1})
				got = s.ask("Write-TA:2:10100")
			case "set_active":
				got = s.ask("set_active:b")
			case "Sync":
				got = s.ask("Sync")
			default:
				s.mustSign(boot.cms)
				if word == "flash" {
					s.want("OKAY", "erase:boot_a")
					s.download(boot.chunks[0])
					s.want("OKAY", "flash:boot_a")
					s.download(boot.chunks[1])
				}
				got = s.ask(word + ":boot_a")
			}
			if got != failed {
				t.Errorf("%q", got)
			}
			s.want("OKAYJ9110", "getvar:product")
			s.want("OKAYa", "getvar:current-slot")
			if flag := s.data("Read-TA:2:10100"); flag[0] != 0 {
				t.Error("the unit was written")
			}
			journal, err := p.Journal()
			if last := journal[len(journal)-1]; err != nil || last.Refused != "sim:asked for" {
				t.Errorf("%+v, %v", last, err)
			}
		})
	}
	t.Run("data-fail", func(t *testing.T) {
		_, s := faulty(t, "1", "data-fail@download")
		s.want("DATA00000001", "download:00000001")
		s.want("FAILsim:download failed", "x")
		s.want("FAILsim:no new download", "Write-TA:2:10100")
	})
}

// What a phone may tell in an odd way.
func TestCommandFaultValues(t *testing.T) {
	for _, c := range []struct{ fault, name, want string }{
		{"var=max-download-size:4096@*", "max-download-size", "OKAY4096"},
		{"novar=max-download-size@*", "max-download-size", "FAILmax-download-size not supported"},
		{"var=max-download-size:plenty@*", "max-download-size", "OKAYplenty"},
		{"var=Platform-id:200A50E1@*", "Platform-id", "OKAY200A50E1"},
		{"var=Platform-id:000A50E1@*", "Platform-id", "OKAY000A50E1"},
		{"var=Default-security:OFF@*", "Default-security", "OKAYOFF"},
		{"var=current-slot:b@*", "current-slot", "OKAYb"},
		{"var=current-slot:@*", "current-slot", "OKAY"},
		{"novar=current-slot@*", "current-slot", "FAILcurrent-slot not supported"},
		{"novar=has-slot:boot@*", "has-slot:boot", "FAILhas-slot:boot not supported"},
		{"var=has-slot:boot:no@*", "has-slot:boot", "OKAYno"},
		{"novar=Sector-size@*", "Sector-size", "FAILSector-size not supported"},
		{"novar=Battery@*", "Battery", "FAILBattery not supported"},
		{"var=Battery:9@*", "Battery", "OKAY9"},
		{"var=Battery:3500@*", "Battery", "OKAY3500"},
		{"novar=serialno@*", "serialno", "FAILserialno not supported"},
		{"var=product:J8110@2", "product", "OKAYJ9110"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			_, s := faulty(t, "1", c.fault)
			s.want(c.want, "getvar:"+c.name)
		})
	}
	for fault, size := range map[string]int{"hash=0@*": 0, "hash=20@*": 20, "hash=32@*": 32, "hash=48@*": 48, "hash=64@*": 64, "hash=other@*": 48, "hash=AABBCC@*": 3} {
		_, s := faulty(t, "1", fault)
		if size == 0 {
			if got, err := s.get2("Get-root-key-hash"); got != "DATA00000000OKAY" {
				t.Errorf("no hash: %q, %v", got, err)
			}
		} else if got := s.data("Get-root-key-hash"); len(got) != size {
			t.Errorf("%s: %x", fault, got)
		}
	}
	_, s := faulty(t, "1", "var=max-download-size:4096@*")
	s.want("FAILsim:download too large", "download:00001001")
	s.want("DATA00001000", "download:00001000")
	_, s = faulty(t, "1", "lun=0:1000@*")
	if b := s.data("Get-ufs-info"); int(b[0x40+17])<<8|int(b[0x40+18]) != 250 {
		t.Errorf("unit 0 tells %x", b[0x40:0x63])
	}
}

// The cable goes, or nothing comes any more, at any transfer.
func TestCommandFaultWhen(t *testing.T) {
	gone := func(s *session) bool {
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
			if _, err := s.get(quiet); errors.Is(err, usbproto.ErrGone) {
				return true
			}
		}
		return false
	}
	for _, c := range []struct {
		when, command string
		data, answers int    // what the host does before it
		done          string // product of the journal: what was carried out
	}{
		{"@Sync", "Sync", 0, 0, ""},
		{"=answer@Sync", "Sync", 0, 0, "Sync"},
		{"=answer+1@Read-TA", "Read-TA:2:2171", 0, 1, ""},
		{"=answer+2@Read-TA", "Read-TA:2:2171", 0, 2, ""},
		{"=0@download", "download:00000010", 0, 1, ""},
		{"=7@download", "download:00000010", 7, 1, ""},
		{"=16@download", "download:00000010", 16, 1, ""},
	} {
		for _, fault := range []string{"unplug", "silence", "kill"} {
			t.Run(fault+c.when, func(t *testing.T) {
				t.Parallel()
				o, err := simphone.ParseSpec("1,fault=" + fault + c.when)
				if err != nil {
					t.Fatal(err)
				}
				killed := make(chan struct{}, 9)
				o.OnKill = func() { killed <- struct{}{} }
				p := openPhone(t, o)
				s := &session{rawHost: hostOf(t, p), slots: true}
				if err := s.put([]byte(c.command)); err != nil {
					t.Fatal(err)
				}
				if c.data > 0 {
					s.get(patience)
					if err := s.put(bytesOf(1, c.data)); err != nil {
						t.Fatal(err)
					}
				}
				switch fault {
				case "unplug":
					if !gone(s) {
						t.Error("the phone is still there")
					}
				case "silence":
					if c.data == 0 {
						for range c.answers {
							s.get(patience)
						}
					}
					if got, err := s.get(quiet); err == nil {
						t.Errorf("it says %q", got)
					}
				case "kill":
					select {
					case <-killed:
					case <-time.After(patience):
						t.Error("no power cut")
					}
				}
				if fault == "unplug" {
					journal, err := p.Journal()
					if err != nil || (len(journal) == 1) != (c.done != "") {
						t.Errorf("journal %+v, %v", journal, err)
					}
				}
			})
		}
	}
}

// A host died inside a download: commands are taken as its data until it is full. Plugging
// the phone in again ends it, as it ends a signature.
func TestCommandFaultPending(t *testing.T) {
	p, s := faulty(t, "1", "pending=30@0")
	if got := s.reads("getvar:product", false); got != nil {
		t.Errorf("%q", got)
	}
	s.want("OKAY", "getvar:product..")
	s.want("OKAYJ9110", "getvar:product")
	p.FlashMode()
	s = &session{rawHost: hostOf(t, p), slots: true}
	s.want("OKAYJ9110", "getvar:product")

	p, s = faulty(t, "1", "replug@4")
	boot := good(t, "1", "boot", bytesOf(1, 100))
	s.mustSign(boot.cms)
	s.want("OKAY", "erase:boot_a")
	s.download(boot.chunks[0])
	if err := s.put([]byte("flash:boot_a")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.get(patience); !errors.Is(err, usbproto.ErrGone) {
		t.Errorf("after the cable went: %v", err)
	}
	s = &session{rawHost: hostOf(t, p), slots: true}
	s.want("FAILsim:no signature", "flash:boot_a")
}

// An answer can be late, as that of Sync, and a storage chip can lose what it is given.
func TestCommandFaultLateAndLost(t *testing.T) {
	p, s := faulty(t, "1", "late=200ms@Sync", "card@flash")
	begun := time.Now()
	s.want("OKAY", "Sync")
	if took := time.Since(begun); took < 200*time.Millisecond {
		t.Errorf("after %v", took)
	}
	s.flashRaw(good(t, "1", "boot", bytesOf(1, 100)), "boot_a")
	part, err := p.Partition("boot_a")
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if _, err := part.ReadAt(b, 0); err != nil || b[0] != 0 {
		t.Errorf("it holds %x, %v", b[0], err)
	}
}

// Two phones are two cables, and neither has a serial number on the bus.
func TestCommandTwoPhones(t *testing.T) {
	first, second := commandPhone(t, "xz1"), commandPhone(t, "1iii")
	a, b := hostOf(t, first), hostOf(t, second)
	a.want("OKAYG8341", "getvar:product")
	b.want("OKAYXQ-BC72", "getvar:product")
	first.Unplug()
	if _, err := a.conn.Read(context.Background(), make([]byte, 64)); !errors.Is(err, usbproto.ErrGone) {
		t.Errorf("%v", err)
	}
	b.want("OKAYXQ-BC72", "getvar:product")
}
