package restore

import (
	"fmt"
	"slices"
	"strings"

	"xflash/internal/text"
)

// Text is the plan for people, a table that fits 80 columns. The same plan gives the
// same text, byte for byte.
func (p *Plan) Text() string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	line("Plan for %s", p.Bundle)
	line("  firmware  %s", strings.TrimSpace(p.Device+" "+p.Version+" "+p.Branding))
	line("  phone     %s (%s)", p.Model, p.Family)
	for i, e := range p.Evidence {
		label := ""
		if i == 0 {
			label = "because"
		}
		for j, l := range text.Fold(e, 66) {
			if j > 0 {
				label = ""
			}
			line("  %-9s %s", label, l)
		}
	}
	if p.Way == WayFastboot {
		line("  way       through fastboot, which takes only unlocked phones")
	}
	b.WriteString("\nWill be written, in this order:\n")
	for _, s := range p.Steps {
		if l := s.line(); l != "" {
			line("  %s", l)
		}
	}
	line("  %-16s %10s", "in all", text.Size(p.Bytes))
	if len(p.Skipped) > 0 {
		b.WriteString("\nLeft out:\n")
		for _, group := range p.skipGroups() {
			for _, l := range text.Fold(strings.Join(group.names, ", "), 74) {
				line("  %s", l)
			}
			for _, l := range text.Fold(group.reason, 70) {
				line("      %s", l)
			}
		}
	}
	if len(p.Notes) > 0 {
		b.WriteString("\nTo know:\n")
		for _, n := range p.Notes {
			for i, l := range text.Fold(n, 74) {
				mark := "-"
				if i > 0 {
					mark = " "
				}
				line("  %s %s", mark, l)
			}
		}
	}
	if len(p.Questions) > 0 {
		b.WriteString("\nNot proven:\n")
		for _, q := range p.Questions {
			for i, l := range text.Fold(q, 74) {
				mark := "?"
				if i > 0 {
					mark = " "
				}
				line("  %s %s", mark, l)
			}
		}
	}
	if p.Wipes {
		b.WriteString("\nThis erases the data of the phone: apps, photos, settings.\n")
	} else {
		b.WriteString("\nApps, photos and settings are kept.\n")
	}
	return b.String()
}

// line is one step in the table, "" for steps that a person need not see.
func (s Step) line() string {
	switch s.Kind {
	case StepLoader:
		return fmt.Sprintf("%-16s %10s  into memory: the flash program", s.Name, text.Size(s.Bytes))
	case StepImage:
		to := strings.Join(s.Partitions, ", ")
		if to == "" {
			to = "the partition table"
		}
		return fmt.Sprintf("%-16s %10s  to %s", s.Name, text.Size(s.Bytes), to)
	case StepFlash:
		return fmt.Sprintf("%-16s %10s  to %s", s.Name, text.Size(s.Bytes), strings.Join(s.Partitions, ", "))
	case StepErase:
		return fmt.Sprintf("%-16s %10s  erased", s.Name, "")
	case StepUnit:
		return fmt.Sprintf("%-16s %10s  to trim-area unit %d%s", s.Name, text.Size(int64(len(s.Value))), s.Unit, shortValue(s.Value))
	case StepTimestamp:
		return fmt.Sprintf("%-16s %10s  to trim-area unit %d", s.Name, text.Size(20), s.Unit)
	}
	return ""
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
