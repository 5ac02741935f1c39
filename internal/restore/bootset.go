package restore

import (
	"slices"
	"strings"

	"xflash/internal/phone"
)

// A loader puts the images of a boot set into force together, when the last of them was
// written within one run of the loader; it keeps the count in memory (usbproto/s1/PROTOCOL.md
// §13). A run that continues inside a set therefore sends
// all of it again, whatever the phone has acknowledged. Which images form a set differs by
// loader, and a bundle may bring a loader nobody has seen, so the sets of all known loaders
// of the family count as one.

// span is a range of steps, from first to last; empty when last < first.
type span struct{ first, last int }

// inside reports whether step i is in the span and not its first one: whether to stop
// before it would leave the span half done.
func (s span) inside(i int) bool { return s.first < i && i <= s.last }

// bootSet is the steps that a loader may treat as one set, and what lies between them. The
// first step is the opening of the trim area, when the first image has one.
func (p *Plan) bootSet() span {
	if p.fw.command() {
		return p.bootConfiguration()
	}
	f := p.fw.Family
	again := f.SentAgain()
	if len(again) == 0 { // no loader of this family is known
		for _, part := range f.Partitions {
			if part.Class == phone.BootChain {
				again = append(again, part.Label)
			}
		}
	}
	s := span{0, -1}
	for i, step := range p.Steps {
		if step.Kind != StepImage || !slices.ContainsFunc(step.Partitions, func(l string) bool { return slices.Contains(again, l) }) {
			continue
		}
		if s.last < 0 {
			s.first = i
			if i > 0 && p.Steps[i-1].Kind == StepOpenTA {
				s.first--
			}
		}
		s.last = i
	}
	return s
}

// unstoppable is the boot set together with the fragile steps next to it: a half-written
// boot chain or partition table must not wait for anybody.
func (p *Plan) unstoppable(set span) span {
	for i, step := range p.Steps {
		if step.Fragile && (set.last < 0 || i < set.first) {
			if set.last < 0 {
				set = span{i, i}
			}
			set.first = min(set.first, i)
		}
		if step.Fragile {
			set.last = max(set.last, i)
		}
	}
	return set
}

// resumeIndex is where a run continues after a number of acknowledged steps. What is written
// into the trim area is stored only when it is closed, and a kernel leaves its header there
// too (usbproto/s1/PROTOCOL.md §11.1), so a group that was not closed is done again; it holds one
// file at most. Inside the boot set the run continues at its first step.
func (p *Plan) resumeIndex(done int, set span) int {
	for i := min(done, len(p.Steps)) - 1; i >= 0; i-- {
		if p.Steps[i].Kind == StepCloseTA {
			break
		}
		if p.Steps[i].Kind == StepOpenTA {
			done = i
			break
		}
	}
	if set.inside(done) {
		done = set.first
	}
	return done
}

// flagged is the steps that set the flash state, and at the end those that clear it: the
// first time the trim area is open, and the last time it is opened for unit 10100.
func (p *Plan) flagged() (set, clear span) {
	var groups []span
	open := -1
	state := false
	for i, step := range p.Steps {
		switch step.Kind {
		case StepOpenTA:
			open, state = i, false
		case StepUnit:
			state = state || step.Unit == unitFlashState
			if state && open < 0 { // phones of 2017 and later have nothing to open
				groups, state = append(groups, span{i, i}), false
			}
		case StepCloseTA:
			if state {
				groups = append(groups, span{open, i})
			}
			state = false
		}
	}
	if len(groups) < 2 {
		return span{0, -1}, span{len(p.Steps), len(p.Steps)}
	}
	return groups[0], groups[len(groups)-1]
}

// writes reports whether the plan sends an image for a partition.
func (p *Plan) writes(label string) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool {
		return s.Kind == StepImage && slices.Contains(s.Partitions, label)
	})
}

// notInForce names the partitions without whose images the new boot chain would never come
// into force: those of the sets of the loader that will receive them, when it is known, else
// those that every known loader of the family has in a set. A set none of whose partitions
// is written is complete. absent are partitions of other loaders' sets that are not written.
func notInForce(f *phone.Family, loader *phone.Loader, writes func(label string) bool) (missing, absent []string) {
	all := f.SentAgain()
	if !slices.ContainsFunc(all, writes) {
		return nil, nil
	}
	need := f.MustBePresent()
	if loader != nil {
		need = nil
		for _, set := range loader.Sets {
			if slices.ContainsFunc(set, writes) {
				need = append(need, set...)
			}
		}
	}
	for _, label := range all {
		switch {
		case writes(label):
		case slices.Contains(need, label):
			missing = append(missing, label)
		default:
			absent = append(absent, label)
		}
	}
	return missing, absent
}

func notInForceProblem(bundle string, row *phone.Loader, missing []string) Problems {
	which := "every known loader of this family"
	if row != nil {
		which = "the loader " + row.Version
	}
	return refusal(bundle, "the boot set lacks "+strings.Join(missing, ", "),
		which+" uses a boot set only if all of its images were written, and otherwise silently keeps the old one",
		"leave the boot set out: --skip "+bootName)
}
