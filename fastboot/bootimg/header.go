package bootimg

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// Offsets in the header, bytes, little-endian (FORMAT.md §1.1, §1.2).
const (
	offPageSize     = 36
	offVersion      = 40 // v0 of vendors: dt_size; since v1: header version
	offName         = 48
	offCmdline      = 64
	offID           = 576
	offExtraCmdline = 608
	headerLenV0     = 1632
	offDTBOOffset   = 1636
	offHeaderSize   = 1644
	offDTBAddr      = 1652
	offHeaderSizeV3 = 20
	offCmdlineV3    = 44

	nameLen         = 16
	cmdlineLen      = 512
	extraCmdlineLen = 1024
	cmdlineLenV3    = 1536
)

// headerSizes are the sizes that the header of a version states; the first one is right, and
// the other one of v3 is what mkbootimg of Android 10 (Debian's, too) writes for the same layout.
var headerSizes = map[int][]uint32{1: {1648}, 2: {1660}, 3: {1580, 1596}, 4: {1584}}

// sizeAt is where the header of a version states its size.
func sizeAt(version int) int {
	if version >= 3 {
		return offHeaderSizeV3
	}
	return offHeaderSize
}

// section is a part of the image after the header.
type section struct {
	name         string
	data         *[]byte
	since, until int // header versions that have it
	size         int // where the header has its size
}

// layout are the sections of all versions, in their order.
func (m *Image) layout() []section {
	return []section{
		{"kernel", &m.Kernel, 0, 4, 8}, {"ramdisk", &m.Ramdisk, 0, 2, 16}, {"ramdisk", &m.Ramdisk, 3, 4, 12},
		{"second stage", &m.Second, 0, 2, 24}, {"device tree table", &m.DT, 0, 0, offVersion},
		{"recovery dtbo", &m.RecoveryDTBO, 1, 2, 1632}, {"dtb", &m.DTB, 2, 2, 1648}, {"signature", &m.Signature, 4, 4, 1580},
	}
}

// sections are those of this version.
func (m *Image) sections() []section {
	return slices.DeleteFunc(m.layout(), func(s section) bool { return m.Version < s.since || m.Version > s.until })
}

// words are the fields of the header of this version that are plain words, by their offsets.
func (m *Image) words() map[int]*uint32 {
	w := map[int]*uint32{16: (*uint32)(&m.OSVersion)}
	if m.Version < 3 {
		w = map[int]*uint32{12: &m.KernelAddr, 20: &m.RamdiskAddr, 28: &m.SecondAddr, 32: &m.TagsAddr, offPageSize: &m.PageSize,
			44: (*uint32)(&m.OSVersion)}
	}
	if m.Version > 0 {
		w[sizeAt(m.Version)] = &m.HeaderSize
	}
	return w
}

func soundPageSize(n uint32) bool { return n >= MinPageSize && n <= MaxPageSize && n&(n-1) == 0 }

// parseHeader reads the header; sections are not touched.
func parseHeader(data []byte) (*Image, error) {
	if !bytes.HasPrefix(data, []byte(Magic)) {
		return nil, fail("boot image", ErrWrongKind, 0, "starts with % x", data[:min(8, len(data))])
	}
	if len(data) < headerLenV0 {
		return nil, fail("boot image", ErrTruncated, int64(len(data)), "the header has %d bytes or more", headerLenV0)
	}
	m := &Image{Version: headerVersion(data), PageSize: PageSizeV3}
	le := binary.LittleEndian
	if m.Version < 3 {
		if m.PageSize = le.Uint32(data[offPageSize:]); !soundPageSize(m.PageSize) {
			return nil, fail("boot image", ErrMalformed, offPageSize, "page size %d is not a power of two from %d to %d", m.PageSize, MinPageSize, MaxPageSize)
		}
	}
	if len(data) < int(m.PageSize) {
		return nil, fail("boot image", ErrTruncated, int64(len(data)), "the header page has %d bytes", m.PageSize)
	}
	m.head = data[:m.PageSize:m.PageSize]
	for at, v := range m.words() {
		*v = le.Uint32(m.head[at:])
	}
	m.Cmdline = m.storedCmdline()
	if m.Version < 3 {
		m.Name = cString(m.head[offName : offName+nameLen])
		copy(m.ID[:], m.head[offID:])
	}
	if m.Version == 2 {
		m.DTBAddr = le.Uint64(m.head[offDTBAddr:])
	}
	return m, nil
}

// storedCmdline is the command line in the header page the image came with.
func (m *Image) storedCmdline() string {
	switch h := m.head; {
	case len(h) == 0:
		return ""
	case m.Version >= 3:
		return cString(h[offCmdlineV3 : offCmdlineV3+cmdlineLenV3])
	default:
		return cString(h[offCmdline:offCmdline+cmdlineLen]) + cString(h[offExtraCmdline:offExtraCmdline+extraCmdlineLen])
	}
}

