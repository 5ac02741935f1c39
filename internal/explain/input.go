package explain

import (
	"encoding/binary"
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	// quoted are the marks that mail and forums put in front of the lines of others.
	quoted = regexp.MustCompile(`(?m)^[ \t]*(?:>[ \t]?)+`)
	// jsonKey shows that the text is JSON, so that \n is a line end in it and no folder.
	jsonKey = regexp.MustCompile(`"\s*:\s*["{\[]`)
	// brokenValue is a value of an answer that a line end cuts in two.
	brokenValue = regexp.MustCompile(`(ERR_[A-Z]{4,8}[ \t]{0,4}=[ \t]{0,4}["“”„″'][^"“”„″'\r\n;=]{0,120})\r?\n[ \t]*([^"“”„″'\r\n=]{1,120}["“”„″'])`)
	// typedValue is a number of an answer in which somebody typed O for 0.
	typedValue = regexp.MustCompile(`(?i)\b(ERR_DYNAMIC[ \t]{0,4}=[ \t]{0,4}["“”„″']?(?:0x)?|ERR_CODE[ \t]{0,4}=[ \t]{0,4}["“”„″']?)([0-9A-FO]{4,8})\b`)
	typedAlone = regexp.MustCompile(`(?i)^\s*(?:[0O]x)?[0-9A-FO]{8}\s*$`)
	// separated is a number in parts, as hex editors and people write it.
	separated = regexp.MustCompile(`(?i)^\s*(?:(80)[ -]([0-9A-F]{2})[ -]([0-9A-F]{2})[ -]([0-9A-F]{2})|(80[0-9A-F]{2})[ -]([0-9A-F]{4})|(80[0-9A-F]{6})h)\s*$`)
	// singleQuotes are around the value of a key, as some tools print it and forums change it.
	singleQuotes = regexp.MustCompile("(ERR_[A-Z]{4,8}[ \\t]{0,4}=[ \\t]{0,4})['‘’‚`´]([^'‘’`´\\r\\n]{0,400})['‘’`´]")
	// doubledQuotes are a value's in a table of comma-separated values.
	doubledQuotes = regexp.MustCompile(`(ERR_[A-Z]{4,8}=)""([^";\r\n]{1,400})""`)
	// urlEscape and jsonEscape are marks of an answer that an address or JSON carries.
	urlEscape  = regexp.MustCompile(`(?i)ERR_[A-Z]{4,8}(?:=|%3D)%22`)
	jsonEscape = regexp.MustCompile(`\\u00(2[0-9a-fA-F]|3[a-eA-E])`)
	typedKey   = anyKeyOf("ERR_SEVERITY", "ERR_CODE", "ERR_CLASS", "ERR_STATIC", "ERR_DYNAMIC")
)

// anyKeyOf finds keys in small letters, and keys that a line end cuts in two.
func anyKeyOf(keys ...string) *regexp.Regexp {
	for i, key := range keys {
		keys[i] = strings.Join(strings.Split(key, ""), `(?:[ \t]*\r?\n[ \t>|]*)?`)
	}
	return regexp.MustCompile(`(?i)\b(?:` + strings.Join(keys, "|") + `)[ \t]{0,4}=`)
}

// readable undoes what files, forums and other programs do to a text: UTF-16, JSON and
// HTML escapes, marks of quoting, values that a line end cuts, O instead of 0.
func readable(s string) string {
	s = html.UnescapeString(decode(s))
	if strings.Contains(s, `\"`) || jsonKey.MatchString(s) {
		r := []string{`\\`, `\`, `\"`, `"`, `\'`, `'`, `\/`, `/`}
		if jsonKey.MatchString(s) {
			r = append(r, `\n`, "\n", `\r`, "\n", `\t`, "\t")
		}
		s = strings.NewReplacer(r...).Replace(s)
	}
	s = jsonEscape.ReplaceAllStringFunc(s, func(m string) string {
		n, _ := strconv.ParseUint(m[2:], 16, 8) // the pattern allows nothing else
		return string(rune(n))
	})
	if urlEscape.MatchString(s) {
		s = strings.NewReplacer("%22", `"`, "%3B", ";", "%3b", ";", "%3D", "=", "%3d", "=", "%20", " ", "%0A", "\n", "%0a", "\n").Replace(s)
	}
	s = strings.NewReplacer("\u200b", "", "\ufeff", "", "\u00ad", "").Replace(s) // invisible, where pages may break a line
	s = doubledQuotes.ReplaceAllString(s, `$1"$2"`)
	s = quoted.ReplaceAllString(s, "")
	s = typedKey.ReplaceAllStringFunc(s, func(m string) string {
		return strings.ToUpper(strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \t\r\n>|", r) {
				return -1
			}
			return r
		}, m))
	})
	s = singleQuotes.ReplaceAllString(s, `$1"$2"`)
	s = brokenValue.ReplaceAllStringFunc(s, func(m string) string {
		part := brokenValue.FindStringSubmatch(m)
		if left := strings.TrimRight(part[1], " \t"); left != part[1] || !hexEnd.MatchString(left) {
			return left + " " + part[2]
		}
		return part[1] + part[2]
	})
	zero := func(digits string) string { return strings.NewReplacer("O", "0", "o", "0").Replace(digits) }
	s = typedValue.ReplaceAllStringFunc(s, func(m string) string {
		part := typedValue.FindStringSubmatch(m)
		return part[1] + zero(part[2])
	})
	if typedAlone.MatchString(s) {
		s = zero(s)
	}
	if m := separated.FindStringSubmatch(s); m != nil {
		s = strings.Join(m[1:], "")
	}
	return s
}

// hexEnd is the first half of a number.
var hexEnd = regexp.MustCompile(`(?i)=[ \t]{0,4}["“”„″'](?:0x)?[0-9A-F]{1,7}$`)

// decode reads UTF-16, with its mark or with every second byte zero, and drops the mark of
// UTF-8.
func decode(s string) string {
	var order binary.ByteOrder
	switch {
	case strings.HasPrefix(s, "\xEF\xBB\xBF"):
		return s[3:]
	case strings.HasPrefix(s, "\xFF\xFE"):
		s, order = s[2:], binary.LittleEndian
	case strings.HasPrefix(s, "\xFE\xFF"):
		s, order = s[2:], binary.BigEndian
	case zeros(s, 1):
		order = binary.LittleEndian
	case zeros(s, 0):
		order = binary.BigEndian
	default:
		return s
	}
	units := make([]uint16, len(s)/2)
	for i := range units {
		units[i] = order.Uint16([]byte(s[2*i : 2*i+2]))
	}
	return string(utf16.Decode(units))
}

// zeros reports whether most bytes at even or odd places are zero and the others are not.
func zeros(s string, from int) bool {
	s = s[:min(len(s), 512)&^1]
	if len(s) < 8 || utf8.ValidString(s) && !strings.Contains(s, "\x00") {
		return false
	}
	zero, other := 0, 0
	for i := from; i < len(s); i += 2 {
		if s[i] == 0 {
			zero++
		}
		if s[i^1] == 0 {
			other++
		}
	}
	return zero*10 > len(s)/2*9 && other*10 < len(s)/2
}
