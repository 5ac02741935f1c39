package workbench

import (
	"context"
	"io"
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
	m.NoErase = m.KeptCategories() // with an empty list Flashtool flashes userdata
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
