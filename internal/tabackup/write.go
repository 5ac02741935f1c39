package tabackup

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/trimarea"
)

// About is what a folder says of its backup in backup.json.
type About struct {
	Type       string            `json:"type"` // "trim-area-backup"
	Created    time.Time         `json:"created"`
	By         string            `json:"by"`     // program and version
	Loader     string            `json:"loader"` // file that was sent; empty when one ran already
	Partial    bool              `json:"partial"`
	Missing    string            `json:"missing"` // what no such backup has
	Partitions []AboutPartition  `json:"partitions"`
	Hello      map[string]string `json:"hello"` // what the phone says of itself; what identifies it is masked
}

// AboutPartition is one partition in backup.json.
type AboutPartition struct {
	Number  int    `json:"number"`
	Units   int    `json:"units"`
	Bytes   int    `json:"bytes"`             // of the stream
	Partial bool   `json:"partial"`           // read unit by unit
	Refused string `json:"refused,omitempty"` // the phone's reason, word for word
}

// Files of a backup: the stream of each partition as the phone sent it, the same in the
// text form of Flashtool, the known facts about the backup, and the checksums of all of them.
const aboutFile = "backup.json"

// Write puts the backup into a new folder, readable by its owner only. It never writes over
// anything, and a folder of that name is there only when it is complete.
func (b *Backup) Write(dir, by, loader string, now time.Time) (err error) {
	files, err := b.files(by, loader, now)
	if err != nil {
		return err
	}
	dir = filepath.Clean(dir)
	part, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".part-") // 0700
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(part) // the first error is the one to tell
		}
	}()
	for _, f := range files {
		if err := fileio.Replace(filepath.Join(part, f.name), f.data, 0o600); err != nil {
			return err
		}
	}
	err = unix.Renameat2(unix.AT_FDCWD, part, unix.AT_FDCWD, dir, unix.RENAME_NOREPLACE)
	if err != nil {
		return &fs.PathError{Op: "create", Path: dir, Err: err}
	}
	return nil
}

type file struct {
	name string
	data []byte
}

func (b *Backup) files(by, loader string, now time.Time) ([]file, error) {
	about := About{Type: "trim-area-backup", Created: now.UTC().Truncate(time.Second), By: by, Loader: loader,
		Partial: b.Partial(), Missing: b.Missing, Hello: b.Hello}
	var files []file
	for _, p := range b.Partitions {
		row := AboutPartition{Number: p.Number, Units: len(p.Units), Bytes: len(p.Stream), Partial: p.Partial != "", Refused: p.Refused}
		about.Partitions = append(about.Partitions, row)
		if p.Refused != "" {
			continue
		}
		lines, err := p.text(about)
		if err != nil {
			return nil, err
		}
		files = append(files, file{fmt.Sprintf("%d.ta", p.Number), lines}, file{fmt.Sprintf("%d.bin", p.Number), p.Stream})
	}
	data, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return nil, err
	}
	files = append(files, file{aboutFile, append(data, '\n')})
	var sums strings.Builder
	for _, f := range files {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(f.data), f.name)
	}
	return append(files, file{trimarea.SumsFile, []byte(sums.String())}), nil
}

// text is the partition in the form of Flashtool's backups, its units by number. Flashtool
// cuts the length of a unit to 16 bits; here a longer one has eight digits.
func (p *Partition) text(about About) ([]byte, error) {
	var head strings.Builder
	say := func(format string, a ...any) { fmt.Fprintf(&head, "// "+format+"\n", a...) }
	say("Trim-area partition %d, read in flash mode by %s, %s.", p.Number, about.By, about.Created.Format(time.RFC3339))
	say("%d units. SHA-256 of %d.bin, the partition as the phone sent it: %x", len(p.Units), p.Number, sha256.Sum256(p.Stream))
	if p.Partial != "" {
		say("PARTIAL: the phone did not send the whole partition, so xflash asked for known units one by one.")
	}
	say("Not in it: %s", about.Missing)
	say("Lengths from 00010000 on have eight digits. Flashtool cuts them to four and cannot read such units back.")
	f := ftf.TAFile{Partition: p.Number}
	for _, u := range p.Units {
		f.Units = append(f.Units, ftf.TAUnit{Unit: u.Number, Data: u.Data})
	}
	slices.SortFunc(f.Units, func(a, b ftf.TAUnit) int { return cmp.Compare(a.Unit, b.Unit) })
	units, err := f.Encode()
	return append([]byte(head.String()), units...), err
}
