package text

import (
	"strings"
	"testing"
)

func TestSizeAndCount(t *testing.T) {
	for n, want := range map[int64]string{-1: "0 B", 0: "0 B", 999: "999 B", 1000: "1.0 kB", 2_500_000: "2.5 MB", 1_500_000_000: "1.50 GB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
	for want, got := range map[string]string{"1 file": Count(1, "file"), "0 files": Count(0, "file"), "2 entries": Count(2, "entry"), "2 keys": Count(2, "key"), "3 arrays": Count(3, "array")} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWidthIsColumns(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "é": 1, "e\u0301": 1, "日本語": 6, "한국": 4, "a\u200bb": 2, "😀": 2} {
		if got := Width(s); got != want {
			t.Errorf("Width(%q) = %d, want %d", s, got, want)
		}
	}
	if got := Cut("日本語", 5); got != "日本" {
		t.Errorf("Cut gives %q", got)
	}
}

// TestWrapKeepsWordsAndWidth: every width, no line too wide unless it is one word, no word lost.
func TestWrapKeepsWordsAndWidth(t *testing.T) {
	const s = "The loader refused 日本語のファイル of a firmware, see /a/very/long/path/that/cannot/be/broken.sin for e\u0301tudes"
	for width := 10; width < 120; width++ {
		for i, line := range strings.Split(Wrap(s, width, "   "), "\n") {
			if Width(line) > width && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("width %d: %q", width, line)
			}
			if i > 0 && !strings.HasPrefix(line, "   ") {
				t.Errorf("width %d: line without indent: %q", width, line)
			}
		}
		if got := strings.Join(strings.Fields(Wrap(s, width, "   ")), " "); got != s {
			t.Errorf("width %d: words lost: %q", width, got)
		}
	}
	if got := Wrap("  a\n\nb c", 4, "  "); got != "  a\n\n  b\n  c" {
		t.Errorf("%q", got)
	}
	if got := Hanging("  lead: ", "one two three four five six", 28); got != "  lead: one two three four\n        five six" {
		t.Errorf("%q", got)
	}
}

func TestCleanShowsWhatCouldDeceive(t *testing.T) {
	for in, want := range map[string]string{
		"plain Übergröße":   "plain Übergröße",
		"\x1b[31mred":       `\x1b[31mred`,
		"a\tb\u0085c\nd":    `a\x09b\x85c\x0ad`,
		"bad \xff\xfe":      `bad \xff\xfe`,
		"turned \u202etxt":  `turned \u202etxt`,
		"\u2066iso\u2069":   `\u2066iso\u2069`,
		"\u200fmark \u061c": `\u200fmark \u061c`,
		"kept \uFFFD":       "kept \uFFFD",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := CleanLines("a\r\nb\x07"); got != "a\nb\\x07" {
		t.Errorf("%q", got)
	}
}

func TestMaskKeepsTheShape(t *testing.T) {
	for in, want := range map[string]string{"": "", "CB5A-12345": "xxxx-xxxxx", "Ü١": "xx"} {
		if got := Mask(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		`IMEI="35812345678901";CODE="0017"`:     `IMEI="xxxxxxxxxxxxxx";CODE="0017"`,
		`MSN="CB5A1`:                            `MSN="xxxxx`,
		"no such device 358123456789015, error": "no such device xxxxxxxxxxxxxxx, error",
		`ERR_DYNAMIC="80080021"`:                `ERR_DYNAMIC="80080021"`,
	} {
		if got := MaskIdentity(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
