package explain

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	usualWidth = 78
	leastWidth = 30
)

// Text is the explanation for people in four parts (error-codes.md §5): what was refused,
// what the phone says, what that means and how sure that is, what to do now. Lines have
// at most width characters; 0 is the usual width, and less than 30 is taken as 30.
func (e Explanation) Text(width int) string {
	if width <= 0 {
		width = usualWidth
	}
	width = max(width, leastWidth)
	var b strings.Builder
	block := func(label, text string) { wrap(&b, "  "+label, text, width) }

	refused := e.What
	if refused == "" {
		refused = "(the text does not say which file or step)"
	}
	if e.Written != "" {
		refused = strings.TrimSuffix(refused, ".") + ". " + e.Written
	}
	block("Refused:  ", refused)
	said := e.Said
	if said == "" {
		said = "(nothing)"
	}
	if e.Names != "" {
		said += " (" + e.Names + ")"
	}
	block("It says:  ", said)
	switch e.Confidence {
	case High:
		block("Meaning:  ", e.Meaning+" (This is certain.)")
	case Medium:
		block("Meaning:  ", "Most likely: "+lowerFirst(e.Meaning)+" (This is not proven.)")
	case Low:
		block("Not sure: ", e.Meaning)
	default:
		block("Unknown:  ", e.Meaning)
	}
	for i, step := range e.Next {
		label := "What now: "
		if i > 0 {
			label = "          "
		}
		block(label+strconv.Itoa(i+1)+". ", step)
	}
	return b.String()
}

// wrap writes a label and a text, broken at blanks and indented below the label. A word
// that is longer than a line is broken too.
func wrap(b *strings.Builder, label, text string, width int) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(label))
	room := width - len(indent)
	line, used := label, 0
	flush := func() {
		b.WriteString(strings.TrimRight(line, " ") + "\n")
		line, used = indent, 0
	}
	for _, word := range strings.Fields(text) {
		if n := utf8.RuneCountInString(word); used > 0 && used+1+n > room {
			flush()
		}
		for utf8.RuneCountInString(word) > room {
			head := string([]rune(word)[:room])
			line += head
			word = word[len(head):]
			flush()
		}
		if word == "" {
			continue
		}
		if used > 0 {
			line += " "
			used++
		}
		line += word
		used += utf8.RuneCountInString(word)
	}
	if used > 0 || line == label {
		flush()
	}
}
