package ftf

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// Member is one file of a bundle.
type Member struct {
	Name      string // in the archive or folder, with slashes
	Base      string // last element, protection (.sinb, .tab) taken off
	Short     string // short name: see ShortName
	Kind      Kind
	Boot      bool  // lies in boot/: belongs to the boot delivery
	Partition bool  // lies in partition/: belongs to the partition delivery
	Size      int64 // bytes unpacked
	Err       error // of a text that Open could do without: why it cannot be used

	crc    uint32 // of archives
	bundle *Bundle
	open   func() (io.ReadCloser, error)
}

// Open starts to read the member from its start. The reader gives exactly Size
// bytes or an error; for an archive it checks the CRC-32, and Close returns what
// was found wrong as well. Several readers may be open at once.
func (m *Member) Open() (io.ReadCloser, error) {
	r, err := m.open()
	return r, within(err, m.bundle.Path, m.Name)
}

// read runs a parser over the member.
func (m *Member) read(parse func(io.Reader) error) error {
	r, err := m.Open()
	if err != nil {
		return err
	}
	err = parse(r)
	if closeErr := r.Close(); closeErr != nil {
		err = closeErr // damaged contents explain every parser error
	}
	return within(err, m.bundle.Path, m.Name)
}

// TA reads the member as a .ta file.
func (m *Member) TA() (*TAFile, error) {
	var f *TAFile
	err := m.read(func(r io.Reader) (err error) {
		f, err = ParseTA(r)
		return err
	})
	return f, err
}

// Check reads the member to its end, which also checks its CRC-32, and parses a text of a
// known kind. Of an image only the checksum is checked.
func (m *Member) Check() error {
	return m.read(func(r io.Reader) (err error) {
		switch {
		case m.Kind == KindTA:
			_, err = ParseTA(r)
		case m.Kind == KindFSC:
			_, err = ParseScript(r)
		case m.Kind == KindManifest:
			_, err = ParseManifest(r)
		case strings.EqualFold(m.Base, "boot_delivery.xml"):
			_, err = ParseBootDelivery(r)
		case m.Kind == KindXML:
			_, err = RootElement(r)
		}
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		return err
	})
}

// Bundle is an open firmware bundle.
type Bundle struct {
	Path     string
	Folder   bool // a folder instead of an archive
	Manifest Manifest
	Members  []*Member     // without folders; in the order of the archive, or by name
	Delivery *BootDelivery // nil when there is none
	Tables   []string      // base names that partition_delivery.xml lists; nil when there is none
	Script   *Script       // nil when there is none
	// ScriptName is the member Script comes from.
	ScriptName string
	Notes      []Note // what was odd but has one meaning
	LeftOut    []Note // files of a folder that cannot be members, and why
	Beside     Beside // what else is in the folder
	// Inside is the subfolder that holds the firmware when the folder itself holds none,
	// "" else. Names of members start below it.
	Inside string

	closers []io.Closer
}

// Open opens a bundle: an archive, or a folder with the same files. Everything
// that can be checked without unpacking the images is checked; whatever lies in
// the file is an *Error.
func Open(path string) (*Bundle, error) {
	b := &Bundle{Path: path}
	err := b.load()
	if err != nil {
		b.Close()
		return nil, within(err, path, "")
	}
	return b, nil
}

// OpenArchive is Open for an archive that lies in another file; path names it in errors. r
// must stay open.
func OpenArchive(path string, r io.ReaderAt, size int64) (*Bundle, error) {
	b := &Bundle{Path: path}
	err := b.addArchive(r, size, "")
	if err == nil {
		err = b.interpret()
	}
	if err != nil {
		return nil, within(err, path, "")
	}
	return b, nil
}

func (b *Bundle) load() error {
	info, err := os.Stat(b.Path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		b.Folder = true
		err = b.loadFolder()
	case !info.Mode().IsRegular():
		return fail(NotRegular, "it is neither a file nor a folder")
	default:
		err = b.loadArchive()
	}
	if err != nil {
		return err
	}
	return b.interpret()
}

