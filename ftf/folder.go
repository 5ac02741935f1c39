package ftf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// folderParts are the folders of a bundle that are examined, besides its top.
var folderParts = []string{"boot", "partition", "META-INF"}

// loadFolder lists a folder as if it were an archive. Everything goes through
// os.Root, so that no link leads out of it.
func (b *Bundle) loadFolder() error {
	root, err := os.OpenRoot(b.Path)
	if err != nil {
		return err
	}
	b.closers = append(b.closers, root)
	inside, err := firmwareFolder(root.FS())
	if err != nil {
		return err
	}
	if inside != "." {
		top, err := entriesOf(root.FS(), ".", &b.Beside)
		if err != nil {
			return err
		}
		for _, e := range top {
			if e.IsDir() && e.Name() != inside {
				b.Beside.add(e.Name() + "/")
			}
		}
		b.Inside = inside
		if root, err = root.OpenRoot(inside); err != nil {
			return err
		}
		b.closers = append(b.closers, root)
	}
	l := folderLister{bundle: b, root: root, seen: map[string]string{}}
	if err := l.list("."); err != nil {
		return err
	}
	return l.addZips()
}

// firmwareFolder is "." when a folder has firmware at its top, and the name of the one
// subfolder that has some when the top has none: archives often unpack to a folder within
// a folder.
func firmwareFolder(fsys fs.FS) (string, error) {
	var none Beside
	top, err := entriesOf(fsys, ".", &none)
	if err != nil {
		return "", err
	}
	found := "."
	for _, e := range top {
		switch kind := kindOf(e.Name()); {
		case !e.IsDir() && (kind == KindSIN || kind == KindTA):
			return ".", nil
		case !e.IsDir() || isPart(e.Name()):
			continue
		}
		below, err := entriesOf(fsys, e.Name(), &none)
		if err != nil {
			continue
		}
		for _, f := range below {
			if kindOf(f.Name()) == KindSIN && !f.IsDir() {
				if found != "." && found != e.Name() {
					return ".", nil // two of them: which one is for the person to say
				}
				found = e.Name()
			}
		}
	}
	return found, nil
}

// entriesOf lists a folder by name. Files that mean nothing to a bundle, of which there can be
// any number, are only counted.
func entriesOf(fsys fs.FS, dir string, beside *Beside) ([]fs.DirEntry, error) {
	f, err := fsys.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: dir, Err: errors.ErrUnsupported}
	}
	var list []fs.DirEntry
	for {
		batch, err := d.ReadDir(512)
		for _, e := range batch {
			name := e.Name()
			zip := strings.EqualFold(path.Ext(name), ".zip")
			if !e.Type().IsRegular() || zip || kindOf(path.Join(dir, name)) != KindOther || checkName(name) != nil {
				list = append(list, e)
			} else {
				beside.add(path.Join(dir, name))
			}
		}
		if errors.Is(err, io.EOF) || err == nil && len(batch) == 0 {
			slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
			return list, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// leftOut records a file that cannot be a member.
func (l *folderLister) leftOut(name, why string) {
	l.bundle.LeftOut = append(l.bundle.LeftOut, Note{name, why})
	l.bundle.note(strings.ToValidUTF8(name, "\uFFFD"), "left out: %s", why)
}

// Beside is what a folder holds besides its firmware: files of no known kind, and subfolders
// (with a slash after their name). Nothing reads them.
type Beside struct {
	Count int
	Names []string // the first maxBeside
}

const maxBeside = 16

func (b *Beside) add(name string) {
	if b.Count++; len(b.Names) < maxBeside {
		b.Names = append(b.Names, strings.ToValidUTF8(name, "\uFFFD"))
	}
}

type folderLister struct {
	bundle *Bundle
	root   *os.Root
	seen   map[string]string // folded name → name
	zips   []string          // boot.zip and partition.zip
	total  int64
}

func (l *folderLister) list(dir string) error {
	entries, err := entriesOf(l.root.FS(), dir, &l.bundle.Beside)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		info, err := l.root.Stat(name)
		if err != nil {
			l.leftOut(name, "a link that leads out of the folder or nowhere")
			continue
		}
		if info.IsDir() {
			if dir != "." || !isPart(name) {
				l.bundle.Beside.add(name + "/")
			} else if err := l.list(name); err != nil {
				return err
			}
			continue
		}
		if err := l.file(name, info); err != nil {
			return within(err, "", name)
		}
	}
	return nil
}

func isPart(name string) bool {
	for _, part := range folderParts {
		if strings.EqualFold(name, part) {
			return true
		}
	}
	return false
}

func (l *folderLister) file(name string, info fs.FileInfo) error {
	if err := checkName(name); err != nil {
		l.leftOut(name, err.Detail)
		return nil
	}
	if !info.Mode().IsRegular() {
		l.leftOut(name, "not a regular file")
		return nil
	}
	if base := strings.ToLower(name); base == "boot.zip" || base == "partition.zip" {
		l.zips = append(l.zips, name)
		return nil
	}
	if kindOf(name) == KindOther {
		l.bundle.Beside.add(name)
		return nil
	}
	if other, dup := l.seen[foldName(name)]; dup {
		return fail(Duplicate, "%q and %q differ only in case", other, name)
	}
	l.seen[foldName(name)] = name
	if len(l.seen) > maxMembers {
		return fail(TooMany, "more than %d files", maxMembers)
	}
	l.total += info.Size()
	switch {
	case info.Size() > maxMember:
		return tooLarge(info.Size(), maxMember, "it")
	case l.total > maxTotal:
		return tooLarge(l.total, maxTotal, "the folder")
	}
	m := l.bundle.add(name, info.Size())
	m.open = func() (io.ReadCloser, error) {
		f, err := l.root.Open(name)
		if err != nil {
			return nil, err
		}
		return &fileReader{member: m, file: f}, nil
	}
	return nil
}

// addZips adds boot.zip and partition.zip, as Sony's servers deliver them, where
// nobody unpacked them.
func (l *folderLister) addZips() error {
	for _, name := range l.zips {
		prefix := strings.ToLower(strings.TrimSuffix(name, path.Ext(name))) + "/"
		unpacked := false
		for _, m := range l.bundle.Members {
			unpacked = unpacked || strings.HasPrefix(foldName(m.Name), prefix)
		}
		if unpacked {
			l.bundle.note(name, "not used: its content is in %s", prefix)
			continue
		}
		if err := l.addZip(name, prefix); err != nil {
			return within(err, path.Join(l.bundle.Path, name), "")
		}
	}
	return nil
}

func (l *folderLister) addZip(name, prefix string) error {
	f, err := l.root.Open(name)
	if err != nil {
		return err
	}
	l.bundle.closers = append(l.bundle.closers, f)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return l.bundle.addArchive(f, info.Size(), prefix)
}

// fileReader gives a file's bytes as long as it has the size it had when the
// bundle was opened.
type fileReader struct {
	member *Member
	file   *os.File
	done   int64
}

func (r *fileReader) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	r.done += int64(n)
	if r.done > r.member.Size || errors.Is(err, io.EOF) && r.done < r.member.Size {
		e := fail(Corrupt, "it had %d bytes when the bundle was opened, and now has %s", r.member.Size, r.now())
		return 0, within(e, r.member.bundle.Path, r.member.Name)
	}
	return n, err
}

func (r *fileReader) now() string {
	info, err := r.file.Stat()
	if err != nil {
		return "another size"
	}
	return fmt.Sprint(info.Size())
}

func (r *fileReader) Close() error { return r.file.Close() }
