package bootcheck

import (
	"fmt"
	"strings"
)

// Verdict says in one clause what the phone's loader does with the image.
func (d *Diagnosis) Verdict(t Target) string {
	loader := "the loader of this phone"
	if t.Model.Name != "" {
		loader = "the loader of the " + t.Model.Name
	}
	if !t.Foreseen() && !d.Refused() {
		return "no problem found, but it is unknown what " + loader + " accepts"
	}
	if t.Flash {
		return loader + d.flashVerdict(t)
	}
	accepted := " (accepted by loaders of: " + d.AcceptedBy() + ")"
	switch {
	case d.Refused():
		return loader + " will certainly or probably refuse it" + accepted
	case d.Doubtful():
		return loader + " should accept it, but it will probably not run" + accepted
	}
	return loader + " should accept it" + d.unless(t) + accepted
}

func (d *Diagnosis) flashVerdict(t Target) string {
	switch {
	case d.Refused():
		return " will not write it"
	case d.Doubtful():
		return " writes it, but will probably not start it"
	}
	return " writes it and should start it" + d.unless(t)
}

// unless names the loaders that refuse an image which the phone's should accept.
func (d *Diagnosis) unless(t Target) string {
	var years []string
	var answer string
	for _, g := range Generations {
		if d.Answers[g] != "" && !(g == LK2013 && t.takesAppended()) {
			years = append(years, generationNames[g])
			answer = strings.TrimSpace(d.Answers[g])
		}
	}
	switch {
	case len(years) == 0:
		return ""
	case t.Flash:
		return ", unless it is of " + strings.Join(years, " or ") + ": that one finds no device tree in it, and the phone stays dark"
	}
	return fmt.Sprintf(", unless it is of %s: that one refuses it with %q", strings.Join(years, " or "), answer)
}

var generationNames = map[Generation]string{LK2013: "summer of 2013", LK2014: "2014", LK2015: "2015 and later"}

// AcceptedBy says in words which generations accept the image.
func (d *Diagnosis) AcceptedBy() string {
	var names []string
	for _, g := range Generations {
		if d.Answers[g] == "" {
			names = append(names, generationNames[g])
		}
	}
	switch len(names) {
	case 0:
		return "none"
	case len(Generations):
		return "all"
	}
	return strings.Join(names, ", ")
}
