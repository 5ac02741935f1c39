// Package explain turns the answers of Sony phones into words.
//
// A phone that refuses something answers with a text such as
// ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021"; whose form differs over
// five generations. The catalogue of what the numbers and texts mean is embedded data
// (data/*.tsv); numbers without a row are taken apart into the part of the phone and
// its error. Facts and confidence come from the project's reference error-codes.md,
// corrected by loader-behaviour.md.
//
// How sure an explanation is, is part of it: a number that nobody outside Sony can
// explain is said to be unknown, and no cause is invented.
package explain

import "strings"

// Confidence is how well a meaning is backed.
type Confidence string

// Confidences, as in error-codes.md §5.
const (
	High    Confidence = "high"
	Medium  Confidence = "med"
	Low     Confidence = "low"     // only the group it belongs to is known
	Unknown Confidence = "unknown" // on no list at all
)

// Explanation is one answer of a phone, explained. All texts are safe to print: control
// characters are quoted, and what identifies the phone is masked.
type Explanation struct {
	What       string     `json:"what,omitempty"` // what was refused, as far as it is known
	Said       string     `json:"said"`           // the phone's own words
	Severity   string     `json:"severity,omitempty"`
	Code       string     `json:"code,omitempty"`       // class and static word on phones of 2010-11
	Dynamic    string     `json:"dynamic,omitempty"`    // status number in 8 upper-case digits, or the text
	Generation string     `json:"generation,omitempty"` // A to E (error-codes.md §1.2), "" when the form does not tell
	Names      string     `json:"names,omitempty"`      // the vendor's names for the number
	Meaning    string     `json:"meaning"`
	Confidence Confidence `json:"confidence"`
	Cause      Cause      `json:"cause,omitempty"`   // of 80080021, when the facts decide it
	Written    string     `json:"written,omitempty"` // whether something may have been written
	Next       []string   `json:"next"`              // one to three steps
	Action     string     `json:"action"`            // key of the advice
	Known      bool       `json:"known"`             // the meaning is known, not only the group
	FollowUp   bool       `json:"follow_up,omitempty"`
}

const (
	maxText  = 1 << 20 // bytes that are looked through
	maxFound = 50      // answers of one text that are explained
	maxSaid  = 400     // characters of an answer that are shown
	maxWord  = 40      // characters of a single word that are shown
)

// Explain finds the answers of phones in a text, which may be an answer, a number, or
// the log of any tool, and explains each kind once, in the order of the text. It looks at
// the first MiB and is empty when there is no answer in it.
func Explain(text string) []Explanation {
	text = text[:min(len(text), maxText)]
	var found []Explanation
	seen := map[string]bool{}
	for _, r := range findReplies(text) {
		key := strings.Join([]string{r.severity, r.code, r.class, r.static, r.dynamic}, "\x00")
		if seen[key] {
			continue
		}
		if len(found) == maxFound {
			break
		}
		seen[key] = true
		e := r.explain()
		e.What = printable(r.what, maxSaid)
		if len(found) > 0 && r.consequence() {
			e.FollowUp = true
			e.Meaning = "This only follows from the error before it; that one counts. " + e.Meaning
		}
		found = append(found, e)
	}
	return found
}

// consequence reports whether an answer that comes after another one follows from it: the
// loader was not in the state that the next packet needed, or has gone into limited mode
// (error-codes.md §1.4).
func (r reply) consequence() bool {
	s, _, isNumber := readStatus(r.dynamic)
	return isNumber && s == 0x8011001C || r.limited()
}

// limited reports whether the loader refuses because of an earlier fatal error.
func (r reply) limited() bool {
	return r.severity == "NONE" && (r.code == "0000" || r.code == "" && r.class == "" && r.static == "") ||
		r.code == "0010" && r.dynamic != "Unknown" // on phones of 2012 that text is an unknown command
}
