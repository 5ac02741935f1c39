package simphone

import (
	"bytes"
	"errors"
	"os"
	"testing"
)

// The story of internal/phone/PHONES.md §8.3 and the states of §3.1, one change at a time.
func TestPowerOn(t *testing.T) {
	wipe := func(label string, with []byte) func(p *Phone) error {
		return func(p *Phone) error {
			part, err := p.Partition(label)
			if err != nil {
				return err
			}
			_, err = part.WriteAt(with, 0)
			return err
		}
	}
	unit := func(number uint32, data ...byte) func(p *Phone) error {
		return func(p *Phone) error { return p.SetUnit(2, number, data) }
	}
	junk := bytes.Repeat([]byte{0xA5}, 8192)
	for _, test := range []struct {
		name   string
		change func(p *Phone) error
		want   BootMode
	}{
		{"healthy", nil, ModeAndroid},
		{"flash not finished", unit(10100, 1), ModeFlash},
		{"no kernel", wipe("boot", junk), ModeRed},
		{"kernel of a custom ROM", wipe("boot", append([]byte("ANDROID!"), junk...)), ModeAndroid},
		{"damaged kernel header", unit(66670, 1, 2, 3), ModeRed},
		{"update pending", unit(2404, 1), ModeStuck},
		{"no system", wipe("system", junk), ModeStuck},
		{"userdata of another phone", wipe("userdata", junk), ModeStuck},
		{"userdata erased", wipe("userdata", make([]byte, 8192)), ModeAndroid},
		{"tz erased", wipe("tz", make([]byte, 8192)), ModeDead},
		{"no partition table", func(p *Phone) error {
			f, err := os.OpenFile(p.EMMC(), os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt(junk, 0)
			_, err2 := f.WriteAt(junk, DiskSize-int64(len(junk)))
			return errors.Join(err, err2)
		}, ModeDead},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := openPhone(t, Options{})
			if test.change != nil {
				if err := test.change(p); err != nil {
					t.Fatal(err)
				}
			}
			old := connect(t, p)
			r := p.PowerOn()
			if r.Mode != test.want || r.Screen == "" || r.Reason == "" {
				t.Errorf("got %v %+v, want %v", r.Mode, r, test.want)
			}
			if p.OnBus() != (test.want == ModeFlash) {
				t.Errorf("on the bus: %v", p.OnBus())
			}
			if old.conn.(*conn).cable.onBus() {
				t.Error("the old connection lives")
			}
			if test.want == ModeFlash { // and speaks there like any phone
				if got := connect(t, p).expectHello(); got != "S1_BOOT" {
					t.Error(got)
				}
			}
		})
	}
}

// A phone keeps what it is over processes; options change it.
func TestStateDirectory(t *testing.T) {
	dir := t.TempDir()
	open := func(o Options) (*Phone, map[string]string) {
		t.Helper()
		o.Dir = dir
		p := openPhone(t, o)
		h := connect(t, p)
		return p, parseInfo(t, h.read().data)
	}
	model := func(p *Phone) string {
		data, _, err := p.Unit(2, 2210)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	p, info := open(Options{Model: "D5833", BootVersion: "S1_Boot_MSM8974AC_09", OTPData: "01000500", Serial: "SIM2"})
	if model(p) != "D5833\x00" || info["VER"] != "S1_Boot_MSM8974AC_09" || info["OTP_DATA_1"] != "01000500" || p.Serial() != "SIM2" {
		t.Errorf("new: %q %v", model(p), info)
	}
	p.Close()
	p, info = open(Options{})
	if model(p) != "D5833\x00" || info["VER"] != "S1_Boot_MSM8974AC_09" || info["OTP_DATA_1"] != "01000500" {
		t.Errorf("again: %q %v", model(p), info)
	}
	if version, _, _ := p.Unit(2, 2207); string(version) != "1281-2190_S1_Boot_MSM8974AC_09\x00" {
		t.Errorf("2207: %q", version)
	}
	p.Close()
	p, info = open(Options{Unknown2210: true, HWConf: HWConfMissing})
	if got := model(p); len(got) != 29 || got[:9] != "Unknown: " || info["IMEI"] != "" {
		t.Errorf("unknown: %q IMEI %q", got, info["IMEI"])
	}
	p.Close()
	_, info = open(Options{HWConf: HWConfGood})
	if info["IMEI"] == "" {
		t.Error("the hardware configuration did not come back")
	}
	if p, err := Open(Options{Dir: dir, Disk: 8 << 30}); err == nil {
		p.Close()
		t.Error("the disk of a phone was changed")
	}
}

// A temporary phone leaves nothing behind.
func TestTemporaryDirectoryIsRemoved(t *testing.T) {
	p, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.Dir()); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", p.Dir(), err)
	}
}