func (b *Bundle) loadArchive() error {
	f, err := os.Open(b.Path)
	if err != nil {
		return err
	}
	b.closers = append(b.closers, f)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return b.addArchive(f, info.Size(), "")
}

// addArchive adds the members of a zip archive under a prefix.
func (b *Bundle) addArchive(r io.ReaderAt, size int64, prefix string) error {
	entries, dir, err := readDirectory(r, size)
	if err != nil {
		return err
	}
	if err := checkEntries(entries, size); err != nil {
		return err
	}
	if err := checkLocals(r, entries, dir.offset); err != nil {
		return err
	}
	for _, e := range entries {
		if e.isFolder() {
			continue
		}
		// Old zip programs wrote names in the code page of their system.
		name := strings.ToValidUTF8(e.name, "\uFFFD")
		if name != e.name {
			b.note(name, "the name is not UTF-8; some letters are replaced")
		}
		m := b.add(prefix+name, e.size)
		m.crc = e.crc
		m.open = func() (io.ReadCloser, error) { return openEntry(b.Path, r, e), nil }
	}
	return nil
}

// add appends a member; the caller sets how it is opened.
func (b *Bundle) add(name string, size int64) *Member {
	base := unprotect(path.Base(name))
	m := &Member{Name: name, Base: base, Short: ShortName(base), Kind: kindOf(name),
		Boot: inFolder(name, "boot"), Partition: inFolder(name, "partition"), Size: size, bundle: b}
	b.Members = append(b.Members, m)
	return m
}

// Images returns the SIN images outside boot/, the loader among them, in the order
// of the bundle.
func (b *Bundle) Images() (out []*Member) {
	for _, m := range b.Members {
		if m.Kind == KindSIN && !m.Boot {
			out = append(out, m)
		}
	}
	return out
}

// LostFiles lists the files that the boot delivery names and the bundle lacks.
func (b *Bundle) LostFiles() []string {
	var lost []string
	if b.Delivery == nil {
		return nil
	}
	for _, c := range b.Delivery.Configurations {
		for _, file := range c.Files() {
			has := func(m *Member) bool { return m.Boot && strings.EqualFold(m.Base, path.Base(file)) }
			if !slices.ContainsFunc(b.Members, has) && !slices.Contains(lost, file) {
				lost = append(lost, file)
			}
		}
	}
	return lost
}

func (b *Bundle) note(member, format string, args ...any) {
	b.Notes = append(b.Notes, Note{member, fmt.Sprintf(format, args...)})
}

// Close closes the bundle; readers of members must not be used after it.
func (b *Bundle) Close() error {
	var all []error
	for _, c := range b.closers {
		all = append(all, c.Close())
	}
	b.closers = nil
	return errors.Join(all...)
}

// identityHead is how much of each file of a folder the identity covers: 1 MiB
// holds the header of a SIN image with the hashes of all its blocks.
const identityHead = 1 << 20

// Identity is a SHA-256, as hex text, that is the same for the same bundle and
// differs when a member was added, taken away or changed. For an archive it covers
// names, sizes and CRC-32s, whatever the order and packing; for a folder names,
// sizes and the first MiB of each file. Files of no use (KindOther) do not count.
// An archive and a folder with the same files have different identities.
func (b *Bundle) Identity() (string, error) {
	members := slices.SortedFunc(slices.Values(b.Members), func(x, y *Member) int { return cmp.Compare(x.Name, y.Name) })
	all := sha256.New()
	for _, m := range members {
		if m.Kind == KindOther {
			continue
		}
		mark := fmt.Sprintf("%08x", m.crc)
		if b.Folder {
			var err error
			if mark, err = m.headHash(); err != nil {
				return "", err
			}
		}
		fmt.Fprintf(all, "%q %d %s\n", m.Name, m.Size, mark)
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

func (m *Member) headHash() (string, error) {
	h := sha256.New()
	r, err := m.Open()
	if err != nil {
		return "", err
	}
	_, err = io.Copy(h, io.LimitReader(r, identityHead))
	err = cmp.Or(err, r.Close())
	return hex.EncodeToString(h.Sum(nil)), err
}
