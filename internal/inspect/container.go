package inspect

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/fileio"
	"xflash/internal/text"
)

// maxUnpacked bounds what a compressed file may unpack to, in bytes.
const maxUnpacked = 64 << 30

// tar reads a tar archive that is not a SIN: a backup, sources, an Odin package.
func (in *inspector) tar(ctx context.Context, rep *Report, s source) error {
	rep.Kind, rep.Title = KindTar, "tar archive, not Sony firmware"
	if in.kindOnly {
		return nil
	}
	r, err := s.open()
	if err != nil {
		return err
	}
	t := tar.NewReader(&fileio.Reader{Context: ctx, R: r, Progress: in.progress(s)})
	members, firmware := 0, 0
	for err == nil {
		var h *tar.Header
		if h, err = t.Next(); err == nil {
			members++
			if ext := strings.ToLower(path.Ext(h.Name)); ext == ".sin" || ext == ".ftf" || ext == ".img" {
				firmware++
			}
			_, err = io.Copy(io.Discard, t)
		}
	}
	switch closeErr := r.Close(); {
	case err == io.EOF && firmware > 0:
		rep.Title, rep.unread = "tar archive around images; unpack it first", true
		rep.unproven(text.Count(firmware, "image") + " in an archive: unpack it first")
		return closeErr
	case err == io.EOF:
		rep.whole(text.Count(members, "member") + ", each header with the right checksum")
		return closeErr
	case errors.Is(err, io.ErrUnexpectedEOF):
		rep.wrong("truncated", s.size, "the archive ends within a member")
	case errors.Is(err, tar.ErrHeader):
		rep.wrong("malformed", -1, fmt.Sprintf("the header after member %d is wrong", members))
	default:
		return errors.Join(err, closeErr)
	}
	return nil
}

// packedNames are the endings of compressed files.
var packedNames = []string{".gz", ".bz2", ".lzma", ".xz", ".lzo", ".lz4", ".zst"}

// compressed reads a compressed file to its end and looks at what is in it.
func (in *inspector) compressed(ctx context.Context, rep *Report, s source) error {
	head, err := s.head()
	if err != nil {
		return err
	}
	format := unpack.Detect(head)
	rep.Kind, rep.Title = KindCompressed, format.String()+" file"
	if in.kindOnly {
		return nil
	}
	var n int64
	inside := s
	inside.at, inside.size = nil, 0
	inside.name = s.name
	if ext := path.Ext(s.name); slices.Contains(packedNames, strings.ToLower(ext)) {
		inside.name = strings.TrimSuffix(s.name, ext)
	}
	inside.open = func() (io.ReadCloser, error) {
		r, err := s.open()
		if err != nil {
			return nil, err
		}
		z, err := unpack.NewReader(bufio.NewReader(&fileio.Reader{Context: ctx, R: r, Progress: in.progress(s)}), format, maxUnpacked)
		return struct {
			io.Reader
			io.Closer
		}{z, r}, err
	}
	r, err := inside.open()
	if err == nil {
		n, err = io.Copy(io.Discard, r)
		err = errors.Join(err, r.Close())
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		rep.wrong("corrupt contents", -1, "after "+text.Size(n)+" it cannot be unpacked: "+err.Error())
		return nil
	}
	rep.whole("it unpacks to " + text.Size(n) + " without an error")
	if inside.size = n; in.depth >= maxDepth {
		return nil
	}
	child, err := in.stream(ctx, inside)
	if err != nil {
		return err
	}
	if child.named(); child.Kind == KindUnknown && !child.Damaged() {
		return nil
	}
	rep.Title += " around " + text.WithArticle(child.Title)
	rep.Contents = []*Report{child}
	rep.together(1)
	return nil
}

// json names JSON: what servers answer with instead of a file.
func (r *Report) json(data []byte) {
	r.Title = "JSON text, not firmware"
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		r.unproven("of an unknown format, so nothing about it can be checked")
		return
	}
	for _, key := range []string{"error", "errors", "message", "status", "code"} {
		if _, ok := fields[key]; ok {
			r.Kind = KindOtherFile
			r.wrong("not firmware", 0, "it is a server's answer: the download gave an error instead of the file")
			return
		}
	}
	r.unproven("of a kind that xflash cannot check")
}

// romZip says what an archive is for by its members: a system update, or a wrapped bundle.
func (r *Report) romZip(names []string, metadata []byte) {
	var partitions []string
	var bundles []string
	rom := false
	for _, name := range names {
		base := strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
		switch {
		case name == "META-INF/com/google/android/updater-script", name == "META-INF/com/google/android/update-binary",
			name == "META-INF/com/android/metadata", base == "payload.bin":
			rom = true
		case strings.HasSuffix(base, ".new.dat"), strings.HasSuffix(base, ".new.dat.br"), strings.HasSuffix(base, ".img"):
			stem, _, _ := strings.Cut(base, ".")
			partitions = append(partitions, stem)
		case strings.HasSuffix(base, ".ftf"):
			bundles = append(bundles, name)
		}
	}
	if len(bundles) > 0 {
		r.Title = "zip archive around the bundle " + strings.Join(bundles, ", ") + "; unpack it first"
	}
	if !rom {
		if len(partitions) > 0 {
			r.Notes = append(r.Notes, "it holds images for fastboot: "+strings.Join(partitions, ", "))
		}
		return
	}
	r.Title = "system update (ROM zip), installed by a recovery"
	for line := range bytes.Lines(metadata) {
		if device, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "pre-device="); ok {
			r.Title += ", for " + device
		}
	}
	if len(partitions) > 0 {
		r.Notes = append(r.Notes, "it writes "+strings.Join(partitions, ", "))
	}
}
