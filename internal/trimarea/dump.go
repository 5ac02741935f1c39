package trimarea

import (
	"archive/zip"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"xflash/fastboot/bootimg/unpack"
	"xflash/ftf"
	"xflash/sin/gpt"
)

// Container is what a trim-area image was found in.
type Container string

// The containers of FORMAT.md §5.
const (
	PlainDump  Container = "plain dump"
	BackupTA   Container = "Backup-TA zip"
	Flashtool  Container = "Flashtool backup"
	WholeDisk  Container = "whole-disk dump"
	TextBackup Container = "text backup" // 1.ta and 2.ta of Flashtool, one partition each
	// FolderBackup is both partitions as "xflash ta backup" and Flashtool write them.
	FolderBackup Container = "folder made in flash mode"
	otherFiles             = 64 << 10 // bytes of the small files beside the image that are read
	maxMembers             = 1000     // of a zip; a backup has six
)

// Causes in an error of Find.
var (
	ErrNoImage  = errors.New("it holds no trim-area image: a backup has TA.img or ta.dd")
	ErrTwo      = errors.New("it holds several trim-area images, and it is unclear which one counts")
	ErrNoTA     = errors.New("the disk has no partition named TA")
	ErrArchive  = errors.New("the archive is damaged")
	ErrMembers  = errors.New("too many files for a backup of a trim area")
	ErrTooLarge = errors.New("larger than any trim area (8 MiB), and no disk with a partition table")
	ErrUnpack   = errors.New("it contains an archive, or more than any trim area (8 MiB): unpack it first")
)

// Dump is a trim-area image and what came with it.
type Dump struct {
	Container Container
	Member    string // name in an archive
	Offset    int64  // of the image in the file; 0 in an archive
	Data      []byte
	Disk      error // what is wrong with the dump of the disk around it, nil when nothing is
	Archive   error // what is wrong with the archive around it, nil when nothing is
	// MD5 is what the backup says the sum of the image is, in lower case, empty when it
	// says nothing; Sum is what it is.
	MD5, Sum string
	// Sums: a folder that notes the checksums of its files.
	Sums bool
	// Serial is the number of the phone as the backup's own note gives it.
	Serial string
}

// Find finds the trim-area image in a file of size bytes: a dump of the partition, a backup
// made by Backup-TA or Flashtool, or a dump of the whole disk. The file may be compressed as
// a whole. At most 8 MiB are read.
func Find(r io.ReaderAt, size int64) (*Dump, error) {
	head, err := readAt(r, 0, min(size, headSize))
	if err != nil {
		return nil, err
	}
	if f := unpack.Detect(head); f != unpack.None {
		data, err := decompress(io.NewSectionReader(r, 0, size), f)
		if err != nil {
			return nil, err
		}
		r, size, head = bytes.NewReader(data), int64(len(data)), data[:min(len(data), headSize)]
		if ftf.IsZip(head) {
			return nil, ErrUnpack
		}
	}
	var d *Dump
	switch {
	case ftf.IsZip(head):
		d, err = fromZip(r, size)
	case size <= maxText && ftf.IsTA(head):
		d = &Dump{Container: TextBackup}
		d.Data, err = readAt(r, 0, size)
	case size <= LargeImageSize:
		d = &Dump{Container: PlainDump}
		d.Data, err = readAt(r, 0, size)
	default:
		d, err = fromDisk(r, size)
	}
	if err != nil {
		return nil, err
	}
	sum := md5.Sum(d.Data)
	d.Sum = hex.EncodeToString(sum[:])
	return d, nil
}

// decompress gives the content of a compressed file.
func decompress(r io.Reader, f unpack.Format) ([]byte, error) {
	z, err := unpack.NewReader(r, f, LargeImageSize)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	data, err := io.ReadAll(z)
	switch {
	case errors.Is(err, unpack.ErrLimit):
		return nil, ErrUnpack
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	return data, nil
}

// maxText bounds text backups; Flashtool's have up to 3 MiB.
const maxText = 4 << 20

// headSize is how much of a file says what it is.
const headSize = 4096

// fromDisk reads the partition TA of a dump of a whole disk.
func fromDisk(r io.ReaderAt, size int64) (*Dump, error) {
	found, err := gpt.Salvage(r, size)
	if err != nil {
		return nil, err
	}
	if found.Table == nil {
		return nil, ErrTooLarge
	}
	e, ok := found.Table.ByName("TA")
	if !ok {
		return nil, ErrNoTA
	}
	if e.Size() > LargeImageSize {
		return nil, &Error{Offset: e.Offset(), Err: ErrTooLarge}
	}
	if e.Offset()+e.Size() > size {
		return nil, &Error{Offset: size, Err: gpt.ErrCutOff}
	}
	d := &Dump{Container: WholeDisk, Offset: e.Offset(), Disk: found.Fault}
	d.Data, err = readAt(r, e.Offset(), e.Size())
	return d, err
}

// fromZip reads a backup: TA.img with TA.md5 and TA.serial beside it (Backup-TA), or ta.dd
// (Flashtool).
func fromZip(r io.ReaderAt, size int64) (*Dump, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrArchive, err)
	}
	if len(z.File) > maxMembers {
		return nil, ErrMembers
	}
	d := &Dump{}
	for _, f := range z.File {
		switch base := strings.ToLower(path.Base(f.Name)); base {
		case "ta.img", "ta.dd":
			if d.Data != nil {
				return nil, ErrTwo
			}
			if d.Data, err = member(f, LargeImageSize); err != nil {
				return nil, err
			}
			if d.Member, d.Container = f.Name, BackupTA; base == "ta.dd" {
				d.Container = Flashtool
			}
		case "ta.md5":
			text, err := member(f, otherFiles)
			if err != nil {
				return nil, err
			}
			if fields := strings.Fields(string(text)); len(fields) > 0 {
				d.MD5 = strings.ToLower(fields[0])
			}
		case "ta.serial":
			text, err := member(f, otherFiles)
			if err != nil {
				return nil, err
			}
			d.Serial = strings.TrimSpace(string(text))
		}
	}
	if d.Data == nil {
		return nil, ErrNoImage
	}
	// What readers of archives overlook, such as bytes before and after one.
	var damage *ftf.Error
	if _, err := ftf.OpenArchive("", r, size); errors.As(err, &damage) && damage.Reason != ftf.NotBundle {
		d.Archive = damage
	}
	return d, nil
}

// member reads a file of a zip that must not be longer than limit. Its checksum is that of
// the zip, which the reader verifies.
func member(f *zip.File, limit int64) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, fmt.Errorf("%w: %s: %w", ErrArchive, f.Name, err) }
	if f.UncompressedSize64 > uint64(limit) {
		return fail(ErrTooLarge)
	}
	r, err := f.Open()
	if err != nil {
		return fail(err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = ErrTooLarge
	}
	if err != nil {
		return fail(err)
	}
	return b, nil
}

// readAt reads size bytes, which the caller has bounded.
func readAt(r io.ReaderAt, offset, size int64) ([]byte, error) {
	b := make([]byte, size)
	_, err := io.ReadFull(io.NewSectionReader(r, offset, size), b)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}
