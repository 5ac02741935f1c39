package ftf

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Images gives the SIN images outside boot/, the loader among them, in the order
// of the bundle.
func (b *Bundle) Images() []*Member {
	return b.filter(func(m *Member) bool { return m.Kind == KindSIN && !m.Boot })
}

// TAFiles gives the .ta files outside boot/ in the order of the bundle.
func (b *Bundle) TAFiles() []*Member {
	return b.filter(func(m *Member) bool { return m.Kind == KindTA && !m.Boot })
}

func (b *Bundle) filter(keep func(*Member) bool) []*Member {
	var out []*Member
	for _, m := range b.Members {
		if keep(m) {
			out = append(out, m)
		}
	}
	return out
}

// Image finds an image outside boot/ by its short name, in any case. As in
// scripts, "partition" also finds "partition-image" (FORMAT.md §4). The
// error is Missing, or Ambiguous when several members have the name.
func (b *Bundle) Image(short string) (*Member, error) {
	names := []string{short}
	if strings.EqualFold(short, "partition") {
		names = append(names, "partition-image")
	}
	for _, name := range names {
		found := b.filter(func(m *Member) bool { return m.Kind == KindSIN && !m.Boot && strings.EqualFold(m.Short, name) })
		if len(found) > 0 {
			return b.only(found, "image "+name)
		}
	}
	return nil, b.notExist("there is no image %q", short)
}

func (b *Bundle) only(found []*Member, what string) (*Member, error) {
	if len(found) == 1 {
		return found[0], nil
	}
	var names []string
	for _, m := range found {
		names = append(names, m.Name)
	}
	e := fail(Ambiguous, "%s could be %s", what, strings.Join(names, " or "))
	e.File = b.Path
	return nil, e
}

// BootFiles are the members of one boot configuration in the order of the
// delivery.
type BootFiles struct {
	Config []*Member // .ta files
	Images []*Member
}

// Image finds a boot image by its short name, in any case: there must be exactly
// one.
func (f BootFiles) Image(short string) (*Member, error) {
	var found []*Member
	for _, m := range f.Images {
		if strings.EqualFold(m.Short, short) {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 0:
		return nil, fail(Missing, "the boot configuration has no image %q", short)
	case 1:
		return found[0], nil
	}
	return nil, fail(Ambiguous, "the boot configuration has %d images %q", len(found), short)
}

// BootFiles finds the files a configuration lists, protected ones (.sinb, .tab)
// included. The error is Missing and names all that are not there.
func (b *Bundle) BootFiles(c *Configuration) (BootFiles, error) {
	var files BootFiles
	var missing []string
	find := func(list []string) []*Member {
		var out []*Member
		for _, name := range list {
			if m := b.bootFile(name); m != nil {
				out = append(out, m)
			} else {
				missing = append(missing, name)
			}
		}
		return out
	}
	files.Config, files.Images = find(c.Config), find(c.Images)
	if len(missing) > 0 {
		return files, b.notExist("boot configuration %s lists files that are not in boot/: %s", c.Name, strings.Join(missing, ", "))
	}
	return files, nil
}

// bootFile finds a file of boot/. The plain name goes before the protected one,
// the right case before another.
func (b *Bundle) bootFile(name string) *Member {
	base := path.Base(name)
	for _, same := range []func(m *Member) bool{
		func(m *Member) bool { return path.Base(m.Name) == base },
		func(m *Member) bool { return m.Base == base },
		func(m *Member) bool { return strings.EqualFold(m.Base, unprotect(base)) },
	} {
		if i := slices.IndexFunc(b.Members, func(m *Member) bool { return m.Boot && same(m) }); i >= 0 {
			return b.Members[i]
		}
	}
	return nil
}

// String names the bundle for people: model and version where known.
func (b *Bundle) String() string {
	if b.Manifest.Device == "" && b.Manifest.Version == "" {
		return b.Path
	}
	return fmt.Sprintf("%s (%s %s)", b.Path, b.Manifest.Device, b.Manifest.Version)
}
