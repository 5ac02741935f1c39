package sin

import (
	"bytes"
	"io"
	"strings"
)

// tarBlock is the unit of a tar archive.
const tarBlock = 512

// tarEntry is one member of a tar archive.
type tarEntry struct {
	name string
	size int64
	kind byte // '0' for a regular file
	at   int64
}

// tarReader walks over a ustar archive. It is not archive/tar because the offsets of
// what is wrong are wanted, and because a SIN needs nothing but plain members.
type tarReader struct {
	r   io.Reader
	pos int64 // in the archive
	cur io.LimitedReader
	pad int64 // after the current member
}

func newTarReader(r io.Reader) *tarReader {
	return &tarReader{r: r, cur: io.LimitedReader{R: r}}
}

// next goes to the next member; io.EOF after the two blocks of zeros at the end.
func (t *tarReader) next() (tarEntry, error) {
	if _, err := io.Copy(io.Discard, t); err != nil {
		return tarEntry{}, err
	}
	if t.pad > 0 {
		n, err := io.CopyN(io.Discard, t.r, t.pad)
		if t.pos += n; err != nil {
			return tarEntry{}, t.cut(err)
		}
		t.pad = 0
	}
	var head [tarBlock]byte
	if err := t.full(head[:]); err != nil {
		return tarEntry{}, err
	}
	if head == [tarBlock]byte{} {
		if err := t.full(head[:]); err != nil {
			return tarEntry{}, err
		}
		if head != [tarBlock]byte{} {
			return tarEntry{}, fail(BadArchive, t.pos-tarBlock, "one block of zeros instead of two")
		}
		return tarEntry{}, t.rest()
	}
	e, err := parseTarHead(head[:], t.pos-tarBlock)
	if err != nil {
		return e, err
	}
	e.at = t.pos
	t.cur.N, t.pad = e.size, -e.size&(tarBlock-1)
	return e, nil
}

// rest reads on to the end of the stream, where only zeros may be.
func (t *tarReader) rest() error {
	buf := make([]byte, 32<<10)
	for {
		n, err := t.r.Read(buf)
		for i, b := range buf[:n] {
			if b != 0 {
				return fail(Trailing, t.pos+int64(i), "the archive continues after its end")
			}
		}
		t.pos += int64(n)
		if err != nil {
			return err
		}
	}
}

// Read reads the current member.
func (t *tarReader) Read(p []byte) (int, error) {
	n, err := t.cur.Read(p)
	t.pos += int64(n)
	if t.cur.N > 0 {
		err = t.cut(err)
	}
	return n, err
}

// full reads exactly one buffer.
func (t *tarReader) full(p []byte) error {
	n, err := io.ReadFull(t.r, p)
	t.pos += int64(n)
	return t.cut(err)
}

// cut turns the end of the stream into a truncation.
func (t *tarReader) cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fail(Truncated, t.pos, "the archive ends early")
	}
	return err
}

// parseTarHead reads the header of a member at an offset of the archive.
func parseTarHead(head []byte, at int64) (tarEntry, error) {
	text := func(from, to int) string {
		s, _, _ := strings.Cut(string(head[from:to]), "\x00")
		return s
	}
	sum := int64(8 * ' ') // the checksum field counts as spaces
	for i, b := range head {
		if i < 148 || i >= 156 {
			sum += int64(b)
		}
	}
	switch want, ok := tarNumber(head[148:156]); {
	case !ok || want != sum:
		return tarEntry{}, fail(BadArchive, at+148, "the checksum of a member's header is wrong")
	case !bytes.HasPrefix(head[ustarAt:], ustar):
		return tarEntry{}, fail(BadArchive, at+ustarAt, "a member without the tar magic number")
	}
	e := tarEntry{name: text(0, 100), kind: head[156]}
	if prefix := text(345, 500); prefix != "" && head[ustarAt+5] == 0 {
		e.name = prefix + "/" + e.name
	}
	if e.kind == 0 {
		e.kind = '0'
	}
	size, ok := tarNumber(head[124:136])
	if !ok || size > 1<<60 {
		return tarEntry{}, fail(BadArchive, at+124, "the size of a member is not a whole number")
	}
	e.size = size
	return e, nil
}

// tarNumber reads an octal number, or one in base 256 for sizes of 8 GiB and more.
func tarNumber(field []byte) (int64, bool) {
	var n int64
	if field[0] == 0x80 {
		for _, b := range field[1:] {
			if n >= 1<<54 {
				return 0, false
			}
			n = n<<8 | int64(b)
		}
		return n, true
	}
	digits := bytes.Trim(field, " \x00")
	for _, d := range digits {
		if d < '0' || d > '7' {
			return 0, false
		}
		n = n<<3 | int64(d-'0')
	}
	return n, len(digits) > 0
}
