package inspect

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/trimarea"
)

// zip inspects an archive that is not a firmware bundle: a backup of a trim area, a system
// update, or anything else.
func (in *inspector) zip(ctx context.Context, rep *Report, s source) error {
	b, broken, err := asBundle(ftf.OpenArchive(s.name, s.at, s.size))
	switch {
	case err != nil:
		return err
	case b != nil: // one in another file; others were opened by their path
		return in.bundle(ctx, rep, b)
	case broken != nil:
		rep.broken(broken)
		return nil
	case in.depth > 1:
		return in.nested(ctx, rep, s)
	}
	rep.Kind, rep.Title = KindZip, "zip archive without firmware images"
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
	var names []string
	var metadata []byte
	var total int64
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		child, data, err := in.zipMember(ctx, s.at, f, maxZip-total)
		if err != nil {
			return err
		}
		total += child.Size
		if f.Name == "META-INF/com/android/metadata" {
			metadata = data
		}
		names = append(names, f.Name)
		l.Regions = append(l.Regions, Region{RegionMember, f.Name, l.Size, child.Size})
		l.Size += child.Size
		rep.Contents = append(rep.Contents, child)
	}
	l.arrange()
	rep.Layouts = []Layout{l}
	rep.romZip(names, metadata)
	if len(rep.Contents) == 0 {
		rep.unproven("it holds no file")
	}
	rep.together(len(rep.Contents))
	ta, err := trimarea.Read(ctx, s.at, s.size, in.Roots)
	if err == nil && ta.Container != trimarea.PlainDump { // its own MD5 and serial number
		rep.Title = string(ta.Container)
		for _, w := range ta.Wrong {
			rep.wrong(w.Reason, -1, w.Text)
		}
	}
	return ctx.Err()
}

// nested is an archive inside another file that is not examined.
func (in *inspector) nested(_ context.Context, rep *Report, _ source) error {
	rep.Kind, rep.Title, rep.unread = KindZip, "zip archive inside another file", true
	rep.unproven("an archive inside an archive: unpack it first")
	return nil
}

// zipMember inspects a member of the archive in at: small ones in memory, those that are not
// compressed where they are, of other large ones the first bytes. All are read to their end,
// for their checksum, as long as they unpack to at most left bytes.
func (in *inspector) zipMember(ctx context.Context, at io.ReaderAt, f *zip.File, left int64) (*Report, []byte, error) {
	child := &Report{Name: f.Name, Kind: KindUnknown, Title: "member", Size: int64(min(f.UncompressedSize64, 1<<62))}
	if child.Size > left {
		child.unread = true
		child.unproven("too large to check inside an archive; unpack it first")
		return child, nil, nil
	}
	r, err := f.Open()
	if err != nil {
		child.wrong("corrupt contents", -1, err.Error())
		return child, nil, nil
	}
	defer r.Close()
	in2 := &fileio.Reader{Context: ctx, R: r}
	data, err := io.ReadAll(io.LimitReader(in2, maxMember))
	if err == nil {
		_, err = io.Copy(io.Discard, in2)
	}
	switch {
	case ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	case err != nil:
		child.wrong("corrupt contents", -1, err.Error())
		return child, nil, nil
	}
	s := bytesSource(f.Name, data)
	if child.Size > int64(len(data)) {
		s = source{name: f.Name, size: child.Size, open: f.Open}
		if place, err := f.DataOffset(); err == nil && f.Method == zip.Store {
			s = fileSource(f.Name, io.NewSectionReader(at, place, child.Size), child.Size)
		}
	}
	found, err := in.file(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	found.mayBeEmpty()
	if !strings.EqualFold(path.Ext(f.Name), ".xml") { // apps pack theirs in binary form
		found.named()
	}
	found.inArchive()
	return found, data, nil
}
