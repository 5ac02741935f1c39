package s1

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Forbidden are the trim-area units that are never written, whatever a bundle or a
// person asks for: hardware configuration, SIM lock and its signature, model, serial
// number. Everything from ForbiddenFrom on is forbidden too: device key and other
// secrets. The phone does not protect these units itself (error-codes.md §4).
var Forbidden = []uint32{2003, 2010, 2129, 2210, 4900}

// ForbiddenFrom is the first unit of the protected range.
const ForbiddenFrom = 0x10000

// Unit is one unit of the trim area.
type Unit struct {
	Number uint32
	Data   []byte
}

// maxUnits bounds what a dump of a trim-area partition may hold: a trim area has 2 MiB,
// on newer phones 8 MiB (sin-ftf-format.md §12.1).
const maxUnits = 8 << 20

// OpenPartition is the trim-area partition that is open, 0 when none is.
func (s *Session) OpenPartition() int { return s.ta }

// OpenTA opens a trim-area partition: 1 (calibration) or 2 (everything that matters to a
// restore). Only one is open at a time. One that an earlier run left open is closed
// first.
func (s *Session) OpenTA(ctx context.Context, partition int) error {
	open := func() error {
		_, err := s.ask(ctx, CmdOpenTA, []byte{byte(partition)}, fmt.Sprintf("opening trim-area partition %d", partition))
		return err
	}
	err := open()
	var r *Refusal
	if errors.As(err, &r) && r.Code == "001D" && s.ta == 0 {
		if e := s.CloseTA(ctx); e == nil {
			err = open()
		}
	}
	if err == nil {
		s.ta = partition
	}
	return err
}

// CloseTA closes the trim area, and with that stores what was written.
func (s *Session) CloseTA(ctx context.Context) error {
	_, err := s.ask(ctx, CmdCloseTA, nil, "closing the trim area")
	if err == nil {
		s.ta = 0
	}
	return err
}

// ReadUnit reads a unit of the open partition. A unit that is not there is refused with
// code 0025, which is normal.
func (s *Session) ReadUnit(ctx context.Context, unit uint32) ([]byte, error) {
	p, err := s.ask(ctx, CmdReadUnit, binary.BigEndian.AppendUint32(nil, unit), fmt.Sprintf("reading trim-area unit %d", unit))
	return p.Data, err
}

// WriteUnit writes a unit of the open partition and reads it back. The phone stores it
// when the trim area is closed. Forbidden units are refused here, before a byte is sent.
func (s *Session) WriteUnit(ctx context.Context, unit uint32, data []byte) error {
	if slices.Contains(Forbidden, unit) || unit >= ForbiddenFrom {
		return &UnitError{unit, "it belongs to the identity of the phone and is never written"}
	}
	payload := binary.BigEndian.AppendUint32(nil, unit)
	payload = binary.BigEndian.AppendUint32(payload, uint32(len(data)))
	payload = append(payload, data...)
	if len(payload) > s.info.MaxPacket() {
		return &UnitError{unit, fmt.Sprintf("%d bytes do not fit a packet of this phone", len(data))}
	}
	if _, err := s.ask(ctx, CmdWriteUnit, payload, fmt.Sprintf("writing trim-area unit %d", unit)); err != nil {
		return err
	}
	back, err := s.ReadUnit(ctx, unit)
	var r *Refusal
	if errors.As(err, &r) && len(data) == 0 {
		return nil // an empty unit reads as if it were not there (s1-protocol.md §3.2)
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(back, data) {
		return &UnitError{unit, fmt.Sprintf("%d bytes were written, but %d other bytes are read back", len(data), len(back))}
	}
	return nil
}

// ReadAll reads every unit of the open partition, except the protected ones, which the
// phone leaves out. The reply comes in parts; each is fetched with the same command
// (s1-protocol.md §2.4).
func (s *Session) ReadAll(ctx context.Context) ([]Unit, error) {
	const doing = "reading all trim-area units"
	var stream []byte
	for {
		p, err := s.ask(ctx, CmdReadAll, nil, doing)
		if err != nil {
			return nil, err
		}
		stream = append(stream, p.Data...)
		if len(stream) > maxUnits {
			return nil, s.broke(CmdReadAll, doing, fmt.Errorf("the phone sent more than the %d bytes a trim area has", maxUnits))
		}
		if !p.more() {
			break
		}
		if len(p.Data) == 0 {
			return nil, s.broke(CmdReadAll, doing, errors.New("the phone says that more follows, but sends nothing"))
		}
	}
	units, err := parseUnits(stream)
	if err != nil {
		return nil, s.broke(CmdReadAll, doing, err)
	}
	return units, nil
}

// parseUnits takes a dump apart: unit and length as 4 bytes big-endian each, then the data.
func parseUnits(stream []byte) ([]Unit, error) {
	var units []Unit
	for at := 0; at < len(stream); {
		if len(stream)-at < 8 {
			return nil, fmt.Errorf("the dump ends inside a unit header at byte %d", at)
		}
		number, length := binary.BigEndian.Uint32(stream[at:]), binary.BigEndian.Uint32(stream[at+4:])
		at += 8
		if int64(length) > int64(len(stream)-at) {
			return nil, fmt.Errorf("the dump ends inside unit %d at byte %d", number, at)
		}
		units = append(units, Unit{number, stream[at : at+int(length)]})
		at += int(length)
	}
	return units, nil
}
