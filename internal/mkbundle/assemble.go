// Package mkbundle makes a firmware bundle of a folder of images.
//
// Facts: ftf/FORMAT.md §3 (names in bundles); ftf/FORMAT.md §8 (what a restore
// needs), internal/phone/PHONES.md §3.6 (what belongs to one phone).
package mkbundle

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/firmware"
	"xflash/internal/inspect"
	"xflash/internal/phone"
	"xflash/sin"
)

// AssembleOptions say what goes into a bundle and what its manifest says. The zero value
// takes all, and the facts that come with the files.
type AssembleOptions struct {
	Only                      []string     // as firmware.Choose
	Device, Version, Branding string       // for the manifest, where they are not empty
	Roots                     *sin.RootSet // that prove who signed the files; may be nil
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

// LeftOut is a file that does not go in, whatever it is named.
type LeftOut struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
	Unread bool   `json:"unread,omitempty"` // it is unknown what it is; all else must not go in
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
	damaged firmware.DamagedError
	images  map[string]string // the file for each image
	rival   *RefusedError     // a second file for one
}

// Assemble checks the files of a bundle, mostly a folder as XperiFirm makes it, and
// prepares a bundle of them. Every SIN is read to its last byte: one that is damaged is
// never bundled, and the error is a *firmware.DamagedError with all of them.
//
// A file with a phone's identity is left out; named in Only, it is a *RefusedError.
// A name in Only that nothing has is a *firmware.ChoiceError. The bundle must stay open until the
// Assembly was written.
func Assemble(ctx context.Context, b *ftf.Bundle, opt AssembleOptions) (*Assembly, error) {
	a := &assembler{AssembleOptions: opt, roots: &sin.RootSet{}, foreign: map[string][]string{}, images: map[string]string{},
		out: &Assembly{Manifest: manifest(b, opt), LeftOut: []LeftOut{}, Notes: []string{}}}
	if opt.Roots != nil {
		a.roots = opt.Roots
	}
	for _, n := range b.LeftOut {
		a.out.LeftOut = append(a.out.LeftOut, LeftOut{Name: n.Member, Reason: n.Text, Unread: true})
	}
	a.family, a.model, _ = phone.ByModel(a.out.Manifest.Device)
	if beside := firmware.Beside(b); beside != "" {
		a.note("%s", beside)
	}
	if question := a.model.QuestionVersion(a.out.Manifest.Version); question != "" {
		a.note("%s", question)
	}
	names := map[*ftf.Member]string{} // in the bundle
	var all []*ftf.Member
	for _, f := range b.Files() {
		all, names[f.From] = append(all, f.From), f.Name
	}
	wanted, err := firmware.Choose(b.Path, all, a.Only)
	if err != nil {
		return nil, err
	}
	err = firmware.Walk(ctx, b, firmware.Options{
		Roots: a.roots, Progress: opt.Progress,
		Pick: func(m *ftf.Member) bool { return len(a.Only) == 0 || slices.Contains(wanted, m) },
		Read: func(ctx context.Context, m *ftf.Member, opt sin.CheckOptions) (*sin.Report, error) {
			if m.Kind == ftf.KindOther || names[m] == "" {
				return nil, inspect.Unused(ctx, m)
			}
			return firmware.Check(ctx, m, opt)
		},
	}, func(f firmware.File) error { return a.add(names[f.Member], f) })
	if err != nil {
		return nil, err
	}
	if len(a.damaged.Files) > 0 {
		return nil, &a.damaged
	}
	if a.rival != nil {
		return nil, a.rival
	}
	if len(a.out.Files) == 0 {
		return nil, &RefusedError{b.Path, "it holds no file that may go into a bundle"}
	}
	// The walk reads the loader first; the bundle keeps the order of its folder.
	position := func(p Packed) int {
		return slices.IndexFunc(all, func(m *ftf.Member) bool { return m.Name == p.From })
	}
	slices.SortStableFunc(a.out.Files, func(x, y Packed) int { return position(x) - position(y) })
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
		files[i] = ftf.File{Name: f.Name, Open: func() (io.ReadCloser, error) {
			r, err := f.open()
			return struct {
				io.Reader
				io.Closer
			}{&fileio.Reader{Context: ctx, R: r}, r}, err
		}}
	}
	err := fileio.Write(path, 0o644, func(f *os.File) error { return ftf.Write(f, a.Manifest, files) })
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
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

// add takes a file in that was read, leaves it out, or remembers its damage.
func (a *assembler) add(name string, f firmware.File) error {
	reason := ""
	if f.Damage == nil && name != "" {
		reason = a.check(f)
	}
	switch {
	case f.Damage != nil:
		a.damaged.Files = append(a.damaged.Files, firmware.Damage{Name: f.Name, Err: f.Damage})
	case name == "": // nothing a bundle needs
	case reason == "":
		a.rivals(f.Member)
		a.out.Files = append(a.out.Files, Packed{name, f.Name, f.Size, f.Open})
	case slices.ContainsFunc(a.Only, func(w string) bool {
		return !strings.EqualFold(w, firmware.BootSet) && firmware.Named(f.Member, w)
	}):
		return &RefusedError{f.Name, reason}
	default:
		a.out.LeftOut = append(a.out.LeftOut, LeftOut{Name: f.Name, Reason: reason})
	}
	return nil
}

// rivals notes that two files are for one image: a restore refuses such a bundle.
func (a *assembler) rivals(m *ftf.Member) {
	if m.Kind != ftf.KindSIN || m.Boot || m.Partition {
		return
	}
	short := strings.ToLower(m.Short)
	if a.family != nil {
		if img, ok := a.family.Image(short); ok {
			short = img.Short
		}
	}
	if other, twice := a.images[short]; twice {
		a.rival = &RefusedError{m.Name, fmt.Sprintf("%s is for %s too, and it is unclear which of them is meant; take one of them out of the folder, or choose with --only", other, short)}
	}
	a.images[short] = m.Name
}
