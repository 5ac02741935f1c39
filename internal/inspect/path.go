package inspect

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/sin"
)

// Limits of what is looked at: files of a folder or an archive, bytes of the directory
// of an archive, and bytes that its members unpack to.
const (
	maxFiles     = 4096
	maxDirectory = 1 << 20
	maxZip       = 256 << 20
)

// Path inspects a file or a folder. Errors are those of the file system and of ctx.
func Path(ctx context.Context, name string, opt Options) (*Report, error) {
	in := &inspector{Options: opt}
	if in.Roots == nil {
		in.Roots = &sin.RootSet{}
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return in.folder(ctx, name)
	}
	f, err := regular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return in.onDisk(ctx, name, name, f, info.Size())
}

// regular opens a file that is neither a folder nor a device.
func regular(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("it is no regular file")}
	}
	return os.Open(name)
}

// onDisk inspects an open file: a bundle by its path, all else by what is in it.
func (in *inspector) onDisk(ctx context.Context, name, path string, f *os.File, size int64) (*Report, error) {
	s := fileSource(name, f, size)
	head, err := s.head()
	if err != nil {
		return nil, err
	}
	if isZip(head) {
		b, err := ftf.Open(path)
		if err == nil {
			defer b.Close()
			rep := &Report{Name: name, Size: size}
			if err := in.bundle(ctx, rep, b); err != nil {
				return nil, err
			}
			return rep, rep.archiveTail(f)
		}
		var bad *ftf.Error
		if !errors.As(err, &bad) {
			return nil, err
		}
		if bad.Reason != ftf.NotBundle {
			rep := &Report{Name: name, Kind: KindBundle, Title: "broken firmware bundle or zip archive", Size: size}
			rep.wrong(bad.Reason.Error(), bad.Offset, bad.Error())
			return rep, nil
		}
	}
	return in.file(ctx, s)
}

// archiveTail finds bytes behind the end of a zip archive.
func (r *Report) archiveTail(at io.ReaderAt) error {
	end, _, err := archiveEnd(at, r.Size)
	if err == nil && end >= 0 && end < r.Size {
		r.wrong("trailing data", end, fmt.Sprintf("%d bytes follow the end of the archive", r.Size-end))
	}
	return err
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
			known[m.Name] = true
			rep.Size += m.Size
		}
	case !errors.As(err, &bad):
		return nil, err
	case bad.Reason != ftf.NotBundle:
		rep.wrong(bad.Reason.Error(), bad.Offset, bad.Error())
	}
	files, err := loose(root, known)
	if err != nil {
		return nil, err
	}
	if len(files) == maxFiles {
		rep.Notes = append(rep.Notes, fmt.Sprintf("only the first %d files were looked at", maxFiles))
	}
	in.learn(ctx, root, files)
	for _, file := range files {
		child, err := in.looseFile(ctx, root, name, file)
		if err != nil {
			return nil, err
		}
		if child == nil {
			rep.Notes = append(rep.Notes, file.name+" cannot be read")
			continue
		}
		rep.Size += child.Size
		rep.Contents = append(rep.Contents, child)
	}
	total := len(rep.Contents)
	if total == 0 {
		rep.unproven("there is no file in it")
	}
	if rep.Kind == KindFolder && total > 0 {
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
		r.Whole = &Integrity{State: StateUnproven, Text: fmt.Sprintf("nothing is wrong with any of its %s, but of %d of them nothing proves that", count(len(r.Contents), "file"), n)}
	}
}

// looseEntry is a file of a folder that is in no bundle.
type looseEntry struct {
	name string
	size int64
}

// loose lists the regular files below a folder that are not known yet, by name.
func loose(root *os.Root, known map[string]bool) ([]looseEntry, error) {
	var files []looseEntry
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if name == "." {
				return err
			}
			return nil // a folder that may not be read
		}
		if !d.Type().IsRegular() || known[name] {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		if files = append(files, looseEntry{name, info.Size()}); len(files) == maxFiles {
			return fs.SkipAll
		}
		return nil
	})
	slices.SortFunc(files, func(a, b looseEntry) int { return cmp.Compare(a.name, b.name) })
	return files, err
}

// looseFile inspects a file of a folder; nil when it cannot be opened.
func (in *inspector) looseFile(ctx context.Context, root *os.Root, dir string, file looseEntry) (*Report, error) {
	f, err := root.Open(file.name)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	return in.onDisk(ctx, file.name, path.Join(dir, file.name), f, file.size)
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
	f, err := regular(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return learn(ctx, f, info.Size(), roots)
}

// ErrNoLoader is the error of Learn for a file without roots.
var ErrNoLoader = errors.New("it is no loader that carries a known root")

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

func isZip(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

// zip inspects an archive that is no firmware bundle, such as a backup of a trim area.
func (in *inspector) zip(ctx context.Context, rep *Report, s source) error {
	rep.Kind, rep.Title = KindZip, "zip archive without firmware images"
	end, directory, err := archiveEnd(s.at, s.size)
	if err != nil {
		return err
	}
	if in.depth > 1 || end < directory || end-directory > maxDirectory {
		rep.unproven("not looked into: unpack it first")
		return nil
	}
	z, err := zip.NewReader(s.at, s.size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		rep.wrong("malformed", -1, err.Error())
		return nil
	}
	if len(z.File) > maxFiles {
		rep.wrong("too large", -1, fmt.Sprintf("it has %d members", len(z.File)))
		return nil
	}
	l := Layout{Of: "contents"}
	left := int64(maxZip)
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		child := &Report{Name: f.Name, Kind: KindUnknown, Title: "member", Size: int64(min(f.UncompressedSize64, 1<<62))}
		l.Regions = append(l.Regions, Region{RegionMember, f.Name, l.Size, child.Size})
		l.Size += child.Size
		rep.Contents = append(rep.Contents, child)
		if left -= child.Size; child.Size > maxMember || left < 0 {
			child.unproven("too large to look into it inside an archive; unpack it first")
			continue
		}
		data, err := zipMember(f)
		if err != nil {
			child.wrong("corrupt contents", -1, err.Error())
			continue
		}
		found, err := in.file(ctx, bytesSource(f.Name, data))
		if err != nil {
			return err
		}
		*child = *found
	}
	l.arrange()
	rep.Layouts = []Layout{l}
	rep.together(len(rep.Contents))
	return rep.archiveTail(s.at)
}

// zipMember unpacks a small member; its declared size is the limit.
func zipMember(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxMember+1))
	if len(data) > maxMember {
		err = errors.New("it unpacks to more than it says")
	}
	return data, errors.Join(err, r.Close())
}

// Name says what kind of file a file is, without looking at what is in its parts. Errors are
// those of the file system and of ctx.
func Name(ctx context.Context, name string) (kind Kind, title string, err error) {
	f, err := regular(name)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", "", err
	}
	s := fileSource(name, f, info.Size())
	head, err := s.head()
	if err != nil {
		return "", "", err
	}
	switch {
	case isZip(head):
		if b, err := ftf.Open(name); err == nil {
			return KindBundle, "firmware bundle", b.Close()
		}
		return KindZip, "zip archive", nil
	case sin.Detect(head) != 0:
		return KindSIN, "SIN image", nil
	}
	in := &inspector{Options: Options{Roots: &sin.RootSet{}}, depth: maxDepth - 1}
	rep, err := in.file(ctx, s)
	if err != nil {
		return "", "", err
	}
	return rep.Kind, rep.Title, nil
}
