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
	if s.Table, s.Fault = Read(r, size); s.Fault == nil {
		s.End = size
		return s, nil
	} else if !errors.As(s.Fault, new(*Error)) {
		return nil, s.Fault
	}
	last := uint64(max(size/SectorSize, 1) - 1)
	primary, err := readCopy(r, "primary table", 1, 0)
	if primary != nil {
		last = primary.other
	}
	if s.Primary = err; err == nil {
		s.Table, s.Primary = primary.table()
	}
	if int64(last) >= size/SectorSize {
		s.Backup = &Error{"backup table", size, ErrCutOff}
		return s.checked(last, size)
	}
	backup, err := readCopy(r, "backup table", last, 1)
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

// checked separates failures of the reader from faults of the tables.
func (s *Salvaged) checked(last uint64, size int64) (*Salvaged, error) {
	for _, err := range []error{s.Primary, s.Backup} {
		if err != nil && !errors.As(err, new(*Error)) {
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
