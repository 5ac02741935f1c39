package simphone

import (
	"bytes"
	"slices"
	"testing"

	"xflash/internal/trimarea"
)

// setHWConf gives the phone another hardware configuration, signed as its own is.
func setHWConf(t testing.TB, p *Phone, change func(*trimarea.HWConf)) {
	t.Helper()
	a, err := hwAuthority()
	if err != nil {
		t.Fatal(err)
	}
	conf, err := factoryHWConf(p.settings)
	if err != nil {
		t.Fatal(err)
	}
	change(conf)
	raw, err := signHWConf(a, conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetUnit(2, 2003, raw); err != nil {
		t.Fatal(err)
	}
}

// role is the entry of a signer's name, to be changed.
func role(c *trimarea.HWConf, name string) *trimarea.HWConfRole {
	i := slices.IndexFunc(c.Roles, func(r trimarea.HWConfRole) bool { return r.Name == name })
	return &c.Roles[i]
}

func software(c *trimarea.HWConf) *trimarea.HWConfRole { return role(c, "S1_SW") }

// internal/explain/ERRORS.md §0: the table of what was executed.
func TestHWConfDecidesAboutRoots(t *testing.T) {
	p := openPhone(t, Options{})
	for _, test := range []struct {
		name   string
		change func(*trimarea.HWConf)
		want   string
	}{
		{"listed with the live bit", func(c *trimarea.HWConf) { software(c).Flags = 0x0013 }, ""},
		{"not listed", func(c *trimarea.HWConf) {
			c.Roles = slices.DeleteFunc(c.Roles, func(r trimarea.HWConfRole) bool { return r.Name == "S1_SW" })
		}, "header: MINOR 0017 80080021"},
		{"without the live bit", func(c *trimarea.HWConf) { software(c).Flags = 0x0011 }, "header: MINOR 0017 80080021"},
		{"enforcement off", func(c *trimarea.HWConf) { software(c).Flags = 0x0010 }, ""},
		{"a higher version demanded", func(c *trimarea.HWConf) { software(c).MinAID = 2 }, "header: MINOR 0017 80080022"},
		{"may not write", func(c *trimarea.HWConf) { software(c).Flags = 0x0003 }, "packet 1 of 1: MINOR 0017 80080028"},
		{"partition not listed", func(c *trimarea.HWConf) { software(c).Partitions = software(c).Partitions[:1] }, "packet 1 of 1: MINOR 0017 80080028"},
		// correction 2: the list is not optional.
		{"no partition listed", func(c *trimarea.HWConf) { software(c).Partitions = nil }, "packet 1 of 1: MINOR 0017 80080028"},
		// correction 4: GLOB_SEC 8000 switches the checks off.
		{"security off", func(c *trimarea.HWConf) { c.Flags |= 0x8000; software(c).Flags = 0x0001 }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			setHWConf(t, p, test.change)
			h := restart(t, p)
			if got := h.trySIN(imageFor(t, p, "cache", pattern(5000, "x")), 0x10000); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// usbproto/s1/PROTOCOL.md §11.4: without HWConf a fused chip refuses
// everything but a HWConf, an unfused one accepts everything.
func TestNoHWConf(t *testing.T) {
	p, h := openLoader(t, Options{HWConf: HWConfMissing})
	if got := h.trySIN(imageFor(t, p, "cache", pattern(5000, "x")), 0x10000); got != "header: MINOR 0017 80080021" {
		t.Errorf("fused: %q", got)
	}
	p, h = openLoader(t, Options{HWConf: HWConfMissing, OTPLock: "UNLOCKED"})
	if got := parseInfo(t, h.ok(1))["DEF_SEC"]; got != "OFF" {
		t.Errorf("DEF_SEC=%q", got)
	}
	if got := h.trySIN(imageFor(t, p, "cache", pattern(5000, "x")), 0x10000); got != "" {
		t.Errorf("unfused: %q", got)
	}
}

func TestHWConfSettings(t *testing.T) {
	for setting, want := range map[string]string{
		HWConfGood: "", HWConfMissing: "header: MINOR 0017 80080021",
		HWConfNoLiveBit: "header: MINOR 0017 80080021", HWConfNoUsage: "header: MINOR 0017 80080021",
	} {
		p, h := openLoader(t, Options{HWConf: setting})
		if got := h.trySIN(imageFor(t, p, "system", pattern(5000, "x")), 0x10000); got != want {
			t.Errorf("hwconf=%s: %q, want %q", setting, got, want)
		}
	}
}

// usbproto/s1/PROTOCOL.md §11.3: S1_SW AID 3 is accepted with fuse 4, S1_Boot
// is not.
func TestFuseMinimum(t *testing.T) {
	p := openPhone(t, Options{FuseAID: 4})
	h := connect(t, p)
	h.startLoader(testLoader(t, 4, "GPTP ADDR"))
	data := pattern(5000, "x")
	build := func(role, label string) []byte {
		return sinFile{kind: 0x27, role: role, aid: 3,
			payload: mmcf(data, tagGPTP(guidOf(t, p, label)), tagADDR(0, 5000, 0, data))}.build(t)
	}
	if got := h.trySIN(build("S1_SW", "cache"), 0x10000); got != "" {
		t.Errorf("S1_SW: %s", got)
	}
	if got := h.trySIN(build("S1_Boot", "tz"), 0x10000); got != "header: MINOR 0017 80080022" {
		t.Errorf("S1_Boot: %s", got)
	}
}

// usbproto/s1/PROTOCOL.md §11.16: a loader below the minimum hangs before its
// hello.
func TestOldLoaderHangs(t *testing.T) {
	for name, p := range map[string]*Phone{
		"fuse":   openPhone(t, Options{FuseAID: 5}),
		"HWConf": openPhone(t, Options{}),
	} {
		if name == "HWConf" {
			setHWConf(t, p, func(c *trimarea.HWConf) { role(c, "S1_Loader").MinAID = 5 })
		}
		h := connect(t, p)
		h.expectHello()
		h.sendSIN(testLoader(t, 4, ""), 0x10000)
		h.silent()
		h.write(packet(1, 3, nil))
		h.silent()
	}
}

// hwConfSIN is a HWConf file for the phone.
func hwConfSIN(t *testing.T, p *Phone, role string, change func(*trimarea.HWConf)) []byte {
	t.Helper()
	conf, err := factoryHWConf(p.settings)
	if err != nil {
		t.Fatal(err)
	}
	change(conf)
	return sinFile{kind: 0x22, role: role, payload: encodeHWConf(conf)}.build(t)
}

// What the simulator writes is what the reader of trim areas reads, to the last byte.
func TestHWConfForm(t *testing.T) {
	conf, err := factoryHWConf(openPhone(t, Options{}).settings)
	if err != nil {
		t.Fatal(err)
	}
	conf.Word1, conf.ListA, conf.Flags = 0x0102, []trimarea.HWConfItem{{Type: 9, Data: []byte{0xAA, 0xBB}}}, 0x4000
	if got, err := trimarea.ParseHWConf(encodeHWConf(conf)); err != nil || !bytes.Equal(encodeHWConf(got), encodeHWConf(conf)) || got.Attributes != conf.Attributes || len(got.Roles) != len(conf.Roles) {
		t.Errorf("%+v, %v", got, err)
	}
}

func keep(*trimarea.HWConf) {}

// internal/explain/ERRORS.md §4 and usbproto/s1/PROTOCOL.md §11.1 and §11.5.
func TestHWConfUpload(t *testing.T) {
	p := openPhone(t, Options{})
	const noRecord = "header: MINOR 0017 80080021"
	for _, test := range []struct {
		name  string
		ta    byte
		file  func(p *Phone) []byte
		want  string
		after string // what an image gets afterwards
	}{
		{"good", 2, func(p *Phone) []byte { return hwConfSIN(t, p, "S1_HWConf", keep) }, "", ""},
		{"trim area closed", 0, func(p *Phone) []byte { return hwConfSIN(t, p, "S1_HWConf", keep) },
			"packet 1 of 1: MINOR 0017 8009001B", ""}, // the one failure that leaves the new record
		{"signed for software", 2, func(p *Phone) []byte { return hwConfSIN(t, p, "S1_SW", keep) },
			"packet 1 of 1: MINOR 0017 80080021", noRecord},
		{"of another phone", 2, func(p *Phone) []byte {
			return hwConfSIN(t, p, "S1_HWConf", func(c *trimarea.HWConf) { c.DeviceIDs = [][]byte{{9, 9, 9, 9, 9, 9, 9, 9}} })
		}, "packet 1 of 1: MINOR 0017 80080040", noRecord},
		{"malformed", 2, func(p *Phone) []byte {
			return sinFile{kind: 0x22, role: "S1_HWConf", payload: []byte{0, 6, 0, 0}}.build(t)
		}, "packet 1 of 1: MINOR 0017 80010003", noRecord},
		{"damaged on the way", 2, func(p *Phone) []byte {
			b := hwConfSIN(t, p, "S1_HWConf", keep)
			b[len(b)-1] ^= 1
			return b
		}, "packet 1 of 1: MINOR 0017 80080053", noRecord},
	} {
		t.Run(test.name, func(t *testing.T) {
			setHWConf(t, p, keep)
			h := restart(t, p)
			if test.ta != 0 {
				h.ok(9, test.ta)
			}
			file := test.file(p)
			if got := h.trySIN(file, 0x10000); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			if got := h.trySIN(imageFor(t, p, "cache", pattern(5000, "x")), 0x10000); got != test.after {
				t.Errorf("afterwards: got %q, want %q", got, test.after)
			}
			if test.want != "" {
				return
			}
			h.ok(10)
			stored, _, err := p.Unit(2, 2003)
			if err != nil || !slices.Equal(stored, file) {
				t.Errorf("unit 2003 has %d bytes, the file %d: %v", len(stored), len(file), err)
			}
		})
	}
}
