// Package extract takes the files of a rescue apart: SIN images, firmware bundles, Android
// sparse images and whole-disk dumps become raw or sparse partition images.
//
// The formats are those of packages sin, ftf, fastboot/sparse and sin/gpt; here is
// what connects them with files on the computer. Everything streams and is verified on
// the way. A file appears under its name only when it is whole and on the disk.
//
// Facts: sin/FORMAT.md §4.2 (what becomes of gaps), ftf/FORMAT.md §3 (names in bundles);
// internal/phone/PHONES.md §3.6, §8.3 (partitions that belong to one phone).
package extract

import (
	"context"
	"io"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/inspect"
	"xflash/sin"
)

// Options steer Unpack. Dir is needed, the rest may be zero.
type Options struct {
	Dir        string   // the folder for the outputs; it is made when it is not there
	Members    []string // of a bundle, by short or whole name; "boot" is the boot set. Empty: all
	Partitions []string // of a whole-disk dump, by label
	Sparse     bool     // write Android sparse images instead of raw ones
	Gap        byte     // fill byte where a SIN image writes nothing; 0 makes holes
	Force      bool     // replace files that are there
	// Progress is called while a file is read: its name, bytes so far, bytes of all files.
	Progress func(name string, done, total int64)
	// Note is called with what a person should know about the whole.
	Note func(text string)
	// Done is called for each output when it is complete.
	Done func(File)
}

// File is an output.
type File struct {
	Name      string   `json:"file"` // in the folder, with slashes
	From      string   `json:"from"` // the member or partition it was
	Bytes     int64    `json:"bytes"`
	Content   sin.Kind `json:"content,omitempty"`   // empty for a copied text
	Partition string   `json:"partition,omitempty"` // that the image is for, as the file names it
	Trust     string   `json:"trust,omitempty"`     // of a SIN: what is proven about its signer
	Notes     []string `json:"notes,omitempty"`
	Warning   string   `json:"warning,omitempty"` // of a partition that belongs to one phone
}

// unpacker is one run of Unpack.
type unpacker struct {
	Options
	path  string
	out   *folder
	roots *sin.RootSet
	names names
	done  int64 // bytes of the inputs that are finished
	total int64
}

// Unpack takes a file apart: a SIN image, a firmware bundle or a folder of one, an
// Android sparse image, or a whole-disk dump. Everything is verified before an output
// gets its name.
//
// Damaged members of a bundle are left out and the rest continues; the error is then a
// *firmware.DamagedError. Other errors end the run: *FormatError, *OptionError, *firmware.ChoiceError,
// *ExistsError, those of the formats' packages, and those of the computer.
func Unpack(ctx context.Context, path string, opt Options) error {
	u := &unpacker{Options: opt, path: path, roots: &sin.RootSet{}, names: names{}}
	take, err := u.source(ctx)
	if err != nil {
		return err
	}
	if u.out, err = openFolder(opt.Dir, opt.Force); err != nil {
		return err
	}
	defer u.out.close()
	return stopped(ctx, take(ctx))
}

// source finds out what the file is, and how it is taken apart. It refuses choices that mean
// nothing for such a file.
func (u *unpacker) source(ctx context.Context) (take func(context.Context) error, err error) {
	kind, title, err := inspect.Identify(ctx, u.path)
	if err != nil {
		return nil, err
	}
	switch kind {
	case inspect.KindBundle, inspect.KindFolder, inspect.KindZip: // opening one that is not a bundle says so
		take = u.bundle
	case inspect.KindSIN:
		take = u.image
	case inspect.KindSparse:
		take = u.sparseImage
	case inspect.KindDisk:
		take = u.dump
	default:
		return nil, &FormatError{u.path, title}
	}
	switch {
	case len(u.Members) > 0 && kind != inspect.KindBundle && kind != inspect.KindFolder:
		return nil, &OptionError{u.path, title, "a member"}
	case len(u.Partitions) > 0 && kind != inspect.KindDisk:
		return nil, &OptionError{u.path, title, "a partition"}
	case u.Gap != 0 && kind != inspect.KindBundle && kind != inspect.KindFolder && kind != inspect.KindSIN:
		return nil, &OptionError{u.path, title, "the fill byte for gaps"}
	}
	return take, nil
}

// image unpacks a SIN that is a separate file.
func (u *unpacker) image(ctx context.Context) error {
	f, size, err := fileio.Open(u.path)
	if err != nil {
		return err
	}
	defer f.Close()
	u.total = size
	if err := u.out.room(size); err != nil {
		return err
	}
	stem := safeName(ftf.ShortName(u.path))
	_, err = u.sin(ctx, f, size, u.names.take("", stem), sin.CheckOptions{Name: u.path, Roots: u.roots, Progress: func(n int64) { u.progress(u.path, n) }})
	return err
}

// sin unpacks one SIN from a stream. stem is the name of the output without its ending.
func (u *unpacker) sin(ctx context.Context, r io.Reader, size int64, stem string, opt sin.CheckOptions) (*sin.Report, error) {
	if err := u.out.free(stem + u.ending()); err != nil {
		return nil, err
	}
	var outs []*fileio.Pending
	defer func() {
		for _, p := range outs {
			p.Discard()
		}
	}()
	report, err := sin.Unpack(ctx, r, size, nil, sin.UnpackOptions{
		CheckOptions: opt, Gap: u.Gap,
		Open: func(sin.Target) (io.WriterAt, error) {
			p, err := u.out.create(false)
			if err != nil {
				return nil, err
			}
			outs = append(outs, p)
			if u.Gap != 0 {
				return p, nil // where the gap was written, zeros must be too
			}
			return &fileio.HoleWriter{Context: ctx, W: p}, nil
		},
	})
	if err != nil {
		return report, err
	}
	var notes []string
	if report.Header.Version <= 3 && report.Unsendable != "" {
		notes = append(notes, report.Unsendable)
	}
	for _, n := range report.Notes {
		notes = append(notes, n.Text)
	}
	u.done += size
	for i, part := range report.Parts {
		file := File{Name: stem, From: opt.Name, Content: part.Kind, Trust: report.Trust.State.String(), Notes: notes}
		if part.Target != (sin.Target{}) {
			file.Partition = part.Target.String()
		}
		if len(report.Parts) > 1 {
			file.Name = u.names.take("", stem+"-"+safeName(part.Target.String()))
		}
		asSparse := u.Sparse && report.Loader == nil && report.Layout == nil
		if err := u.deliver(ctx, outs[i], part.Size, file, asSparse); err != nil {
			return report, err
		}
	}
	return report, nil
}

// ending is that of image files.
func (u *unpacker) ending() string {
	if u.Sparse {
		return ".simg"
	}
	return ".img"
}

// deliver gives a finished raw output its size and its name, or makes a sparse image of
// it first. file.Name comes without an ending.
func (u *unpacker) deliver(ctx context.Context, p *fileio.Pending, size int64, file File, asSparse bool) error {
	if asSparse {
		if err := p.Truncate(size); err != nil {
			return err
		}
		return u.makeSparse(ctx, p, size, file, nil)
	}
	file.Name, file.Bytes = file.Name+".img", size
	return u.finish(p, size, file)
}

// finish names an output and reports it.
func (u *unpacker) finish(p *fileio.Pending, size int64, file File) error {
	if err := u.out.commit(p, file.Name, size); err != nil {
		return err
	}
	if u.Done != nil {
		u.Done(file)
	}
	return nil
}

// progress reports bytes of the current input.
func (u *unpacker) progress(name string, n int64) {
	if u.Progress != nil {
		u.Progress(name, u.done+n, u.total)
	}
}
