package explain

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestIdentityIsMasked(t *testing.T) {
	const digits = "35812345678901"
	for _, text := range []string{
		`ERR_SEVERITY="MINOR";IMEI="` + digits + `";ERR_CODE="0017";ERR_DYNAMIC="80080021";`,
		`ERR_CODE="0017";PHONE_ID="0000:` + digits + `,0001:` + digits + `";ERR_DYNAMIC="80080021";`,
		`ERR_CODE="0017";UNIQUE_DEV_ID_1="` + digits + `";ERR_DYNAMIC="80080021";`,
		`ERR_CODE="0017";MSN="CB5A1` + digits[:6] + `";ERR_DYNAMIC="80080021";`,
		`ERR_CODE="0017";ERR_DYNAMIC="80080021";IMEI="` + digits, // cut off before its end
		`IMEI="` + digits + `"; FAILED (remote: 'dtb not found')`,
		"FAILED (remote: 'no such device " + digits + "5')",
	} {
		found := Explain(text)
		if len(found) == 0 {
			t.Fatalf("%s: nothing found", text)
		}
		for _, e := range found {
			for _, shown := range []string{e.Said, e.Dynamic, e.Meaning, e.Text(500)} {
				if strings.Contains(shown, digits[:6]) || strings.Contains(shown, digits[2:10]) {
					t.Errorf("%s: shows %s", text, shown)
				}
			}
			if !strings.Contains(e.Said, "xxxxxx") {
				t.Errorf("%s: the place is gone: %s", text, e.Said)
			}
		}
	}
	// Long texts are cut off after they are masked, or the end of a value would show.
	text := `ERR_CODE="0017";A="` + strings.Repeat("y", maxSaid-45) + `";IMEI="` + digits + `";ERR_DYNAMIC="80080021";`
	if e := Explain(text)[0]; strings.Contains(e.Said, "358") || utf8.RuneCountInString(e.Said) > maxSaid+1 {
		t.Errorf("%s", e.Said)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                  "plain",
		" blanks \x00":           "blanks",
		"\x1b[31mred":            `\x1b[31mred`,
		"a\tb\u0085c":            `a\x09b\x85c`,
		"bad \xff\xfe":           `bad \xff\xfe`,
		"turned \u202e text":     `turned \u202e text`,
		"Übergröße \uFFFD":       "Übergröße \uFFFD",
		strings.Repeat("é", 500): strings.Repeat("é", 400) + "…",
	} {
		if got := printable(in, 400); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestTextFits: four parts in their order, no line wider than asked for, no word lost.
func TestTextFits(t *testing.T) {
	e := Refusal(Facts{Text: `ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021";`, What: "system.sin", Step: "header", HWConfig: HWConfigEmpty})
	for _, width := range []int{40, 60, 78, 120, 1000} {
		out := e.Text(width)
		last := -1
		for _, part := range []string{"Refused:", "It says:", "Meaning:", "What now:"} {
			at := strings.Index(out, part)
			if at <= last {
				t.Errorf("width %d: %s is not in its place:\n%s", width, part, out)
			}
			last = at
		}
		for _, line := range strings.Split(out, "\n") {
			if n := utf8.RuneCountInString(line); n > width && !strings.Contains(line, "ERR_ROOT_CERT_TYPE_CHECK") || line != strings.TrimRight(line, " ") {
				t.Errorf("width %d: %d characters: %q", width, n, line)
			}
		}
		letters := strings.Join(strings.Fields(out), "")
		for _, text := range append([]string{e.Said, e.Meaning, e.What, e.Written}, e.Next...) {
			if !strings.Contains(letters, strings.Join(strings.Fields(text), "")) {
				t.Errorf("width %d: lacks %q", width, text)
			}
		}
	}
	if e.Text(0) != e.Text(78) || e.Text(-5) != e.Text(78) || e.Text(1) != e.Text(40) {
		t.Error("widths that make no sense are not taken as documented")
	}
	if out := (Explanation{}).Text(78); !strings.Contains(out, "(nothing)") {
		t.Errorf("an empty explanation: %q", out)
	}
}
