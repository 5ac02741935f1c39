package ftf

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"
)

// File is a file to be put into a bundle.
type File struct {
	Name string // in the archive, with slashes
	// Open starts to read the contents. It is called twice.
	Open func() (io.ReadCloser, error)
	From *Member // that it is made of, may be nil
}

// bundleTime is on every member, so that the same files give the same bytes.
var bundleTime = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)

// Write writes a bundle: manifest, loader, flash scripts, then the other files in
// the order given (FORMAT.md §3). The same input gives the same bytes. Nothing is
// compressed: images barely shrink. Names are checked as in Open. A manifest among
// the files is refused.
func Write(w io.Writer, m Manifest, files []File) error {
	manifest, err := m.Encode()
	if err != nil {
		return err
	}
	if err := checkFiles(files); err != nil {
		return err
	}
	ordered := slices.Clone(files)
	slices.SortStableFunc(ordered, func(a, b File) int { return place(a) - place(b) })
	ordered = slices.Insert(ordered, 0, File{Name: manifestName, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(manifest)), nil
	}})
	z := zip.NewWriter(w)
	for _, f := range ordered {
		if err := addFile(z, f); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return z.Close()
}

// place is where a file goes: loader, scripts, the rest.
func place(f File) int {
	switch kind := kindOf(f.Name); {
	case kind == KindSIN && strings.EqualFold(ShortName(f.Name), "loader") && !inFolder(f.Name, "boot"):
		return 0
	case kind == KindFSC:
		return 1
	}
	return 2
}

func checkFiles(files []File) error {
	if len(files) >= maxMembers {
		return fail(TooMany, "%d files; the limit is %d", len(files), maxMembers-1)
	}
	seen := map[string]bool{foldName(manifestName): true}
	for _, f := range files {
		if err := checkName(f.Name); err != nil {
			return err
		}
		if strings.HasSuffix(f.Name, "/") {
			return fail(UnsafeName, "%q is a folder", f.Name)
		}
		if seen[foldName(f.Name)] {
			return fail(Duplicate, "two files are named %q", f.Name)
		}
		seen[foldName(f.Name)] = true
	}
	return nil
}

func addFile(z *zip.Writer, f File) error {
	header := &zip.FileHeader{Name: f.Name, Method: methodStored, Modified: bundleTime}
	header.SetMode(0o644)
	// Java's streaming reader refuses a stored member whose sizes come after it,
	// so they are found out in a first pass.
	size, crc, err := pour(io.Discard, f)
	if err != nil {
		return err
	}
	w, err := storedWriter(z, header, size, crc)
	if err != nil {
		return err
	}
	again, crcAgain, err := pour(w, f)
	if err == nil && (again != size || crcAgain != crc) {
		err = fail(Corrupt, "it changed while it was being packed")
	}
	return err
}

// storedWriter starts a stored member with its sizes in front. From 4 GiB on they
// come after it after all: archive/zip would leave the zip64 field out of the
// header.
func storedWriter(z *zip.Writer, header *zip.FileHeader, size int64, crc uint32) (io.Writer, error) {
	if size >= full32 {
		return z.CreateHeader(header)
	}
	header.CRC32, header.CompressedSize64, header.UncompressedSize64 = crc, uint64(size), uint64(size)
	return z.CreateRaw(header)
}

// pour copies a file's contents and tells their size and CRC-32.
func pour(w io.Writer, f File) (int64, uint32, error) {
	r, err := f.Open()
	if err != nil {
		return 0, 0, err
	}
	sum := crc32.NewIEEE()
	n, err := io.CopyBuffer(io.MultiWriter(w, sum), r, make([]byte, readBuffer))
	err = cmp.Or(err, r.Close())
	return n, sum.Sum32(), err
}

// Files returns the members as files for Write, without the manifest. Members of an
// archive keep their names. Those of a folder get the names Flashtool gives them
// (FORMAT.md §2): short names at the top, except where two would be the
// same; long names in boot/ with a protecting b; update.xml and fwinfo.xml are left
// out because the manifest has what they say.
func (b *Bundle) Files() []File {
	shorts := map[string]int{}
	for _, m := range b.Members {
		shorts[foldName(shortFileName(m))]++
	}
	_, deliveryOnTop := shorts["boot_delivery.xml"]
	var out []File
	for _, m := range b.Members {
		name := m.Name
		if b.Folder {
			switch short := shortFileName(m); {
			case m.Kind == KindOther, strings.EqualFold(m.Base, "update.xml"), strings.EqualFold(m.Base, "fwinfo.xml"):
				continue
			case m.Boot && strings.EqualFold(m.Base, "boot_delivery.xml"):
				if deliveryOnTop {
					continue // Open saw that they are the same
				}
				name = "boot_delivery.xml"
			case m.Boot && m.Kind != KindXML:
				name = "boot/" + m.Base + "b"
			case !m.Boot && !m.Partition && shorts[foldName(short)] == 1:
				name = short
			}
		}
		if m.Kind != KindManifest {
			out = append(out, File{name, m.Open, m})
		}
	}
	return out
}

// shortFileName is short name and ending.
func shortFileName(m *Member) string {
	if m.Boot || m.Partition || m.Kind != KindSIN {
		return m.Name
	}
	return m.Short + ".sin"
}
