// Package inspect tells what a file is: its format, whether it is whole, what is proven
// about who made it, for which phones it is, what is inside and where.
//
// Files are recognised by their content, never by their names. The formats themselves
// are those of packages sin, sin/gpt, ftf, fastboot/... and internal/trimarea; here
// is what puts their answers into one report. Nothing is printed, and no more of a file
// is read than its answer needs: of a whole-disk dump the tables and the first bytes of
// each partition, of a signed image every byte once.
//
// Facts: sin/FORMAT.md §1 (versions), §5.5 (what can be verified), §7 (contents), §9
// (limits); fastboot/bootimg/FORMAT.md §1, §7; internal/phone/PHONES.md §3 (partitions).
package inspect

import (
	"bytes"
	"context"
	"errors"
	"io"

	"xflash/fastboot/bootimg/unpack"
	"xflash/fastboot/sparse"
	"xflash/ftf"
	"xflash/sin"
)

// Options steer an inspection. The zero value is good.
type Options struct {
	// Roots helps to prove who signed an image. Known roots of loaders that are met are
	// added to it, so that they help with what comes after them.
	Roots *sin.RootSet
	// Hashes asks for the hashes of those files that are read whole anyway.
	Hashes bool
	// ShowIDs shows serial numbers and the like instead of masking them.
	ShowIDs bool
	// Progress is called while a large file is read: its name, bytes so far, its size.
	Progress func(name string, done, total int64)
}

// Limits of what is taken into memory to examine it, in bytes.
const (
	maxBoot   = 256 << 20 // boot images; those of 2024 have 96 MiB
	maxMember = 8 << 20   // members of archives, which cannot be read at any place
	maxText   = 4 << 20
	headSize  = sin.HeadSize
)

// maxDepth bounds files within files: a disk, a partition, an image, its parts.
const maxDepth = 4

// File inspects size bytes of r. Errors are those of r and ctx; whatever is wrong with
// the file itself is in the report.
func File(ctx context.Context, name string, r io.ReaderAt, size int64, opt Options) (*Report, error) {
	rep, err := newInspector(opt).file(ctx, fileSource(name, r, size))
	if err != nil {
		return nil, err
	}
	return rep.settle(), nil
}

// inspector is one inspection.
type inspector struct {
	Options
	depth    int
	kindOnly bool // archives and images are not read
}

func newInspector(opt Options) *inspector {
	if opt.Roots == nil {
		opt.Roots = &sin.RootSet{}
	}
	return &inspector{Options: opt}
}

// source is a file as far as it can be read: at any place, or only from its start.
type source struct {
	name string
	size int64
	at   io.ReaderAt // nil when it can only be read from its start
	open func() (io.ReadCloser, error)
}

func fileSource(name string, r io.ReaderAt, size int64) source {
	return source{name: name, size: size, at: r, open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(r, 0, size)), nil
	}}
}

func bytesSource(name string, data []byte) source {
	return fileSource(name, bytes.NewReader(data), int64(len(data)))
}

// head is the first bytes of the file.
func (s source) head() ([]byte, error) {
	b := make([]byte, min(headSize, s.size))
	r, err := s.open()
	if err != nil {
		return nil, err
	}
	n, err := io.ReadFull(r, b)
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		err = nil // the file became shorter; whoever reads it finds out
	}
	return b[:n], errors.Join(err, r.Close())
}

// all is the whole file, which the caller knows to be small.
func (s source) all() ([]byte, error) {
	r, err := s.open()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, s.size))
	return b, errors.Join(err, r.Close())
}

// file inspects one file, or a partition of a disk.
func (in *inspector) file(ctx context.Context, s source) (*Report, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in.depth++
	defer func() { in.depth-- }()
	rep := &Report{Name: s.name, Kind: KindUnknown, Size: s.size}
	head, err := s.head()
	if err != nil {
		return nil, err
	}
	if in.kindOnly {
		switch {
		case ftf.IsZip(head):
			rep.Kind, rep.Title = KindZip, "zip archive"
			return rep, nil
		case sin.Detect(head) != 0:
			rep.Kind, rep.Title = KindSIN, "SIN image"
			return rep, nil
		case sparse.Is(head):
			rep.Kind, rep.Title = KindSparse, "Android sparse image"
			return rep, nil
		}
	}
	look := in.recognize(head, s)
	if look == nil && s.at != nil && s.size > 0 { // perhaps an archive after other bytes
		if _, broken, err := asBundle(ftf.OpenArchive(s.name, s.at, s.size)); err != nil || broken != nil && broken.Reason == ftf.Surplus {
			return rep.broken(broken), err
		}
	}
	if look == nil || in.depth > maxDepth {
		rep.Title = "unknown"
		rep.unproven("of an unknown format, so nothing about it can be checked")
		return rep, nil
	}
	return rep, look(ctx, rep, s)
}

// looker fills in the report of one kind of file.
type looker func(context.Context, *Report, source) error

// recognize finds the kind by the first bytes. Formats with a magic come first, those
// that are told by several weak marks last.
func (in *inspector) recognize(head []byte, s source) looker {
	switch {
	case len(head) == 0:
		return ofHead((*Report).empty)
	case sparse.Is(head):
		return in.sparse
	case ftf.IsZip(head) && s.at == nil:
		return in.nested
	case ftf.IsZip(head):
		return in.zip
	case isDisk(head) && s.at != nil:
		return in.disk
	case sin.Detect(head) != 0:
		return in.sin
	case sin.IsTar(head):
		return in.tar
	case unpack.Detect(head) != unpack.None:
		return in.compressed
	case isTrimArea(head) || s.at != nil && hasTrimBlock(s):
		return in.trimArea
	}
	if look := in.recognizeBoot(head); look != nil {
		return look
	}
	if look := recognizeFileSystem(head); look != nil {
		return look
	}
	if look := in.recognizeText(head, s); look != nil {
		return look
	}
	if isBrokenSIN(head, s.size) {
		return in.sin
	}
	return recognizeOther(head)
}
