package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xflash/internal/samples"
)

// asJSON is the report as programs see it: every top-level member as text.
func asJSON(t *testing.T, r *Report) map[string]any {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestKnownAnswers compares every column of the table of real loaders, apart from those
// that say where a file came from.
func TestKnownAnswers(t *testing.T) {
	dir := samples.Path(t, ".")
	table, err := os.ReadFile(filepath.Join(dir, "loader-known-answers.tsv"))
	if err != nil {
		t.Skipf("the table of known answers is not here: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")
	columns := strings.Split(lines[0], "\t")
	compared := 0
	for _, line := range lines[1:] {
		values := strings.Split(line, "\t")
		if len(values) != len(columns) {
			t.Fatalf("a row with %d columns of %d", len(values), len(columns))
		}
		path := filepath.Join(dir, "loader-"+values[0]+".sin")
		if _, err := os.Stat(path); err != nil {
			t.Logf("%s is not here", path)
			continue
		}
		rep, err := Path(context.Background(), path, Options{Hashes: true})
		if err != nil {
			t.Fatal(err)
		}
		got := asJSON(t, rep)
		for i, column := range columns {
			if slices.Contains([]string{"model", "source", "same_as"}, column) {
				continue
			}
			if column == "loader_version" && (values[0] == "LT26" || values[0] == "X10") {
				continue // the table has none; the words are those that internal/phone/PHONES.md names
			}
			have := "-" // the table's mark for what does not apply
			if v, ok := got[column]; ok {
				have = fmt.Sprint(v)
			}
			if have != values[i] {
				t.Errorf("%s: %s is %q, known is %q", values[0], column, have, values[i])
			}
			compared++
		}
	}
	if compared == 0 {
		t.Skip("none of the files of the table is here")
	}
}

// TestTablesOfSamples wants every entry of the two real tables, whose numbers are those of
// the list that comes with the samples.
func TestTablesOfSamples(t *testing.T) {
	dir := samples.Path(t, ".")
	for name, entries := range map[string]int{"qcdt-v2-shinano-z3.img": 8, "boot-v0-qcdt-v3-lk2nd-msm8916.img": 63} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			t.Logf("%s is not here", path)
			continue
		}
		rep, err := Path(context.Background(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ids := 0
		for _, tree := range rep.Trees {
			ids += len(tree.IDs)
		}
		if ids != entries {
			t.Errorf("%s: %d ids, the table has %d entries", name, ids, entries)
		}
	}
}
