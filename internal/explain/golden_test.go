package explain

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden file again; read the difference afterwards")

// answer is a row of testdata/answers.tsv, which was written from the reference.
type answer struct{ text, generation, action, confidence, number, phrase string }

func answers(t testing.TB) (rows []answer) {
	t.Helper()
	data, err := os.ReadFile("testdata/answers.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range table(string(data), 6) {
		rows = append(rows, answer{f[0], f[1], f[2], f[3], f[4], f[5]})
	}
	return rows
}

// TestAnswersOfAllGenerations: generation, advice, confidence and the heart of the meaning
// are those of the reference, and the whole output is the golden one.
func TestAnswersOfAllGenerations(t *testing.T) {
	var out strings.Builder
	count := map[string]int{}
	for _, a := range answers(t) {
		found := Explain(a.text)
		if len(found) != 1 {
			t.Errorf("%s: %d explanations", a.text, len(found))
			continue
		}
		e := found[0]
		count[a.generation]++
		action, confidence := strings.TrimSuffix(a.action, "*"), strings.TrimSuffix(a.confidence, "*")
		if e.Generation != a.generation || e.Action != action || string(e.Confidence) != confidence {
			t.Errorf("%s: generation %q, advice %s, confidence %s; want %q, %s, %s", a.text, e.Generation, e.Action, e.Confidence, a.generation, action, confidence)
		}
		if a.number != "-" && e.Dynamic != a.number {
			t.Errorf("%s: number %s, want %s", a.text, e.Dynamic, a.number)
		}
		if !strings.Contains(e.Meaning, a.phrase) {
			t.Errorf("%s: the meaning %q lacks %q", a.text, e.Meaning, a.phrase)
		}
		if e.Said != strings.TrimSpace(a.text) {
			t.Errorf("%s: the raw text became %s", a.text, e.Said)
		}
		if known := confidence == "high" || confidence == "med"; e.Known != known {
			t.Errorf("%s: known is %v with confidence %s", a.text, e.Known, confidence)
		}
		fmt.Fprintf(&out, "### %s\n%s\n", a.text, e.Text(78))
	}
	for _, g := range []string{"A", "B", "C", "D", "E"} {
		if count[g] < 8 {
			t.Errorf("only %d answers of generation %s", count[g], g)
		}
	}
	golden(t, "testdata/answers.golden", out.String())
}

// TestMajorIsFatal: after a MAJOR error the loader must be restarted, and the text says so.
func TestMajorIsFatal(t *testing.T) {
	n := 0
	for _, a := range answers(t) {
		e := Explain(a.text)[0]
		fatal := e.Severity == "MAJOR" && e.Generation != "A" // for the phones of 2010-11 it is not on record
		if fatal != strings.Contains(e.Meaning, "restarted") {
			t.Errorf("%s: %s", a.text, e.Meaning)
		}
		if fatal {
			n++
		}
	}
	if n < 10 {
		t.Errorf("only %d fatal answers were looked at", n)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Fatalf("%s:%d: got\n%s\nwant\n%s", path, i+1, gotLines[i], wantLines[i])
		}
	}
	t.Fatalf("%s has %d lines, got %d", path, len(wantLines), len(gotLines))
}
