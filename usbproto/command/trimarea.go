package command

import (
	"bytes"
	"context"
	"fmt"
)

// MiscPartition is the trim-area partition that updates write; partition 1 holds calibration and is only read.
const MiscPartition = 2

// maxUnit and maxUnits bound what is read of the trim area, in bytes: units of 66 KB are known.
const (
	maxUnit  = 1 << 20
	maxUnits = 16 << 20
)

// ReadTA reads a unit of trim-area partition 1 or 2. One that the phone does not have is a *Refusal with NoUnit.
func (s *Session) ReadTA(ctx context.Context, partition int, unit uint32) ([]byte, error) {
	if err := checkTA(partition); err != nil {
		return nil, err
	}
	return s.fetchAll(ctx, fmt.Sprintf("Read-TA:%d:%d", partition, unit), maxUnit)
}

// ReadAllTA reads a trim-area partition as the stream that the phone sends, which s1.ParseUnits takes apart. It lacks the
// device key (PROTOCOL.md §2.2).
func (s *Session) ReadAllTA(ctx context.Context, partition int) ([]byte, error) {
	if err := checkTA(partition); err != nil {
		return nil, err
	}
	return s.fetchAll(ctx, fmt.Sprintf("Read-all-TA:%d", partition), maxUnits)
}

func checkTA(partition int) error {
	if partition != 1 && partition != MiscPartition {
		return fmt.Errorf("%w: there is no trim-area partition %d", ErrState, partition)
	}
	return nil
}

// WriteTA writes a unit of partition 2. Units that are not on the list are refused before a byte is sent, see CheckUnit;
// so is the end of an update, 00 in unit 10100, in a session in which the phone refused a step of it.
func (s *Session) WriteTA(ctx context.Context, unit uint32, data []byte) error {
	if err := CheckUnit(unit, data); err != nil {
		return err
	}
	if err := s.fits(int64(len(data))); err != nil {
		return err
	}
	if unit == UnitUpdate && data[0] == 0 && s.phone.failed != nil {
		return fmt.Errorf("%w: the update is not complete: %w", ErrState, s.phone.failed)
	}
	if unit == UnitUpdate {
		s.phone.open = true // also when the answer does not come
	}
	s.phone.loaded = false
	err := s.put(ctx, bytes.NewReader(data), int64(len(data)), nil)
	if err == nil {
		err = s.change(ctx, fmt.Sprintf("Write-TA:%d:%d", MiscPartition, unit), s.opt.Work)
	}
	if err == nil && unit == UnitUpdate {
		s.phone.open = data[0] == 1
	}
	return s.step(err)
}
