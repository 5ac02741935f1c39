// Package xperifirm makes firmware folders, in the form in which XperiFirm lays them out,
// that a simulated phone of 2017 or later can be restored with: SIN files of versions 4 and 5
// with signatures of package testcms, partition tables, a boot delivery, trim-area files.
// Tests and demos use it. The names and forms are those of public file lists; contents are
// invented, and images are small unless Options say otherwise.
package xperifirm

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"slices"

	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/testcms"
)

// Options say what the folder is like. The zero value needs a Phone and an Authority.
type Options struct {
	Phone     string // one of simphone.CommandNames
	Storage   string // one of simphone's Storage constants, empty is UFS
	Model     string // product, empty is the phone's own
	Authority *mkimage.Authority

	Version   string // of the firmware; empty is one of the right generation
	Suffix    string // key id in names and signatures; empty is the phone's
	Role      string // of the signer; empty is commercial
	LUN0      int64  // KiB of the phone's unit 0; 0 is that of a new phone
	ImageSize int64  // bytes of an ordinary image; 0 is 64 KiB
	SuperSize int64  // bytes written into super, or system; 0 is 3 MiB
	ChunkSize int64  // bytes that one chunk of it brings; 0 is 1 MiB
	Rollback  uint64 // index in vbmeta

	Boot         BootForm
	Delivery     DeliveryForm // partition_delivery.xml
	Zips         bool         // partition.zip and boot.zip instead of the folders
	TablesInRoot bool         // partition images lie beside the others
	Gzip         []string     // short names of images that are version 4; nil is the phone's mixture
	NoErase      []string     // short names in update.xml; nil is userdata and persist
	NoUpdate     bool         // leave out update.xml
	Without      []string     // short names of images to leave out
	Hostile      bool         // adds trim-area files with units that must never be written
	Damage       map[string]Damage
}

// DeliveryForm says whether there is a partition_delivery.xml.
type DeliveryForm int

const (
	DeliveryUsual  DeliveryForm = iota // for phones of 2017, as older downloads had it
	DeliveryThere                      // there is one
	DeliveryAbsent                     // there is none
)

// Damage is what is wrong with an image.
type Damage int

const (
	DamageCut       Damage = iota + 1 // the file ends in the middle
	DamageBit                         // one bit of its last chunk is another than was signed
	DamageSignature                   // the container was changed
	DamageName                        // the members are named after another partition than was signed
	DamageRole                        // the signer is for test phones
	DamageSuffix                      // signed with the key of another product; the file name does not tell
	DamageOrder                       // the first two chunks are exchanged
)

// Firmware is a folder and what a phone must hold after all of it was restored.
type Firmware struct {
	Folder string
	Images map[string]*Image // by label
	Tables map[int][]byte    // first copies, by logical unit
	Units  map[uint32][]byte // of partition 2
	Facts  simphone.CommandFacts
}

// maker collects the files.
type maker struct {
	o     Options
	facts simphone.CommandFacts
	root  string
	fw    *Firmware

	signers map[string]*mkimage.Signer // by subject
}

// versions are firmware of the generations.
var versions = map[string]string{"xz1": "47.2.A.11.228", "1": "55.0.A.11.29", "1iii": "61.2.A.0.382"}

// Make makes the folder in dir.
func Make(dir string, o Options) (*Firmware, error) {
	facts, err := simphone.CommandFactsOf(o.Phone, o.Storage, o.Model)
	if err != nil {
		return nil, err
	}
	o.Version = cmp.Or(o.Version, versions[o.Phone])
	o.Suffix = cmp.Or(o.Suffix, facts.Suffix)
	o.Role = cmp.Or(o.Role, testcms.Commercial)
	o.LUN0 = cmp.Or(o.LUN0, facts.LUNs[0])
	o.ImageSize = cmp.Or(o.ImageSize, 64<<10)
	o.SuperSize = cmp.Or(o.SuperSize, 3<<20)
	o.ChunkSize = cmp.Or(o.ChunkSize, 1<<20)
	if o.NoErase == nil {
		o.NoErase = []string{"userdata", "persist"}
	}
	m := &maker{o: o, facts: facts, signers: map[string]*mkimage.Signer{}, root: filepath.Join(dir, fmt.Sprintf("%s_Customized EU_%s-R1A", facts.Product, o.Version))}
	m.fw = &Firmware{Folder: m.root, Images: map[string]*Image{}, Tables: map[int][]byte{}, Units: map[uint32][]byte{}, Facts: facts}
	if err := os.MkdirAll(m.root, 0o755); err != nil {
		return nil, err
	}
	for _, step := range []func() error{m.images, m.tables, m.boot, m.units, m.lists, m.zips} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return m.fw, nil
}

