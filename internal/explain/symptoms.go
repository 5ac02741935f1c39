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
}

var symptoms = sync.OnceValue(func() (rows []*symptom) {
	for _, f := range table(symptomsData, 9) {
		s := &symptom{id: f[0], sees: f[1], models: f[2], state: f[3], brick: f[4], confidence: Confidence(f[5]), next: f[6]}
		for _, set := range strings.Split(f[8], "; ") {
			words := strings.Fields(set)
			slices.Sort(words)
			s.sets = append(s.sets, slices.Compact(words))
		}
		rows = append(rows, s)
	}
	return rows
})

// maxWords is how much a person writes about what they see; more is a log.
const (
	maxWords    = 80
	maxSymptoms = 4
)

// symptomsIn finds the states that a few plain words describe: those of which most words
// are there. Several that fit equally well are all told.
func symptomsIn(text string) (found []placed) {
	if n := len(strings.Fields(text)); n == 0 || n > maxWords || strings.Count(strings.TrimSpace(text), "\n") > 6 || machine(text) {
		return nil
	}
	set := conceptsIn(text)
	best := 0
	var rows []*symptom
	for _, s := range symptoms() {
		n := s.score(set)
		if n > best {
			best, rows = n, nil
		}
		if n == best && n > 0 {
			rows = append(rows, s)
		}
	}
	for _, s := range rows[:min(len(rows), maxSymptoms)] {
		found = append(found, placed{0, s.explain()})
	}
	return found
}

// machineWords are marks of programs: keys with values, paths, numbers with 0x, brackets.
var machineWords = regexp.MustCompile(`\w=\w|\w:\w{3,}:|/\w+/\w+|\b0x[0-9A-Fa-f]{2,}|\w\(\)|\[\s*\d|^\s*\w+:\s*\S+$|[{}|]|"\s*:|^Bus \d|\S {3,}\S|^ {2,}\w|\t`)

// machine reports whether a program wrote the text.
func machine(text string) bool {
	for line := range strings.Lines(text) {
		if logLine.MatchString(line) || prompt.MatchString(line) || machineWords.MatchString(line) {
			return true
		}
	}
	return false
}

// score is the size of the largest set that is in the text.
func (s *symptom) score(text map[string]bool) (best int) {
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
