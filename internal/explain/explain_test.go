package explain

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew; read them afterwards")

// answers reads testdata/answers.tsv, which was made from the reference, not from this
// package.
func answers(t *testing.T) [][]string {
	t.Helper()
	data, err := os.ReadFile("testdata/answers.tsv")
	if err != nil {
		t.Fatal(err)
	}
	rows := table(string(data), 5)
	if len(rows) < 60 {
		t.Fatalf("only %d answers", len(rows))
	}
	return rows
}

// TestAnswersOfAllGenerations: generation, advice and confidence are those of the
// reference, and the whole output is the golden one.
func TestAnswersOfAllGenerations(t *testing.T) {
	var out strings.Builder
	generations := map[string]int{}
	for _, a := range answers(t) {
		found := Explain(a[0])
		if len(found) != 1 {
			t.Errorf("%s: %d explanations", a[0], len(found))
			continue
		}
		e := found[0]
		generations[a[1]]++
		if e.Generation != a[1] || e.Action != a[2] || string(e.Confidence) != a[3] {
			t.Errorf("%s: generation %s, advice %s, confidence %s; want %s, %s, %s", a[0], e.Generation, e.Action, e.Confidence, a[1], a[2], a[3])
		}
		if a[4] != "" && e.Dynamic != a[4] {
			t.Errorf("%s: number %s, want %s", a[0], e.Dynamic, a[4])
		}
		if e.Meaning == "" || len(e.Next) < 1 || len(e.Next) > 3 {
			t.Errorf("%s: meaning %q, %d steps", a[0], e.Meaning, len(e.Next))
		}
		fmt.Fprintf(&out, "%s\n%s\n", a[0], e.Text(80))
	}
	for _, g := range []string{"A", "B", "C", "D", "E"} {
		if generations[g] < 5 {
			t.Errorf("only %d answers of generation %s", generations[g], g)
		}
	}
	golden(t, "answers.golden", out.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the output differs from %s; run the test with -update and read the difference", path)
	}
}

// TestExecutedExamples are the replies that the loaders themselves formed when they were
// run (error-codes.md §1.2).
func TestExecutedExamples(t *testing.T) {
	for _, tt := range []struct{ text, generation, dynamic, action string }{
		{`ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021";`, "E", "80080021", "CHECKROOT"},
		{`ERR_SEVERITY="MINOR";ERR_CODE="0025";ERR_DYNAMIC="00000000";`, "E", "00000000", "HARMLESS"},
		{`ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="0x80080021 ";`, "C", "80080021", "CHECKROOT"},
		{`ERR_SEVERITY="MINOR";ERR_CODE="0025";ERR_DYNAMIC="Read TA failed";`, "C", "Read TA failed", "HARMLESS"},
		{`ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="FAC_CORE_SECMGR - ERR_ROOT_CERT_TYPE_CHECK";`, "D", "80080021", "CHECKROOT"},
		{`ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="0x0009 - ERR_HASH_VERIFY";`, "D", "80090012", "STORAGE"},
		{`ERR_SEVERITY="MINOR";ERR_CODE="0025";ERR_DYNAMIC="0x0000 - 0x0000";`, "D", "0x0000 - 0x0000", "HARMLESS"},
	} {
		found := Explain(tt.text)
		if len(found) != 1 {
			t.Fatalf("%s: %d explanations", tt.text, len(found))
		}
		e := found[0]
		if e.Generation != tt.generation || e.Dynamic != tt.dynamic || e.Action != tt.action || e.Said != strings.TrimSpace(tt.text) {
			t.Errorf("%s: %+v", tt.text, e)
		}
	}
}

