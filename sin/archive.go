package sin

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"xflash/fastboot/sparse"
)

// Archive is a SIN of version 4 (a gzip of a tar archive) or 5 (a plain one), for phones
// of 2017 and later (FORMAT.md §6). Offsets count in the tar archive; only where a
// version 4 was cut or its gzip stream is wrong do errors give an offset in the file.
type Archive struct {
	Name   string // of the partition
	CMS    *CMS   // nil when it could not be read
	Chunks []ArchiveChunk
}

// ArchiveChunk is one piece of the partition: raw bytes, or a sparse image of the whole
// partition that carries a part of it.
type ArchiveChunk struct {
	Name   string
	Offset int64
	Size   int64 // bytes in the archive
	Sparse bool
}

// maxChunks is what three digits can count.
const maxChunks = 1000

// archiveCheck is one pass over an archive.
type archiveCheck struct {
	ctx  context.Context
	opt  CheckOptions
	to   *sink
	rep  *Report
	a    *Archive
	tar  *tarReader
	out  *archiveOutput
	size int64 // of the partition, -1 before the first chunk
}

// checkArchive is run for versions 4 and 5. The file's size does not matter: the archive
// has its own end.
func checkArchive(ctx context.Context, version int, r *bufio.Reader, opt CheckOptions, to *sink) (*Report, error) {
	c := &archiveCheck{ctx: ctx, opt: opt, to: to, a: &Archive{}, size: -1}
	c.rep = &Report{Header: &Header{Version: version}, Archive: c.a}
	c.rep.Unsendable = c.rep.Header.Unsendable()
	c.rep.Header.sigErr = fail(SignatureDamaged, -1, "how version %d is signed is not known, so it cannot be verified", version)
	counted := &countedReader{ctx: ctx, r: r, progress: opt.Progress}
	if version == 5 {
		c.tar = newTarReader(counted)
		return c.rep, inFile(c.read(), opt.Name)
	}
	file := bufio.NewReader(counted)
	z, err := gzip.NewReader(file)
	if err == nil {
		z.Multistream(false)
		c.tar = newTarReader(z)
		err = c.read()
	}
	at := counted.n - int64(file.Buffered())
	switch {
	case err == nil:
		if err = expectEnd(file, at); err == io.EOF {
			err = nil
		}
	case errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF || errors.Is(err, Because(Truncated)):
		err = fail(Truncated, at, "the gzip stream ends early")
	case isGzipError(err):
		err = &Error{Reason: BadArchive, Offset: at, Block: -1, Err: err}
	}
	return c.rep, inFile(err, opt.Name)
}

// isGzipError reports whether err says that the compressed bytes are wrong.
func isGzipError(err error) bool {
	return errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || strings.HasPrefix(err.Error(), "flate: corrupt")
}

// countedReader counts what passes and stops when ctx ends.
type countedReader struct {
	ctx      context.Context
	r        io.Reader
	n        int64
	progress func(int64)
}

func (c *countedReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	if c.n += int64(n); n > 0 && c.progress != nil {
		c.progress(c.n)
	}
	return n, err
}

// read goes through all members: the CMS container first and once, then the chunks.
func (c *archiveCheck) read() error {
	for seen := false; ; {
		e, err := c.tar.next()
		if err == io.EOF {
			return c.finish(seen)
		}
		if err != nil {
			return err
		}
		if e.kind != '0' {
			c.rep.Notes = append(c.rep.Notes, Note{Offset: e.at, Text: fmt.Sprintf("%q is no regular file and was skipped", e.name)})
			if len(c.rep.Notes) > maxNotes {
				return fail(BadArchive, e.at, "too many members that are no regular files")
			}
			continue
		}
		ext := path.Ext(e.name)
		stem := strings.TrimSuffix(e.name, ext)
		if !plainName(e.name) || stem == "" {
			return fail(BadArchive, e.at, "the member name %q", e.name)
		}
		switch {
		case !seen && ext == ".cms":
			c.a.Name, seen = stem, true
			err = c.cms(e)
		case !seen:
			err = fail(BadArchive, e.at, "%q comes before the .cms container", e.name)
		case stem != c.a.Name:
			err = fail(BadArchive, e.at, "%q among the members of %q", e.name, c.a.Name)
		case len(c.a.Chunks) < maxChunks && ext == fmt.Sprintf(".%03d", len(c.a.Chunks)):
			err = c.chunk(e)
		default:
			err = fail(BadArchive, e.at, "%q instead of chunk %03d", e.name, len(c.a.Chunks))
		}
		if err != nil {
			return err
		}
	}
}

// plainName reports whether a name is that of a file in the current folder on any system.
func plainName(s string) bool {
	return s != "" && s != "." && s != ".." && printable(s) && !strings.ContainsAny(s, `/\:`)
}

