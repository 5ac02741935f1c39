package workbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/sin"
)

// AssembleOptions say what goes into a bundle and what its manifest says. The zero value
// takes all, and the facts that come with the files.
type AssembleOptions struct {
	Only                      []string // as Options.Members
	Device, Version, Branding string   // for the manifest, where they are not empty
	Progress                  func(name string, done, total int64)
}

// Assembly is a bundle that can be written.
type Assembly struct {
	Manifest ftf.Manifest
	Files    []Packed
	LeftOut  []LeftOut
	// Missing is what a full restore needs besides; nil when too little is known of the
	// model to tell, empty when nothing is missing.
	Missing []Missing
	Notes   []string // what a person should know before using it
}

// Packed is a file that goes into a bundle.
type Packed struct {
	Name  string `json:"name"` // in the bundle
	From  string `json:"from"`
	Bytes int64  `json:"bytes"`

	open func() (io.ReadCloser, error)
}

// LeftOut is a file that must not go in, whatever it is named.
type LeftOut struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// assembler is one run of Assemble.
type assembler struct {
	AssembleOptions
	out     *Assembly
	family  *phone.Family
	model   phone.Model
	roots   *sin.RootSet
	loader  *sin.Loader
	packed  []string            // compressed images, which old loaders refuse
	foreign map[string][]string // files by the root that signed them, if it is not the model's
	damaged DamagedError
	done    int64
	total   int64
}

// Assemble checks the files of a bundle, mostly a folder as XperiFirm makes it, and
// prepares a bundle of them. Every SIN is read to its last byte: one that is damaged is
// never bundled, and the error is a *DamagedError with all of them.
//
// What holds the identity of a phone is left out; named in Only, it is a *RefusedError.
// A name in Only that nothing has is a *ChoiceError. The bundle must stay open until the
// Assembly was written.
func Assemble(ctx context.Context, b *ftf.Bundle, opt AssembleOptions) (*Assembly, error) {
	a := &assembler{AssembleOptions: opt, roots: &sin.RootSet{}, foreign: map[string][]string{},
		out: &Assembly{Manifest: manifest(b, opt), LeftOut: []LeftOut{}, Notes: []string{}}}
	a.family, a.model, _ = phone.ByModel(a.out.Manifest.Device)
	parts, err := a.choose(b)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		a.total += p.member.Size
	}
	for _, p := range parts {
		if err := a.add(ctx, p); err != nil {
			return nil, stopped(ctx, err)
		}
	}
	if len(a.damaged.Files) > 0 {
		return nil, &a.damaged
	}
	if len(a.out.Files) == 0 {
		return nil, &RefusedError{b.Path, "nothing that may go into a bundle is in it"}
	}
	slices.SortStableFunc(a.out.Files, func(x, y Packed) int { return a.position(parts, x) - a.position(parts, y) })
	a.missing(b)
	a.oldLoader()
	a.foreignRoots()
	return a.out, nil
}

// Write writes the bundle. It appears under its name when it is complete; what was there
// before is replaced.
func (a *Assembly) Write(ctx context.Context, path string) error {
	files := make([]ftf.File, len(a.Files))
	for i, f := range a.Files {
		files[i] = ftf.File{Name: f.Name, Open: f.open}
	}
	return stopped(ctx, ftf.Create(ctx, path, a.Manifest, files, ftf.Stored))
}

// Bytes is the size of all files together.
func (a *Assembly) Bytes() (n int64) {
	for _, f := range a.Files {
		n += f.Bytes
	}
	return n
}

func manifest(b *ftf.Bundle, opt AssembleOptions) ftf.Manifest {
	m := b.Manifest
	for _, o := range []struct {
		to   *string
		said string
	}{{&m.Device, opt.Device}, {&m.Version, opt.Version}, {&m.Branding, opt.Branding}} {
		if o.said != "" {
			*o.to = o.said
		}
	}
	return m
}

// part is a member and what it becomes.
type part struct {
	member *ftf.Member
	file   ftf.File
}

// choose finds the files that are wanted, the loader first (see chosen).
func (a *assembler) choose(b *ftf.Bundle) ([]part, error) {
	wanted := newSelection(a.Only)
	var loader, rest []part
	var all []*ftf.Member
	for _, p := range pair(b) {
		all = append(all, p.member)
		switch {
		case !wanted.has(p.member):
		case isLoader(p.member):
			loader = append(loader, p)
		default:
			rest = append(rest, p)
		}
	}
	if unused := wanted.unused(); len(unused) > 0 {
		return nil, &ChoiceError{Path: b.Path, What: "member", Wanted: unused, Have: choices(all)}
	}
	return append(loader, rest...), nil
}

// pair finds the member behind each file of a bundle. Files keep the order of members,
// and only the name of a file is another.
func pair(b *ftf.Bundle) []part {
	members := b.Members
	var parts []part
	for _, f := range b.Files() {
		base := path.Base(f.Name)
		at := slices.IndexFunc(members, func(m *ftf.Member) bool {
			return f.Name == m.Name || base == m.Base || base == m.Base+"b" || base == m.Short+".sin"
		})
		if at < 0 {
			continue // a file is always made of a member
		}
		parts = append(parts, part{members[at], f})
		members = members[at+1:]
	}
	return parts
}

// add checks one file and takes it in, leaves it out, or remembers its damage.
func (a *assembler) add(ctx context.Context, p part) error {
	reason, err := a.check(ctx, p.member)
	a.done += p.member.Size
	switch {
	case err != nil && inFile(err) && ctx.Err() == nil:
		a.damaged.Files = append(a.damaged.Files, Damage{p.member.Name, err})
	case err != nil:
		return err
	case reason == "":
		a.out.Files = append(a.out.Files, Packed{p.file.Name, p.member.Name, p.member.Size, p.file.Open})
	case slices.ContainsFunc(a.Only, func(w string) bool { return !strings.EqualFold(w, bootSet) && named(p.member, w) }):
		return &RefusedError{p.member.Name, reason}
	default:
		a.out.LeftOut = append(a.out.LeftOut, LeftOut{p.member.Name, reason})
	}
	return nil
}

// position is where a file stands in the bundle it comes from.
func (a *assembler) position(parts []part, f Packed) int {
	return slices.IndexFunc(parts, func(p part) bool { return p.file.Name == f.Name })
}

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
	var e *sin.Error
	if errors.As(err, &e) && e.Reason == sin.Unsendable {
		a.note("%s: %s", m.Name, e.Detail)
		err = nil
	}
	if errors.Is(err, sin.Because(sin.UnknownRoot)) {
		err = nil
	}
	if err == nil {
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