func TestUnknownIsSaid(t *testing.T) {
	for text, want := range map[string]Confidence{
		"800B0050": Low,     // group known (ELF loader), combination not
		"87990001": Unknown, // no such group
		`ERR_SEVERITY="MINOR";ERR_CODE="0099";ERR_DYNAMIC="00000000";`: Unknown,
	} {
		found := Explain(text)
		if len(found) != 1 || found[0].Confidence != want || found[0].Known {
			t.Fatalf("%s: %+v", text, found)
		}
		out := found[0].Text(80)
		if !strings.Contains(strings.ToLower(out), "unknown") && !strings.Contains(out, "nobody outside Sony") {
			t.Errorf("%s: the text does not say that it is not known:\n%s", text, out)
		}
	}
}

func TestNumbersAndLogs(t *testing.T) {
	for text, want := range map[string]string{
		"80080053":            "80080053",
		"0x80080053":          "80080053",
		"error: 0x800a0017!?": "800A0017",
		"04/022/2018 12:22:31 - ERROR - ERR_SEVERITY=\"MINOR\";ERR_CODE=\"0017\";ERR_DYNAMIC=\"80080053\";": "80080053",
		"FAC_CORE_SECMGR - ERR_AID_CHECK": "80080022",
	} {
		found := Explain(text)
		if len(found) != 1 || found[0].Dynamic != want {
			t.Errorf("%q: %+v", text, found)
		}
	}
	for _, text := range []string{"", "hello", "12345678", "call 0800 123456 today", "8008002"} {
		if found := Explain(text); len(found) != 0 {
			t.Errorf("%q: %+v", text, found)
		}
	}
}

// TestFollowUps: an error that only follows from the one before is said to be that.
func TestFollowUps(t *testing.T) {
	found := Explain(`ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080053";
ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="8011001C";
ERR_SEVERITY="NONE";ERR_CODE="0000";ERR_DYNAMIC="";`)
	if len(found) != 3 || found[0].FollowUp || !found[1].FollowUp || !found[2].FollowUp {
		t.Fatalf("%+v", found)
	}
	if alone := Explain(`ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="8011001C";`); alone[0].FollowUp {
		t.Error("alone it follows from nothing")
	}
	if none := Explain(`ERR_SEVERITY="NONE";ERR_CODE="0000";ERR_DYNAMIC="";`)[0]; !strings.Contains(none.Meaning, "restarted") {
		t.Errorf("NONE after a refusal: %s", none.Meaning)
	}
}

func TestFastboot(t *testing.T) {
	for text, action := range map[string]string{
		"FAILED (remote: 'dtb not found')":                             "WRONGFW",
		"FAILED (remote: Command not allowed)":                         "REPORT",
		"FAILFailed to verify cms":                                     "WRONGFW",
		"Read-TA:2:10021 FAIL Unable to read TA unit 10021, error=-22": "HARMLESS",
	} {
		found := Explain(text)
		if len(found) != 1 || found[0].Action != action || !found[0].Known {
			t.Errorf("%q: %+v", text, found)
		}
	}
}

func TestIdentityIsMasked(t *testing.T) {
	e := Explain(`IMEI="01234567890123";PHONE_ID="0000:01234567890123";FAILED (remote: 'dtb not found')`)
	if len(e) != 1 || strings.Contains(e[0].Said, "0123456789") {
		t.Errorf("%+v", e)
	}
}

