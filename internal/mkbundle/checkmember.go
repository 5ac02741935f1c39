package mkbundle

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/firmware"
	"xflash/internal/phone"
	"xflash/sin"
)

// check returns a reason when a file must not be bundled, which is intact.
func (a *assembler) check(f firmware.File) string {
	switch f.Kind {
	case ftf.KindSIN:
		return a.checkSIN(f)
	case ftf.KindTA:
		return checkTA(f.Member)
	}
	return ""
}

// checkTA refuses units that belong to one phone, under whatever name
// (internal/trimarea/FORMAT.md §3).
func checkTA(m *ftf.Member) string {
	if f, ok := phone.TAFileByName(m.Short); ok && f.Never {
		return f.Reason
	}
	ta, err := m.TA()
	if err != nil {
		return err.Error() // it was read a moment ago
	}
	if ta.Partition != 2 && len(ta.Units) > 0 {
		return phone.CalibrationReason
	}
	for _, unit := range ta.Units {
		if v := phone.UnitVerdict(unit.Unit); v.Verdict == phone.Never && v.Known {
			return fmt.Sprintf("unit %d: %s", unit.Unit, v.Reason)
		}
	}
	return ""
}

func (a *assembler) checkSIN(f firmware.File) string {
	switch h := f.SIN.Header; {
	case strings.Contains(strings.ToLower(f.Short), "simlock"):
		return "SIM lock data belongs to one phone and is never written"
	case h.Type == sin.TypeHWConf && h.Version == 3:
		return "the hardware configuration is signed for one phone and is never written"
	}
	// A phone refuses some intact files; whether it accepts a root it says itself.
	if f.SIN.Unsendable != "" {
		a.note("%s: %s", f.Name, f.SIN.Unsendable)
	}
	a.learn(f.Member, f.SIN)
	return ""
}

// learn keeps what the notes are made of.
func (a *assembler) learn(m *ftf.Member, report *sin.Report) {
	if firmware.IsLoader(m) && report.Loader != nil {
		a.loader = report.Loader
	}
	if report.Map != nil {
		for t := range report.Map.Tags() {
			if t.Kind == sin.TagLZ4A {
				a.packed = append(a.packed, m.Name)
				break
			}
		}
	}
	// A root that the person trusts is one of the phone's, as restore has it.
	if root := report.Trust.Root; a.family != nil && root != "" && report.Trust.State != sin.TrustSupplied && !slices.Contains(a.family.Roots, root) {
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
		a.note("%s%s: signed by %s, but a %s accepts only %s", files[0], more, root, a.model.Code, strings.Join(a.family.Roots, " or "))
	}
}

// oldLoader notes images that the loader at hand cannot unpack (sin/FORMAT.md §4.3).
func (a *assembler) oldLoader() {
	if a.loader != nil && len(a.packed) > 0 && !a.loader.Supports(string(sin.TagLZ4A)) {
		a.note("the loader %s is too old for compressed images such as %s: take the loader from newer firmware", a.loader.Version, a.packed[0])
	}
}

func (a *assembler) note(format string, args ...any) {
	a.out.Notes = append(a.out.Notes, fmt.Sprintf(format, args...))
}

// RefusedError is a file that must not go into a bundle.
type RefusedError struct{ Name, Reason string }

func (e *RefusedError) Error() string { return e.Name + " is not bundled: " + e.Reason }
