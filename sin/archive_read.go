package sin

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// maxChunks is what three digits can count.
const maxChunks = 1000

// ArchiveReader walks over a SIN of version 4 or 5 in its order, for sending: the CMS container,
// then chunk after chunk, none of which is held in memory. What it accepts is what Check
// accepts; what the chunks hold is not looked at.
type ArchiveReader struct {
	Version int
	Name    string // of the partition
	CMS     []byte // the signature as it is, DER

	tar    *tarReader
	chunks int
	notes  []Note
	cmsAt  int64
}

// OpenArchive reads an archive up to its signature. The error is an *Error or that of r.
func OpenArchive(r io.Reader) (*ArchiveReader, error) {
	br := bufio.NewReader(r)
	head, _ := br.Peek(DetectSize) // a failure comes back with the next read
	version := Detect(head)
	switch version {
	case 4:
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, gzipFailure(err)
		}
		z.Multistream(false)
		a, err := openTar(version, z)
		return a, gzipFailure(err)
	case 5:
		return openTar(version, br)
	}
	return nil, fail(NotSIN, 0, "it is not a SIN file of version 4 or 5")
}

func openTar(version int, r io.Reader) (*ArchiveReader, error) {
	a := &ArchiveReader{Version: version, tar: newTarReader(r)}
	e, ext, err := a.member()
	switch {
	case err == io.EOF:
		return a, fail(BadArchive, 0, "the .cms container is missing")
	case err != nil:
		return a, err
	case ext != ".cms":
		return a, fail(BadArchive, e.at, "%q comes before the .cms container", e.name)
	case e.size > maxCMS:
		return a, fail(BadArchive, e.at, "a CMS container of %d bytes", e.size)
	}
	a.Name, a.cmsAt = strings.TrimSuffix(e.name, ext), e.at
	a.CMS, err = io.ReadAll(a.tar)
	return a, err
}

// Next goes to the next chunk, whose bytes Read then gives; io.EOF after the last. Whether the
// chunk is sparse is still unknown. The error is an *Error or that of the file.
func (a *ArchiveReader) Next() (ArchiveChunk, error) {
	c, err := a.next()
	return c, gzipFailure(err)
}

// Read returns the bytes of the chunk that Next went to, and io.EOF after its last.
func (a *ArchiveReader) Read(p []byte) (int, error) {
	n, err := a.tar.Read(p)
	return n, gzipFailure(err)
}

func (a *ArchiveReader) next() (ArchiveChunk, error) {
	e, ext, err := a.member()
	switch {
	case err == io.EOF && a.chunks == 0:
		return ArchiveChunk{}, fail(BadArchive, a.tar.pos, "it has no chunk of the partition")
	case err != nil:
		return ArchiveChunk{}, err
	case strings.TrimSuffix(e.name, ext) != a.Name:
		return ArchiveChunk{}, fail(BadArchive, e.at, "%q among the members of %q", e.name, a.Name)
	case a.chunks >= maxChunks || ext != fmt.Sprintf(".%03d", a.chunks):
		return ArchiveChunk{}, fail(BadArchive, e.at, "%q instead of chunk %03d", e.name, a.chunks)
	}
	a.chunks++
	return ArchiveChunk{Name: e.name, Offset: e.at, Size: e.size}, nil
}

// member goes to the next regular file and gives the end of its name.
func (a *ArchiveReader) member() (e tarEntry, ext string, err error) {
	for {
		if e, err = a.tar.next(); err != nil {
			return e, "", err
		}
		if e.kind == '0' {
			break
		}
		a.notes = append(a.notes, Note{Offset: e.at, Text: fmt.Sprintf("%q is not a regular file and was skipped", e.name)})
		if len(a.notes) > maxNotes {
			return e, "", fail(BadArchive, e.at, "too many members that are not regular files")
		}
	}
	ext = path.Ext(e.name)
	if !plainName(e.name) || strings.TrimSuffix(e.name, ext) == "" {
		return e, "", fail(BadArchive, e.at, "the member name %q", e.name)
	}
	return e, ext, nil
}

// plainName reports whether a name is that of a file in the current folder on any system.
func plainName(s string) bool {
	return s != "" && s != "." && s != ".." && printable(s) && !strings.ContainsAny(s, `/\:`)
}

// isGzipError reports whether err says that the compressed bytes are wrong.
func isGzipError(err error) bool {
	return errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || strings.HasPrefix(err.Error(), "flate: corrupt")
}

// gzipFailure makes an *Error of what is wrong with compressed bytes.
func gzipFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case isGzipError(err):
		return &Error{Reason: BadArchive, Offset: -1, Block: -1, Err: err}
	case err == io.ErrUnexpectedEOF:
		return fail(Truncated, -1, "the gzip stream ends early")
	}
	return err
}
