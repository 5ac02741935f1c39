package workbench

import (
	"context"
	"io"
	"path"
	"strings"

	"xflash/ftf"
)

// bundle unpacks the members of a bundle: images become partition images, texts are
// copied. What lies in boot/ or partition/ stays there under its long name, because the
// short names repeat.
func (u *unpacker) bundle(ctx context.Context) error {
	b, err := ftf.Open(u.path)
	if err != nil {
		return err
	}
	defer b.Close()
	members, err := u.chosen(b)
	if err != nil {
		return err
	}
	stems := u.stems(b)
	for _, m := range members {
		u.total += m.Size
	}
	var damaged DamagedError
	for _, m := range members {
		before := u.done
		err := u.member(ctx, m, stems[m])
		u.done = before + m.Size
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
		case inFile(err):
			damaged.Files = append(damaged.Files, Damage{m.Name, err})
		default:
			return err
		}
	}
	if len(damaged.Files) > 0 {
		return &damaged
	}
	return nil
}

// unpackable says whether anything comes out of a member.
func unpackable(m *ftf.Member) bool { return m.Kind != ftf.KindOther && m.Kind != ftf.KindManifest }

// chosen is the members that are wanted, the loader first, because it brings the
// certificate of the root that signed the rest (sin-ftf-format.md §5.4).
func (u *unpacker) chosen(b *ftf.Bundle) ([]*ftf.Member, error) {
	wanted := newSelection(u.Members)
	var all, loader, rest []*ftf.Member
	for _, m := range b.Members {
		if !unpackable(m) {
			continue
		}
		all = append(all, m)
		switch {
		case !wanted.has(m):
		case isLoader(m):
			loader = append(loader, m)
		default:
			rest = append(rest, m)
		}
	}
	if unused := wanted.unused(); len(unused) > 0 {
		return nil, &ChoiceError{Path: u.path, What: "member", Wanted: unused, Have: choices(all)}
	}
	return append(loader, rest...), nil
}

func isLoader(m *ftf.Member) bool {
	return m.Kind == ftf.KindSIN && !m.Boot && strings.EqualFold(m.Short, "loader")
}

// stems gives every member of the bundle the name of its output without ending, the same
// whatever was chosen.
func (u *unpacker) stems(b *ftf.Bundle) map[*ftf.Member]string {
	shorts := map[string]int{}
	for _, m := range b.Members {
		if m.Kind == ftf.KindSIN && !m.Boot && !m.Partition {
			shorts[strings.ToLower(m.Short)]++
		}
	}
	stems := map[*ftf.Member]string{}
	for _, m := range b.Members {
		if !unpackable(m) {
			continue
		}
		folder, stem := "", m.Base
		switch {
		case m.Boot:
			folder = "boot"
		case m.Partition:
			folder = "partition"
		}
		if m.Kind == ftf.KindSIN {
			stem = strings.TrimSuffix(stem, path.Ext(stem))
			if folder == "" && shorts[strings.ToLower(m.Short)] == 1 {
				stem = m.Short
			}
		}
		stems[m] = u.names.take(folder, safeName(stem))
	}
	return stems
}

// member unpacks one member.
func (u *unpacker) member(ctx context.Context, m *ftf.Member, stem string) (err error) {
	r, err := m.Open()
	if err != nil {
		return err
	}
	defer func() {
		if e := r.Close(); err == nil {
			err = e
		}
	}()
	if m.Kind != ftf.KindSIN {
		return u.text(ctx, m, r, stem)
	}
	report, err := u.sin(ctx, r, m.Size, m.Name, stem)
	if report != nil && report.Loader != nil {
		u.roots.AddLoader(report.Loader)
	}
	return err
}

// text copies a member as it is.
func (u *unpacker) text(ctx context.Context, m *ftf.Member, r io.Reader, name string) error {
	if err := u.out.free(name); err != nil {
		return err
	}
	p, err := u.out.create(false)
	if err != nil {
		return err
	}
	defer p.discard()
	in := &contextReader{ctx: ctx, r: r, progress: func(n int64) { u.progress(m.Name, n) }}
	n, err := io.Copy(p, in)
	if err != nil {
		return err
	}
	return u.finish(p, n, File{Name: name, From: m.Name, Bytes: n})
}