// write writes a file of the folder.
func (m *maker) write(name string, data []byte) error {
	path := filepath.Join(m.root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// signed is one SIN file to be made.
type signed struct {
	file   string // path in the folder
	short  string // what Options call it
	name   string // of the image
	suffix string // of the signer
	chunks []source
	gzip   bool
}

// sign makes it.
func (m *maker) sign(s signed) error {
	role, name := m.o.Role, s.name
	switch m.o.Damage[s.short] {
	case DamageRole:
		role = "test"
	case DamageSuffix:
		s.suffix = "0BAD"
	case DamageName:
		name = "other"
	}
	c := testcms.Content{Name: s.name, Build: m.o.Version}
	for _, chunk := range s.chunks {
		sum := sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(chunk, 0, chunk.Size())); err != nil {
			return err
		}
		c.Chunks = append(c.Chunks, sum.Sum(nil))
	}
	subject := testcms.Subject(role, s.suffix)
	if m.signers[subject] == nil {
		signer, err := m.o.Authority.Issue(subject, 1)
		if err != nil {
			return err
		}
		m.signers[subject] = signer
	}
	cms, err := testcms.Sign(m.signers[subject], c)
	if err != nil {
		return err
	}
	b := mkimage.ArchiveBuilder{Name: name, CMS: cms, Gzip: s.gzip}
	for _, chunk := range s.chunks {
		b.Chunks = append(b.Chunks, io.NewSectionReader(chunk, 0, chunk.Size()))
	}
	m.damage(&b, m.o.Damage[s.short])
	path := filepath.Join(m.root, filepath.FromSlash(s.file))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = b.Build(f)
	if info, statErr := f.Stat(); err == nil && statErr == nil && m.o.Damage[s.short] == DamageCut {
		err = f.Truncate(info.Size() * 2 / 3)
	}
	return errors.Join(err, f.Close())
}

// damage changes what was signed.
func (m *maker) damage(b *mkimage.ArchiveBuilder, d Damage) {
	switch last := len(b.Chunks) - 1; d {
	case DamageBit:
		whole := b.Chunks[last]
		at := whole.Size() / 2
		bit := make([]byte, 1)
		_, _ = whole.ReadAt(bit, at) // never fails
		bit[0] ^= 4
		changed := joined{section{whole, 0, at}, text(bit), section{whole, at + 1, whole.Size() - at - 1}}
		b.Chunks[last] = io.NewSectionReader(changed, 0, changed.Size())
	case DamageSignature:
		b.CMS = bytes.Clone(b.CMS)
		b.CMS[len(b.CMS)-1] ^= 1
	case DamageOrder:
		if last > 0 {
			b.Chunks[0], b.Chunks[1] = b.Chunks[1], b.Chunks[0]
		}
	}
}

// section is a part of another source.
type section struct {
	io.ReaderAt
	at, size int64
}

func (s section) Size() int64 { return s.size }

func (s section) ReadAt(b []byte, at int64) (int, error) {
	return io.NewSectionReader(s.ReaderAt, s.at, s.size).ReadAt(b, at)
}

// seed differs by firmware and image.
func (m *maker) seed(name string) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, m.o.Version, m.o.Suffix, name)
	return h.Sum64()
}

// without reports that an image is left out.
func (m *maker) without(short string) bool { return slices.Contains(m.o.Without, short) }

// zipped reports the mixture of versions 4 and 5 that downloads have: every image of 2017
// and of the small eMMC phones of 2018 is version 4, later on the boot loader alone.
func (m *maker) zipped(short string) bool {
	if m.o.Gzip != nil {
		return slices.Contains(m.o.Gzip, short)
	}
	return !m.facts.Slots || m.facts.EMMC && !m.facts.Super || short == "bootloader"
}
