package explain

import (
	"fmt"
	"strings"
)

// Text is the explanation for people, wrapped to a width: what was refused, what the
// phone says, what that means and how sure that is, what to do now (error-codes.md §5).
func (e Explanation) Text(width int) string {
	var b strings.Builder
	block := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %s\n", hang(label+text, width-2, "    "))
		}
	}
	if e.What != "" {
		block("Refused: ", e.What)
	}
	said := e.Said
	if strings.HasPrefix(e.Names, "FAC_") || strings.Contains(e.Names, " / ") {
		said += " (" + e.Names + ")"
	}
	block("The phone says: ", said)
	switch e.Confidence {
	case High:
		block("That means: ", e.Meaning)
	case Medium:
		block("That most likely means: ", e.Meaning)
	case Low:
		block("Not certain: ", "nobody outside Sony has published the meaning of this number. "+e.Meaning)
	default:
		block("Unknown: ", e.Meaning)
	}
	block("", e.Written)
	for i, step := range e.Next {
		label := "What to do: "
		if i > 0 {
			label = "            "
		}
		fmt.Fprintf(&b, "  %s\n", hang(fmt.Sprintf("%s%d. %s", label, i+1, step), width-2, strings.Repeat(" ", 17)))
	}
	return b.String()
}

// hang breaks a text at blanks; lines after the first begin with indent.
func hang(text string, width int, indent string) string {
	lead := text[:len(text)-len(strings.TrimLeft(text, " "))]
	var lines []string
	line := lead
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case len([]rune(line))+1+len([]rune(word)) > width:
			lines = append(lines, line)
			line = indent + word
		default:
			line += " " + word
		}
	}
	return strings.Join(append(lines, line), "\n")
}
