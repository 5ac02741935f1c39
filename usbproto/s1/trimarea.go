package s1

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// The two partitions of the trim area (PROTOCOL.md §6.1).
const (
	TrimPartition = 1 // calibration and radio; never written
	MiscPartition = 2 // everything a restore reads and writes
)

// neverWritten are the units of partition 2 that WriteUnit refuses whatever is asked of
// it: hardware configuration, SIM lock and its signature, model, serial number, device
// key. Everything from ProtectedFrom on is refused too. The phone does not protect them
// itself (internal/explain/ERRORS.md §4, PROTOCOL.md §11.8).
var neverWritten = []uint32{2003, 2010, 2129, 2210, 4900, 66667}

// ProtectedFrom is the first unit of the range that holds keys, locks and signatures.
const ProtectedFrom = 0x10000

// Unit is one unit of the trim area.
type Unit struct {
	Number uint32
	Data   []byte
}

// maxUnits bounds what a dump of a trim-area partition may hold: a trim area has 2 MiB,
// on newer phones 8 MiB (internal/trimarea/FORMAT.md §1.1).
const maxUnits = 8 << 20

// OpenedTA is the trim-area partition that this session opened, 0 when none is open.
func (s *Session) OpenedTA() int { return s.ta }

// OpenTA opens a trim-area partition. Only one is open at a time. One that an earlier
// run left open makes the phone refuse; it is closed then.
func (s *Session) OpenTA(ctx context.Context, partition int) error {
	if partition != TrimPartition && partition != MiscPartition {
		return fmt.Errorf("%w: there is no trim-area partition %d", ErrState, partition)
	}
	if s.ta != 0 {
		return fmt.Errorf("%w: trim-area partition %d is already open", ErrState, s.ta)
	}
	at := At{Command: CmdOpenTA, Doing: fmt.Sprintf("opening trim-area partition %d", partition)}
	open := func() error { return s.command(ctx, at, []byte{byte(partition)}) }
	err := open()
	var r *Refusal
	if errors.As(err, &r) && !r.Fatal() && !s.taKnown {
		// The first refusal is the one to tell if this does not help.
		var still *Refusal
		again := s.CloseTA(ctx)
		if again == nil {
			again = open()
		}
		if !errors.As(again, &still) {
			err = again
		}
	}
	if err == nil {
		s.ta, s.taKnown = partition, true
	}
	return err
}

// CloseTA closes the trim area, and with that makes the phone store what was written.
// Closing one that is not open is accepted (PROTOCOL.md §3.2, command 10).
func (s *Session) CloseTA(ctx context.Context) error {
	err := s.command(ctx, At{Command: CmdCloseTA, Doing: "closing the trim area"}, nil)
	var r *Refusal
	switch {
	case err == nil:
		s.ta, s.taKnown, s.taStuck = 0, true, false
	case errors.As(err, &r):
		s.taStuck = true
	}
	return err
}

// ReadUnit reads a unit of the open partition. A unit that is absent or empty is refused,
// which is normal: see Refusal.NoUnit.
func (s *Session) ReadUnit(ctx context.Context, unit uint32) ([]byte, error) {
	if err := s.needTA(); err != nil {
		return nil, err
	}
	return s.readUnit(ctx, unit, "reading")
}

func (s *Session) readUnit(ctx context.Context, unit uint32, doing string) ([]byte, error) {
	at := At{Command: CmdReadUnit, Doing: fmt.Sprintf("%s unit %d of trim-area partition %d", doing, unit, s.ta)}
	return s.fetch(ctx, at, binary.BigEndian.AppendUint32(nil, unit), maxReply)
}

// WriteUnit writes a unit of partition 2 and reads it back. The phone stores it when the
// trim area is closed. Units that identify the phone are refused here, before a byte is
// sent; so is everything in partition 1. See UnitError.
func (s *Session) WriteUnit(ctx context.Context, unit uint32, data []byte) error {
	if err := s.needTA(); err != nil {
		return err
	}
	fail := func(err error) error { return &UnitError{Partition: s.ta, Unit: unit, Err: err} }
	switch {
	case s.ta != MiscPartition:
		return fail(errors.New("this partition holds the calibration of the phone and is never written"))
	case slices.Contains(neverWritten, unit) || unit >= ProtectedFrom:
		return fail(errors.New("it belongs to the identity of the phone and is never written"))
	case len(data) > s.info.MaxPacket()-8:
		return fail(fmt.Errorf("%d bytes do not fit a packet of this phone", len(data)))
	}
	payload := binary.BigEndian.AppendUint32(nil, unit)
	payload = binary.BigEndian.AppendUint32(payload, uint32(len(data)))
	at := At{Command: CmdWriteUnit, Doing: fmt.Sprintf("writing unit %d of trim-area partition %d", unit, s.ta)}
	if err := s.command(ctx, at, append(payload, data...)); err != nil {
		return err
	}
	back, err := s.readUnit(ctx, unit, "reading back")
	var r *Refusal
	if errors.As(err, &r) && r.NoUnit() && len(data) == 0 {
		return nil // an empty unit reads as if it were absent (PROTOCOL.md §3.2, command 12)
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(back, data) {
		differs := 0
		for differs < min(len(back), len(data)) && back[differs] == data[differs] {
			differs++
		}
		return fail(&MismatchError{Wrote: len(data), Read: len(back), Offset: differs})
	}
	return nil
}

// ReadAll reads the open partition whole, as the stream that the phone sends; ParseUnits
// takes it apart. The phone leaves out the protected units, from ProtectedFrom on
// (PROTOCOL.md §11.8).
func (s *Session) ReadAll(ctx context.Context) ([]byte, error) {
	if err := s.needTA(); err != nil {
		return nil, err
	}
	at := At{Command: CmdReadAll, Doing: fmt.Sprintf("reading all units of trim-area partition %d", s.ta)}
	return s.fetch(ctx, at, nil, maxUnits)
}

// ParseUnits takes the stream of ReadAll apart, in the order of the phone: unit and length
// as 4 bytes big-endian each, then the data (PROTOCOL.md §3.2, command 18). The error
// names the offset in the stream.
func ParseUnits(dump []byte) ([]Unit, error) {
	var units []Unit
	for at := 0; at < len(dump); {
		rest := dump[at:]
		if len(rest) < 8 {
			return nil, fmt.Errorf("the dump ends at byte %d, inside the head of a unit", len(dump))
		}
		number, length := binary.BigEndian.Uint32(rest), int64(binary.BigEndian.Uint32(rest[4:]))
		if length > int64(len(rest)-8) {
			return nil, fmt.Errorf("unit %d at byte %d of the dump announces %d bytes, but %d are left", number, at, length, len(rest)-8)
		}
		end := 8 + int(length)
		units = append(units, Unit{Number: number, Data: slices.Clone(rest[8:end])})
		at += end
	}
	return units, nil
}

// needTA tells whether a partition is open.
func (s *Session) needTA() error {
	if s.ta == 0 {
		return fmt.Errorf("%w: no trim-area partition is open", ErrState)
	}
	return nil
}
