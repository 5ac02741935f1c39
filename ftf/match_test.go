package ftf

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// testPhone is the phone the first configuration of deliveryText is for. Its id
// code has its own silicon revision.
var testPhone = PhoneKeys{OTPLockStatus: "LOCKED", OTPData: "01000400", IDCode: "107B00E1", RootHash: testRoot,
	BootVersion: "1277-4231_S1_Boot_MSM8974AC_LA1.0_11", HWRevision: "1234-5678_R1"}

func with(change func(*PhoneKeys)) PhoneKeys {
	p := testPhone
	change(&p)
	return p
}

func TestMatch(t *testing.T) {
	d := parseDelivery(t, deliveryText)
	for _, c := range []struct {
		name  string
		phone PhoneKeys
		// why is the check that rules COMMERCIAL_1 out, empty when it is chosen
		why     string
		outcome Outcome
	}{
		{"the phone", testPhone, "", 0},
		{"case of hex", with(func(p *PhoneKeys) { p.RootHash = strings.ToLower(p.RootHash); p.IDCode = "107b00e1" }), "", 0},
		{"lock status", with(func(p *PhoneKeys) { p.OTPLockStatus = "UNLOCKED" }), "OTP_LOCK_STATUS_1", Differs},
		{"OTP data", with(func(p *PhoneKeys) { p.OTPData = "02000400" }), "OTP_DATA_1", Differs},
		{"root hash", with(func(p *PhoneKeys) { p.RootHash = strings.Repeat("0", 64) }), "PLF_ROOT_1", Differs},
		{"id code, third digit", with(func(p *PhoneKeys) { p.IDCode = "106B00E1" }), "IDCODE_1", Differs},
		{"id code, last digit", with(func(p *PhoneKeys) { p.IDCode = "107B00E2" }), "IDCODE_1", Differs},
		// Flashtool ignores one digit only, so the second must agree ...
		{"id code, second digit", with(func(p *PhoneKeys) { p.IDCode = "117B00E1" }), "IDCODE_1", Differs},
		{"id code, short", with(func(p *PhoneKeys) { p.IDCode = "7B00E1" }), "IDCODE_1", Differs},
		{"space id", with(func(p *PhoneKeys) { p.BootVersion = "1277-4232_S1_Boot" }), "SPACE_ID", Differs},
		{"space id is part of a number", with(func(p *PhoneKeys) { p.BootVersion = "1277-42312_S1_Boot" }), "SPACE_ID", Differs},
		{"hardware revision", with(func(p *PhoneKeys) { p.HWRevision = "1234-5678_R2" }), "HWCONFIG REVISION", Differs},
		{"hardware revision is part of a word", with(func(p *PhoneKeys) { p.HWRevision = "1" }), "HWCONFIG REVISION", Differs},
		{"no lock status", with(func(p *PhoneKeys) { p.OTPLockStatus = "" }), "OTP_LOCK_STATUS_1", Silent},
		{"no root hash", with(func(p *PhoneKeys) { p.RootHash = "" }), "PLF_ROOT_1", Silent},
		{"no unit 2207", with(func(p *PhoneKeys) { p.BootVersion = "" }), "SPACE_ID", Silent},
		{"no unit 2003", with(func(p *PhoneKeys) { p.HWRevision = "" }), "HWCONFIG REVISION", Silent},
		{"development phone", with(func(p *PhoneKeys) { p.OTPLockStatus = "UNLOCKED"; p.OTPData = "00000000" }), "OTP_LOCK_STATUS_1", Differs},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, verdicts, err := d.Match(c.phone)
			if len(verdicts) != 2 || verdicts[1].Matches() {
				t.Fatalf("verdicts: %v", verdicts)
			}
			if c.why == "" {
				if err != nil || got.Name != "COMMERCIAL_1" || !verdicts[0].Matches() {
					t.Fatalf("%v %v", got, err)
				}
				return
			}
			var none *MatchError
			if got != nil || !errors.As(err, &none) || len(none.Ambiguous) != 0 {
				t.Fatalf("%+v %v", got, err)
			}
			found := false
			for _, check := range verdicts[0].Checks {
				if check.Key == c.why {
					found = check.Outcome == c.outcome && check.Fails()
				}
			}
			if !found || !strings.Contains(err.Error(), c.why) {
				t.Fatalf("%v", verdicts[0])
			}
		})
	}
}

// one makes a configuration with the first values of testPhone.
func one(name, attributes, files string) string {
	var list strings.Builder
	for _, f := range strings.Fields(files) {
		fmt.Fprintf(&list, `<FILE PATH="%s"/>`, f)
	}
	return fmt.Sprintf(`<CONFIGURATION NAME="%s"><BOOT_IMAGES>%s</BOOT_IMAGES><ATTRIBUTES VALUE='%s'/></CONFIGURATION>`, name, list.String(), attributes)
}

