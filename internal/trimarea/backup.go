package trimarea

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/text"
	"xflash/sin"
)

// ErrNoBlock is the error of Read for a file of the right size that holds something else.
var ErrNoBlock = errors.New("none of its 16 blocks starts with the mark of a trim area")

// Backup is a trim area that was read from any container, with everything that is wrong
// with it.
type Backup struct {
	*Dump
	*Survey
	ID     Identity
	Record *Record
	Wrong  []Problem // nil when it is intact
}

// Problem is one thing that is wrong with a backup.
type Problem struct {
	Reason string // in a few words, stable
	Offset int64  // in the image; -1 when it is not a single place
	Text   string
}

// Open is Read for a file by its name, or for a folder as "xflash ta backup" and Flashtool
// make it.
func Open(ctx context.Context, name string, roots *sin.RootSet) (*Backup, error) {
	if IsFolder(name) {
		return openFolder(ctx, name, roots)
	}
	f, size, err := fileio.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := Read(ctx, f, size, roots)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// Read reads a backup of size bytes and judges it: blocks, checksums, units, the backup's
// own MD5 and serial number, and the signed hardware configuration. roots may be nil. The
// error says that it is not a backup; whatever is wrong with one is in Wrong.
func Read(ctx context.Context, r io.ReaderAt, size int64, roots *sin.RootSet) (*Backup, error) {
	dump, err := Find(r, size)
	if err != nil {
		return nil, err
	}
	var survey *Survey
	if dump.Container == TextBackup {
		file, err := ftf.ParseTA(bytes.NewReader(dump.Data))
		if err != nil {
			return nil, err
		}
		survey = &Survey{}
		for _, u := range file.Units {
			survey.Add(file.Partition, u.Unit, u.Data)
		}
	} else if survey, err = Examine(dump.Data); err != nil {
		return nil, err
	} else if len(survey.Blocks) == 0 {
		if dump.Container == WholeDisk {
			return nil, fmt.Errorf("the partition TA holds no trim area: %w", ErrNoBlock)
		}
		return nil, ErrNoBlock
	}
	return Judge(ctx, dump, survey, roots), ctx.Err()
}

// Judge is Read for something already taken apart.
func Judge(ctx context.Context, dump *Dump, survey *Survey, roots *sin.RootSet) *Backup {
	b := &Backup{Dump: dump, Survey: survey}
	b.ID, b.Record = survey.Identity(ctx, roots)
	wrong := func(reason string, offset int64, format string, args ...any) {
		b.Wrong = append(b.Wrong, Problem{reason, offset, fmt.Sprintf(format, args...)})
	}
	for _, f := range b.Faults {
		reason := "malformed"
		if errors.Is(f, ErrChecksum) {
			reason = "wrong checksum"
		}
		what := f.Error()
		if b.Offset > 0 && f.Offset >= 0 {
			what += fmt.Sprintf(" (byte 0x%X of the file)", b.Offset+f.Offset)
		}
		wrong(reason, f.Offset, "%s", what)
	}
	if b.Disk != nil {
		wrong("bad partition table", -1, "%v", b.Disk)
	}
	if b.Archive != nil {
		wrong("damaged archive", -1, "%v", b.Archive)
	}
	if b.MD5 != "" && b.MD5 != b.Sum {
		wrong("wrong checksum", -1, "the backup's own MD5 is %s, but the image has %s: it changed after it was made", b.MD5, b.Sum)
	}
	if b.Dump.Serial != "" && b.ID.Serial != "" && b.Dump.Serial != b.ID.Serial {
		wrong("two phones", -1, "the serial number recorded with the backup is not the one in its unit 4900: image and record are of two phones")
	}
	for _, p := range []int{Trim, Misc} {
		if b.HasBlocks() && !b.HasPartition(p) {
			wrong("missing partition", -1, "no block of partition %d (%s), which every phone has", p, PartitionName(p))
		}
	}
	if b.Record.Present && b.Record.Err != nil {
		wrong("damaged record", -1, "the hardware configuration in unit 2003 is damaged: %v", b.Record.Err)
	}
	return b
}

// HasBlocks reports whether a backup shows how the partition is laid out; backups made
// in flash mode are lists of units.
func (d *Dump) HasBlocks() bool { return d.Container != TextBackup && d.Container != FolderBackup }

// PartitionName is the name of a partition of the trim area.
func PartitionName(p int) string {
	switch p {
	case Trim:
		return "Trim"
	case Misc:
		return "Misc"
	}
	return "unknown"
}

// HardwareText describes the record without which a phone refuses all firmware.
func (b *Backup) HardwareText() string {
	r := b.Record
	switch {
	case !r.Present && !b.HasBlocks() && !slices.ContainsFunc(b.Stored, func(u Stored) bool { return u.Partition == Misc }):
		return "not in this half of the backup"
	case !r.Present:
		return "missing: a phone with this trim area refuses all firmware in flash mode (80080021)"
	case r.Later:
		return "not checked: its format on phones of 2017 and later is unknown"
	case r.Err != nil:
		return "damaged: " + r.Err.Error()
	}
	out := "whole"
	switch r.Trust.State {
	case sin.TrustPinned:
		out += ", genuine: signed under Sony's root " + r.Trust.Root
	case sin.TrustSupplied:
		out += ", signed under the root " + r.Trust.Root + " that you supplied"
	default:
		out += ", signature not proven"
		if r.Trust.Root != "" {
			out += " (it names the root " + r.Trust.Root + ")"
		}
	}
	if r.Config != nil {
		out += "; " + text.Count(len(r.Config.Roles), "role") + " may sign for this phone"
	}
	return out
}
