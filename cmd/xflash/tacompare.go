package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/trimarea"
)

func newTACompareCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "compare FILE OTHER",
		Short: "show how two trim-area backups differ, and whether they are of one phone",
		Long: `Compares two trim-area backups unit by unit, as the phone would read them: deleted units
and older copies do not count. It first says whether both are of the same phone.`,
		Example: `  xflash ta compare TA-before.img TA-after.img`,
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			ctx := cmd.Context()
			one, err := a.trimDump(ctx, paths[0])
			if err != nil {
				return err
			}
			two, err := a.trimDump(ctx, paths[1])
			if err != nil {
				return err
			}
			return a.compareTrim(one, two)
		},
	}
}

// unitChange is a unit that is not the same in both backups.
type unitChange struct {
	partition int
	number    uint32
	one, two  []byte // nil: not there
}

func (c unitChange) kind() string {
	switch {
	case c.two == nil:
		return "only-first"
	case c.one == nil:
		return "only-second"
	}
	return "different"
}

// changes pairs the live units of two backups.
func changes(one, two *trimDump) (list []unitChange, same int) {
	for _, p := range []int{trimarea.Trim, trimarea.Misc} {
		units := map[uint32]*unitChange{}
		take := func(d *trimDump, set func(*unitChange, []byte)) {
			for _, u := range d.Live(p) {
				if units[u.Number] == nil {
					units[u.Number] = &unitChange{partition: p, number: u.Number}
				}
				set(units[u.Number], u.Data[:len(u.Data):len(u.Data)])
			}
		}
		take(one, func(c *unitChange, b []byte) { c.one = b })
		take(two, func(c *unitChange, b []byte) { c.two = b })
		for _, c := range units {
			if c.one != nil && c.two != nil && bytes.Equal(c.one, c.two) {
				same++
			} else {
				list = append(list, *c)
			}
		}
	}
	slices.SortFunc(list, func(a, b unitChange) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.number, b.number))
	})
	return list, same
}

func (a *app) compareTrim(one, two *trimDump) error {
	verdict, reasons := trimarea.Belongs(one.ID, two.ID)
	list, same := changes(one, two)
	if a.ui.json {
		return a.compareJSON(one, two, verdict, reasons, list, same)
	}
	for _, d := range []*trimDump{one, two} {
		a.showTrimHead(d)
	}
	a.ui.result("\n%s\n\n", wrap("Same phone? "+map[trimarea.Belonging]string{
		trimarea.SamePhone: "Yes", trimarea.OtherPhone: "NO, two phones", trimarea.Undecided: "undecided"}[verdict]+
		": "+joined(reasons)+".", a.ui.width(), ""))
	a.ui.result("%s the same, %s not.\n", countOf(same, "unit"), countOf(len(list), "unit"))
	for _, c := range list {
		m, _ := trimarea.Describe(c.partition, c.number)
		text := map[string]string{"only-first": "only in the first", "only-second": "only in the second", "different": "different"}[c.kind()]
		if m.Secret && !a.showIDs {
			text += fmt.Sprintf(" (%s)", lengths(c))
		} else {
			text += ": " + contentPair(c)
		}
		a.ui.hanging(fmt.Sprintf("  %d/%-5d %-19s ", c.partition, c.number, cmp.Or(m.Name, "?")), text)
	}
	return nil
}

func joined(reasons []string) string { return printable(strings.Join(reasons, "; ")) }

// lengths tells of masked contents no more than how long they are.
func lengths(c unitChange) string {
	if c.one == nil || c.two == nil {
		return fmt.Sprintf("%d B", len(c.one)+len(c.two))
	}
	return fmt.Sprintf("%d and %d B", len(c.one), len(c.two))
}

func contentPair(c unitChange) string {
	one, two := contentText(c.one, 64), contentText(c.two, 64)
	switch {
	case c.two == nil:
		return one
	case c.one == nil:
		return two
	}
	return one + " → " + two
}

func (a *app) compareJSON(one, two *trimDump, verdict trimarea.Belonging, reasons []string, list []unitChange, same int) error {
	rows := []map[string]any{}
	for _, c := range list {
		m, _ := trimarea.Describe(c.partition, c.number)
		row := map[string]any{"partition": c.partition, "number": c.number, "name": m.Name, "change": c.kind(), "secret": m.Secret}
		for key, b := range map[string][]byte{"first": c.one, "second": c.two} {
			if b == nil {
				continue
			}
			row[key+"_size"] = len(b)
			if !m.Secret || a.showIDs {
				row[key] = fmt.Sprintf("%x", b)
			}
		}
		rows = append(rows, row)
	}
	return a.ui.resultJSON(map[string]any{"type": "comparison", "first": a.trimJSON(one), "second": a.trimJSON(two),
		"same_phone": verdict.String(), "reasons": reasons, "same": same, "changes": rows})
}
