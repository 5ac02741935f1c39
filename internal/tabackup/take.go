// Package tabackup copies what flash mode lets read of a phone's trim area into a folder.
// Nothing is written to the phone.
//
// What such a backup lacks: the keys, deleted units and the structure of the blocks. It does not
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

// Backup is the trim area of one phone as flash mode shows it.
type Backup struct {
	Hello      map[string]string // what the phone says of itself; what identifies it is masked
	Missing    string            // what no backup of this kind has
	Partitions []Partition
}

// Partition is one of the two trim-area partitions.
type Partition struct {
	Number int
	// Stream is every unit as the phone sends it: number and length as 4 bytes
	// big-endian each, then the data.
	Stream []byte
	Units  []s1.Unit // the same, taken apart
	// Refused is why the phone did not open the partition, "" when it did; Stream is nil then.
	Refused string
	// Partial is why the phone did not give the whole partition at once, "" when it did. The
	// units were asked for one by one, and one whose number is unknown can be missing.
	Partial string
}

// Partial reports whether something is missing that flash mode could have given.
func (b *Backup) Partial() bool {
	return slices.ContainsFunc(b.Partitions, func(p Partition) bool { return p.Refused != "" || p.Partial != "" })
}

// errChanged: the phone answered two reads of the same thing differently.
var errChanged = errors.New("two reads of the trim area differ")

var errNothing = errors.New("the phone shows nothing of its trim area")

// phone is what the two flash protocols have in common here.
type phone interface {
	OpenTA(ctx context.Context, partition int) error
	CloseTA(ctx context.Context) error
	ReadAll(ctx context.Context) ([]byte, error) // the open partition as a stream
	ReadUnit(ctx context.Context, number uint32) ([]byte, error)
	// refused gives the reason of a phone that said no and can be asked further; "" for any
	// other error.
	refused(err error) string
}

// take reads both partitions, each twice. progress, which may be nil, is called before each
// read. A partition 1 that does not open is noted in the backup; so are units that had to be
// read one by one. Anything else that the phone refuses is the error.
func (b *Backup) take(ctx context.Context, from phone, progress func(doing string)) (*Backup, error) {
	if progress == nil {
		progress = func(string) {}
	}
	for _, number := range []int{s1.TrimPartition, s1.MiscPartition} {
		p := Partition{Number: number}
		err := from.OpenTA(ctx, number)
		if p.Refused = from.refused(err); p.Refused != "" && number == s1.TrimPartition {
			b.Partitions = append(b.Partitions, p)
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := p.read(ctx, from, progress); err != nil {
			return nil, err
		}
		if err := from.CloseTA(ctx); err != nil {
			return nil, err
		}
		b.Partitions = append(b.Partitions, p)
	}
	if !slices.ContainsFunc(b.Partitions, func(p Partition) bool { return len(p.Units) > 0 }) {
		return nil, errNothing
	}
	return b, nil
}

// read reads the open partition twice in the same way and compares.
func (p *Partition) read(ctx context.Context, from phone, progress func(string)) error {
	for pass := 1; pass <= 2; pass++ {
		progress(fmt.Sprintf("reading partition %d, pass %d of 2", p.Number, pass))
		whole := p.Partial == ""
		stream, err := p.dump(ctx, from)
		if err != nil {
			return err
		}
		if whole && p.Partial != "" {
			pass = 1 // what the phone sent as a whole cannot be compared with this
		}
		if pass == 2 && !bytes.Equal(stream, p.Stream) {
			return fmt.Errorf("partition %d: %w", p.Number, errChanged)
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

// dump returns the units as a stream: with one command, or unit by unit where the phone
// refuses that.
func (p *Partition) dump(ctx context.Context, from phone) ([]byte, error) {
	if p.Partial == "" {
		stream, err := from.ReadAll(ctx)
		if p.Partial = from.refused(err); p.Partial == "" {
			return stream, err
		}
	}
	var stream []byte
	for _, number := range askedFor(p.Number) {
		data, err := from.ReadUnit(ctx, number)
		switch {
		case from.refused(err) != "":
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
