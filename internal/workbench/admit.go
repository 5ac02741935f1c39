package workbench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/sin"
)

// check reads a file. It gives a reason when the file must not be bundled.
func (a *assembler) check(ctx context.Context, m *ftf.Member) (reason string, err error) {
	switch m.Kind {
	case ftf.KindSIN:
		return a.checkSIN(ctx, m)
	case ftf.KindTA:
		return checkTA(m)
	}
	return "", nil
}

// checkTA refuses units that belong to one phone, under whatever name
// (s1-protocol.md §6.3).
func checkTA(m *ftf.Member) (reason string, err error) {
	if f, ok := phone.TAFileByName(m.Short); ok && f.Never {
		return f.Reason, nil
	}
	ta, err := m.TA()
	if err != nil {
		return "", err
	}
	for _, unit := range ta.Units {
		if v := phone.UnitVerdict(unit.Unit); v.Verdict == phone.Never && v.Known {
			return fmt.Sprintf("unit %d: %s", unit.Unit, v.Reason), nil
		}
	}
	return "", nil
}

func (a *assembler) checkSIN(ctx context.Context, m *ftf.Member) (reason string, err error) {
	if strings.Contains(strings.ToLower(m.Short), "simlock") {
		return "SIM lock data belongs to one phone and is never written", nil
	}
	r, err := m.Open()
	if err != nil {
		return "", err
	}
	defer func() {
		if e := r.Close(); err == nil {
			err = e
		}
	}()
	report, err := sin.Check(ctx, r, m.Size, sin.CheckOptions{Name: m.Name, Roots: a.roots, Progress: func(n int64) {
		if a.Progress != nil {
			a.Progress(m.Name, a.done+n, a.total)
		}
	}})
	if report != nil && report.Header.Type == sin.TypeHWConf && report.Header.Version == 3 {
		return "the hardware configuration is signed for one phone and is never written", nil
	}
	// Whose root a phone takes is decided when it is asked, and for what only other
	// protocols can send there are other programs; here it is told.
	if err == nil {
		if report.Unsendable != "" {
			a.note("%s: %s", m.Name, report.Unsendable)
		}
		a.learn(m, report)
	}
	return "", err
}

// learn keeps what the notes are made of.
func (a *assembler) learn(m *ftf.Member, report *sin.Report) {
	if isLoader(m) && report.Loader != nil {
		a.loader = report.Loader
		a.roots.AddLoader(report.Loader)
	}
	if report.Map != nil {
		for t := range report.Map.Tags() {
			if t.Kind == sin.TagLZ4A {
				a.packed = append(a.packed, m.Name)
				break
			}
		}
	}
	if root := report.Trust.Root; a.family != nil && root != "" && !slices.Contains(a.family.Roots, root) {
		a.foreign[root] = append(a.foreign[root], m.Name)
	}
}

// foreignRoots notes images that phones of the model refuse, because another platform's
// root signed them.
func (a *assembler) foreignRoots() {
	for _, root := range slices.Sorted(maps.Keys(a.foreign)) {
		files := a.foreign[root]
		more := ""
		if n := len(files) - 1; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		a.note("%s%s: signed by %s, while a %s takes %s and refuses others", files[0], more, root, a.model.Code, strings.Join(a.family.Roots, " or "))
	}
}

// oldLoader notes images that the loader at hand cannot unpack (sin-ftf-format.md §4.3).
func (a *assembler) oldLoader() {
	if a.loader != nil && len(a.packed) > 0 && !a.loader.Supports(string(sin.TagLZ4A)) {
		a.note("the loader %s is too old for compressed images such as %s: take the loader of a newer firmware", a.loader.Version, a.packed[0])
	}
}

func (a *assembler) note(format string, args ...any) {
	a.out.Notes = append(a.out.Notes, fmt.Sprintf(format, args...))
}
