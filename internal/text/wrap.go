package text

import (
	"strings"
	"unicode"
)

// wide are the runes that take two columns (Unicode Standard Annex 11, classes W and F).
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115F, Stride: 1}, {Lo: 0x2E80, Hi: 0x303E, Stride: 1}, {Lo: 0x3041, Hi: 0xA4CF, Stride: 1},
		{Lo: 0xA960, Hi: 0xA97F, Stride: 1}, {Lo: 0xAC00, Hi: 0xD7A3, Stride: 1}, {Lo: 0xF900, Hi: 0xFAFF, Stride: 1},
		{Lo: 0xFE30, Hi: 0xFE6F, Stride: 1}, {Lo: 0xFF00, Hi: 0xFF60, Stride: 1}, {Lo: 0xFFE0, Hi: 0xFFE6, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0x1F300, Hi: 0x1F64F, Stride: 1}, {Lo: 0x1F900, Hi: 0x1F9FF, Stride: 1}, {Lo: 0x20000, Hi: 0x3FFFD, Stride: 1}},
}

// Width is the number of terminal columns that s takes. Combining marks and format
// characters take none.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// Cut shortens s to at most width columns.
func Cut(s string, width int) string {
	for i, r := range s {
		if width -= runeWidth(r); width < 0 {
			return s[:i]
		}
	}
	return s
}

// Fold breaks a paragraph at blanks into lines of at most width columns. A word longer
// than a line stays whole: paths and hashes must remain copyable.
func Fold(paragraph string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(paragraph) {
		n := Width(word)
		switch {
		case line == "":
			line, used = word, n
		case used+1+n > width:
			lines = append(lines, line)
			line, used = word, n
		default:
			line, used = line+" "+word, used+1+n
		}
	}
	return append(lines, line)
}

// Wrap breaks every line of text into lines of at most width columns. Lines after the
// first start with indent. Line ends and leading blanks of the text stay.
func Wrap(text string, width int, indent string) string {
	var lines []string
	for _, paragraph := range strings.Split(text, "\n") {
		lead := paragraph[:len(paragraph)-len(strings.TrimLeft(paragraph, " "))]
		if len(lines) > 0 && !strings.HasPrefix(lead, indent) {
			lead = indent + lead
		}
		for i, line := range Fold(paragraph, width-max(len(lead), len(indent))) {
			if i > 0 {
				lead = indent
			}
			if line == "" {
				lead = ""
			}
			lines = append(lines, lead+line)
		}
	}
	return strings.Join(lines, "\n")
}

// Hanging writes lead and text, with the following lines of text below its first one. No
// line is wider than width, but text always gets 20 columns.
func Hanging(lead, text string, width int) string {
	indent := strings.Repeat(" ", Width(lead))
	lines := Fold(text, max(width-len(indent), 20))
	return strings.TrimRight(lead+strings.Join(lines, "\n"+indent), " ")
}
