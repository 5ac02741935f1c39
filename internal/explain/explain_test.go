package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// numbersOf lists what was found: the number or text, or else the code.
func numbersOf(found []Explanation) (list []string) {
	for _, e := range found {
		if e.Dynamic == "" {
			list = append(list, e.Code)
			continue
		}
		list = append(list, e.Dynamic)
	}
	return list
}

// TestExecutedExamples are the replies that the loaders themselves formed when they were
// run (ERRORS.md §1.2).
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
		for _, text := range []string{tt.text, tt.text + "\x00"} { // the NUL may be counted
			found := Explain(text)
			if len(found) != 1 {
				t.Fatalf("%q: %d explanations", text, len(found))
			}
			e := found[0]
			if e.Generation != tt.generation || e.Dynamic != tt.dynamic || e.Action != tt.action || e.Said != tt.text {
				t.Errorf("%q: %+v", text, e)
			}
		}
	}
	e := Explain(`ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021";`)[0]
	if e.Names != "FAC_CORE_SECMGR / ERR_ROOT_CERT_TYPE_CHECK" || e.Severity != "MINOR" || e.Code != "0017" {
		t.Errorf("%+v", e)
	}
}

// TestUnknown: what is on no list is reported as unknown, with what its halves tell, and
// no cause is made up.
func TestUnknown(t *testing.T) {
	reply := func(code, dynamic string) string {
		return fmt.Sprintf(`ERR_SEVERITY="MINOR";ERR_CODE="%s";ERR_DYNAMIC="%s";`, code, dynamic)
	}
	for _, tt := range []struct{ text, says, names string }{
		{reply("0017", "80060012"), "reader of SIN file headers found a hash that does not match", "FAC_CORE_SINPARSER / ERR_HASH_VERIFY"},
		{"800B0055", "it concerns the loader of ELF programs", "FAC_ELF_LOADER / (unnamed 0x0055)"},
		{reply("0017", "83210012"), "its group is on no known list", "(unnamed facility 0x321) / ERR_HASH_VERIFY"},
		{reply("0017", "87FF1234"), "neither its group nor its error", ""},
		{reply("0017", "00000001"), "does not look like", ""},
		{reply("0017", "C0080021"), "does not look like", ""},
		{reply("0017", "00000000"), "", ""},
		{reply("0099", "00000000"), "unknown code", ""},
		{"0099", "unknown code", ""},
		{reply("0022", "No such text"), "command data malformed or not supported", ""},
		{reply("0017", "No such text"), "failures of any kind", ""},
		{reply("0123", "No such text"), "on no known list", ""},
		{`ERR_SEVERITY="MAJOR";ERR_CLASS="MEMORY_CLASS";ERR_STATIC="NEW_WORD";ERR_DYNAMIC="x";`, "it concerns the storage", ""},
		{`ERR_SEVERITY="MAJOR";ERR_CLASS="NEW_CLASS";ERR_DYNAMIC="x";`, "on no known list", ""},
		{`ERR_SEVERITY="MINOR";`, "unknown code", ""},
		{"FAILED (remote: 'never seen before')", "on no known list", ""},
	} {
		found := Explain(tt.text)
		if len(found) != 1 {
			t.Errorf("%s: %d explanations", tt.text, len(found))
			continue
		}
		e := found[0]
		if e.Known || e.Action != "REPORT" || !strings.Contains(e.Meaning, tt.says) || e.Names != tt.names {
			t.Errorf("%s: %+v", tt.text, e)
		}
		if tt.says != "" && (e.Confidence != Unknown || !strings.Contains(e.Text(78), "Unknown:")) {
			t.Errorf("%s: the text does not say that it is unknown:\n%s", tt.text, e.Text(78))
		}
	}
	// The text of 2012 is known, the number in front of it is not.
	e := Explain(`ERR_SEVERITY="MAJOR";ERR_CODE="000A";ERR_DYNAMIC="0x0577: sin header verification";`)[0]
	if e.Known || e.Confidence != Low || !strings.Contains(e.Meaning, "nobody outside Sony") {
		t.Errorf("%+v", e)
	}
	// An unknown code takes nothing away from a number that is known.
	e = Explain(reply("0099", "80080053"))[0]
	if e.Action != "REDOWNLOAD" || !strings.Contains(e.Meaning, "0099") {
		t.Errorf("%+v", e)
	}
}

