package explain

import (
	_ "embed"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed data/symptoms.tsv
var symptomsData string

// symptom is a state of a phone as a person sees it.
type symptom struct {
	id, sees, models, state, brick string
	confidence                     Confidence
	next                           string
	sets                           [][]string // of words; one whole set finds the row
	never                          []string   // words that rule the row out
}

var symptoms = sync.OnceValue(func() (rows []*symptom) {
	for _, f := range table(symptomsData, 9) {
		s := &symptom{id: f[0], sees: f[1], models: f[2], state: f[3], brick: f[4], confidence: Confidence(f[5]), next: f[6]}
		for _, set := range strings.Split(f[8], "; ") {
			words := strings.Fields(set)
			if strings.HasPrefix(set, "-") {
				s.never = append(s.never, strings.Fields(strings.ReplaceAll(set, "-", ""))...)
				continue
			}
			slices.Sort(words)
			s.sets = append(s.sets, slices.Compact(words))
		}
		rows = append(rows, s)
	}
	return rows
})

const (
	maxWords    = 150 // of a person about what they see; more is a log
	maxLines    = 12
	shortText   = 40 // words that are looked at as a whole
	maxSymptoms = 4
)

// symptomsIn finds the states that a few plain words describe: those of which most words
// are there. Several that fit equally well are all told.
func symptomsIn(text string) (found []placed) {
	if n := len(strings.Fields(text)); n == 0 || n > maxWords || strings.Count(strings.TrimSpace(text), "\n") > maxLines || machine(text) {
		return nil
	}
	var sets []map[string]bool
	for _, passage := range passages(text) {
		set := conceptsIn(passage)
		if passage != text && !set["light"] {
			for _, colour := range []string{"red", "green", "blue", "purple", "amber"} {
				delete(set, colour) // of something else in the story
			}
		}
		sets = append(sets, set)
	}
	best := 0
	if len(sets) > 1 {
		best = 2 // a story has every two words somewhere
	}
	var rows []*symptom
	for _, s := range symptoms() {
		n := 0
		for _, set := range sets {
			n = max(n, s.score(set))
		}
		if n > best {
			best, rows = n, nil
		}
		if n == best && n > 0 && (len(sets) == 1 || n > 2) {
			rows = append(rows, s)
		}
	}
	for _, s := range rows[:min(len(rows), maxSymptoms)] {
		found = append(found, placed{0, s.explain()})
	}
	return found
}

var sentenceEnd = regexp.MustCompile(`[.!?;]+\s+|\n+`)

// passages are the parts of a text whose words belong together: all of a short one, every
// two sentences of a story.
func passages(text string) (list []string) {
	sentences := sentenceEnd.Split(text, -1)
	if len(strings.Fields(text)) <= shortText || len(sentences) < 3 {
		return []string{text}
	}
	for i := range sentences[1:] {
		list = append(list, sentences[i]+". "+sentences[i+1])
	}
	return list
}

// machineWords are marks of programs: keys with values, paths, numbers with 0x, brackets.
var machineWords = regexp.MustCompile(`\w=\w|\w:\w{3,}:|/\w+/\w+|\b0x[0-9A-Fa-f]{2,}|\w\(\)|\[\s*\d|^\s*\w+:\s*\S+$|[{}|]|"\s*:|^Bus \d|\S {3,}\S|^ {2,}\w|\t`)

// property is a line of a list of properties. A person may write one.
var property = regexp.MustCompile(`^[A-Z][\w ()]{2,30}: \S`)

// machine reports whether a program wrote the text.
func machine(text string) bool {
	properties := 0
	for line := range strings.Lines(text) {
		if logLine.MatchString(line) || prompt.MatchString(line) || machineWords.MatchString(line) {
			return true
		}
		if property.MatchString(line) {
			properties++
		}
	}
	return properties > 2
}

// score is the size of the largest set that is in the text.
func (s *symptom) score(text map[string]bool) (best int) {
	if slices.ContainsFunc(s.never, func(w string) bool { return text[w] }) {
		return 0
	}
sets:
	for _, set := range s.sets {
		for _, w := range set {
			if !text[w] {
				continue sets
			}
		}
		best = max(best, len(set))
	}
	return best
}

func (s *symptom) explain() Explanation {
	e := Explanation{Source: FromSymptom, ID: s.id, Said: s.sees, Meaning: s.state, Brick: s.brick, Confidence: s.confidence,
		Action: "SYMPTOM", Known: s.confidence != Low, Next: []string{s.next}}
	if s.models != "any" {
		e.What = s.models
	}
	return e
}
