// Package tabackup copies what flash mode lets read of a phone's trim area into a folder.
// Nothing is written to the phone.
//
// What such a backup lacks: units from 0x10000 on (DRM keys, lock state), which the phone
// leaves out of its answers, deleted units and the structure of the blocks. It does not
// replace a dump of the partition.
package tabackup

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"xflash/internal/trimarea"
	"xflash/usbproto/s1"
)

// Backup is the trim area of one phone as its loader tells it.
type Backup struct {
	Info       *s1.Info // the loader's greeting
	Partitions []Partition
}

// Partition is one of the two trim-area partitions.
type Partition struct {
	Number int
	// Stream is every unit as the phone sends it: number and length as 4 bytes
	// big-endian each, then the data.
	Stream []byte
	Units  []s1.Unit // the same, taken apart
	// Refused is why the phone did not open the partition; Stream is nil then.
	Refused *s1.Refusal
	// Partial is why the phone did not give the whole partition at once. The units were
	// asked for one by one, and one whose number is not known can be missing.
	Partial *s1.Refusal
}

// Partial reports whether something is missing that flash mode could have given.
func (b *Backup) Partial() bool {
	return slices.ContainsFunc(b.Partitions, func(p Partition) bool { return p.Refused != nil || p.Partial != nil })
}

// ErrChanged: the phone answered two reads of the same thing differently.
var ErrChanged = errors.New("two reads of the trim area differ")

// Take reads both partitions, each twice, through a session whose loader runs. progress,
// which may be nil, is called before each read. A partition 1 that does not open is noted
// in the backup; so are units that had to be read one by one. Anything else that the phone
// refuses is the error.
func Take(ctx context.Context, s *s1.Session, progress func(doing string)) (*Backup, error) {
	if progress == nil {
		progress = func(string) {}
	}
	b := &Backup{Info: s.Info()}
	for _, number := range []int{s1.TrimPartition, s1.MiscPartition} {
		p := Partition{Number: number}
		var refused *s1.Refusal
		err := s.OpenTA(ctx, number)
		if errors.As(err, &refused) && !refused.Fatal() && number == s1.TrimPartition {
			p.Refused = refused
			b.Partitions = append(b.Partitions, p)
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := p.read(ctx, s, progress); err != nil {
			return nil, err
		}
		if err := s.CloseTA(ctx); err != nil {
			return nil, err
		}
		b.Partitions = append(b.Partitions, p)
	}
	return b, nil
}

// read reads the open partition twice in the same way and compares.
func (p *Partition) read(ctx context.Context, s *s1.Session, progress func(string)) error {
	for pass := 1; pass <= 2; pass++ {
		progress(fmt.Sprintf("reading partition %d, pass %d of 2", p.Number, pass))
		whole := p.Partial == nil
		stream, err := p.dump(ctx, s)
		if err != nil {
			return err
		}
		if whole && p.Partial != nil {
			pass = 1 // what the phone sent as a whole cannot be compared with this
		}
		if pass == 2 && !bytes.Equal(stream, p.Stream) {
			return fmt.Errorf("partition %d: %w", p.Number, ErrChanged)
		}
		p.Stream = stream
	}
	units, err := s1.ParseUnits(p.Stream)
	if err != nil {
		return fmt.Errorf("partition %d: %w", p.Number, err)
	}
	seen := map[uint32]bool{}
	for _, u := range units {
		if seen[u.Number] {
			return fmt.Errorf("partition %d: the phone sent unit %d twice", p.Number, u.Number)
		}
		seen[u.Number] = true
	}
	p.Units = units
	return nil
}

// dump gives the units as a stream: with one command, or unit by unit where the phone
// refuses that.
func (p *Partition) dump(ctx context.Context, s *s1.Session) ([]byte, error) {
	if p.Partial == nil {
		stream, err := s.ReadAll(ctx)
		var refused *s1.Refusal
		if !errors.As(err, &refused) || refused.Fatal() {
			return stream, err
		}
		p.Partial = refused
	}
	var stream []byte
	for _, number := range askedFor(p.Number) {
		data, err := s.ReadUnit(ctx, number)
		var refused *s1.Refusal
		switch {
		case errors.As(err, &refused) && !refused.Fatal():
			continue // absent, empty, or kept back
		case err != nil:
			return nil, err
		}
		stream = binary.BigEndian.AppendUint32(stream, number)
		stream = binary.BigEndian.AppendUint32(stream, uint32(len(data)))
		stream = append(stream, data...)
	}
	return stream, nil
}

// lastAsked bounds the numbers that are tried one by one: below it lie nearly all units
// that are known by name (internal/trimarea/FORMAT.md §6.1).
const lastAsked = 0x13FF

// askedFor are the units worth asking for one by one: all low numbers and those known by
// name, in ascending order.
func askedFor(partition int) []uint32 {
	var numbers []uint32
	for n := range uint32(lastAsked + 1) {
		numbers = append(numbers, n)
	}
	for _, n := range trimarea.Named(partition) {
		if n > lastAsked && n < s1.ProtectedFrom {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}
