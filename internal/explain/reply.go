package explain

import (
	"regexp"
	"strings"
)

// reply is one answer as it was found in a text.
type reply struct {
	at, end                       int // bytes of the text that it takes
	said                          string
	what                          string // file that the log was at
	severity, code, class, static string
	dynamic                       string
	fastboot                      bool
	bare                          bool    // it was not in the grammar of an answer: nobody knows that a phone said it
	context                       context // around an answer of a boot loader
}

// field is the place for the value of a key, nil for keys that say nothing about an error.
func (r *reply) field(key string) *string {
	switch key {
	case "ERR_SEVERITY":
		return &r.severity
	case "ERR_CODE":
		return &r.code
	case "ERR_CLASS":
		return &r.class
	case "ERR_STATIC":
		return &r.static
	case "ERR_DYNAMIC":
		return &r.dynamic
	}
	return nil
}

// maxValue bounds a value; the longest text of the catalogue has 88 characters.
const maxValue = 400

var (
	replyKey = regexp.MustCompile(`\bERR_(?:SEVERITY|CODE|CLASS|STATIC|DYNAMIC)[ \t]{0,4}=`)
	anyKey   = regexp.MustCompile(`^[;\s\x00]{0,8}([A-Z][A-Z0-9_]{1,40})[ \t]{0,4}=[ \t]{0,4}`)
)

// quotes are what stands for a quotation mark in what people paste: forums and HTML
// change it.
var quotes = []string{`"`, "“", "”", "„", "″", "«", "»", "＂", "&quot;"}

// pairReplies finds answers in the grammar KEY="value"; (ERRORS.md §1.1). Keys may
// come in any order and with others between them; a key for the second time starts the
// next answer. Quotation marks may be missing, because a shell took them.
func pairReplies(text string) (found []reply) {
	for at := 0; len(found) <= maxReplies; {
		m := replyKey.FindStringIndex(text[at:])
		if m == nil {
			break
		}
		r := reply{at: at + m[0], end: at + m[0]}
		seen := map[string]bool{}
		for {
			k := anyKey.FindStringSubmatchIndex(text[r.end:])
			if k == nil {
				break
			}
			key := text[r.end+k[2] : r.end+k[3]]
			if seen[key] {
				break
			}
			value, length := readValue(text[r.end+k[1]:])
			seen[key] = true
			if field := r.field(key); field != nil {
				*field = value
			}
			r.end += k[1] + length
		}
		// The pattern of a key and that of a pair overlap, so that the first pair is
		// always read; the guard keeps the loop finite whatever happens to them.
		at = max(r.end, at+m[1])
		r.severity, r.code = strings.ToUpper(strings.TrimSpace(r.severity)), strings.TrimSpace(r.code)
		r.said = text[r.at:r.end]
		found = append(found, r)
	}
	return found
}

// readValue reads a value and returns how many bytes it takes, with its closing mark and
// the semicolon. Values are not escaped, so a quotation mark ends one only when a
// separator follows.
func readValue(text string) (value string, length int) {
	open := quoteAt(text)
	limit := min(len(text), open+maxValue)
	for i := open; i < limit; i++ {
		switch c := text[i]; {
		case c == '\n' || c == '\r' || c == 0, c == ';' && open == 0:
			return strings.TrimSpace(text[open:i]), i
		}
		if open == 0 && (text[i] == ' ' || text[i] == '\t') && anyKey.MatchString(text[i:]) {
			return text[:i], i
		}
		if q := quoteAt(text[i:]); q > 0 && open > 0 {
			rest := text[i+q:]
			if rest == "" || strings.ContainsRune("; \t\r\n\x00,)", rune(rest[0])) {
				if strings.HasPrefix(rest, ";") {
					q++
				}
				return text[open:i], i + q
			}
		}
	}
	return text[open:limit], limit
}

// quoteAt is the length of a quotation mark at the start of a text, 0 when there is none.
func quoteAt(text string) int {
	for _, q := range quotes {
		if strings.HasPrefix(text, q) {
			return len(q)
		}
	}
	return 0
}