// TestForms: the same answer as people and tools write it.
func TestForms(t *testing.T) {
	for text, want := range map[string]string{
		"80080053":                          "80080053",
		"0x80080053":                        "80080053",
		"0X80080053\n":                      "80080053",
		"error: 0x800a0017!?":               "800A0017",
		"FAC_CORE_SECMGR - ERR_AID_CHECK":   "80080022",
		"FAC_CORE_SECMGR / ERR_AID_CHECK":   "80080022",
		"0017/80080053":                     "80080053",
		"MINOR 0017 80080053 what is that?": "80080053",
		"0026":                              "0026",
		"005c":                              "005C",
		`ERR_SEVERITY=MINOR;ERR_CODE=0017;ERR_DYNAMIC=80080053;`:                                      "80080053", // a shell took the quotation marks
		`ERR_SEVERITY=“MINOR”;ERR_CODE=“0017”;ERR_DYNAMIC=“80080053”;`:                                "80080053", // a forum changed them
		`ERR_SEVERITY=&quot;MINOR&quot;;ERR_DYNAMIC=&quot;80080053&quot;;`:                            "80080053",
		`ERR_DYNAMIC="80080053";ERR_CODE="0017";ERR_SEVERITY="MINOR";`:                                "80080053",
		`ERR_SEVERITY="MINOR";NEW_KEY="x";ERR_CODE="0017";ERR_DYNAMIC="80080053`:                      "80080053", // unknown key; cut off
		`04/022/2018 12:22:31 - ERROR - ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080053";`: "80080053",
		`04/022/2018 12:22:31 - ERROR - Failed to verify sin header`:                                  "Failed to verify sin header",
		"ERR_SEVERITY=\"MINOR\";\r\nERR_CODE=\"0017\";\r\nERR_DYNAMIC=\"80080053\";":                  "80080053",
	} {
		if got := numbersOf(Explain(text)); !slices.Equal(got, []string{want}) {
			t.Errorf("%q: %q, want %s", text, got, want)
		}
	}
	if e := Explain("0017/80080053")[0]; e.Code != "0017" || e.Said != "0017/80080053" {
		t.Errorf("%+v", e)
	}
	// Nothing of this is an answer of a phone.
	for _, text := range []string{"", "hello", "wrote 80080053123 bytes", "87654321 bytes sent", "call 0800 12345678 today", "8008002",
		"--- FAIL: TestAll (0.00s)", "FAIL\txflash/sin", "FAILURE in the engine", "remote: Counting objects: 100% (3/3), done.\nout of memory", "Sequence", "data"} {
		if found := Explain(text); len(found) != 0 && !strings.HasPrefix(text, "remote: ") {
			t.Errorf("%q: %+v", text, found)
		}
	}
}

// TestPaste: several answers of one log come in its order, each kind once, with the file
// that the log was at.
func TestPaste(t *testing.T) {
	log := `04/022/2018 12:20:01 - INFO  - Processing loader.sin
04/022/2018 12:20:02 - INFO  - Processing of loader.sin finished.
04/022/2018 12:22:01 - INFO  - Processing kernel.sin
04/022/2018 12:22:02 - INFO  -     Checking header, 80080021 bytes left
garbageERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="800A0017";ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="8011001C";garbage
04/022/2018 12:22:05 - INFO  - Processing system.sin
04/022/2018 12:22:06 - ERROR - ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="800A0017";
FAILED (remote: 'dtb not found')
status 0x80080053
FAC_CORE_SECMGR - ERR_AID_CHECK
ERR_SEVERITY="NONE";ERR_CODE="0000";ERR_DYNAMIC="";
`
	found := Explain(log[strings.Index(log, "garbage"):])
	want := []string{"800A0017", "8011001C", "dtb not found", "80080053", "80080022", "0000"}
	if got := numbersOf(found); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	found = Explain(log)
	if len(found) < 3 || found[0].Dynamic != "800A0017" || found[0].What != "kernel.sin" || found[2].What != "system.sin" {
		t.Errorf("%+v", found)
	}
	if found := Explain(strings.Repeat("status 0x80080053\n", 3000)); len(found) != 1 {
		t.Errorf("%d explanations of one error", len(found))
	}
	var many strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&many, "0x8008%04X\n", 0x100+i)
	}
	if found := Explain(many.String()); len(found) != maxFound {
		t.Errorf("%d explanations, want the limit of %d", len(found), maxFound)
	}
}

// TestFollowUps: an error that only follows from the one before is reported as such.
func TestFollowUps(t *testing.T) {
	found := Explain(`ERR_SEVERITY="MAJOR";ERR_CODE="0017";ERR_DYNAMIC="80230028";
ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="8011001C";
ERR_SEVERITY="NONE";ERR_CODE="0000";ERR_DYNAMIC="";
ERR_SEVERITY="MINOR";ERR_CODE="0010";ERR_DYNAMIC="80110002";
ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="FAC_S1_CMD_HANDLER - ERR_UNEXPECTED_STATE";
ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080053";`)
	if len(found) != 6 {
		t.Fatalf("%+v", found)
	}
	for i, follows := range []bool{false, true, true, true, true, false} {
		if e := found[i]; e.FollowUp != follows || follows != strings.HasPrefix(e.Meaning, "This only follows from the error before it") {
			t.Errorf("%s: follow-up %v: %s", e.Said, e.FollowUp, e.Meaning)
		}
	}
	// Alone they are not known to follow from anything, but the text says that they may.
	for _, text := range []string{`ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="8011001C";`, `ERR_SEVERITY="NONE";ERR_CODE="0000";ERR_DYNAMIC="";`} {
		if e := Explain(text)[0]; e.FollowUp || !strings.Contains(e.Meaning, "earlier") {
			t.Errorf("%+v", e)
		}
	}
	// On phones of 2012 an unknown command has the code of the limited mode.
	found = Explain(`ERR_SEVERITY="MINOR";ERR_CODE="0015";ERR_DYNAMIC="TA not open.";
ERR_SEVERITY="MINOR";ERR_CODE="0010";ERR_DYNAMIC="Unknown";`)
	if len(found) != 2 || found[1].FollowUp {
		t.Errorf("%+v", found)
	}
}

// A long log is explained by its end.
func TestLongLogIsExplainedByItsEnd(t *testing.T) {
	filler := strings.Repeat(strings.Repeat(".", 9999)+"\n", 120)
	found := Explain("FAILED (remote: dtb not found)\n" + filler + "ERR_SEVERITY=\"MINOR\";ERR_CODE=\"0017\";ERR_DYNAMIC=\"80080021\";\n")
	if len(found) != 1 || found[0].Dynamic != "80080021" {
		t.Errorf("%+v", found)
	}
}
