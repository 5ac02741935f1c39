package explain

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"xflash/internal/text"
)

// printable makes a text of a phone, a file or a person fit for a terminal: what
// identifies a phone is masked before the end is cut off after limit characters.
func printable(s string, limit int) string {
	s = unlockCode.ReplaceAllString(s, "${1}xxxxxxxxxxxxxxxx")
	s = text.MaskIdentity(strings.TrimFunc(s, func(r rune) bool { return r == 0 || unicode.IsSpace(r) }))
	n := 0
	for i := range s {
		if n == limit {
			return text.Clean(s[:i]) + "…"
		}
		n++
	}
	return text.Clean(s)
}

// lowerFirst makes the first letter of a sentence small, unless its first word is an
// abbreviation or a name.
func lowerFirst(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if word == strings.ToUpper(word) && len(word) > 1 || strings.HasPrefix(s, "SIM-") || strings.HasPrefix(s, "Sony") {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

// upperFirst makes the first letter large, unless the text starts with a quoted command.
func upperFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}
