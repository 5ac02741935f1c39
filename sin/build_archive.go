package sin

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
)

// ArchiveBuilder makes SIN files of versions 4 and 5.
type ArchiveBuilder struct {
	Name   string // of the partition
	CMS    []byte // as it is
	Chunks []*io.SectionReader
	Gzip   bool // version 4
}

// Build writes the archive.
func (b ArchiveBuilder) Build(w io.Writer) error {
	if !plainName(b.Name) || len(b.Chunks) > maxChunks {
		return fmt.Errorf("an archive %q with %d chunks cannot be built", b.Name, len(b.Chunks))
	}
	if b.Gzip {
		z := gzip.NewWriter(w)
		if err := b.tar(z); err != nil {
			return err
		}
		return z.Close()
	}
	return b.tar(w)
}

// tar writes the members and the two blocks of zeros at the end.
func (b ArchiveBuilder) tar(w io.Writer) error {
	cms := io.NewSectionReader(bytes.NewReader(b.CMS), 0, int64(len(b.CMS)))
	for i, chunk := range append([]*io.SectionReader{cms}, b.Chunks...) {
		name := b.Name + ".cms"
		if i > 0 {
			name = fmt.Sprintf("%s.%03d", b.Name, i-1)
		}
		head, err := tarHead(name, chunk.Size())
		if err != nil {
			return err
		}
		if _, err := w.Write(head); err != nil {
			return err
		}
		if _, err := chunk.Seek(0, io.SeekStart); err != nil {
			return err
		}
		n, err := io.Copy(w, chunk)
		if err == nil && n != chunk.Size() {
			err = io.ErrUnexpectedEOF
		}
		if err == nil {
			_, err = w.Write(make([]byte, -n&(tarBlock-1)))
		}
		if err != nil {
			return err
		}
	}
	_, err := w.Write(make([]byte, 2*tarBlock))
	return err
}
