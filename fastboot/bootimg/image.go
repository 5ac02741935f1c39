// Package bootimg takes apart what a phone boots: Android boot images of all
// header versions, vendor_boot images, Sony's ELF images, QCDT tables and
// appended device trees; and it examines the kernel and the ramdisk in them.
// It puts together what a repair makes: Android boot images and QCDT tables.
//
// It says what is in an image, not whether a phone accepts it.
//
// Images are slices in memory; what a parser returns points into what it was
// given, and no length in an image makes anything allocate before it was
// compared with what is there.
//
// Source of the formats: FORMAT.md, named at each of them.
package bootimg

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
)

// Magic starts an Android boot image.
const Magic = "ANDROID!"

// Page sizes of headers v0 to v2, in bytes; powers of two between them are allowed.
// Headers v3 and v4 have no such field and use PageSizeV3.
const (
	MinPageSize = 2048
	MaxPageSize = 16384
	PageSizeV3  = 4096
)

// Image is an Android boot image, header v0 to v4 (FORMAT.md §1.1, §1.2).
// Fields that a version does not have are zero and must be zero to be built.
type Image struct {
	Version    int    // 0 to 4
	HeaderSize uint32 // v1 and later, as stored; Build puts the right one for 0
	PageSize   uint32 // bytes

	KernelAddr, RamdiskAddr, SecondAddr, TagsAddr uint32 // v0 to v2
	DTBAddr                                       uint64 // v2

	OSVersion OSVersion
	Name      string   // v0 to v2, at most 16 bytes
	Cmdline   string   // all of it, also what is in the second field of v0 to v2
	ID        [32]byte // v0 to v2, see ComputeID

	Kernel, Ramdisk []byte
	Second          []byte // v0 to v2
	DT              []byte // v0: what dt_size speaks of, normally a QCDT table
	RecoveryDTBO    []byte // v1, v2
	DTB             []byte // v2
	Signature       []byte // v4

	Trailing []byte // what follows the last section: signatures, marks, the rest of a partition
	Need     int64  // bytes that the header asks for: all sections, each filled up to a page

	head []byte // header page as stored, so that unknown bytes of it survive
}

// Parse takes a boot image apart. Bytes after it are not an error: they become
// Trailing. When the file ends before its sections do, the image is returned
// together with an ErrTruncated error, its sections as far as they go. A last
// section that only lacks the filling up to a page is whole.
func Parse(data []byte) (*Image, error) {
	m, err := parseHeader(data)
	if err != nil {
		return nil, err
	}
	page, at := int64(m.PageSize), int64(m.PageSize)
	var cut error
	for _, s := range m.sections() {
		size := int64(binary.LittleEndian.Uint32(m.head[s.size:]))
		end := at + size
		begin, stop := min(at, int64(len(data))), min(end, int64(len(data)))
		if stop < end && size > 0 && cut == nil {
			cut = fail("boot image", ErrTruncated, int64(len(data)), "the %s of %d bytes starts at %#x and would end at %#x",
				s.name, size, at, end)
		}
		*s.data = data[begin:stop:stop]
		at = roundUp(end, page)
	}
	m.Need = at
	m.Trailing = data[min(at, int64(len(data))):]
	return m, cut
}

// Build puts the image together: header, sections, Trailing. All sizes come
// from the sections; the id is taken as it is. Padding is zero. An image that
// Parse gave comes out byte for byte when its padding was zero, too.
func (m *Image) Build() ([]byte, error) {
	h, err := m.encodeHeader()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(h)
	for _, s := range m.sections() {
		b.Write(*s.data)
		b.Write(make([]byte, int(roundUp(int64(b.Len()), int64(m.PageSize))-int64(b.Len()))))
	}
	b.Write(m.Trailing)
	return b.Bytes(), nil
}

func roundUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }

// OSVersion is the packed version and patch level of the system in the image
// (FORMAT.md §1.4); 0 means not set.
type OSVersion uint32

// Version returns the three parts of the version.
func (v OSVersion) Version() (a, b, c int) {
	return int(v >> 25), int(v >> 18 & 127), int(v >> 11 & 127)
}

// Patch returns year and month of the patch level, 0 and 0 when there is none.
func (v OSVersion) Patch() (year, month int) {
	if v&0x7ff == 0 {
		return 0, 0
	}
	return int(v>>4&127) + 2000, int(v & 15)
}

// String is like "8.1.0, patch level 2018-05"; empty when not set.
func (v OSVersion) String() string {
	if v == 0 {
		return ""
	}
	a, b, c := v.Version()
	text := fmt.Sprintf("%d.%d.%d", a, b, c)
	if year, month := v.Patch(); year != 0 {
		text += fmt.Sprintf(", patch level %04d-%02d", year, month)
	}
	return text
}

// ComputeID is the id that mkbootimg gives a v0 to v2 image: SHA-1 over each
// section, followed by its size as a little-endian word, zeros after it
// (FORMAT.md §1.5). Kernel, ramdisk and second stage always count.
// Loaders ignore it, and the fastboot client leaves it zero.
func (m *Image) ComputeID() [32]byte { return m.computeID(true) }

func (m *Image) computeID(withDT bool) (id [32]byte) {
	sum := sha1.New()
	add := func(b []byte) {
		sum.Write(b)
		sum.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(b))))
	}
	add(m.Kernel)
	add(m.Ramdisk)
	add(m.Second)
	if len(m.DT) > 0 && withDT {
		add(m.DT)
	}
	if m.Version > 0 {
		add(m.RecoveryDTBO)
	}
	if m.Version > 1 {
		add(m.DTB)
	}
	sum.Sum(id[:0])
	return id
}

// IDState says what the id of an image is.
type IDState int

// States of an id. IDWithoutDT hints that a tool which does not know of dt_size
// packed the image.
const (
	IDNone      IDState = iota // zero, or a version without ids
	IDRight                    // that of the sections
	IDWithoutDT                // that of the sections without the device tree table
	IDOther                    // something else
)

// CheckID compares the stored id with the sections.
func (m *Image) CheckID() IDState {
	switch m.ID {
	case [32]byte{}:
		return IDNone
	case m.computeID(true):
		return IDRight
	case m.computeID(false):
		return IDWithoutDT
	}
	return IDOther
}

// AVBFooter is the mark of Android verified boot at the very end of a partition
// image (FORMAT.md §7.2), big-endian. Phones of the S1 era know nothing
// of it; it is read to tell it from damage.
type AVBFooter struct {
	OriginalSize uint64 // of the image before the footer was added, bytes
	VBMetaOffset uint64
	VBMetaSize   uint64
}

const avbFooterLen = 64

// FindAVBFooter reads the footer in the last 64 bytes of a file.
func FindAVBFooter(data []byte) (AVBFooter, bool) {
	if len(data) < avbFooterLen {
		return AVBFooter{}, false
	}
	f := data[len(data)-avbFooterLen:]
	if string(f[:4]) != "AVBf" || binary.BigEndian.Uint32(f[4:]) != 1 {
		return AVBFooter{}, false
	}
	be := binary.BigEndian
	return AVBFooter{OriginalSize: be.Uint64(f[12:]), VBMetaOffset: be.Uint64(f[20:]), VBMetaSize: be.Uint64(f[28:])}, true
}
