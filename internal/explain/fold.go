package explain

import (
	"regexp"
	"strings"
	"unicode"
)

// wildcard stands for {} while a pattern is folded. It counts as a letter.
const wildcard = '\uE000'

// fold keeps of a text what does not depend on who typed or logged it: words in small
// letters with single blanks between them. Case, quotes, brackets and most punctuation are
// dropped. Each line stays one line.
func fold(s string) string {
	var b strings.Builder
	runes := []rune(s)
	word := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]) || runes[i] == '_' || runes[i] == wildcard)
	}
	marks := func(i int) bool { // fastboot's "????????????" for a phone without a serial number
		return i >= 0 && i+3 < len(runes) && string(runes[i:i+4]) == "????"
	}
	gap := false
	for i, r := range runes {
		switch {
		case word(i), marks(i), marks(i - 1), marks(i - 2), marks(i - 3), r == '.' && word(i-1) && word(i+1):
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(unicode.ToLower(r))
		default:
			gap = true
		}
	}
	return b.String()
}

// squeeze drops the blanks of a folded text, so that a word that a terminal broke over two
// lines is whole again.
func squeeze(folded string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' {
			return -1
		}
		return r
	}, folded)
}

// template is a text with places for anything ({}), to be found in folded lines.
type template struct {
	re       *regexp.Regexp
	longest  string // its longest constant part, folded
	constant int    // letters of all constant parts
	words    int    // words of all constant parts
	opens    bool   // it starts with {}
	closes   bool   // it ends with {}
	sentence bool   // more may follow in the same line
}

func newTemplate(pattern string) template {
	parts := strings.Split(fold(strings.ReplaceAll(pattern, "{}", string(wildcard))), string(wildcard))
	t := template{opens: strings.TrimSpace(parts[0]) == "", closes: strings.TrimSpace(parts[len(parts)-1]) == "",
		sentence: strings.HasSuffix(pattern, ".") || strings.HasPrefix(pattern, "????")}
	var b strings.Builder
	for i, part := range parts {
		text := strings.Trim(part, " ")
		t.constant += len(text)
		t.words += len(strings.Fields(text))
		if len(text) > len(t.longest) {
			t.longest = text
		}
		if i > 1 || i == 1 && !t.opens {
			b.WriteString(`.{0,300}?`)
		}
		// A part that touches its wildcard may be the middle of a word.
		if text != "" && isWord(text[0]) && (i == 0 || strings.HasPrefix(part, " ")) {
			b.WriteString(`\b`)
		}
		b.WriteString(regexp.QuoteMeta(text))
		if text != "" && isWord(text[len(text)-1]) && (i == len(parts)-1 || strings.HasSuffix(part, " ")) {
			b.WriteString(`\b`)
		}
	}
	if t.closes {
		b.WriteString(`.*`)
	}
	t.re = regexp.MustCompile(b.String())
	return t
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z'
}

// find returns the place of the text in a folded line, nil when it is not there.
func (t template) find(line string) []int {
	if !strings.Contains(line, t.longest) {
		return nil
	}
	return t.re.FindStringIndex(line)
}
