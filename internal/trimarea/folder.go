package trimarea

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"xflash/ftf"
	"xflash/internal/text"
	"xflash/sin"
	"xflash/usbproto/s1"
)

// SumsFile lists the checksums of a folder that "xflash ta backup" made, in the form of
// sha256sum.
const SumsFile = "SHA256SUMS"

// IsFolder reports whether a folder holds a backup of the trim area made in flash mode:
// 1.ta or 2.ta, as xflash and Flashtool write them. With images beside them it is firmware.
func IsFolder(dir string) bool {
	for p := Trim; p <= Misc; p++ {
		if st, err := os.Stat(fmt.Sprintf("%s/%d.ta", dir, p)); err == nil && st.Mode().IsRegular() {
			images, err := fs.Glob(os.DirFS(dir), "*.[sS][iI][nN]*")
			return err == nil && len(images) == 0
		}
	}
	return false
}

// openFolder reads a folder with 1.ta and 2.ta. Where xflash made it, the streams beside
// them are what counts, the texts must say the same, and every checksum must be right.
func openFolder(ctx context.Context, dir string, roots *sin.RootSet) (*Backup, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f := folder{root: root, dump: &Dump{Container: FolderBackup}, survey: &Survey{}}
	for p := Trim; p <= Misc; p++ {
		if err := f.partition(p); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
	}
	if len(f.dump.Data) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoImage)
	}
	if err := f.sums(); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	b := Judge(ctx, f.dump, f.survey, roots)
	b.Wrong = append(f.wrong, b.Wrong...)
	return b, ctx.Err()
}

type folder struct {
	root   *os.Root
	dump   *Dump
	survey *Survey
	wrong  []Problem
}

func (f *folder) fault(reason, format string, a ...any) {
	f.wrong = append(f.wrong, Problem{reason, -1, fmt.Sprintf(format, a...)})
}

// read returns a file of the folder, nil when it is absent.
func (f *folder) read(name string) ([]byte, error) {
	file, err := f.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFolderFile+1))
	if err == nil && len(data) > maxFolderFile {
		err = fmt.Errorf("%s: %w", name, ErrTooLarge)
	}
	return data, err
}

// maxFolderFile bounds one file of a folder: the text of 8 MiB takes 25 MB.
const maxFolderFile = 32 << 20

// partition reads one partition: its text, and the stream beside it where there is one.
func (f *folder) partition(p int) error {
	name, raw := fmt.Sprintf("%d.ta", p), fmt.Sprintf("%d.bin", p)
	lines, err := f.read(name)
	if err != nil {
		return err
	}
	stream, err := f.read(raw)
	if err != nil || lines == nil && stream == nil {
		return err
	}
	f.dump.Data = append(append(f.dump.Data, lines...), stream...)
	var written []ftf.TAUnit
	if lines != nil {
		file, err := ftf.ParseTA(bytes.NewReader(lines))
		switch {
		case err != nil:
			f.fault("malformed", "%s: %v", name, err)
		case file.Partition != p:
			f.fault("malformed", "%s holds partition %d", name, file.Partition)
		default:
			written = file.Units
		}
	}
	var units []s1.Unit
	if stream != nil {
		if units, err = s1.ParseUnits(stream); err != nil {
			f.fault("malformed", "%s: %v", raw, err)
		}
	}
	if units == nil { // no stream, or a damaged one: the text is the best there is
		for _, u := range written {
			f.survey.Add(p, u.Unit, u.Data)
		}
		return nil
	}
	same := len(units) == len(written)
	texts := map[uint32][]byte{}
	for _, u := range written {
		texts[u.Unit] = u.Data
	}
	for _, u := range units {
		data, ok := texts[u.Number]
		same = same && ok && bytes.Equal(data, u.Data)
		f.survey.Add(p, u.Number, u.Data)
	}
	if !same {
		f.fault("malformed", "%s and %s hold different units", name, raw)
	}
	return nil
}

// sums compares the checksums that the folder notes; Flashtool notes none.
func (f *folder) sums() error {
	list, err := f.read(SumsFile)
	if err != nil || list == nil {
		return err
	}
	f.dump.Sums = true
	for line := range strings.Lines(string(list)) {
		want, name, ok := strings.Cut(strings.TrimRight(line, "\n"), "  ")
		if !ok {
			f.fault("malformed", "%s has a line that is not a checksum", SumsFile)
			continue
		}
		data, err := f.read(name)
		if err != nil {
			return err
		}
		have := sha256.Sum256(data)
		switch {
		case data == nil:
			f.fault("missing file", "%s is missing", text.Clean(name))
		case hex.EncodeToString(have[:]) != want:
			f.fault("wrong checksum", "%s changed after the backup was made: its SHA-256 is not the one in %s", text.Clean(name), SumsFile)
		}
	}
	return nil
}
