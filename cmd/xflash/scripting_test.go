package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/restore"
	"xflash/internal/simphone/mkimage"
)

var updateScripting = flag.Bool("update-scripting", false, "renew the examples of docs/scripting.md")

const scriptingDocument = "../../docs/scripting.md"

// An example is a fenced block: a command, then values that it prints.
var example = regexp.MustCompile("(?s)```console\n\\$ (xflash [^\n]+)\n(.*?)```")

// TestScriptingDocument runs each command of docs/scripting.md, in order, and compares its
// values with those of the document: at the top all keys are the same, further down the
// document may leave out, but has none that the program does not print.
func TestScriptingDocument(t *testing.T) {
	b, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	plug := busWith(t)
	plug("0fce", "0dde")
	dir := scriptingFolder(t, b)
	text, err := os.ReadFile(scriptingDocument)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	renewed := example.ReplaceAllStringFunc(string(text), func(block string) string {
		ran++
		m := example.FindStringSubmatch(block)
		demo := m[1] == "xflash demo --json"
		if demo && testing.Short() {
			return block
		}
		got := values(t, m[1], printed(t, dir, b, strings.Fields(m[1])[1:]))
		if demo { // the rest is as a restore prints it
			got = slices.DeleteFunc(got, func(v map[string]any) bool { return v["type"] != "screen" && v["type"] != "refused" })
		}
		if *updateScripting {
			return "```console\n$ " + m[1] + "\n" + shown(got) + "```"
		}
		compare(t, m[1], values(t, m[1], []byte(m[2])), got)
		return block
	})
	if ran < 20 {
		t.Errorf("only %d examples", ran)
	}
	if *updateScripting {
		if err := os.WriteFile(scriptingDocument, []byte(renewed), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// reports is the block of values that depend on the clock, a signal or a full disk.
var reports = regexp.MustCompile("(?s)```json\n(.*?)```")

// TestScriptingReports makes the events by hand and compares what is printed of them.
func TestScriptingReports(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&terminal{out: &out, json: true})
	for _, e := range []restore.Event{restore.Unpacking{Name: "system", Done: 1 << 20, Total: 1 << 20}, restore.Stalled{Doing: "sending system"},
		restore.Finishing{Until: "sending system"}, restore.JournalLeft{Err: errors.New("read-only file system")}} {
		p.event(e)
	}
	got := values(t, "reports", out.Bytes())
	text, err := os.ReadFile(scriptingDocument)
	if err != nil {
		t.Fatal(err)
	}
	m := reports.FindStringSubmatch(string(text))
	if m == nil || len(got) != 4 {
		t.Fatalf("%d reports, and in the document %q", len(got), m)
	}
	if *updateScripting {
		if err := os.WriteFile(scriptingDocument, []byte(strings.Replace(string(text), m[0], "```json\n"+shown(got)+"```", 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	compare(t, "reports", values(t, "reports", []byte(m[1])), got)
}

// scriptingFolder holds the files that the examples name.
func scriptingFolder(t *testing.T, b shared) string {
	t.Helper()
	dir := t.TempDir()
	split := mkimage.SplitDTB("SoMC Aries ROW", "somc,aries-row", mkimage.AriesChips, mkimage.AriesBoard)
	for name, from := range map[string]string{"firmware.ftf": b.fw.Bundle, "root.pem": b.root,
		"recovery.img": storyImage(t, false, split, unpack.Gzip, 0x02000000, 0x01E00000)} {
		if err := os.Symlink(from, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("unzip", "-q", b.fw.Bundle, "-d", filepath.Join(dir, "folder")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// printed is what a command prints. The phone of an example is one that trusts the root of
// the test's firmware.
func printed(t *testing.T, dir string, b shared, args []string) []byte {
	t.Helper()
	words := slices.Clone(args)
	for i, w := range words {
		if w == "z3c" || strings.HasPrefix(w, "sim:z3c") {
			words[i] += fmt.Sprintf(",disk=%d,root=%s", int64(testDisk), b.root)
			words = append(words, "--sim-state", "phone")
		}
	}
	if slices.Contains([]string{"restore", "verify", "bundle"}, words[0]) {
		words = append(words, "--root", "root.pem")
	}
	cmd := program(t, dir, words...)
	cmd.Dir = dir
	if words[0] == "sim" { // serves until it is stopped
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		var first json.RawMessage
		if err := json.NewDecoder(out).Decode(&first); err != nil {
			t.Fatalf("%v: %v", words, err)
		}
		return first
	}
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v\n%s", words, err, talk.Bytes())
	}
	if len(out) == 0 {
		t.Fatalf("xflash %v printed nothing: %v\n%s", words, err, talk.Bytes())
	}
	return out
}

// values are the JSON values of a text, one of each type and state: progress comes often.
func values(t *testing.T, command string, text []byte) (all []map[string]any) {
	t.Helper()
	seen := map[string]bool{}
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var v map[string]any
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		if k := kindOf(v); !seen[k] {
			seen[k] = true
			all = append(all, v)
		}
	}
}

func kindOf(v map[string]any) string {
	if v["type"] == "step" {
		return fmt.Sprint("step ", v["state"])
	}
	return fmt.Sprint(v["type"])
}

func compare(t *testing.T, command string, document, program []map[string]any) {
	t.Helper()
	for _, v := range program {
		i := slices.IndexFunc(document, func(d map[string]any) bool { return kindOf(d) == kindOf(v) })
		if i < 0 {
			// Whether a report of progress is due depends on the clock.
			if k := kindOf(v); k != "check" && k != "progress" {
				t.Errorf("%s: the document lacks the value %s", command, k)
			}
			continue
		}
		if d, p := slices.Sorted(maps.Keys(document[i])), slices.Sorted(maps.Keys(v)); !slices.Equal(d, p) {
			t.Errorf("%s: %s has the keys %v, in the document %v", command, kindOf(v), p, d)
		}
		within(t, command+": "+kindOf(v), document[i], v)
	}
	for _, d := range document {
		k := kindOf(d)
		if k != "check" && k != "progress" && !slices.ContainsFunc(program, func(v map[string]any) bool { return kindOf(v) == k }) {
			t.Errorf("%s: the document has a value %s, the program prints none", command, k)
		}
	}
}

// within compares the keys of a value in the document with those of the program's.
func within(t *testing.T, at string, document, program any) {
	t.Helper()
	switch d := document.(type) {
	case map[string]any:
		p, ok := program.(map[string]any)
		if !ok {
			t.Errorf("%s is an object in the document, %T in the program", at, program)
			return
		}
		for k, v := range d {
			if _, ok := p[k]; !ok {
				t.Errorf("%s: the document has %q, the program does not", at, k)
				continue
			}
			within(t, at+"."+k, v, p[k])
		}
	case []any:
		p, ok := program.([]any)
		if !ok || len(d) > len(p) {
			t.Errorf("%s: %d elements in the document, in the program %v", at, len(d), program)
			return
		}
		for i := range d {
			within(t, fmt.Sprint(at, "[", i, "]"), d[i], p[i])
		}
	default:
		if fmt.Sprintf("%T", document) != fmt.Sprintf("%T", program) && document != nil && program != nil {
			t.Errorf("%s: %T in the document, %T in the program", at, document, program)
		}
	}
}

// shown is how the document shows values: a line for each key, arrays with one element.
func shown(all []map[string]any) string {
	var out []string
	for _, v := range all {
		var lines []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			b := new(bytes.Buffer)
			enc := json.NewEncoder(b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(short(v[k])); err != nil {
				panic(err) // what was decoded can be encoded
			}
			lines = append(lines, fmt.Sprintf("  %q: %s", k, strings.TrimSpace(b.String())))
		}
		out = append(out, "{\n"+strings.Join(lines, ",\n")+"\n}\n")
	}
	return strings.Join(out, "\n")
}

func short(v any) any {
	switch v := v.(type) {
	case string:
		if r := []rune(v); len(r) > 60 {
			return string(r[:57]) + "…"
		}
	case []any:
		if len(v) > 1 {
			v = v[:1]
		}
		for i := range v {
			v[i] = short(v[i])
		}
		return v
	case map[string]any:
		for k := range v {
			v[k] = short(v[k])
		}
	}
	return v
}

// TestScriptingTypes: each type that the program's source names has a row in the document.
func TestScriptingTypes(t *testing.T) {
	document, err := os.ReadFile(scriptingDocument)
	if err != nil {
		t.Fatal(err)
	}
	literal := regexp.MustCompile(`"type": "([a-z-]+)"|p\.put\("([a-z-]+)"|\["type"\] = "([a-z-]+)"|}{"([a-z-]+)", |blockJSON{"([a-z-]+)"`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literal.FindAllStringSubmatch(string(source), -1) {
			kind := strings.Join(m[1:], "")
			found++
			if !bytes.Contains(document, []byte("`"+kind+"`")) {
				t.Errorf("%s prints the type %s, which docs/scripting.md does not have", f, kind)
			}
		}
	}
	if found < 25 {
		t.Errorf("only %d types found in the source", found)
	}
}
