package mkimage

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
)

// tarBlock is the unit of a tar archive.
const tarBlock = 512

// ArchiveBuilder makes SIN files of versions 4 and 5.
type ArchiveBuilder struct {
	Name   string // of the partition
	CMS    []byte // as it is
	Chunks []*io.SectionReader
	Gzip   bool // version 4
}

// Build writes the archive.
func (b ArchiveBuilder) Build(w io.Writer) error {
	if b.Name == "" || strings.ContainsAny(b.Name, "/\\:") || len(b.Chunks) > 1000 {
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
		head, err := TarHead(name, chunk.Size())
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

// TarHead is the header of a member as it is in the vector v5-tar
// (sin/FORMAT.md §10.2).
func TarHead(name string, size int64) ([]byte, error) {
	head := make([]byte, tarBlock)
	if len(name) > 100 {
		return nil, fmt.Errorf("the name %q is too long for a tar archive", name)
	}
	copy(head, name)
	copy(head[100:], "0000644\x000000000\x000000000\x00")
	if size < 1<<33 {
		copy(head[124:], fmt.Sprintf("%011o\x00", size))
	} else {
		head[124] = 0x80
		for i := range 8 {
			head[135-i] = byte(size >> (8 * i))
		}
	}
	copy(head[136:], "00000000000\x00        0")
	copy(head[0x101:], "ustar\x0000")
	sum := 0
	for _, b := range head {
		sum += int(b)
	}
	copy(head[148:], fmt.Sprintf("%06o\x00 ", sum))
	return head, nil
}
