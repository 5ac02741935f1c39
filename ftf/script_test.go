package ftf

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"

	"xflash/internal/samples"
)

func parseScript(t *testing.T, text string) *Script {
	t.Helper()
	s, err := ParseScript(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The order of the real D58XX script as FORMAT.md §4 has it.
func TestRealScript(t *testing.T) {
	data, err := os.ReadFile(samples.Path(t, "D58XX-default.fsc"))
	if err != nil {
		t.Fatal(err)
	}
	s := parseScript(t, string(data))
	if len(s.Notes) != 0 {
		t.Errorf("notes: %v", s.Notes)
	}
	var order []string
	opened, closed := 0, 0
	for _, a := range s.Actions {
		switch a.Verb {
		case OpenTA:
			opened++
			if a.Number != 2 {
				t.Errorf("line %d opens %d", a.Line, a.Number)
			}
		case CloseTA:
			closed++
		case UploadImage:
			order = append(order, a.Parameter)
		case WriteTA:
			order = append(order, a.Parameter)
		case SetFlashState:
			order = append(order, "state "+a.Parameter)
		case SetFlashTimestamp:
			order = append(order, "time")
		case EndFlashing:
			order = append(order, "end")
		default:
			t.Errorf("line %d: %v", a.Line, a)
		}
	}
	expect := "state 1,partition,2127,2301,dbi,emmc_appsboot,rpm,s1sbl,sbl1,tz,cache,apps_log,kernel,fotakernel," +
		"userdata,system,amss_fs_1,amss_fs_2,amss_fsg,2212,2404,elabel,time,state 0,end"
	if got := strings.Join(order, ","); got != expect {
		t.Errorf("order\n%s, want\n%s", got, expect)
	}
	if opened != 12 || closed != 12 {
		t.Errorf("%d opened, %d closed", opened, closed)
	}
	if last := s.Actions[len(s.Actions)-1]; last.Line != len(s.Actions) {
		t.Errorf("last line %d of %d", last.Line, len(s.Actions))
	}
}

func TestScriptForms(t *testing.T) {
	for _, c := range []struct {
		text    string
		actions []Action
		notes   int
	}{
		{"openTA:2", []Action{{OpenTA, "openTA", "2", 2, nil, 1}}, 0},
		{"closeTA:\r\ncloseTA\r\n\r\n", []Action{{CloseTA, "closeTA", "", 0, nil, 1}, {CloseTA, "closeTA", "", 0, nil, 2}}, 0},
		{"End flashing", []Action{{EndFlashing, "End flashing", "", 0, nil, 1}}, 0},
		{"end FLASHING:", []Action{{EndFlashing, "end FLASHING", "", 0, nil, 1}}, 0},
		{" writeTA : 2127 ", []Action{{WriteTA, "writeTA", "2127", 2127, nil, 1}}, 0},
		{"setLoaderConfig:00 01,00 0C", []Action{{SetLoaderConfig, "setLoaderConfig", "00 01,00 0C", 0, []byte{0, 1, 0, 0x0C}, 1}}, 0},
		{"uploadImage:system", []Action{{UploadImage, "uploadImage", "system", 0, nil, 1}}, 0},
		{"readTA:00 00 07 DA\nGet Error:\ngetLoaderInfos:", []Action{{Ignored, "readTA", "00 00 07 DA", 0, nil, 1}, {Ignored, "Get Error", "", 0, nil, 2}, {Ignored, "getLoaderInfos", "", 0, nil, 3}}, 0},
		{"Repartition:0:partition.sin\nWrite-TA:2:2404\nflash:boot:boot.sin\nGet-gpt-info:0",
			[]Action{{NewerProtocol, "Repartition", "0:partition.sin", 0, nil, 1}, {NewerProtocol, "Write-TA", "2:2404", 0, nil, 2},
				{NewerProtocol, "flash", "boot:boot.sin", 0, nil, 3}, {NewerProtocol, "Get-gpt-info", "0", 0, nil, 4}}, 0},
		// the malformed lines of real scripts (FORMAT.md §4.1)
		{"End flashingsetLoaderConfig:00 01 00 00 00 0C", []Action{{EndFlashing, "End flashing", "", 0, nil, 1},
			{SetLoaderConfig, "setLoaderConfig", "00 01 00 00 00 0C", 0, []byte{0, 1, 0, 0, 0, 0x0C}, 1}}, 1},
		{"uploadImage:elabelcloseTA:openTA:2", []Action{{UploadImage, "uploadImage", "elabel", 0, nil, 1}, {CloseTA, "closeTA", "", 0, nil, 1}, {OpenTA, "openTA", "2", 2, nil, 1}}, 2},
		{"uploadImage:opentable", []Action{{UploadImage, "uploadImage", "opentable", 0, nil, 1}}, 0},
		{"dance:now\nopenTA:2", []Action{{Unknown, "dance", "now", 0, nil, 1}, {OpenTA, "openTA", "2", 2, nil, 2}}, 1},
		{"openTA:two", []Action{{Unknown, "openTA", "two", 0, nil, 1}}, 1},
		{"writeTA:4294967296", []Action{{Unknown, "writeTA", "4294967296", 0, nil, 1}}, 1},
		{"writeTA", []Action{{Unknown, "writeTA", "", 0, nil, 1}}, 1},
		{"uploadImage:", []Action{{Unknown, "uploadImage", "", 0, nil, 1}}, 1},
		{"setLoaderConfig:xx", []Action{{Unknown, "setLoaderConfig", "xx", 0, nil, 1}}, 1},
		{"setLoaderConfig:100", []Action{{Unknown, "setLoaderConfig", "100", 0, nil, 1}}, 1},
		{"setLoaderConfig:", []Action{{Unknown, "setLoaderConfig", "", 0, nil, 1}}, 1},
		{"closeTA:2", []Action{{CloseTA, "closeTA", "2", 0, nil, 1}}, 1},
		{":", []Action{{Unknown, "", "", 0, nil, 1}}, 1},
		{strings.Repeat("x", maxActionLine+1) + "\ncloseTA:", []Action{{CloseTA, "closeTA", "", 0, nil, 2}}, 1},
		{"\ufeffcloseTA:", []Action{{CloseTA, "closeTA", "", 0, nil, 1}}, 0},
		{"", nil, 0},
		// İ is longer in lower case, which must not shift where a line is cut
		{"İİİİİİİİcloseTA:", []Action{{Unknown, "İİİİİİİİ", "", 0, nil, 1}, {CloseTA, "closeTA", "", 0, nil, 1}}, 2},
	} {
		s := parseScript(t, c.text)
		if !reflect.DeepEqual(s.Actions, c.actions) {
			t.Errorf("%.60q: %+v\nwant %+v", c.text, s.Actions, c.actions)
		}
		if len(s.Notes) != c.notes {
			t.Errorf("%.60q: notes %v, want %d", c.text, s.Notes, c.notes)
		}
	}
}

func TestScriptRefused(t *testing.T) {
	_, err := ParseScript(strings.NewReader("openTA:2\nPK\x00"))
	want(t, err, BadText, "line 2")
	_, err = ParseScript(strings.NewReader(strings.Repeat("closeTA:\n", maxActions+1)))
	want(t, err, TooLarge, "line 10001")
	_, err = ParseScript(strings.NewReader(strings.Repeat("\n", maxText+1)))
	want(t, err, TooLarge)
}

func TestScriptNotesAreBounded(t *testing.T) {
	s := parseScript(t, strings.Repeat("nonsense\n", 1000))
	if len(s.Actions) != 1000 || len(s.Notes) != maxScriptNotes+1 {
		t.Fatalf("%d actions, %d notes", len(s.Actions), len(s.Notes))
	}
}

func FuzzScript(f *testing.F) {
	f.Add([]byte("openTA:2\nsetFlashState:1\ncloseTA:\nuploadImage:partition\nEnd flashing"))
	f.Add([]byte("End flashingsetLoaderConfig:00 01 00 00 00 0C\r\nGet Error:"))
	f.Add([]byte("writeTA:2127\nwriteTA:\xff\nRepartition:0:x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseScript(bytes.NewReader(data))
		if err != nil {
			return
		}
		var again []string
		for _, a := range s.Actions {
			if a.Line < 1 || a.Line > 1+bytes.Count(data, []byte("\n")) {
				t.Fatalf("line %d", a.Line)
			}
			again = append(again, a.String())
		}
		if len(again) == 0 {
			return
		}
		// A script that was understood means the same when written out.
		back, err := ParseScript(strings.NewReader(strings.Join(again, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		var got, want []Action
		for _, a := range back.Actions {
			if a.Line = 0; a.Verb != Unknown {
				got = append(got, a)
			}
		}
		for _, a := range s.Actions {
			if a.Line = 0; a.Verb != Unknown {
				want = append(want, a)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%v became %v", want, got)
		}
	})
}
