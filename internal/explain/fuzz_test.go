package explain

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"xflash/internal/text"
)

// escaped is how printable shows what cannot be seen; its digits are not one of the phone's.
var escaped = regexp.MustCompile(`\\x[0-9a-f]{2}|\\u[0-9a-f]{4,6}`)

// FuzzExplain: whatever people paste, every explanation is bounded, printable and whole.
func FuzzExplain(f *testing.F) {
	for _, a := range answers(f) {
		f.Add(a.text, 78)
	}
	f.Add("ERR_SEVERITY=\"MINOR\";ERRMIC=\"8\"0017\";ERR_DYNAM\x15\u0300", 133) // a line is as wide as its columns
	f.Add("Processing system.sin\nERR_SEVERITY=\"MINOR\";ERR_CODE=\"0017\";ERR_DYNAMIC=\"80080021\";IMEI=\"35812345678901", 30)
	f.Add("FAILED (remote: 'dtb not found')\n\x00\x1b[31m 0x80080021 FAC_ - 0x0009 - ERR_\xff", 0)
	f.Add("ERR_CODE=ERR_CODE=ERR_CODE=;;;ERR_DYNAMIC=&quot;“”", -1)
	f.Fuzz(func(t *testing.T, pasted string, width int) {
		width %= 200
		found := Explain(pasted)
		if len(found) > maxFound {
			t.Errorf("%d explanations", len(found))
		}
		found = append(found, Refusal(Facts{Text: pasted, What: pasted, Step: "data", HWConfig: HWConfigPresent,
			Roles: []Role{{Name: pasted}}, Roots: []string{pasted}, Issuer: pasted, Subject: pasted}))
		for _, e := range found {
			if e.Meaning == "" || len(e.Next) < 1 || len(e.Next) > 3 || e.Action == "" || e.Confidence == "" {
				t.Errorf("not whole: %+v", e)
			}
			out := e.Text(width)
			if !utf8.ValidString(out) || len(out) > 40000 {
				t.Errorf("not UTF-8 or too long: %q", out)
			}
			most := max(width, leastWidth)
			if width <= 0 {
				most = usualWidth
			}
			for _, line := range strings.Split(out, "\n") {
				longest := 0
				for _, word := range strings.Fields(line) {
					longest = max(longest, text.Width(word))
				}
				if text.Width(line) > most && longest <= most-16 {
					t.Errorf("wider than %d: %q", most, line)
				}
				if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) && r != utf8.RuneError }) {
					t.Errorf("not printable: %q", line)
				}
			}
			if regexp.MustCompile(`\d{14,}`).MatchString(escaped.ReplaceAllString(e.Said+" "+e.What, "?")) {
				t.Errorf("shows a number that may be an IMEI: %q", e.Said)
			}
		}
	})
}
