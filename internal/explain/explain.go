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
	Unknown Confidence = "unknown" // not even that
)

// Explanation is one answer of a phone, explained.
type Explanation struct {
	What       string     `json:"what,omitempty"` // what was refused, as far as the caller knows
	Said       string     `json:"said"`           // the phone's own words; identity masked
	Severity   string     `json:"severity,omitempty"`
	Code       string     `json:"code,omitempty"`
	Dynamic    string     `json:"dynamic,omitempty"`
	Generation string     `json:"generation,omitempty"` // A to E (error-codes.md §1.2)
	Names      string     `json:"names,omitempty"`      // the vendor's names for the number
	Meaning    string     `json:"meaning"`
	Confidence Confidence `json:"confidence"`
	Written    string     `json:"written,omitempty"` // whether something may have been written
	Next       []string   `json:"next"`              // one to three steps
	Action     string     `json:"action"`            // key of the advice
	Known      bool       `json:"known"`
	FollowUp   bool       `json:"follow_up,omitempty"` // only the consequence of an earlier error
}

// maxText bounds what is looked through.
const maxText = 1 << 20

// maxFound bounds how many answers of one text are explained.
const maxFound = 50

// Explain finds the answers of phones in a text, which may be an answer, a number, or
// the log of any tool, and explains each kind once. It is empty when there is none.
func Explain(text string) []Explanation {
	text = text[:min(len(text), maxText)]
	var found []Explanation
	seen := map[string]bool{}
	for _, r := range findReplies(text) {
		key := r.severity + r.code + r.class + r.static + r.dynamic
		if seen[key] || len(found) == maxFound {
			continue
		}
		seen[key] = true
		e := r.explain()
		if len(found) > 0 && consequence(r) {
			e.FollowUp = true
			e.Meaning = "This is only the consequence of the error before it; that one counts. " + e.Meaning
		}
		found = append(found, e)
	}
	return found
}

// consequence says whether an answer that follows another one usually is its consequence
// (error-codes.md §1.4).
func consequence(r reply) bool {
	return r.severity == "NONE" || r.code == "0010" || strings.Contains(strings.ToUpper(r.dynamic), "8011001C")
}

// explain looks an answer up by the grammar of its generation.
func (r reply) explain() Explanation {
	e := Explanation{Said: r.said, Severity: r.severity, Code: r.code, Dynamic: strings.TrimSpace(r.dynamic)}
	var row entry
	var ok bool
	switch {
	case r.fastboot:
		row, ok = book().fastboot(r.dynamic)
		e.Code, e.Severity = "", ""
	case r.class != "" || r.static != "":
		e.Generation = "A"
		e.Code = r.class + "/" + r.static
		row, ok = book().textGenA(r)
	default:
		status, generation, isStatus := r.status()
		e.Generation = generation
		switch {
		case isStatus && status != 0:
			row, ok = book().status(status)
			e.Dynamic = status.String()
		case isStatus:
			row, ok = book().code(r.code)
		default:
			row, ok = book().text(r)
			if row.generation == "B" {
				e.Generation = "B"
			}
		}
	}
	e.fill(row, ok)
	return e
}

// fill takes over a row of the catalogue; without one nothing is known.
func (e *Explanation) fill(row entry, ok bool) {
	if !ok {
		e.Confidence, e.Action = Unknown, "REPORT"
		e.Meaning = "This answer is not in the catalogue: its meaning is unknown."
		if plainStatus.MatchString(e.Dynamic) {
			e.Meaning = "This is an unknown number. Nobody outside Sony has published its meaning, and it belongs to no group that is known."
		}
		e.Next = book().advice("REPORT")
		return
	}
	e.Names, e.Meaning, e.Confidence, e.Action, e.Known = row.name, row.meaning, row.confidence, row.action, row.confidence != Low
	if e.Action == "" || e.Action == "-" {
		e.Action = "REPORT"
	}
	e.Next = book().advice(e.Action)
}
