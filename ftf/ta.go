package ftf

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// maxTALine is the longest line of a .ta file in bytes; a unit of 64 KiB on one
// line takes 196 KiB.
const maxTALine = 1 << 20

// TAUnit is one trim-area unit and the line it began on.
type TAUnit struct {
	Unit uint32
	Data []byte
	Line int
}

// TAFile is a .ta text file: units of one trim-area partition (1 or 2) in the
// order of the file, each at most once.
type TAFile struct {
	Partition int
	Units     []TAUnit
}

// ParseTA reads a .ta file (FORMAT.md §6): the partition as two digits,
// then per unit eight hex digits unit, four to eight hex digits size in bytes and
// the bytes, which may continue on lines that start with a blank; a size of four digits
// may be cut modulo 0x10000, as Flashtool cuts it. Lines end in LF
// or CRLF, // at the start of a line starts a comment. Errors are *Error with
// line and column.
func ParseTA(r io.Reader) (*TAFile, error) {
	data, err := readText(r)
	if err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	p := taParser{units: map[uint32]int{}}
	for number := 1; len(data) > 0; number++ {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		if len(line) > maxTALine {
			return nil, failLine(TooLarge, number, 0, "a line of %d bytes; the limit is %d", len(line), maxTALine)
		}
		if err := p.line(number, strings.TrimSuffix(string(line), "\r")); err != nil {
			return nil, err
		}
	}
	if err := p.complete(); err != nil {
		return nil, err
	}
	if p.file.Partition == 0 {
		return nil, failLine(BadText, 1, 0, "no partition line (01 or 02)")
	}
	return &p.file, nil
}

var startsTA = regexp.MustCompile(`^(?:\s|//[^\n]*\n)*0[12][ \t]*\r?\n`)

