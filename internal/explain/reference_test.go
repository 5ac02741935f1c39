package explain

import (
	"os"
	"strings"
	"testing"

	"xflash/internal/samples"
)

// corrected are the rows whose advice differs from error-codes.tsv because the loader was
// seen to behave otherwise when it was run.
var corrected = map[string]string{
	"801E0002": "usbproto/s1/PROTOCOL.md §12.2: past the end of the partition",
	"8009001C": "usbproto/s1/PROTOCOL.md §12.2: file a byte short or long, or malformed LZ4",
}

// own are the rows without a twin in error-codes.tsv, by text.
var own = []string{"0xNNNN: sin header verification", "SIN header verification failed", "Not allowed", "80000002"}

func key(f ...string) string { return strings.Join(f, "|") }

// TestEveryRowOfTheReference: each row of error-codes.tsv has its counterpart here, with
// the same name, advice and confidence, and it is found by what the phone says.
func TestEveryRowOfTheReference(t *testing.T) {
	data, err := os.ReadFile(samples.Reference(t, "error-codes.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]*entry{}
	for _, e := range book().rows {
		rows[key(e.kind, e.generation, e.severity, e.code, e.dynamic, e.name)] = e
	}
	n := 0
	for _, f := range table(string(data), 10) {
		if f[0] == "kind" {
			continue
		}
		n++
		if f[0] == "action" {
			if len(book().advices[f[4]]) == 0 {
				t.Errorf("no advice for %s", f[4])
			}
			continue
		}
		e := rows[key(f[0], f[1], f[2], f[3], f[4], f[5])]
		if e == nil {
			t.Errorf("no row for %s", strings.Join(f[:6], " | "))
			continue
		}
		delete(rows, key(f[0], f[1], f[2], f[3], f[4], f[5]))
		if same := e.action == f[7] && string(e.confidence) == f[9]; same == (corrected[f[4]] != "") {
			t.Errorf("%s: %s, %s; the reference says %s, %s", strings.Join(f[:5], " | "), e.action, e.confidence, f[7], f[9])
		}
		if strings.Contains(f[6], " reports ") && strings.Contains(e.meaning, " reports ") {
			t.Errorf("%s: %s is not in words for people", f[4], e.meaning)
		}
	}
	if n < 740 {
		t.Errorf("only %d rows in the reference", n)
	}
	for _, text := range own {
		for k, e := range rows {
			if e.dynamic == text {
				delete(rows, k)
			}
		}
	}
	for k, e := range rows {
		if e.kind == "fastboot" {
			continue // fastboot/PROTOCOL.md §3.2
		}
		t.Errorf("%s is not in the reference", k)
	}
}

// TestEveryRowIsFound: what a phone says for each row leads to the meaning of that row,
// and to at least one step.
func TestEveryRowIsFound(t *testing.T) {
	numbers := strings.NewReplacer("%lx", "1f", "%2x", "1f", "%x", "1f", "%d", "12", "0xNNNN", "0x0577", "NN : text", "07 : some text")
	seen := map[string]int{}
	for _, e := range book().rows {
		var r reply
		switch {
		case e.kind == "facility" || e.kind == "error" || e.kind == "class":
			continue
		case e.kind == "fastboot":
			r = reply{fastboot: true, dynamic: strings.ReplaceAll(e.dynamic, "{}", "x")}
		case e.kind == "text":
			class, static, _ := strings.Cut(e.code, "/")
			r = reply{severity: e.severity, class: class, static: static, dynamic: e.dynamic}
		case e.kind == "static":
			r = reply{severity: "MAJOR", static: e.name, dynamic: "words that no row has"}
		case e.kind == "code" && e.generation != "B":
			r = reply{severity: e.severity, code: e.code, dynamic: "00000000"}
		default:
			r = reply{severity: e.severity, code: e.code, dynamic: numbers.Replace(e.dynamic)}
		}
		seen[e.kind+e.generation]++
		got := r.explain()
		meaning := strings.TrimSuffix(e.meaning, ".")
		found := strings.Contains(strings.ToLower(got.Meaning), strings.ToLower(meaning)) || meaning == "-" && strings.Contains(got.Meaning, "By its group")
		action := e.action
		if action == "-" {
			action = "REPORT"
		}
		if !found || got.Action != action || got.Confidence != e.confidence {
			t.Errorf("%s %q: %s, %s, %q; want %s, %s, %q", r.code, r.dynamic, got.Action, got.Confidence, got.Meaning, action, e.confidence, e.meaning)
		}
		if len(got.Next) < 1 || len(got.Next) > 3 {
			t.Errorf("%s %q: %d steps", r.code, r.dynamic, len(got.Next))
		}
	}
	for kind, least := range map[string]int{"dynamicC,D,E": 182, "dynamicB": 12, "codeC,D,E": 12, "codeB": 262, "textA": 113, "staticA": 18, "fastbootfastboot": 5} {
		if seen[kind] < least {
			t.Errorf("%d rows of %s, want %d", seen[kind], kind, least)
		}
	}
	if len(book().named) != 40+77 {
		t.Errorf("%d facilities and errors", len(book().named))
	}
}

// TestWordingRules are those of ERRORS.md §5 that can be checked.
func TestWordingRules(t *testing.T) {
	for _, e := range book().rows {
		if e.kind != "dynamic" || e.generation == "B" {
			continue
		}
		steps := strings.ToLower(strings.Join(book().advice(e), "\n"))
		// A refusal of the file as it is does not change by trying.
		if group := e.dynamic[2:4]; strings.Contains("06 08 0A 17", group) && e.action != "REDOWNLOAD" {
			for _, again := range []string{"try again", "try once more", "once more", "same official file again"} {
				if strings.Contains(steps, again) {
					t.Errorf("%s: %q cannot help", e.dynamic, again)
				}
			}
		}
	}
	for name, lists := range map[string]map[string][]string{"advice": book().advices, "steps": book().steps} {
		for key, steps := range lists {
			if len(steps) < 1 || len(steps) > 3 {
				t.Errorf("%s %s: %d steps", name, key, len(steps))
			}
			for _, step := range steps {
				small := strings.ToLower(step)
				if strings.Contains(small, "write") && strings.Contains(small, "trim area") && !strings.Contains(small, "not write") && !strings.Contains(small, "write nothing") {
					t.Errorf("%s %s advises to write the trim area: %s", name, key, step)
				}
			}
		}
	}
	for key := range book().steps {
		if book().one("dynamic", key) == nil {
			if _, ok := book().bootLoader(key); !ok && key != "unknown command" && key != "Not allowed" {
				t.Errorf("steps for %s, which is not an answer", key)
			}
		}
	}
}
