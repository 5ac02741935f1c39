package explain

import (
	"strings"
	"testing"
)

const (
	refused21 = `ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021";`
	live      = "S1_Root_9c84"
	test      = "S1_Root_Test_b316"
)

// TestThreeCauses decides between the causes of 80080021. Flags and results are those of
// the executed check (ERRORS.md §0 and §3.2).
func TestThreeCauses(t *testing.T) {
	has := func(flags uint16) []Role {
		return []Role{{Name: "S1_Boot", AID: 4, Flags: 0x0013}, {Name: "S1_SW", AID: 1, Flags: flags}}
	}
	other := []Role{{Name: "S1_Boot", AID: 4, Flags: 0x0013}}
	for _, tt := range []struct {
		name       string
		facts      Facts
		cause      Cause
		action     string
		confidence Confidence
		says       string
	}{
		{"record lost", Facts{HWConfig: HWConfigEmpty, Issuer: live, Subject: "S1_SW"}, RecordMissing, "HWCONF", High, "record is missing"},
		{"record lost, nothing known of the file", Facts{HWConfig: HWConfigEmpty}, RecordMissing, "HWCONF", High, "The phone will refuse other firmware in the same way"},
		{"record lost, test build", Facts{HWConfig: HWConfigEmpty, Issuer: test, Subject: "S1_SW"}, RecordMissing, "HWCONF", High, "record is missing"},
		{"test build", Facts{HWConfig: HWConfigPresent, Roles: has(0x0013), Issuer: test, Subject: "S1_SW"}, TestRoot, "WRONGFW", High, "S1_SW:0001:0013"},
		{"test build, type not listed", Facts{HWConfig: HWConfigPresent, Roles: other, Issuer: test, Subject: "S1_SW"}, TestRoot, "WRONGFW", High, "internal test build"},
		{"type not listed", Facts{HWConfig: HWConfigPresent, Roles: other, Issuer: live, Subject: "S1_SW"}, UsageRefused, "HWCONF", High, "does not list files signed as S1_SW, only S1_Boot"},
		{"type not listed, issuer not known", Facts{HWConfig: HWConfigPresent, Roles: other, Subject: "S1_SW"}, UsageRefused, "HWCONF", High, "does not list files signed as S1_SW"},
		{"no live bit", Facts{HWConfig: HWConfigPresent, Roles: has(0x0015), Issuer: live, Subject: "S1_SW"}, UsageRefused, "HWCONF", High, "does not accept Sony's production root for them (HW_CONFIG: S1_SW:0001:0015)"},
		{"test build with its bit", Facts{HWConfig: HWConfigPresent, Roles: has(0x0015), Issuer: test, Subject: "S1_SW"}, SessionRecord, "POWERCYCLE", Medium, "allows this file"},
		{"nothing contradicts it", Facts{HWConfig: HWConfigPresent, Roles: has(0x0003), Issuer: live, Subject: "S1_SW"}, SessionRecord, "POWERCYCLE", Medium, "S1_SW:0001:0003"},
		{"enforcement off", Facts{HWConfig: HWConfigPresent, Roles: has(0x0000), Issuer: live, Subject: "S1_SW"}, SessionRecord, "POWERCYCLE", Medium, "allows this file"},
		{"nothing known", Facts{}, "", "CHECKROOT", High, "three possible causes"},
		{"phone tells nothing", Facts{HWConfig: HWConfigAbsent, Issuer: live, Subject: "S1_SW"}, "", "CHECKROOT", High, "sent no HW_CONFIG"},
		{"file not known", Facts{HWConfig: HWConfigPresent, Roles: has(0x0013)}, "", "CHECKROOT", High, "three possible causes"},
		{"listed, issuer not known", Facts{HWConfig: HWConfigPresent, Roles: has(0x0013), Subject: "S1_SW"}, "", "CHECKROOT", High, "three possible causes"},
	} {
		f := tt.facts
		f.Text, f.What, f.Step = refused21, "system.sin", "header"
		e := Refusal(f)
		if e.Cause != tt.cause || e.Action != tt.action || e.Confidence != tt.confidence || !strings.Contains(e.Meaning, tt.says) {
			t.Errorf("%s: cause %q, advice %s, confidence %s: %s", tt.name, e.Cause, e.Action, e.Confidence, e.Meaning)
		}
		if len(e.Next) == 0 || len(e.Next) > 3 || e.What != "system.sin" || e.Said != refused21 || !e.Known {
			t.Errorf("%s: %+v", tt.name, e)
		}
		if e.Written != "Nothing of this file was written." {
			t.Errorf("%s: %q", tt.name, e.Written)
		}
	}
}