// IsTA reports whether a text starts like a .ta file: comments, then the partition.
func IsTA(head []byte) bool {
	return bytes.IndexByte(head, 0) < 0 && startsTA.Match(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
}

type taParser struct {
	file    TAFile
	units   map[uint32]int // unit → line
	size    int            // bytes that the last unit announces
	surplus error          // the first byte beyond them
	short   bool           // size has four digits, to which Flashtool cuts it
	scanner fieldScanner
}

// fieldScanner walks the blank-separated fields of a line and knows their columns.
type fieldScanner struct {
	line string
	pos  int
}

func (s *fieldScanner) next() (field string, column int) {
	for s.pos < len(s.line) && (s.line[s.pos] == ' ' || s.line[s.pos] == '\t') {
		s.pos++
	}
	start := s.pos
	for s.pos < len(s.line) && s.line[s.pos] != ' ' && s.line[s.pos] != '\t' {
		s.pos++
	}
	return s.line[start:s.pos], start + 1
}

func (p *taParser) line(number int, text string) error {
	if strings.HasPrefix(text, "//") || strings.Trim(text, " \t") == "" {
		return nil
	}
	p.scanner = fieldScanner{line: text}
	if text[0] == ' ' || text[0] == '\t' {
		if len(p.file.Units) == 0 {
			_, column := p.scanner.next()
			return failLine(BadText, number, column, "a continuation line before the first unit")
		}
		return p.bytes(number)
	}
	if err := p.complete(); err != nil {
		return err
	}
	field, column := p.scanner.next()
	if len(field) == 2 {
		return p.partition(number, field)
	}
	if p.file.Partition == 0 {
		return failLine(BadText, number, column, "%.20q where the partition (01 or 02) should be", field)
	}
	unit, err := hexField(number, column, field, "unit number", 8, 8)
	if err != nil {
		return err
	}
	if before, dup := p.units[unit]; dup {
		return failLine(Duplicate, number, column, "unit %d (%08X) was already given in line %d", unit, unit, before)
	}
	field, column = p.scanner.next()
	size, err := hexField(number, column, field, "size", 4, 8)
	if err != nil {
		return err
	}
	// Every byte takes three characters, so a larger size cannot be in the text.
	if int64(size) > maxText/3 {
		return failLine(TooLarge, number, column, "unit %d announces %d bytes, more than a text can hold", unit, size)
	}
	p.units[unit] = number
	p.file.Units = append(p.file.Units, TAUnit{Unit: unit, Data: []byte{}, Line: number})
	p.size, p.short, p.surplus = int(size), len(field) == 4, nil
	return p.bytes(number)
}

func (p *taParser) partition(number int, field string) error {
	if p.file.Partition != 0 {
		return failLine(BadText, number, 1, "%q starts a line: a second partition, or bytes without a space before them", field)
	}
	if field != "01" && field != "02" {
		return failLine(BadText, number, 1, "partition %q; there are only 01 and 02", field)
	}
	p.file.Partition = int(field[1] - '0')
	if rest, column := p.scanner.next(); rest != "" {
		return failLine(BadText, number, column, "%.20q after the partition", rest)
	}
	return nil
}

// bytes takes the rest of the current line as bytes of the last unit.
func (p *taParser) bytes(number int) error {
	unit := &p.file.Units[len(p.file.Units)-1]
	for {
		field, column := p.scanner.next()
		if field == "" {
			return nil
		}
		value, err := hexField(number, column, field, "byte", 2, 2)
		if err != nil {
			return err
		}
		if len(unit.Data) == p.size && p.surplus == nil {
			p.surplus = failLine(BadText, number, column, "more bytes than the %d that unit %d announces", p.size, unit.Unit)
			if !p.short {
				return p.surplus
			}
		}
		unit.Data = append(unit.Data, byte(value))
	}
}

// complete checks that the last unit got all its bytes. Flashtool writes the size of a unit of
// 64 KiB and more modulo 64 KiB.
func (p *taParser) complete() error {
	if len(p.file.Units) == 0 {
		return nil
	}
	switch unit := p.file.Units[len(p.file.Units)-1]; {
	case len(unit.Data) < p.size:
		return failLine(BadText, unit.Line, 0, "unit %d announces %d bytes, but only %d follow", unit.Unit, p.size, len(unit.Data))
	case p.surplus != nil && (len(unit.Data)-p.size)%0x10000 != 0:
		return p.surplus
	}
	return nil
}

func hexField(line, column int, field, what string, least, most int) (uint32, error) {
	digits := fmt.Sprint(least)
	if most > least {
		digits = fmt.Sprintf("%d to %d", least, most)
	}
	if len(field) < least || len(field) > most {
		return 0, failLine(BadText, line, column, "%s %.20q, expected %s hex digits", what, field, digits)
	}
	for i := range len(field) {
		if !isDigit(field[i]) && (field[i]|0x20 < 'a' || field[i]|0x20 > 'f') {
			return 0, failLine(BadText, line, column+i, "%s %q has a character that is not a hex digit", what, field)
		}
	}
	v, _ := strconv.ParseUint(field, 16, 32) // at most eight digits, all checked
	return uint32(v), nil
}

// Encode returns the file as Flashtool writes backups: 16 bytes a line, continued
// under the first byte. Sizes from 64 KiB on get eight digits, where Flashtool
// would cut them.
func (f *TAFile) Encode() ([]byte, error) {
	if f.Partition != 1 && f.Partition != 2 {
		return nil, fail(BadText, "trim-area partition %d; there are only 1 and 2", f.Partition)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%02X\n", f.Partition)
	seen := map[uint32]bool{}
	for _, u := range f.Units {
		if seen[u.Unit] {
			return nil, fail(Duplicate, "unit %d is given twice", u.Unit)
		}
		seen[u.Unit] = true
		if len(u.Data) > maxText/3 {
			return nil, fail(TooLarge, "unit %d has %d bytes, more than a text can hold", u.Unit, len(u.Data))
		}
		width := 4
		if len(u.Data) > 0xFFFF {
			width = 8
		}
		head, _ := fmt.Fprintf(&b, "%08X %0*X", u.Unit, width, len(u.Data))
		for i, c := range u.Data {
			if i > 0 && i%16 == 0 {
				b.WriteString("\n" + strings.Repeat(" ", head))
			}
			fmt.Fprintf(&b, " %02X", c)
		}
		b.WriteString("\n")
	}
	return b.Bytes(), nil
}
