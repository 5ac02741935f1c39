package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"xflash/internal/fileio"
	"xflash/internal/firmware"
	"xflash/internal/inspect"
	"xflash/sin"
	"xflash/sin/gpt"
)

// dump takes partitions out of a whole-disk dump. Only their own bytes are read.
func (u *unpacker) dump(ctx context.Context) error {
	f, size, err := fileio.Open(u.path)
	if err != nil {
		return err
	}
	defer f.Close()
	table, notes, err := dumpTable(f, size)
	if err != nil {
		return fmt.Errorf("%s: %w", u.path, err)
	}
	chosen, err := u.partitions(table)
	if err != nil {
		return err
	}
	for _, c := range chosen {
		if end := c.Offset() + c.Size(); end > size {
			return fmt.Errorf("%s: %w", u.path, &gpt.Error{Where: "partition " + c.Name, Offset: size, Err: gpt.ErrCutOff})
		}
		u.total += c.Size()
	}
	err = u.out.roomFor(u.total, func(w io.WriterAt) error {
		for _, c := range chosen {
			if err := fileio.CopyRange(&fileio.HoleWriter{Context: ctx, W: w}, f, c.Offset(), c.Size(), func(int64) {}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range chosen {
		label := c.Name
		progress := func(n int64) { u.progress(label, n) }
		file := File{Name: u.names.take("", c.stem), From: label, Notes: notes, Warning: identityWarning(label)}
		if err := u.out.free(file.Name + u.ending()); err != nil {
			return err
		}
		head := make([]byte, min(sin.HeadSize, c.Size()))
		if _, err := f.ReadAt(head, c.Offset()); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		file.Content = sin.Recognize(head)
		if u.Sparse {
			err = u.makeSparse(ctx, io.NewSectionReader(f, c.Offset(), c.Size()), c.Size(), file, progress)
		} else {
			err = u.partition(ctx, file, c, func(w io.WriterAt) error {
				return fileio.CopyRange(w, f, c.Offset(), c.Size(), progress)
			})
		}
		if err != nil {
			return err
		}
		u.done += c.Size()
	}
	return nil
}

// dumpTable reads the partition table of a dump. One whole copy is enough, since nothing
// is written to the disk; what is wrong with the dump is reported.
func dumpTable(r io.ReaderAt, size int64) (*gpt.Table, []string, error) {
	found, err := gpt.Salvage(r, size)
	switch {
	case err != nil:
		return nil, nil, err
	case found.Table == nil:
		return nil, nil, found.Fault
	case found.Fault != nil:
		return found.Table, []string{fmt.Sprintf("the dump is damaged: %v; the offsets are from a table that is whole", found.Fault)}, nil
	}
	return found.Table, nil, nil
}

// partition writes one partition as a raw image.
func (u *unpacker) partition(ctx context.Context, file File, c chosenPartition, copyTo func(io.WriterAt) error) error {
	p, err := u.out.create(file.Warning != "")
	if err != nil {
		return err
	}
	defer p.Discard()
	if err := copyTo(&fileio.HoleWriter{Context: ctx, W: p}); err != nil {
		return err
	}
	return u.deliver(ctx, p, c.Size(), file, false)
}

// chosenPartition is an entry of the table and the name its output gets.
type chosenPartition struct {
	gpt.Entry
	stem string
}

// partitions finds the partitions that are wanted, in the order of the table. Labels are
// compared exactly. Of several with one label all are taken; their outputs, and those of
// labels that are not file name, get the number of the partition.
func (u *unpacker) partitions(t *gpt.Table) ([]chosenPartition, error) {
	choice := &firmware.ChoiceError{Path: u.path, What: "partition"}
	count := map[string]int{}
	for _, e := range t.Entries {
		if e.Used() {
			count[e.Name]++
		}
	}
	var chosen []chosenPartition
	for i, e := range t.Entries {
		if !e.Used() {
			continue
		}
		choice.Have = append(choice.Have, firmware.Choice{Name: e.Name, Number: i + 1, Bytes: e.Size(), Warning: identityWarning(e.Name)})
		if !slices.Contains(u.Partitions, e.Name) {
			continue
		}
		stem := safeName(e.Name)
		if stem != e.Name || count[e.Name] > 1 {
			stem = fmt.Sprintf("%s-p%d", stem, i+1)
		}
		chosen = append(chosen, chosenPartition{e, stem})
	}
	for _, w := range u.Partitions {
		if count[w] == 0 {
			choice.Wanted = append(choice.Wanted, w)
		}
	}
	if len(u.Partitions) == 0 || len(choice.Wanted) > 0 {
		return nil, choice
	}
	return chosen, nil
}

// identityWarning is the warning about a copy of a partition that belongs to one
// phone, empty for the others.
func identityWarning(label string) string {
	if !inspect.BelongsToOnePhone(label) {
		return ""
	}
	return fmt.Sprintf("%s belongs to the one phone it was read from. Writing such a copy to a second phone has killed that phone: "+
		"red light, no USB in any mode, no way back. Keep it as a backup, and never flash it to another phone.", label)
}
