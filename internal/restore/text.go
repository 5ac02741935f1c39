package restore

import (
	"fmt"
	"slices"
	"strings"

	"xflash/internal/text"
)

// Text is the whole plan for people, for a terminal of 80 columns.
func (p *Plan) Text() string { return p.TextFor(80, 0) }

// TextFor is the plan for people: five lines for somebody in a hurry, then what is written
// and what is not. steps already done are left out. The same plan gives
// the same text, byte for byte.
func (p *Plan) TextFor(width, done int) string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	block := func(lead, s string) { line("%s", text.Hanging(lead, s, width)) }

	left := p.left(done)
	block("phone      ", strings.TrimSuffix(p.Model+" ("+p.Family+"): "+strings.Join(p.Evidence[:min(len(p.Evidence), 1)], ""), ": "))
	block("firmware   ", strings.TrimSpace(p.Device+" "+p.Version+" "+p.Branding)+", from "+p.Bundle)
	if p.Wipes {
		block("your data  ", "ERASED: this erases the data of the phone: apps, photos, settings.")
	} else {
		block("your data  ", "Apps, photos and settings are kept.")
	}
	block("takes      ", fmt.Sprintf("%s for %s; leave the cable in until the end", duration(left), text.Size(left)))
	if p.Untried != "" {
		block("not proven ", p.Untried)
	} else if n := len(p.Questions); n > 0 {
		block("not proven ", fmt.Sprintf("%s; xflash asks before it writes anything", text.Count(n, "thing")))
	} else {
		block("not proven ", "on a real phone: xflash was tested on executed loader code and simulated phones")
	}
	for _, e := range p.Evidence[min(len(p.Evidence), 1):] {
		block("because    ", e)
	}
	if p.Route == RouteFastboot {
		block("way        ", "through fastboot, which works only on unlocked phones")
	}
	if done > 0 {
		b.WriteString("\nStill to be written, in this order:\n")
	} else {
		b.WriteString("\nWill be written, in this order:\n")
	}
	for _, s := range p.Steps[min(done, len(p.Steps)):] {
		if lead, to := s.line(); lead != "" {
			block("  "+lead+"  ", to)
		}
	}
	line("  %-16s %10s", "in all", text.Size(left))
	if len(p.Skipped) > 0 && done == 0 {
		b.WriteString("\nLeft out:\n")
		for _, group := range p.skipGroups() {
			block("  ", strings.Join(group.names, ", "))
			block("      ", group.reason)
		}
	}
	list := func(title, mark string, texts []string) {
		if len(texts) > 0 {
			b.WriteString("\n" + title + ":\n")
		}
		for _, t := range texts {
			block("  "+mark+" ", t)
		}
	}
	list("To know", "-", p.Notes)
	list("Not proven", "?", p.Questions)
	return b.String()
}

// left is how many bytes the steps after done ones send.
func (p *Plan) left(done int) (n int64) {
	for _, s := range p.Steps[min(done, len(p.Steps)):] {
		n += s.Bytes
	}
	return n
}

// Rates of whole restores over USB 2, in bytes a second: a slow and a fast phone.
const (
	slowRate = 3e6
	fastRate = 10e6
)

// duration is a guess that is never better than to the minute.
func duration(bytes int64) string {
	from, to := int64(float64(bytes)/fastRate/60), int64(float64(bytes)/slowRate/60)+1
	if from < 1 {
		return fmt.Sprintf("up to %s", text.Count(int(to), "minute"))
	}
	return fmt.Sprintf("about %d to %d minutes", from, to)
}

// line is one step in the table: what, and where to; "" for steps that a person need not see.
func (s Step) line() (lead, to string) {
	row := func(bytes int64) string { return fmt.Sprintf("%-16s %10s", s.Name, text.Size(bytes)) }
	switch s.Kind {
	case StepLoader:
		return row(s.Bytes), "into memory: the flash program"
	case StepImage, StepFlash:
		if len(s.Partitions) == 0 {
			return row(s.Bytes), "to the partition table"
		}
		return row(s.Bytes), "to " + strings.Join(s.Partitions, ", ")
	case StepTable:
		return fmt.Sprintf("%-16s %10s", "partition-image", text.Size(s.Bytes)), "to the partition table of " + strings.Join(s.Partitions, ", ")
	case StepSlot:
		return fmt.Sprintf("%-16s %10s", "slot a", ""), "becomes the active slot"
	case StepErase:
		return fmt.Sprintf("%-16s %10s", s.Name, ""), "erased"
	case StepUnit:
		return row(int64(len(s.Value))), fmt.Sprintf("to trim-area unit %d%s", s.Unit, shortValue(s.Value))
	case StepTimestamp:
		return row(20), fmt.Sprintf("to trim-area unit %d", s.Unit)
	}
	return "", ""
}

func shortValue(v HexBytes) string {
	if len(v) == 0 || len(v) > 4 {
		return ""
	}
	return fmt.Sprintf(" = %X", []byte(v))
}

// skipGroup is what is left out for one reason.
type skipGroup struct {
	reason string
	names  []string
}

// skipGroups puts what is left out for the same reason together, in the order of the bundle.
func (p *Plan) skipGroups() (groups []skipGroup) {
	for _, s := range p.Skipped {
		i := slices.IndexFunc(groups, func(g skipGroup) bool { return g.reason == s.Reason })
		if i < 0 {
			groups = append(groups, skipGroup{reason: s.Reason})
			i = len(groups) - 1
		}
		groups[i].names = append(groups[i].names, s.Name)
	}
	return groups
}
