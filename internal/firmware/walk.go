// Package firmware is the one walk through a firmware bundle: each member is read once, the
// loader first, and the roots that it carries help to prove who signed the rest.
package firmware

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"xflash/fastboot/sparse"
	"xflash/ftf"
	"xflash/sin"
	"xflash/sin/gpt"
)

// Options steer a Walk. The zero value reads every member to its last byte.
type Options struct {
	// Roots helps to prove who signed an image. Known roots of loaders are added to it.
	Roots *sin.RootSet
	// Pick says which members are read; nil reads all.
	Pick func(*ftf.Member) bool
	// Read reads a member in another way than Check; nil is Check.
	Read func(context.Context, *ftf.Member, sin.CheckOptions) (*sin.Report, error)
	// Progress is called with the name of a member, and with bytes read and bytes in all of
	// the members that are read.
	Progress func(name string, done, total int64)
}

// File is what the walk found in one member.
type File struct {
	*ftf.Member
	SIN *sin.Report // of a SIN image whose header could be read
	// Damage is why the member is not intact, nil when it is. It is an error of ftf or sin.
	Damage error
}

// Walk reads the members of a bundle and calls visit after each one, the loader first
// (sin/FORMAT.md §5.4). The error is one of visit, of ctx or of the computer: what is
// wrong with a member is in its File.
func Walk(ctx context.Context, b *ftf.Bundle, opt Options, visit func(File) error) error {
	members := slices.Clone(b.Members)
	if opt.Pick != nil {
		members = slices.DeleteFunc(members, func(m *ftf.Member) bool { return !opt.Pick(m) })
	}
	slices.SortStableFunc(members, func(a, b *ftf.Member) int { return cmp.Compare(rank(a), rank(b)) })
	read, roots := opt.Read, opt.Roots
	if read == nil {
		read = Check
	}
	if roots == nil {
		roots = &sin.RootSet{}
	}
	var done, total int64
	for _, m := range members {
		total += m.Size
	}
	for _, m := range members {
		check := sin.CheckOptions{Name: m.Name, Roots: roots}
		if opt.Progress != nil {
			check.Progress = func(n int64) { opt.Progress(m.Name, done+n, total) }
		}
		report, err := read(ctx, m, check)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !InFile(err):
			return err
		}
		if report != nil && report.Loader != nil {
			roots.AddLoader(report.Loader)
		}
		if err := visit(File{m, report, cmp.Or(err, m.Err)}); err != nil {
			return err
		}
		done += m.Size
	}
	return nil
}

// Beside names the files of a folder that are not part of its firmware, which only verify and
// inspect read; it is empty when there are none.
func Beside(b *ftf.Bundle) string {
	n := b.Beside.Count
	if n == 0 {
		return ""
	}
	names := slices.Sorted(slices.Values(b.Beside.Names))
	if more := n - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return "not part of the firmware and not read: " + strings.Join(names, ", ") + ` ("xflash verify" reads everything in a folder)`
}

// rank sorts what carries roots before what they sign: the loader, then the boot loader of
// the phones of 2010, which has the root of their kernel.
func rank(m *ftf.Member) int {
	switch {
	case IsLoader(m):
		return 0
	case m.Kind == ftf.KindSIN && strings.EqualFold(m.Short, "s1boot"):
		return 1
	}
	return 2
}

// IsLoader reports whether a member is the bundle's loader.
func IsLoader(m *ftf.Member) bool {
	return m.Kind == ftf.KindSIN && !m.Boot && strings.EqualFold(m.Short, "loader")
}

// Check reads a member to its last byte: a SIN image with sin.Check, a text with the parser
// of its kind, anything else for the checksum of its archive.
func Check(ctx context.Context, m *ftf.Member, opt sin.CheckOptions) (*sin.Report, error) {
	if m.Kind != ftf.KindSIN {
		return nil, m.Check()
	}
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	report, err := sin.Check(ctx, r, m.Size, opt)
	return report, Close(r, err)
}

// Close closes the reader of a member from which reading ended with err, and chooses the
// error that tells more: damage of the archive explains whatever was wrong with its content.
func Close(r io.Closer, err error) error {
	if closeErr := r.Close(); err == nil || errors.As(closeErr, new(*ftf.Error)) {
		return closeErr
	}
	return err
}

// InFile reports whether a failure lies in the file that was read, not in the computer or
// in a wish to stop.
func InFile(err error) bool {
	return errors.As(err, new(*sin.Error)) || errors.As(err, new(*ftf.Error)) ||
		errors.As(err, new(*sparse.Error)) || errors.As(err, new(*gpt.Error))
}
