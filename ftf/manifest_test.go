package ftf

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func parseManifest(t *testing.T, text string) Manifest {
	t.Helper()
	m, err := ParseManifest(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The attributes of the real X10 bundle (FORMAT.md §2).
func TestManifestX10(t *testing.T) {
	m := parseManifest(t, "Manifest-Version: 1.0\r\nCreated-By: FlashTool\r\nversion: V1\r\nbranding: BLRelock\r\ndevice: X10\r\n\r\n")
	if m.Device != "X10" || m.Branding != "BLRelock" || m.Version != "V1" || m.CDA != "" || m.Revision != "" || m.NoErase != nil || m.Cmd25 {
		t.Fatalf("%+v", m)
	}
	if !reflect.DeepEqual(m.Other, []Attribute{{"Manifest-Version", "1.0"}, {"Created-By", "FlashTool"}}) {
		t.Fatalf("other: %v", m.Other)
	}
	if got := m.KeptCategories(); !reflect.DeepEqual(got, []string{"APPS_LOG", "USERDATA", "SSD", "DIAG", "B2B"}) {
		t.Fatalf("without a list: %v", got)
	}
}

func TestManifestForms(t *testing.T) {
	for name, text := range map[string]string{
		"CRLF":              "device: D5803\r\nversion: 23.5.A.1.291\r\n",
		"LF":                "device: D5803\nversion: 23.5.A.1.291\n",
		"CR":                "device: D5803\rversion: 23.5.A.1.291\r",
		"no last line end":  "device: D5803\nversion: 23.5.A.1.291",
		"any case":          "DEVICE: D5803\nVersion: 23.5.A.1.291\n",
		"no blank":          "device:D5803\nversion:23.5.A.1.291\n",
		"folded":            "device: D5\r\n 803\r\nversion: 23.5.\r\n A.1\r\n .291\r\n",
		"BOM":               "\ufeffdevice: D5803\nversion: 23.5.A.1.291\n",
		"empty lines first": "\r\n\r\ndevice: D5803\nversion: 23.5.A.1.291\n",
		"said twice alike":  "device: D5803\nDevice: D5803\nversion: 23.5.A.1.291\n",
		"other section":     "device: D5803\nversion: 23.5.A.1.291\n\nName: x\ndevice: D6603\n",
	} {
		t.Run(name, func(t *testing.T) {
			if m := parseManifest(t, text); m.Device != "D5803" || m.Version != "23.5.A.1.291" {
				t.Fatalf("%+v", m)
			}
		})
	}
}

// Folding may split a letter: Grün with ü as C3 | BC.
func TestManifestFoldedInsideLetter(t *testing.T) {
	if m := parseManifest(t, "branding: Gr\xc3\r\n \xbcn\r\n"); m.Branding != "Grün" {
		t.Fatalf("%q", m.Branding)
	}
}

func TestManifestNoErase(t *testing.T) {
	for list, kept := range map[string][]string{
		"APPS_LOG,USERDATA": {"APPS_LOG", "USERDATA"},
		" SSD , ,DIAG,SSD":  {"SSD", "DIAG"},
		"userdata_S1-SW-LIVE-9C84-MMC.sin,apps_log_X-FLASH-ALL.sin,simlock.ta": {"USERDATA", "APPS_LOG", "SIMLOCK"},
		"": nil,
	} {
		m := parseManifest(t, "noerase: "+list+"\n")
		if !reflect.DeepEqual(m.NoErase, kept) {
			t.Errorf("%q: %v, want %v", list, m.NoErase, kept)
		}
		if kept != nil && !reflect.DeepEqual(m.KeptCategories(), kept) {
			t.Errorf("%q: kept %v", list, m.KeptCategories())
		}
	}
}

func TestManifestCmd25(t *testing.T) {
	for value, on := range map[string]bool{"true": true, "TRUE": true, "false": false, "": false, "1": false} {
		if m := parseManifest(t, "cmd25: "+value+"\n"); m.Cmd25 != on {
			t.Errorf("%q: %v", value, m.Cmd25)
		}
	}
}

func TestManifestErrors(t *testing.T) {
	for _, c := range []struct {
		text   string
		reason Reason
		words  []string
	}{
		{"device: D5803\nnonsense\n", BadText, []string{"line 2", "nonsense"}},
		{": x\n", BadText, []string{"line 1"}},
		{" continued\n", BadText, []string{"line 1"}},
		{"device: D5803\r\nversion: 1\r\nDEVICE: D6603\r\n", Duplicate, []string{"line 3", "D5803", "D6603"}},
		{"device: D\x1b[31m\n", BadText, []string{"line 1", "control"}},
		{"device: D\x00\n", BadText, []string{"line 1", "control"}},
		{"device: " + strings.Repeat("x", maxText) + "\n", TooLarge, nil},
	} {
		_, err := ParseManifest(strings.NewReader(c.text))
		want(t, err, c.reason, c.words...)
	}
}

func TestManifestEncode(t *testing.T) {
	m := Manifest{Device: "D5803", Version: "23.5.A.1.291", Branding: strings.Repeat("Größe ", 40), CDA: "1272-3750", Revision: "R6C",
		Cmd25: true, NoErase: []string{"USERDATA", "APPS_LOG"}, Other: []Attribute{{"created-by", "FlashTool"}, {"X-Note", "kept"}}}
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range bytes.Split(data, []byte("\r\n")) {
		if len(line) > 72 {
			t.Errorf("line %d has %d bytes", i+1, len(line))
		}
		if bytes.ContainsAny(line, "\r\n") {
			t.Errorf("line %d has a bare line end", i+1)
		}
	}
	if !bytes.HasPrefix(data, []byte("Manifest-Version: 1.0\r\n")) || !bytes.HasSuffix(data, []byte("\r\n\r\n")) {
		t.Errorf("frame: %q", data)
	}
	m.Branding = strings.TrimSpace(m.Branding)
	m.Other = []Attribute{{"Manifest-Version", "1.0"}, {"created-by", "FlashTool"}, {"X-Note", "kept"}}
	back := parseManifest(t, string(data))
	if !reflect.DeepEqual(back, m) {
		t.Fatalf("read back %+v\nwritten   %+v", back, m)
	}
}

func TestManifestEncodeRefuses(t *testing.T) {
	for _, m := range []Manifest{{Device: "a\r\nb"}, {Branding: "x\x00"}, {Other: []Attribute{{"", "x"}}}, {Other: []Attribute{{"a:b", "x"}}}} {
		_, err := m.Encode()
		want(t, err, BadText)
	}
}

func TestManifestFileName(t *testing.T) {
	for _, c := range []struct {
		m    Manifest
		name string
	}{
		{Manifest{Device: "D5803", Version: "23.5.A.1.291", CDA: "1272-3750", Branding: "Customized CE1", Revision: "R6C"}, "D5803_23.5.A.1.291_1272-3750_R6C.ftf"},
		{Manifest{Device: "D5803", Version: "23.5.A.1.291", Branding: "Customized CE1"}, "D5803_23.5.A.1.291_Customized CE1.ftf"},
		{Manifest{Device: "X10", Version: "V1", Branding: "a/../b\\c:d\n"}, "X10_V1_a-..-b-c-d-.ftf"},
		{Manifest{}, "firmware.ftf"},
		{Manifest{Device: ".."}, "firmware.ftf"},
		{Manifest{Branding: strings.Repeat("ü", 300)}, strings.Repeat("ü", 125) + ".ftf"},
	} {
		if got := c.m.FileName(); got != c.name {
			t.Errorf("%+v: %q, want %q", c.m, got, c.name)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte("Manifest-Version: 1.0\r\nCreated-By: FlashTool\r\ndevice: D5803\r\nversion: 23.5.A.1.291\r\ncda: 1272-3750\r\n\r\n"))
	f.Add([]byte("device: D5\n 803\nnoerase: userdata_S1-SW.sin,apps_log.sin\ncmd25: true\n"))
	f.Add([]byte("\xef\xbb\xbfa:\xff\rb: c"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(bytes.NewReader(data))
		if err != nil {
			return
		}
		text, err := m.Encode()
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		again, err := ParseManifest(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("our own text is refused: %v\n%q", err, text)
		}
		again.Other, m.Other = nil, nil // their order may change
		if !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v became %+v", m, again)
		}
		if name := m.FileName(); checkName(name) != nil || strings.Contains(name, "/") {
			t.Fatalf("file name %q", name)
		}
	})
}
