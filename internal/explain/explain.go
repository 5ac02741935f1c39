// Package explain turns the answers of Sony phones into words.
//
// A phone that refuses something answers with a text such as
// ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021"; whose form differs over
// five generations. The catalogue of what the numbers and texts mean is embedded data
// (data/*.tsv); numbers without a row are taken apart into the part of the phone and
// its error. Facts and confidence: ERRORS.md.
package explain

import (
	"slices"
	"strings"
)

// Confidence is how well a meaning is backed.
type Confidence string

// Confidences, as in ERRORS.md §5.
const (
	High    Confidence = "high"
	Medium  Confidence = "med"
	Low     Confidence = "low"     // only the group it belongs to is known
	Unknown Confidence = "unknown" // on no list at all
)

// Where an explained text comes from.
const (
	FromPhone   = "phone"   // the phone's own answer
	FromTool    = "tool"    // another program, or the computer
	FromBus     = "usb"     // the id of a phone on the bus
	FromSymptom = "symptom" // what a person sees
)

// Explanation is one answer of a phone, error of a program or symptom, explained. All texts are safe to print: control
// characters are quoted, and what identifies the phone is masked.
type Explanation struct {
	What       string     `json:"what,omitempty"` // what was refused, as far as it is known
	Said       string     `json:"said"`           // the phone's own words
	Severity   string     `json:"severity,omitempty"`
	Code       string     `json:"code,omitempty"`       // class and static word on phones of 2010-11
	Dynamic    string     `json:"dynamic,omitempty"`    // status number in 8 upper-case digits, or the text
	Generation string     `json:"generation,omitempty"` // A to E (ERRORS.md §1.2), "" when the form does not tell
	Names      string     `json:"names,omitempty"`      // the vendor's names for the number
	Meaning    string     `json:"meaning"`
	Confidence Confidence `json:"confidence"`
	Cause      Cause      `json:"cause,omitempty"`   // of 80080021, when the facts decide it
	Written    string     `json:"written,omitempty"` // whether something may have been written
	Next       []string   `json:"next"`              // one to three steps
	Action     string     `json:"action"`            // key of the advice
	Known      bool       `json:"known"`             // the meaning is known, not only the group
	FollowUp   bool       `json:"follow_up,omitempty"`

	Source     string `json:"source"`                  // FromPhone, FromTool, FromBus or FromSymptom
	ID         string `json:"id,omitempty"`            // of the row of a program's error or of a symptom
	Tool       string `json:"tool,omitempty"`          // the program
	Effect     string `json:"effect,omitempty"`        // stopped, broken, setup, danger, harmless, frame or note
	Reason     string `json:"reason,omitempty"`        // the usual cause of a program's error
	Brick      string `json:"brick,omitempty"`         // of a symptom: soft, hard, or ? when nobody can tell
	PhoneSpoke bool   `json:"phone_spoke"`             // the phone had given an answer
	IfSaid     bool   `json:"if_phone_said,omitempty"` // true only if a phone gave this in ERR_DYNAMIC

	limited   bool // the loader refuses because of an earlier error
	distress  bool // a mode that no phone enters unless something failed
	mentioned bool // words of a program in a text that a person wrote
}

// MaxText is how many bytes of a text are looked through, from its end.
const MaxText = 1 << 20

const (
	maxFound = 50  // answers of one text that are explained
	maxSaid  = 400 // characters of an answer that are shown
	maxWord  = 40  // characters of a single word that are shown
)

// Explain explains a text, which may be a phone's answer, a number, the log of any program,
// or a few words about what a person sees. Each kind of answer is explained once, in the
// order of the text. It looks at the last MiB, because the error of a log is at its end, and is
// empty when nothing in it is known to be an error.
func Explain(text string) []Explanation {
	text = readable(text[max(0, len(text)-MaxText)&^1:]) // even, for UTF-16
	lines := linesOf(text)
	var found []placed
	seen := map[string]bool{}
	for _, r := range findReplies(text, lines) {
		key := strings.Join([]string{r.severity, r.code, r.class, r.static, r.dynamic}, "\x00")
		if seen[key] {
			continue
		}
		if len(found) == maxFound {
			break
		}
		seen[key] = true
		e := r.explain()
		if r.bare && slices.ContainsFunc(found, func(p placed) bool { return p.Dynamic == e.Dynamic && e.Dynamic != "" }) {
			continue // the same number in other words
		}
		e.What = printable(r.what, maxSaid)
		found = append(found, placed{r.at, e})
	}
	found = merge(found, findTools(lines), lines)
	for i := range found {
		if e := &found[i].Explanation; e.Source == FromPhone && i > 0 && e.consequence() {
			e.FollowUp = true
			e.Meaning = "This only follows from the error before it, which is the one that counts. " + e.Meaning
		}
	}
	modes := modesIn(lines)
	if (len(found) == 0 || found[0].Effect == severityNote) && single(lines) == nil {
		// A list of what is plugged in asks nothing, unless a phone in it is in distress.
		modes = slices.DeleteFunc(modes, func(p placed) bool { return !p.distress })
	}
	found = append(found, modes...)
	// Nobody's words but a person's: what they see may be among them.
	if !slices.ContainsFunc(found, func(p placed) bool { return p.Source != FromBus && !p.IfSaid && !p.mentioned }) {
		found = append(found, symptomsIn(text)...)
	}
	explanations := make([]Explanation, len(found))
	for i, p := range found {
		explanations[i] = p.Explanation
	}
	return explanations
}

// placed is an explanation and where in the text its subject is.
type placed struct {
	at int
	Explanation
}

// merge puts the phone's answers and the errors of programs in order, and drops what says
// less than another one: a frame, a note, a program's words around an answer that is known.
func merge(phone []placed, tools []toolMatch, lines []line) []placed {
	answered := map[int]bool{} // lines with a known answer, by their place
	known := false
	for _, p := range phone {
		for i := range lines {
			if at := lines[i].at; at <= p.at && p.at <= at+len(lines[i].raw) {
				answered[at] = answered[at] || p.Confidence != Unknown
			}
		}
		known = true
	}
	reason := func(m toolMatch) bool { return m.row.severity != severityFrame && m.row.severity != severityNote }
	told := known || slices.ContainsFunc(tools, reason)
	merged, harmless := phone, []placed(nil)
	for _, m := range tools {
		switch p := (placed{m.line.at, m.explain()}); {
		case answered[m.line.at] && (m.row.phone || !reason(m)),
			told && !reason(m),
			m.row.severity == severityNote && single(lines) == nil:
		case m.row.severity == severityHarmless:
			harmless = append(harmless, p)
		default:
			merged = append(merged, p)
		}
	}
	slices.SortStableFunc(merged, func(a, b placed) int { return a.at - b.at })
	merged = append(merged, harmless...)
	return merged[:min(len(merged), maxFound)]
}

// consequence reports whether an answer that comes after another one follows from it: the
// loader was not in the state that the next packet needed, or has gone into limited mode
// (ERRORS.md §1.4).
func (e *Explanation) consequence() bool {
	return e.Dynamic == "8011001C" || e.limited
}

// limited reports whether the loader refuses because of an earlier fatal error.
func (r reply) limited() bool {
	return r.severity == "NONE" && (r.code == "0000" || r.code == "" && r.class == "" && r.static == "") ||
		r.code == "0010" && r.dynamic != "Unknown" // on phones of 2012 that text is an unknown command
}