// TestMissingFacts: what is known already is not asked for.
func TestMissingFacts(t *testing.T) {
	config, signer := "Check HW_CONFIG", "Check who signed"
	for _, tt := range []struct {
		facts          Facts
		config, signer bool
	}{
		{Facts{}, true, true},
		{Facts{Issuer: live, Subject: "S1_SW"}, true, false},
		{Facts{HWConfig: HWConfigPresent, Roles: []Role{{Name: "S1_SW", AID: 1, Flags: 3}}}, false, true},
	} {
		tt.facts.Text = refused21
		next := strings.Join(Refusal(tt.facts).Next, "\n")
		if strings.Contains(next, config) != tt.config || strings.Contains(next, signer) != tt.signer {
			t.Errorf("%+v: %s", tt.facts, next)
		}
	}
}

// TestHardwareConfigurationFile: refused with its data, it takes the phone's own record out
// of use for the session (usbproto/s1/PROTOCOL.md §11.5).
func TestHardwareConfigurationFile(t *testing.T) {
	e := Refusal(Facts{Text: refused21, What: "hwconf.sin", Step: "data", HWConfig: HWConfigPresent, Issuer: live, Subject: "S1_HWConf",
		Roles: []Role{{Name: "S1_HWConf", AID: 1, Flags: 0x0013}}})
	if e.Cause != SessionRecord || e.Confidence != High || !strings.Contains(e.Meaning, "dropped the phone's own record") || !strings.Contains(e.Next[0], "Restart") {
		t.Errorf("%+v", e)
	}
	if strings.Contains(e.Written, "Nothing") {
		t.Errorf("data were sent: %s", e.Written)
	}
}

func dynamic(number string) string {
	return `ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="` + number + `";`
}

// TestFactsBesideOtherNumbers: what the names in certificate and loader information tell.
func TestFactsBesideOtherNumbers(t *testing.T) {
	roots := []string{live, test}
	for _, tt := range []struct {
		name   string
		facts  Facts
		action string
		says   string
	}{
		{"other platform", Facts{Text: dynamic("800A0017"), Roots: roots, Issuer: "S1_Root_f936"}, "WRONGFW", "its root is S1_Root_f936, and this phone trusts S1_Root_9c84"},
		{"own root, damaged", Facts{Text: dynamic("800A0017"), Roots: roots, Issuer: live}, "REDOWNLOAD", "changed or damaged"},
		{"roots not known", Facts{Text: dynamic("800A0017"), Issuer: live}, "WRONGFW", "changed or damaged, or the file is signed for another"},
		{"too old", Facts{Text: dynamic("80080022"), Subject: "S1_SW", Roles: []Role{{Name: "S1_SW", AID: 3, Flags: 3}}}, "OLDER", "S1_SW its HW_CONFIG requires at least version 3."},
		{"too old, fuses count", Facts{Text: dynamic("80080022"), Subject: "S1_Boot", Roles: []Role{{Name: "S1_Boot", AID: 3, Flags: 3}}}, "OLDER", "at least version 3, and its fuses may require more."},
		{"kernel, partition 2 closed", Facts{Text: dynamic("8018001B"), Step: "data"}, "TOOL", "All data of the image has been written"},
		{"no record", Facts{Text: dynamic("8018001B")}, "HWCONF", "cannot be read"},
	} {
		e := Refusal(tt.facts)
		if e.Action != tt.action || !strings.Contains(e.Meaning, tt.says) || len(e.Next) == 0 || len(e.Next) > 3 {
			t.Errorf("%s: %s: %s", tt.name, e.Action, e.Meaning)
		}
	}
}

