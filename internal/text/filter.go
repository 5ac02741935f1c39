package text

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes text from a phone, a file or another program safe to show on one line:
// control characters, line ends, characters that change the direction of text, and bytes
// that are not UTF-8 are shown as escapes (\x1b, \u202e).
func Clean(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && s[i] != '\xEF': // not U+FFFD itself, which starts with that byte
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

// CleanLines is Clean for text of several lines.
func CleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = Clean(strings.TrimSuffix(l, "\r"))
	}
	return strings.Join(lines, "\n")
}

// Mask hides a value that identifies one phone and keeps its shape: letters and digits
// become x, so that an empty or malformed value can still be recognised.
func Mask(value string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return 'x'
		}
		return r
	}, value)
}

var (
	// identityKey finds keys whose values identify one phone, also when the value is cut off.
	identityKey = regexp.MustCompile(`(?i)((?:IMEI|PHONE_ID|UNIQUE_DEV_ID|MSN|IDCODE|OTP_DATA|SERIAL)\w*[ \t]*=[ \t]*(?:"|“|”|„|″|&quot;)?)([^"“”„″&;\r\n]+)`)
	// longDigits are 14 digits or more: an IMEI, alone or with its check digit or version.
	longDigits = regexp.MustCompile(`\d{14,}`)
)

// MaskIdentity masks what identifies a phone within a text: the values of known keys, and
// numbers as long as an IMEI.
func MaskIdentity(s string) string {
	s = identityKey.ReplaceAllStringFunc(s, func(m string) string {
		part := identityKey.FindStringSubmatch(m)
		return part[1] + Mask(part[2])
	})
	return longDigits.ReplaceAllStringFunc(s, Mask)
}
