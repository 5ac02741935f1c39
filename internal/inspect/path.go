package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/text"
	"xflash/internal/trimarea"
	"xflash/sin"
)

// Limits of what is looked at: files of a folder or an archive, and bytes that the members
// of an archive unpack to.
const (
	maxFiles = 4096
	maxZip   = 64 << 30
)

// Path inspects a file or a folder. Errors are those of the file system and of ctx.
func Path(ctx context.Context, name string, opt Options) (*Report, error) {
	rep, err := newInspector(opt).path(ctx, name)
	if err != nil {
		return nil, err
	}
	return rep.settle(), nil
}

func (in *inspector) path(ctx context.Context, name string) (*Report, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() && trimarea.IsFolder(name) {
		return in.trimFolder(ctx, name)
	}
	if info.IsDir() {
		return in.folder(ctx, name)
	}
	f, size, err := fileio.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return in.onDisk(ctx, name, name, f, size)
}

// onDisk inspects an open file: a bundle by its path, all else by what is in it.
func (in *inspector) onDisk(ctx context.Context, name, path string, f *os.File, size int64) (*Report, error) {
	s := fileSource(name, f, size)
	head, err := s.head()
	if err != nil {
		return nil, err
	}
	rep := &Report{Name: name, Size: size}
	if ftf.IsZip(head) {
		b, broken, err := asBundle(ftf.Open(path))
		switch {
		case err != nil:
			return nil, err
		case b != nil:
			defer b.Close()
			return rep, in.bundle(ctx, rep, b)
		case broken != nil:
			return rep.broken(broken), nil
		}
	}
	if rep, err = in.file(ctx, s); err != nil {
		return nil, err
	}
	rep.named()
	return rep, nil
}

// asBundle tells an archive that is not firmware from one that is broken.
func asBundle(b *ftf.Bundle, err error) (_ *ftf.Bundle, broken *ftf.Error, _ error) {
	switch {
	case err == nil:
		return b, nil, nil
	case !errors.As(err, &broken):
		return nil, nil, err
	case broken.Reason == ftf.NotBundle:
		broken = nil
	}
	return nil, broken, nil
}

const brokenArchive = "broken firmware bundle or zip archive"

// broken reports an archive that cannot be opened.
func (r *Report) broken(why *ftf.Error) *Report {
	if why == nil {
		return r
	}
	r.Kind, r.Title, r.Whole = KindBundle, brokenArchive, nil
	if why.Reason == ftf.Encrypted || why.Reason == ftf.Unsupported {
		r.Title, r.unread = "firmware bundle or zip archive", true
		r.unproven(why.Error())
		return r
	}
	r.wrong(why.Reason.Error(), why.Offset, why.Error())
	return r
}

// folder inspects a folder: as firmware where it is some, and every other file in it.
func (in *inspector) folder(ctx context.Context, name string) (*Report, error) {
	rep := &Report{Name: name, Kind: KindFolder, Title: "folder"}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	known := map[string]bool{}
	b, err := ftf.Open(name)
	var bad *ftf.Error
	switch {
	case err == nil:
		defer b.Close()
		if err := in.bundle(ctx, rep, b); err != nil {
			return nil, err
		}
		for _, m := range b.Members {
			known[path.Join(b.Inside, m.Name)] = true
			rep.Size += m.Size
		}
		for _, n := range b.LeftOut {
			known[path.Join(b.Inside, n.Member)] = true
		}
		if b.Inside != "" {
			rep.Notes = append(rep.Notes, "the firmware is one folder down, in "+b.Inside)
		}
	case !errors.As(err, &bad):
		return nil, err
	case bad.Reason != ftf.NotBundle:
		rep.wrong(bad.Reason.Error(), bad.Offset, bad.Error())
	}
	others, odd, err := loose(root, known)
	if err != nil {
		return nil, err
	}
	for _, o := range odd {
		rep.leftOut(o.name, o.why)
	}
	if len(others) >= maxFiles {
		rep.unread = true
		rep.Notes = append(rep.Notes, fmt.Sprintf("only %d of the files were checked", maxFiles))
	}
	in.learn(ctx, root, others)
	for _, file := range others {
		child, err := in.looseFile(ctx, root, name, file)
		if err != nil {
			return nil, err
		}
		if child == nil {
			rep.leftOut(file.name, "it cannot be read")
			continue
		}
		rep.Size += child.Size
		rep.Contents = append(rep.Contents, child)
	}
	total := len(rep.Contents)
	if total == 0 {
		rep.unproven("it holds no file")
	}
	if rep.Kind == KindFolder && len(rep.Contents) > 0 {
		rep.together(total)
	} else {
		rep.alsoDamaged(total - len(known))
	}
	rep.unprovenFiles()
	return rep, nil
}

// alsoDamaged adds the faults of the last n contents, which belong to no bundle.
func (r *Report) alsoDamaged(n int) {
	rest := &Report{Contents: r.Contents[len(r.Contents)-n:]}
	rest.together(n)
	if rest.Damaged() {
		if r.Firmware != nil && !r.Damaged() {
			r.Notes = append(r.Notes, "no fault found in the firmware itself; what is damaged is beside it, and no other command reads it")
		}
		for _, f := range rest.Whole.Faults {
			r.fault(f)
		}
		r.Whole.Text = "a file in it is damaged"
	}
}

