package explain

import (
	"cmp"
	_ "embed"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed data/concepts.tsv
var conceptsData string

// language is what concepts.tsv says about the words of people.
type language struct {
	concepts map[string][]string // words without their endings (see stem) to common names
	ordinary map[string]bool     // words that look like a slip for one of the vocabulary and are none
	phrases  []phrase            // words that belong together, by what they mean
}

var english = sync.OnceValue(func() language {
	l := language{concepts: map[string][]string{}, ordinary: map[string]bool{}}
	for _, row := range table(conceptsData, 3) {
		switch kind, name, texts := row[0], row[1], row[2]; kind {
		case "words":
			for _, w := range strings.Fields(texts) {
				l.concepts[w] = append(l.concepts[w], name)
			}
		case "ordinary":
			for _, w := range strings.Fields(texts) {
				l.ordinary[w] = true
			}
		case "phrases":
			var parts []string
			for _, text := range strings.Split(texts, "|") {
				part := regexp.QuoteMeta(text)
				if isWord(text[0]) {
					part = `\b` + part
				}
				if isWord(text[len(text)-1]) {
					part += `\b`
				}
				parts = append(parts, part)
			}
			l.phrases = append(l.phrases, phrase{regexp.MustCompile(strings.Join(parts, "|")), name})
		}
	}
	slices.SortFunc(l.phrases, func(a, b phrase) int { return strings.Compare(a.name, b.name) })
	return l
})

type phrase struct {
	re   *regexp.Regexp
	name string
}

var wordsOf = regexp.MustCompile(`[\pL\pN_][\pL\pN_.'-]*`)

// conceptsIn is the set of words in a text, with the names of their concepts.
func conceptsIn(text string) map[string]bool {
	set := map[string]bool{}
	text = strings.ToLower(strings.ReplaceAll(text, "’", "'"))
	text = noColour.ReplaceAllString(text, "$1")
	for _, p := range english().phrases {
		text = p.re.ReplaceAllLiteralString(text, p.name)
	}
	for _, w := range wordsOf.FindAllString(text, -1) {
		w = spelled(strings.Trim(w, ".'-"))
		for _, form := range stems(w) {
			set[form] = true
			for _, c := range english().concepts[form] {
				set[c] = true
			}
		}
	}
	return set
}

// noColour is a light that is missing: its colour is not what the person sees.
var noColour = regexp.MustCompile(`\b(no|not|without|never|instead of|isn't|doesn't|don't|won't)((?: (?:a|an|any|the|or|and|more|longer|steady|solid|show|get|see|go|turn|become|red|green|blue|purple|amber|led|light))*) (?:red|green|blue|purple|amber)\b`)

// vocabulary are the words that the rows and concepts are made of.
var vocabulary = sync.OnceValue(func() map[string]bool {
	known := map[string]bool{}
	for w, names := range english().concepts {
		known[w] = true
		for _, name := range names {
			known[name] = true
		}
	}
	for _, s := range symptoms() {
		for _, set := range s.sets {
			for _, w := range set {
				known[w] = true
			}
		}
	}
	return known
})

// spelled is the word that a person meant: one of the vocabulary with a letter swapped, lost,
// doubled or wrong. Short words and numbers stay as they are, and so do words in between.
func spelled(w string) string {
	if len(w) < 4 || english().ordinary[w] || strings.ContainsAny(w, "0123456789") {
		return w
	}
	known := vocabulary()
	for _, form := range stems(w) {
		if known[form] {
			return w
		}
	}
	meant := ""
	for k := range known {
		if len(k) >= 5 && oneSlip(w, k) && (meant == "" || k < meant) {
			meant = k
		}
	}
	return cmp.Or(meant, w)
}

// oneSlip reports whether two words differ by one slip of the fingers. The first letter is
// seldom wrong.
func oneSlip(a, b string) bool {
	if a[0] != b[0] || len(a)-len(b) > 1 || len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	switch a, b = a[i:], b[i:]; {
	case len(a) > len(b):
		return a[1:] == b
	case len(a) < len(b):
		return a == b[1:]
	case len(a) < 2:
		return false // another last letter is another ending
	}
	return i+len(a) >= 7 && a[1:] == b[1:] || a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:]
}

// stems are a word and what may be its root.
func stems(w string) []string {
	forms := []string{w}
	for _, end := range []string{"ing", "ed", "es", "s", "ly"} {
		if root, ok := strings.CutSuffix(w, end); ok && len(root) >= 3 {
			forms = append(forms, root)
			if end == "ing" || end == "ed" || end == "es" {
				forms = append(forms, root+"e")
			}
			if n := len(root); n > 3 && root[n-1] == root[n-2] {
				forms = append(forms, root[:n-1])
			}
		}
	}
	return forms
}