// headerVersion reads the word at offset 40, which is a header version only when
// the header size of that version is at its place, else the size of a
// vendor's device tree table after a v0 image (FORMAT.md §1.3).
func headerVersion(h []byte) int {
	le := binary.LittleEndian
	version := int(le.Uint32(h[offVersion:]))
	at := sizeAt(version)
	if len(h) >= at+4 && slices.Contains(headerSizes[version], le.Uint32(h[at:])) {
		return version
	}
	return 0
}

// encodeHeader makes the header page. Where the image came from a file, bytes
// that no field speaks of stay as they were.
func (m *Image) encodeHeader() ([]byte, error) {
	if err := m.checkFields(); err != nil {
		return nil, err
	}
	h := make([]byte, m.PageSize)
	if len(m.head) == len(h) {
		copy(h, m.head)
	}
	copy(h, Magic)
	le := binary.LittleEndian
	for at, v := range m.words() {
		le.PutUint32(h[at:], *v)
	}
	if m.Version > 0 {
		le.PutUint32(h[offVersion:], uint32(m.Version))
		if m.HeaderSize == 0 {
			le.PutUint32(h[sizeAt(m.Version):], headerSizes[m.Version][0])
		}
	}
	for _, s := range m.sections() {
		le.PutUint32(h[s.size:], uint32(len(*s.data)))
	}
	if m.Version >= 3 {
		putString(h[offCmdlineV3:offCmdlineV3+cmdlineLenV3], m.Cmdline)
		return h, nil
	}
	putString(h[offName:offName+nameLen], m.Name)
	first, extra := h[offCmdline:offCmdline+cmdlineLen], h[offExtraCmdline:offExtraCmdline+extraCmdlineLen]
	if cString(first)+cString(extra) != m.Cmdline {
		n := min(len(m.Cmdline), cmdlineLen-1) // loaders put a NUL into the last byte
		putString(first, m.Cmdline[:n])
		putString(extra, m.Cmdline[n:])
	}
	copy(h[offID:], m.ID[:])
	if m.Version > 0 {
		le.PutUint64(h[offDTBOOffset:], m.recoveryDTBOOffset())
	}
	if m.Version == 2 {
		le.PutUint64(h[offDTBAddr:], m.DTBAddr)
	}
	return h, nil
}

// recoveryDTBOOffset is where the recovery dtbo starts in the file, 0 when there is none.
func (m *Image) recoveryDTBOOffset() uint64 {
	if len(m.RecoveryDTBO) == 0 {
		return 0
	}
	at := int64(m.PageSize)
	for _, s := range [][]byte{m.Kernel, m.Ramdisk, m.Second} {
		at += roundUp(int64(len(s)), int64(m.PageSize))
	}
	return uint64(at)
}

// checkFields refuses what the header of this version cannot say.
func (m *Image) checkFields() error {
	bad := func(reason error, format string, args ...any) error {
		return fail("boot image", reason, 0, format, args...)
	}
	if m.Version < 0 || m.Version > 4 {
		return bad(ErrUnsupported, "header version %d", m.Version)
	}
	if m.Version >= 3 && m.PageSize != PageSizeV3 || !soundPageSize(m.PageSize) {
		return bad(ErrMalformed, "page size %d with header version %d", m.PageSize, m.Version)
	}
	cmdlineMax := cmdlineLen + extraCmdlineLen - 2
	if m.Version >= 3 {
		cmdlineMax = cmdlineLenV3 - 1
	}
	// One that fills its field to the last byte, without a NUL, stays as it came.
	if m.Cmdline == m.storedCmdline() {
		cmdlineMax = max(cmdlineMax, len(m.Cmdline))
	}
	if len(m.Cmdline) > cmdlineMax || len(m.Name) > nameLen {
		return bad(ErrTooLarge, "a command line of %d and a name of %d bytes; the limits are %d and %d", len(m.Cmdline), len(m.Name), cmdlineMax, nameLen)
	}
	own := m.sections()
	for _, p := range m.layout() {
		if len(*p.data) > 0 && !slices.ContainsFunc(own, func(s section) bool { return s.data == p.data }) {
			return bad(ErrMalformed, "header version %d has no room for a %s", m.Version, p.name)
		}
		if int64(len(*p.data)) > math.MaxUint32 {
			return bad(ErrTooLarge, "a %s of %d bytes", p.name, len(*p.data))
		}
	}
	return nil
}

// cString is what is in a fixed field up to the first NUL.
func cString(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

// putString writes s into a fixed field, unless the field says s already:
// then what follows its NUL stays.
func putString(field []byte, s string) {
	if cString(field) == s {
		return
	}
	clear(field)
	copy(field, s)
}