// TestThreeCauses decides between the causes of 80080021 (error-codes.md, main result).
func TestThreeCauses(t *testing.T) {
	const text = `ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021";`
	live := []Role{{"S1_SW", 1, 0x0013}, {"S1_Boot", 1, 0x0013}}
	for _, tt := range []struct {
		name   string
		facts  Facts
		action string
		says   string
		conf   Confidence
	}{
		{"record lost", Facts{HWConfig: HWConfigEmpty, Issuer: "S1_Root_9c84", Subject: "S1_SW"}, "HWCONF", "record is missing", High},
		{"record lost, test build", Facts{HWConfig: HWConfigEmpty, Issuer: "S1_Root_Test_b316", Subject: "S1_SW"}, "HWCONF", "record is missing", High},
		{"test build", Facts{HWConfig: HWConfigPresent, Roles: live, Issuer: "S1_Root_Test_b316", Subject: "S1_SW"}, "WRONGFW", "internal test builds", High},
		{"usage not listed", Facts{HWConfig: HWConfigPresent, Roles: live[1:], Issuer: "S1_Root_9c84", Subject: "S1_SW"}, "WRONGFW", "does not list files signed as S1_SW", High},
		{"no live bit", Facts{HWConfig: HWConfigPresent, Roles: []Role{{"S1_SW", 1, 0x0015}}, Issuer: "S1_Root_9c84", Subject: "S1_SW"}, "HWCONF", "does not accept Sony's production root", High},
		{"nothing known", Facts{}, "CHECKROOT", "Three things", High},
		{"nothing speaks against it", Facts{HWConfig: HWConfigPresent, Roles: live, Issuer: "S1_Root_9c84", Subject: "S1_SW"}, "CHECKROOT", "restart the phone", High},
	} {
		tt.facts.Text, tt.facts.What, tt.facts.Step = text, "system.sin", "header"
		e := Refusal(tt.facts)
		if e.Action != tt.action || !strings.Contains(e.Meaning, tt.says) || e.Confidence != tt.conf || len(e.Next) == 0 || len(e.Next) > 3 {
			t.Errorf("%s: %s, %s", tt.name, e.Action, e.Meaning)
		}
		if !strings.Contains(e.Written, "Nothing") {
			t.Errorf("%s: %q", tt.name, e.Written)
		}
	}
	if e := Refusal(Facts{Text: text, Step: "data"}); strings.Contains(e.Written, "Nothing") {
		t.Errorf("after data: %q", e.Written)
	}
}

// TestEveryRowOfTheReference: each row of error-codes.tsv has its counterpart here, with
// the same advice and confidence.
func TestEveryRowOfTheReference(t *testing.T) {
	dir := os.Getenv("XFLASH_REFERENCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "reference")
	}
	data, err := os.ReadFile(filepath.Join(dir, "error-codes.tsv"))
	if err != nil {
		t.Skipf("the reference is not at hand (XFLASH_REFERENCE names its folder): %v", err)
	}
	want := map[string]string{}
	n := 0
	for _, f := range table(string(data), 10) {
		switch f[0] {
		case "kind":
		case "action":
			if len(book().advice(f[4])) == 0 {
				t.Errorf("no advice for %s", f[4])
			}
		default:
			n++
			want[strings.Join([]string{f[0], f[1], f[2], f[3], f[4], f[5]}, "|")] = f[7] + "|" + f[9]
		}
	}
	if n != len(book().rows) {
		t.Errorf("%d rows, the reference has %d", len(book().rows), n)
	}
	for _, e := range book().rows {
		key := strings.Join([]string{e.kind, e.generation, e.severity, e.code, e.dynamic, e.name}, "|")
		if got := e.action + "|" + string(e.confidence); want[key] != got {
			t.Errorf("%s: %s, the reference says %q", key, got, want[key])
		}
		if e.meaning == "" && e.kind != "error" && e.kind != "facility" && e.kind != "class" {
			t.Errorf("%s has no meaning", key)
		}
		if e.action != "-" && e.action != "" && len(book().advice(e.action)) == 0 {
			t.Errorf("%s: no advice %s", key, e.action)
		}
	}
}

func FuzzExplain(f *testing.F) {
	data, err := os.ReadFile("testdata/answers.tsv")
	if err != nil {
		f.Fatal(err)
	}
	for i, row := range table(string(data), 5) {
		if i%10 == 0 {
			f.Add(row[0])
		}
	}
	f.Add("FAILED (remote: 'dtb not found')\n\x00\x1b[31m 0x80080021 FAC_ - ")
	f.Fuzz(func(t *testing.T, text string) {
		for _, e := range Explain(text) {
			out := e.Text(80)
			for _, r := range out {
				if r < ' ' && r != '\n' || r == 0x1B {
					t.Errorf("control character %q in the output", r)
				}
			}
			if len(e.Next) == 0 || e.Meaning == "" {
				t.Errorf("no meaning or no step: %+v", e)
			}
		}
	})
}
