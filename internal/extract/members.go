package extract

import (
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/firmware"
	"xflash/internal/inspect"
	"xflash/sin"
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
	all := slices.DeleteFunc(slices.Clone(b.Members), func(m *ftf.Member) bool { return !unpackable(m) })
	members, err := firmware.Choose(u.path, all, u.Members)
	if err != nil {
		return err
	}
	stems, wanted := u.stems(b), map[*ftf.Member]bool{}
	for _, m := range members {
		wanted[m] = true
	}
	if err := u.out.room(u.total); err != nil {
		return err
	}
	if beside := firmware.Beside(b); beside != "" && u.Note != nil {
		u.Note(beside)
	}
	var damaged firmware.DamagedError
	err = firmware.Walk(ctx, b, firmware.Options{
		Roots: u.roots, Progress: u.Progress,
		Pick: func(m *ftf.Member) bool { return wanted[m] || len(u.Members) == 0 },
		Read: func(ctx context.Context, m *ftf.Member, opt sin.CheckOptions) (*sin.Report, error) {
			if !wanted[m] {
				return nil, inspect.Unused(ctx, m)
			}
			return u.member(ctx, m, stems[m], opt)
		},
	}, func(f firmware.File) error {
		if f.Damage != nil {
			damaged.Files = append(damaged.Files, firmware.Damage{Name: f.Name, Err: f.Damage})
		}
		return nil
	})
	for _, n := range b.LeftOut { // whoever wants all of it must know
		damaged.Files = append(damaged.Files, firmware.Damage{Name: n.Member, Err: errors.New(n.Member + " was left out: " + n.Text)})
	}
	if err == nil && len(damaged.Files) > 0 {
		err = &damaged
	}
	return err
}

// unpackable says whether anything comes out of a member.
func unpackable(m *ftf.Member) bool { return m.Kind != ftf.KindOther && m.Kind != ftf.KindManifest }

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
func (u *unpacker) member(ctx context.Context, m *ftf.Member, stem string, opt sin.CheckOptions) (*sin.Report, error) {
	if m.Kind != ftf.KindSIN {
		if err := m.Check(); err != nil {
			return nil, err
		}
	}
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	if m.Kind != ftf.KindSIN {
		return nil, firmware.Close(r, u.text(ctx, m, r, stem))
	}
	report, err := u.sin(ctx, r, m.Size, stem, opt)
	return report, firmware.Close(r, err)
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
	defer p.Discard()
	n, err := io.Copy(p, &fileio.Reader{Context: ctx, R: r})
	if err != nil {
		return err
	}
	return u.finish(p, n, File{Name: name, From: m.Name, Bytes: n})
}
