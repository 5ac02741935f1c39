package sin

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"xflash/fastboot/sparse"
)

// Archive is a SIN of version 4 (a gzip of a tar archive) or 5 (a plain one), for phones
// of 2017 and later (FORMAT.md §6). Offsets count in the tar archive; only where a
// version 4 was cut or its gzip stream is wrong do errors give an offset in the file.
type Archive struct {
	Name   string // of the partition
	CMS    *CMS   // nil when it could not be read
	Bytes  int    // of the signature, read or not
	Chunks []ArchiveChunk
	End    int64 // one past the last byte of the partition that they write
	Signed Signed

	cmsSHA256 [32]byte
}

// ArchiveChunk is one piece of the partition: raw bytes, or a sparse image of the whole
// partition that carries a part of it.
type ArchiveChunk struct {
	Name   string
	Offset int64
	Size   int64 // bytes in the archive
	Sparse bool
	SHA256 []byte // set by Check

	listed bool // its digest is in the signature
}

// archiveCheck is one pass over an archive.
type archiveCheck struct {
	ctx  context.Context
	opt  CheckOptions
	to   *sink
	rep  *Report
	a    *Archive
	ar   *ArchiveReader
	out  *archiveOutput
	size int64 // of the partition, -1 before the first chunk
}

// checkArchive is run for versions 4 and 5. The file's size does not matter: the archive
// has its own end.
func checkArchive(ctx context.Context, version int, r *bufio.Reader, opt CheckOptions, to *sink) (*Report, error) {
	c := &archiveCheck{ctx: ctx, opt: opt, to: to, a: &Archive{}, size: -1}
	c.rep = &Report{Header: &Header{Version: version}, Archive: c.a}
	c.rep.Unsendable = c.rep.Header.Unsendable()
	c.rep.Header.sigErr = fail(SignatureDamaged, -1, "it is unknown how version %d is signed, so it cannot be verified", version)
	counted := &countedReader{ctx: ctx, r: r, progress: opt.Progress}
	if version == 5 {
		return c.rep, inFile(c.read(version, counted), opt.Name)
	}
	file := bufio.NewReader(counted)
	z, err := gzip.NewReader(file)
	if err == nil {
		z.Multistream(false)
		err = c.read(version, z)
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
func (c *archiveCheck) read(version int, r io.Reader) (err error) {
	c.ar, err = openTar(version, r)
	defer func() { c.rep.Notes = append(c.rep.Notes, c.ar.notes...) }()
	if err != nil {
		return err
	}
	// A container that cannot be understood is worth a note only: nobody has described it.
	c.a.Name, c.a.Bytes, c.a.cmsSHA256 = c.ar.Name, len(c.ar.CMS), sha256.Sum256(c.ar.CMS)
	if c.a.CMS, err = parseCMS(c.ar.CMS); err != nil {
		c.rep.Notes = append(c.rep.Notes, Note{Offset: c.ar.cmsAt, Text: "the CMS container cannot be read"})
	}
	for {
		chunk, err := c.ar.next()
		if err == io.EOF {
			c.part()
			return c.a.digests()
		}
		if err != nil {
			return err
		}
		if err := c.chunk(chunk); err != nil {
			return err
		}
	}
}

// chunk reads one piece of the partition and writes it.
func (c *archiveCheck) chunk(chunk ArchiveChunk) error {
	sum := newChunkHash(c.a.CMS)
	in := bufio.NewReaderSize(io.TeeReader(c.ar.tar, sum), 64<<10)
	mark, err := in.Peek(4)
	if err != nil && err != io.EOF {
		return err
	}
	chunk.Sparse = sparse.Is(mark)
	if err := c.content(chunk, in); err != nil {
		c.a.Chunks = append(c.a.Chunks, chunk)
		return err
	}
	if _, err := io.Copy(io.Discard, in); err != nil { // what a sparse image does not need is signed too
		return err
	}
	chunk.SHA256, chunk.listed = sum.all[0].Sum(nil), sum.in(c.ar.CMS)
	c.a.Chunks = append(c.a.Chunks, chunk)
	return nil
}

// content writes what a chunk makes of the partition.
func (c *archiveCheck) content(e ArchiveChunk, in *bufio.Reader) error {
	if !e.Sparse {
		if len(c.a.Chunks) > 0 {
			return c.rawAgain(e)
		}
		if err := c.begin(e, e.Size); err != nil {
			return err
		}
		return c.copyRaw(in)
	}
	z, err := sparse.NewReader(in)
	if err == nil {
		if !z.Header().Plain() {
			return fail(BadData, e.Offset, "%q has sparse headers of a size other than 28 and 12 bytes", e.Name)
		}
		if c.size >= 0 && c.size != z.Header().Size() || len(c.a.Chunks) > 0 && !c.a.Chunks[0].Sparse {
			return fail(BadArchive, e.Offset, "%q is for a partition of %d bytes, but the chunk before it is for %d", e.Name, z.Header().Size(), c.size)
		}
		if err = c.begin(e, z.Header().Size()); err == nil {
			err = z.Apply(c.out)
		}
	}
	var se *sparse.Error
	if errors.As(err, &se) {
		return &Error{Reason: BadData, Offset: e.Offset + se.Offset, Block: -1, Detail: e.Name, Err: err}
	}
	return err
}

// begin opens the output before the first chunk.
func (c *archiveCheck) begin(e ArchiveChunk, size int64) error {
	if c.size >= 0 {
		return nil
	}
	if limit := c.opt.maxOutput(); size > limit {
		return fail(BadData, e.Offset, "%q unpacks to %d bytes; the limit is %d", e.Name, size, limit)
	}
	out, err := c.to.output(Target{Name: c.a.Name, End: size})
	if err != nil {
		return err
	}
	c.size, c.out = size, &archiveOutput{WriterAt: out, head: make([]byte, min(HeadSize, size))}
	if out == nil {
		return nil
	}
	// Chunks leave gaps for each other, so the whole is filled first.
	gap := c.to.gap
	for i := range c.out.head {
		c.out.head[i] = gap
	}
	return repeat(c.ctx, out, extent{0, size}, [4]byte{gap, gap, gap, gap})
}

// archiveOutput is an output that keeps the first bytes and where the last one is; with no
// output it only does that.
type archiveOutput struct {
	io.WriterAt
	head []byte
	end  int64
}

// WriteAt keeps and passes on.
func (o *archiveOutput) WriteAt(data []byte, at int64) (int, error) {
	if at < int64(len(o.head)) {
		copy(o.head[at:], data)
	}
	o.end = max(o.end, at+int64(len(data)))
	if o.WriterAt == nil {
		return len(data), nil
	}
	return o.WriterAt.WriteAt(data, at)
}

// rawAgain reads a raw chunk after another one. The phone knows what it makes of both, and
// nobody else does.
func (c *archiveCheck) rawAgain(e ArchiveChunk) error {
	if c.to != nil {
		return fail(BadArchive, e.Offset, "%q is raw, but not the only chunk: its place is unknown", e.Name)
	}
	if len(c.a.Chunks) == 1 {
		c.rep.Notes = append(c.rep.Notes, Note{Offset: e.Offset, Text: "it has several raw chunks, and only the phone knows the place of the later ones"})
	}
	return nil
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

// part describes the partition that the archive makes.
func (c *archiveCheck) part() {
	head := c.out.head
	c.a.End = c.out.end
	c.rep.Parts = []Part{{Target: Target{Name: c.a.Name, End: c.size}, Kind: Recognize(head), Size: c.size, Head: head}}
}