// TestWritten: nothing was written is true for headers only, and errors with data come
// late (ERRORS.md §1.4, §5; usbproto/s1/PROTOCOL.md §12.2).
func TestWritten(t *testing.T) {
	for _, tt := range []struct {
		number, step  string
		nothing, late bool
	}{
		{"80080053", "header", true, false},
		{"80080053", "data", false, true},
		{"80090012", "data", false, true},
		{"801E003F", "data", false, true},
		{"8011001C", "data", false, false}, // answered at once: the packet itself was not expected
		{"80080053", "", false, false},
	} {
		e := Refusal(Facts{Text: dynamic(tt.number), Step: tt.step})
		if strings.Contains(e.Written, "Nothing") != tt.nothing || strings.Contains(e.Meaning, "one or more packets earlier") != tt.late {
			t.Errorf("%s, %q: %q %q", tt.number, tt.step, e.Written, e.Meaning)
		}
	}
	for code, says := range map[string]string{"0025": "Nothing", "001D": "Nothing", "001F": "may not be stored", "0026": "old value or the new one", "0017": ""} {
		e := Refusal(Facts{Text: `ERR_SEVERITY="MINOR";ERR_CODE="` + code + `";ERR_DYNAMIC="00000000";`, Step: "unit"})
		if !strings.Contains(e.Written, says) || says == "" && e.Written != "" {
			t.Errorf("%s: %q", code, e.Written)
		}
	}
}

// TestNoReason: a refusal without an error is the limited mode, not "all is well".
func TestNoReason(t *testing.T) {
	e := Refusal(Facts{Text: `ERR_SEVERITY="NONE";ERR_CODE="0000";ERR_DYNAMIC="";`, What: "system.sin", Step: "header"})
	if !e.FollowUp || !strings.Contains(e.Meaning, "limited mode") || e.Action != "POWERCYCLE" {
		t.Errorf("%+v", e)
	}
	for _, text := range []string{"", "\x00", "something else"} {
		e := Refusal(Facts{Text: text, What: "system.sin"})
		if e.Known || e.Confidence != Unknown || e.Action != "REPORT" || len(e.Next) == 0 || !strings.Contains(e.Text(78), "system.sin") {
			t.Errorf("%q: %+v", text, e)
		}
	}
}

// TestHostileFacts: names come from files and phones and may be anything.
func TestHostileFacts(t *testing.T) {
	bad := "x\x1b[2J\n" + strings.Repeat("y", 5000)
	for _, number := range []string{"80080021", "800A0017", "80080022"} {
		for _, f := range []Facts{
			{HWConfig: HWConfigPresent, Roles: []Role{{Name: bad, AID: 1, Flags: 2}}, Issuer: live, Subject: "S1_SW"},
			{HWConfig: HWConfigPresent, Roles: []Role{{Name: bad, AID: 1, Flags: 0}}, Roots: []string{bad}, Issuer: "S1_Root_Test" + bad, Subject: bad},
			{HWConfig: HWConfigAbsent, Issuer: bad, Subject: bad, Roots: []string{live}},
		} {
			f.Text, f.What = dynamic(number), bad
			e := Refusal(f)
			for _, s := range append([]string{e.What, e.Meaning}, e.Next...) {
				if strings.ContainsAny(s, "\x1b\n") || len(s) > 2000 {
					t.Errorf("%s: %q", number, s)
				}
			}
		}
	}
}

// TestAnswerToAnotherCommand: what is harmless as the answer to a question is a failure as the
// answer to any other command.
func TestAnswerToAnotherCommand(t *testing.T) {
	for command, action := range map[string]string{"getvar:Battery": "HARMLESS", "flash:boot_a": "REPORT", "Write-TA:2:10100": "REPORT", "Sync": "REPORT",
		"Read-TA:2:2210": "HARMLESS", "boot": "REPORT", "continue": "REPORT", "resize-logical-partition:system_a:0": "REPORT", "oem lock": "REPORT"} {
		if e := BootLoader("Battery not supported", command); e.Action != action || action == "REPORT" && strings.Contains(e.Meaning, "nothing failed") {
			t.Errorf("%s: %s, %s", command, e.Action, e.Meaning)
		}
	}
}