const matching = `OTP_LOCK_STATUS_1="LOCKED";OTP_DATA_1="01000400";IDCODE_1="007B00E1"`

func TestMatchSurvivors(t *testing.T) {
	for _, c := range []struct {
		name           string
		configurations []string
		chosen         string // empty: none
		ambiguous      int
	}{
		{"one of one", []string{one("A", matching, "a.sin")}, "A", 0},
		{"same files, last is taken", []string{one("A", matching, "a.sin b.sin"), one("B", matching, "b.sin a.sin")}, "B", 0},
		{"other files", []string{one("A", matching, "a.sin"), one("B", matching, "b.sin")}, "", 2},
		{"first and last alike", []string{one("A", matching, "a.sin"), one("B", matching, "b.sin"), one("C", matching, "a.sin")}, "", 3},
		{"development beside", []string{one("A", matching, "a.sin"), one("DEVELOPMENT", matching, "b.sin")}, "A", 0},
		{"development alone", []string{one("DEVELOPMENT_2", matching, "b.sin")}, "", 0},
		{"development in small letters", []string{one("sw development", matching, "b.sin")}, "", 0},
		{"no attributes at all", []string{one("A", "", "a.sin")}, "", 0},
		{"id code left open", []string{one("A", `OTP_LOCK_STATUS_1="LOCKED";OTP_DATA_1="01000400"`, "a.sin")}, "", 0},
		{"id code empty", []string{one("A", `OTP_LOCK_STATUS_1="LOCKED";OTP_DATA_1="01000400";IDCODE_1=""`, "a.sin")}, "", 0},
		{"root hash empty", []string{one("A", matching+`;PLF_ROOT_1=""`, "a.sin")}, "", 0},
		{"any order and unknown ones", []string{one("A", `IDCODE_1="007B00E1";X="1";OTP_DATA_1="01000400";OTP_LOCK_STATUS_1="LOCKED"`, "a.sin")}, "A", 0},
		// ... and XFlasher puts 00 in front, so a configuration must have it.
		{"id code with its revision", []string{one("A", `OTP_LOCK_STATUS_1="LOCKED";OTP_DATA_1="01000400";IDCODE_1="107B00E1"`, "a.sin")}, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := parseDelivery(t, delivery(strings.Join(c.configurations, ""))).Match(testPhone)
			if c.chosen != "" {
				if err != nil || got.Name != c.chosen {
					t.Fatalf("%v %v", got, err)
				}
				return
			}
			var none *MatchError
			if got != nil || !errors.As(err, &none) || len(none.Ambiguous) != c.ambiguous {
				t.Fatalf("%v %v", got, err)
			}
		})
	}
}

func TestVerdictTexts(t *testing.T) {
	for text, c := range map[string]Check{
		"OTP_DATA_1 agrees (1)":                             {"OTP_DATA_1", "1", "1", Agrees},
		"PLF_ROOT_1 is not required":                        {"PLF_ROOT_1", "", "1", NotWanted},
		"OTP_DATA_1 should be 1, but the phone has 2":       {"OTP_DATA_1", "1", "2", Differs},
		"IDCODE_1 is not set":                               {"IDCODE_1", "", "2", Differs},
		"SPACE_ID should be 1, but the phone does not tell": {"SPACE_ID", "1", "", Silent},
		`NAME "DEVELOPMENT" is for development phones`:      {"NAME", "DEVELOPMENT", "", Barred},
	} {
		if !strings.HasPrefix(c.String(), text) || c.Fails() != (c.Outcome != Agrees && c.Outcome != NotWanted) {
			t.Errorf("%q, want %q", c, text)
		}
	}
	v := Verdict{&Configuration{Name: "C"}, []Check{{"A", "1", "1", Agrees}}}
	if v.String() != "C: matches" {
		t.Error(v)
	}
	v.Checks = append(v.Checks, Check{"B", "1", "2", Differs}, Check{"C", "1", "", Silent})
	if v.String() != "C: B should be 1, but the phone has 2; C should be 1, but the phone does not tell its own" {
		t.Error(v)
	}
}

func TestHWConfigRevision(t *testing.T) {
	for data, rev := range map[string]string{
		"\x03SIN\x00junk;REV=\"1234-5678_R1\";more": "1234-5678_R1",
		`HWREV="no";X_REV="no";REV="yes"`:           "yes",
		`REV="`:                                     "",
		`REV="open`:                                 "",
		"REV=\"a\x00b\"":                            "",
		"":                                          "",
		`REV="";REV="late"`:                         "",
	} {
		if got := HWConfigRevision([]byte(data)); got != rev {
			t.Errorf("%q: %q, want %q", data, got, rev)
		}
	}
}
