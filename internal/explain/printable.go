package explain

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// secretKey finds values that identify one phone, cut off ones too.
	secretKey = regexp.MustCompile(`(?i)((?:IMEI|PHONE_ID|UNIQUE_DEV_ID|MSN|IDCODE|OTP_DATA|SERIAL)\w*[ \t]*=[ \t]*(?:"|“|”|„|″|&quot;)?)([^"“”„″&;\r\n]+)`)
	// longDigits are 14 digits and more: an IMEI, alone or with its check digit or version.
	longDigits = regexp.MustCompile(`\d{14,}`)
)

// printable makes a text of a phone, a file or a person fit for a terminal: what
// identifies a phone is masked, what is no character that can be seen is quoted, and the
// end is cut off after limit characters.
func printable(s string, limit int) string {
	s = strings.TrimFunc(s, func(r rune) bool { return r == 0 || unicode.IsSpace(r) })
	s = secretKey.ReplaceAllStringFunc(s, func(m string) string {
		part := secretKey.FindStringSubmatch(m)
		return part[1] + strings.Map(hide, part[2])
	})
	s = longDigits.ReplaceAllStringFunc(s, func(m string) string { return strings.Repeat("x", len(m)) })
	var b strings.Builder
	n := 0
	for i, r := range s {
		if n == limit {
			b.WriteString("…")
			break
		}
		n++
		switch {
		case r == utf8.RuneError && s[i] != '\xEF': // not U+FFFD itself, whose first byte that is
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// hide keeps the shape of a value and not the value.
func hide(r rune) rune {
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		return 'x'
	}
	return r
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