// unprovenFiles takes back that a folder is whole when that is not proven of every file in
// it: unlike an archive, a folder has no checksums of its own.
func (r *Report) unprovenFiles() {
	n := 0
	for _, c := range r.Contents {
		if c.Whole != nil && c.Whole.State == StateUnproven {
			n++
		}
	}
	if n > 0 && !r.Damaged() {
		r.Whole = &Integrity{State: StateUnproven, Text: fmt.Sprintf("no fault found in any of its %s, but %d of them have nothing to prove it", text.Count(len(r.Contents), "file"), n)}
	}
}

// looseEntry is a file of a folder that is in no bundle.
type looseEntry struct {
	name string
	size int64
	why  string // it cannot be looked at
}

// loose lists the regular files below a folder that are still unknown, by name, and apart
// from them whatever else is there: links that lead out, pipes, folders that may not be read.
func loose(root *os.Root, known map[string]bool) (files, odd []looseEntry, err error) {
	leave := func(name, why string) {
		if len(odd) < maxFiles {
			odd = append(odd, looseEntry{name: name, why: why})
		}
	}
	err = walk(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if name == "." {
				return err
			}
			leave(name, "the folder cannot be read")
			return nil
		}
		if d.IsDir() || known[name] {
			return nil
		}
		info, err := root.Stat(name) // follows links inside the folder
		switch {
		case err != nil:
			leave(name, "a link that leads out of the folder, or nowhere")
			return nil
		case info.IsDir():
			leave(name, "a link to a folder")
			return nil
		case !info.Mode().IsRegular():
			leave(name, "not a regular file")
			return nil
		}
		if files = append(files, looseEntry{name: name, size: info.Size()}); len(files) == maxFiles {
			return fs.SkipAll
		}
		return nil
	})
	if errors.Is(err, fs.SkipAll) {
		err = nil
	}
	slices.SortFunc(files, func(a, b looseEntry) int { return cmp.Compare(a.name, b.name) })
	return files, odd, err
}

// walk is fs.WalkDir in the order of the disk, with few entries in memory: of a folder of 100,000
// files fs.WalkDir needs 40 MiB more.
func walk(fsys fs.FS, dir string, visit fs.WalkDirFunc) error {
	f, err := fsys.Open(dir)
	if err != nil {
		return visit(dir, nil, err)
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return visit(dir, nil, errors.ErrUnsupported)
	}
	for {
		batch, err := d.ReadDir(512)
		for _, e := range batch {
			name := path.Join(dir, e.Name())
			if err := visit(name, e, nil); err != nil {
				return err
			}
			if e.IsDir() {
				if err := walk(fsys, name, visit); err != nil {
					return err
				}
			}
		}
		switch {
		case errors.Is(err, io.EOF) || err == nil && len(batch) == 0:
			return nil
		case err != nil:
			return visit(dir, nil, err)
		}
	}
}

// looseFile inspects a file of a folder; nil when it cannot be opened.
func (in *inspector) looseFile(ctx context.Context, root *os.Root, dir string, file looseEntry) (*Report, error) {
	f, err := root.Open(file.name)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	rep, err := in.onDisk(ctx, file.name, path.Join(dir, file.name), f, file.size)
	if err == nil {
		rep.mayBeEmpty()
	}
	return rep, err
}

// learn takes the known roots out of the loaders among files, whatever their order.
func (in *inspector) learn(ctx context.Context, root *os.Root, files []looseEntry) {
	for _, file := range files {
		if file.size > maxMember {
			continue
		}
		if f, err := root.Open(file.name); err == nil {
			_ = learn(ctx, f, file.size, in.Roots) // what is wrong with it comes out in its own report
			f.Close()
		}
	}
}

// Learn adds to roots the known roots that a file carries, when it is a loader.
func Learn(ctx context.Context, name string, roots *sin.RootSet) error {
	f, size, err := fileio.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return learn(ctx, f, size, roots)
}

// ErrNoLoader is the error of Learn for a file without roots.
var ErrNoLoader = errors.New("it is not a loader that contains a known root")

func learn(ctx context.Context, f io.ReaderAt, size int64, roots *sin.RootSet) error {
	head := make([]byte, sin.DetectSize)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if v := sin.Detect(head[:n]); v == 0 || v > 3 || size > maxMember {
		return ErrNoLoader
	}
	found, err := sin.Check(ctx, io.NewSectionReader(f, 0, size), size, sin.CheckOptions{})
	if err != nil {
		return err
	}
	before := len(roots.All())
	if found.Loader != nil {
		roots.AddLoader(found.Loader)
	}
	if found.Loader == nil || len(found.Loader.Roots) == 0 || before == 0 && len(roots.All()) == 0 {
		return ErrNoLoader
	}
	return nil
}

// Identify says what kind of file a file is, without looking at what is in its parts. Errors
// are those of the file system and of ctx.
func Identify(ctx context.Context, name string) (kind Kind, title string, err error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		if trimarea.IsFolder(name) {
			return KindTrimArea, "folder with a backup of the trim area", nil
		}
		return KindFolder, "folder", nil
	}
	f, size, err := fileio.Open(name)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	in := newInspector(Options{})
	in.depth, in.kindOnly = maxDepth-1, true
	rep, err := in.onDisk(ctx, name, name, f, size)
	if err != nil {
		return "", "", err
	}
	return rep.Kind, rep.Title, nil
}
