package gpt

import (
	"errors"
	"fmt"
	"io"
)

// Salvaged is what is still known of a disk whose tables are not both whole: a dump that
// was cut short, grew, or lost a sector.
type Salvaged struct {
	Primary, Backup error  // what is wrong with each copy, nil when it is whole
	Table           *Table // of the primary copy, else of the backup; nil when neither is whole
	Fault           error  // what is wrong with the disk as a whole; nil when Read accepts it
	End             int64  // where the disk ends by its table, bytes; 0 when Table is nil
}

// Causes in the Fault of a dump. ErrCutOff is also that of a backup table past its end.
var (
	ErrCutOff   = errors.New("the dump ends before it")
	ErrTooLong  = errors.New("the disk of its partition table ends here")
	ErrTooShort = errors.New("it ends before the disk of its partition table")
)

// Salvage looks at both tables of a dump of size bytes, each by itself: what Read
// refuses because one copy is damaged can still be read by the other. It is for files
// only; to write to a disk, Read must find nothing wrong. The error is that of r when r
// cannot be read.
func Salvage(r io.ReaderAt, size int64) (*Salvaged, error) {
	s := &Salvaged{}
	if _, s.Fault = Read(r, size); s.Fault != nil && !Damaged(s.Fault) {
		return nil, s.Fault
	}
	last := uint64(max(size/SectorSize, 1) - 1)
	primary, err := readHeader(r, "primary table", 1)
	if err == nil && (primary.other <= 1 || primary.other >= 1<<54) {
		err = &Error{"primary table", SectorSize, ErrPlace}
	}
	if err == nil {
		last = primary.other
		err = primary.readEntries(r, last+1)
	}
	if s.Primary = err; err == nil {
		s.Table, s.Primary = primary.table()
	}
	if int64(last) >= size/SectorSize {
		s.Backup = &Error{"backup table", size, ErrCutOff}
		return s.checked(last, size)
	}
	backup, err := readHeader(r, "backup table", last)
	if err == nil && backup.other != 1 {
		err = &Error{"backup table", backup.offset(), ErrPlace}
	}
	if err == nil {
		err = backup.readEntries(r, last+1)
	}
	if s.Backup = err; err == nil {
		switch t, err := backup.table(); {
		case err != nil:
			s.Backup = err
		case s.Table == nil:
			s.Table = t
		case !primary.agrees(backup):
			s.Backup = &Error{"backup table", backup.offset(), ErrDiffer}
		}
	}
	return s.checked(last, size)
}

// table is what a copy describes.
func (c *tableCopy) table() (*Table, error) {
	entries, err := c.decode()
	if err != nil {
		return nil, &Error{c.where, int64(c.entriesLBA) * SectorSize, err}
	}
	return &Table{DiskGUID: c.disk, Sectors: max(c.self, c.other) + 1, Entries: entries}, nil
}

// checked separates failures of the reader from faults of the tables.
func (s *Salvaged) checked(last uint64, size int64) (*Salvaged, error) {
	for _, err := range []error{s.Primary, s.Backup} {
		if err != nil && !Damaged(err) {
			return nil, err
		}
	}
	if s.Table == nil {
		return s, nil
	}
	switch s.End = int64(last+1) * SectorSize; {
	case s.End > size:
		s.Fault = &Error{"dump", size, fmt.Errorf("%w, which has %d bytes", ErrTooShort, s.End)}
	case s.End < size:
		s.Fault = &Error{"dump", s.End, ErrTooLong}
	}
	return s, nil
}

// Damaged tells whether an error of Read lies in what was read and not in reading it.
func Damaged(err error) bool {
	for _, cause := range []error{ErrTruncated, ErrMBR, ErrSignature, ErrHeader, ErrHeaderCRC, ErrPlace, ErrEntryCount,
		ErrEntriesCRC, ErrDiffer, ErrUsable, ErrCutOff, io.ErrUnexpectedEOF} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return errors.As(err, new(*EntryError))
}
