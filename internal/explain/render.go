package explain

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"xflash/internal/text"
)

const (
	usualWidth = 78
	leastWidth = 40
)

// Text is the explanation for people: what it is about, what a phone said or a person saw, what that
// means and how sure that is, what to do now. Lines have at most width columns; 0 is the
// usual width, and less than 40 is read as 40. A word that is longer than a line stays whole.
func (e Explanation) Text(width int) string {
	if width <= 0 {
		width = usualWidth
	}
	width = max(width, leastWidth)
	var b strings.Builder
	block := func(label, s string) { b.WriteString(text.Hanging("  "+label, s, width) + "\n") }
	switch e.Source {
	case FromTool:
		by := "the words of " + e.Tool + "; the phone itself said nothing."
		if e.PhoneSpoke {
			by = "the words of " + e.Tool + " about an answer of the phone."
		}
		block("From:     ", by)
		block("It says:  ", e.Said)
		e.meaning(block)
		if e.Reason != "" {
			block("Usually:  ", e.Reason)
		}
	case FromSymptom:
		block("Seen:     ", e.Said)
		if e.What != "" {
			block("Phones:   ", e.What)
		}
		e.meaning(block)
		block("Rescue:   ", bricks[e.Brick])
	case FromBus:
		block("On USB:   ", e.Said+".")
		block("Meaning:  ", e.Meaning)
	default:
		e.refusal(block, width)
	}
	for i, step := range e.Next {
		label := "What now: "
		if i > 0 {
			label = "          "
		}
		block(label+strconv.Itoa(i+1)+". ", upperFirst(step))
	}
	return b.String()
}

// bricks say what can be hoped for.
var bricks = map[string]string{
	"soft": "you can bring the phone back at home (soft brick at most).",
	"hard": "no known cable or program brings it back at home (hard brick).",
	"?":    "from this alone it is unclear whether the phone can be brought back.",
}

func (e Explanation) refusal(block func(label, s string), width int) {
	refused := cmp.Or(e.What, "(the text does not say which file or step)")
	if e.Written != "" {
		refused = strings.TrimSuffix(refused, ".") + ". " + e.Written
	}
	block("Refused:  ", refused)
	said := e.Said
	if text.Width(said)+12 > width {
		said = strings.ReplaceAll(said, `";ERR_`, `"; ERR_`) // a line may end there
	}
	if said == "" {
		said = "(nothing)"
	}
	if e.Names != "" {
		said += " (" + e.Names + ")"
	}
	block("It says:  ", said)
	e.meaning(block)
}

// Sentence is the meaning with how sure it is, for a program that says the rest itself.
func (e Explanation) Sentence() string {
	label, s := e.sure()
	if label == "Meaning:" {
		return s
	}
	return label + " " + s
}

func (e Explanation) meaning(block func(label, s string)) {
	label, s := e.sure()
	block(fmt.Sprintf("%-10s", label), s)
}

// sure tells how sure the meaning is. Only what a phone said itself is certain.
func (e Explanation) sure() (label, s string) {
	switch {
	case e.Confidence == High && e.Source != FromPhone:
		return "Meaning:", e.Meaning
	case e.Confidence == High && e.IfSaid:
		return "Meaning:", "If a phone answered this: " + lowerFirst(e.Meaning)
	case e.Confidence == High:
		return "Meaning:", e.Meaning + " (This is certain.)"
	case e.Confidence == Medium:
		return "Meaning:", "Most likely: " + lowerFirst(e.Meaning) + " (This is not proven.)"
	case e.Confidence == Low:
		return "Not sure:", e.Meaning
	}
	return "Unknown:", e.Meaning
}

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