// cms reads the container. One that cannot be understood is worth a note only, because
// nobody has described it.
func (c *archiveCheck) cms(e tarEntry) error {
	if e.size > maxCMS {
		return fail(BadArchive, e.at, "a CMS container of %d bytes", e.size)
	}
	der, err := io.ReadAll(c.tar)
	if err != nil {
		return err
	}
	if c.a.CMS, err = parseCMS(der); err != nil {
		c.rep.Notes = append(c.rep.Notes, Note{Offset: e.at, Text: "the CMS container cannot be read"})
	}
	return nil
}

// chunk reads one piece of the partition and writes it.
func (c *archiveCheck) chunk(e tarEntry) error {
	in := bufio.NewReaderSize(c.tar, 64<<10)
	mark, err := in.Peek(4)
	if err != nil && err != io.EOF {
		return err
	}
	chunk := ArchiveChunk{Name: e.name, Offset: e.at, Size: e.size, Sparse: sparse.Is(mark)}
	c.a.Chunks = append(c.a.Chunks, chunk)
	if !chunk.Sparse {
		if len(c.a.Chunks) > 1 {
			return fail(BadArchive, e.at, "%q is raw, though it is not the only chunk", e.name)
		}
		if err := c.begin(e, e.size); err != nil {
			return err
		}
		return c.copyRaw(in)
	}
	z, err := sparse.NewReader(in)
	if err == nil {
		if !z.Header().Plain() {
			return fail(BadData, e.at, "%q has a sparse header of another size than 28 and 12 bytes", e.name)
		}
		if c.size >= 0 && c.size != z.Header().Size() || len(c.a.Chunks) > 1 && !c.a.Chunks[0].Sparse {
			return fail(BadArchive, e.at, "%q is for a partition of %d bytes, the chunk before it for %d", e.name, z.Header().Size(), c.size)
		}
		if err = c.begin(e, z.Header().Size()); err == nil {
			err = z.Apply(c.out)
		}
	}
	var se *sparse.Error
	if errors.As(err, &se) {
		return &Error{Reason: BadData, Offset: e.at + se.Offset, Block: -1, Detail: e.name, Err: err}
	}
	return err
}

// begin opens the output before the first chunk.
func (c *archiveCheck) begin(e tarEntry, size int64) error {
	if c.size >= 0 {
		return nil
	}
	limit := c.opt.MaxOutput
	if limit == 0 {
		limit = DefaultMaxOutput
	}
	t := Target{Name: c.a.Name, End: size}
	if size > limit {
		return fail(BadData, e.at, "%q makes %d bytes, allowed are %d", e.name, size, limit)
	}
	if c.opt.PartitionSize != nil {
		if have, known := c.opt.PartitionSize(t); known && size > have {
			return fail(BadData, e.at, "%q makes %d bytes, the partition has %d", e.name, size, have)
		}
	}
	out, err := c.to.output(t)
	if err != nil {
		return err
	}
	c.size, c.out = size, &archiveOutput{output: out, head: make([]byte, min(HeadSize, size))}
	if out == nil {
		return nil
	}
	// Chunks leave gaps for each other, so the whole is filled first; with zeros and an
	// output that has holes there is nothing to do. With another byte, zeros must be written.
	gap := c.to.gap
	out.holes = out.holes && gap == 0
	for i := range c.out.head {
		c.out.head[i] = gap
	}
	return out.fill(c.ctx, extent{0, size}, [4]byte{gap, gap, gap, gap})
}

// archiveOutput is an output that keeps the first bytes; with no output it only does that.
type archiveOutput struct {
	*output
	head []byte
}

// WriteAt keeps and passes on.
func (o *archiveOutput) WriteAt(data []byte, at int64) (int, error) {
	if at < int64(len(o.head)) {
		copy(o.head[at:], data)
	}
	if o.output == nil {
		return len(data), nil
	}
	return o.output.WriteAt(data, at)
}

// copyRaw writes the bytes of the only chunk.
func (c *archiveCheck) copyRaw(r io.Reader) error {
	buf := make([]byte, 64<<10)
	for at := int64(0); ; {
		n, err := r.Read(buf)
		if n > 0 {
			if _, err := c.out.WriteAt(buf[:n], at); err != nil {
				return err
			}
			at += int64(n)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// finish is called at the end of the archive.
func (c *archiveCheck) finish(seen bool) error {
	if !seen {
		return fail(BadArchive, 0, "there is no .cms container")
	}
	if len(c.a.Chunks) == 0 {
		return fail(BadArchive, c.tar.pos, "there is no chunk of the partition")
	}
	head := c.out.head
	c.rep.Parts = []Part{{Target: Target{Name: c.a.Name, End: c.size}, Kind: Recognize(head), Size: c.size, Head: head}}
	return nil
}
