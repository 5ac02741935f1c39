package bootimg

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// Offsets in the header, bytes, little-endian (FORMAT.md §1.1, §1.2).
const (
	offVersion       = 40 // v0 of vendors: dt_size; since v1: header version
	offName          = 48
	offCmdline       = 64
	offID            = 576
	offExtraCmdline  = 608
	headerLenV0      = 1632
	offDTBOSize      = 1632
	offDTBOOffset    = 1636
	offHeaderSize    = 1644
	headerLenV1      = 1648
	offDTBSize       = 1648
	offDTBAddr       = 1652
	headerLenV2      = 1660
	offHeaderSizeV3  = 20
	offCmdlineV3     = 44
	headerLenV3      = 1580
	offSignatureSize = 1580
	headerLenV4      = 1584

	nameLen         = 16
	cmdlineLen      = 512
	extraCmdlineLen = 1024
	cmdlineLenV3    = 1536
)

// headerLenV3Early is what mkbootimg of Android 10 (Debian's, too) writes into
// v3 headers of the same layout, before the format was settled.
const headerLenV3Early = 1596

// parseHeader reads the header and says where it ends; sections are not touched.
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
		m.PageSize = le.Uint32(data[36:])
		if m.PageSize < MinPageSize || m.PageSize > MaxPageSize || m.PageSize&(m.PageSize-1) != 0 {
			return nil, fail("boot image", ErrMalformed, 36, "page size %d is not a power of two from %d to %d", m.PageSize, MinPageSize, MaxPageSize)
		}
	}
	if len(data) < int(m.PageSize) {
		return nil, fail("boot image", ErrTruncated, int64(len(data)), "the header page has %d bytes", m.PageSize)
	}
	h := data[:m.PageSize:m.PageSize]
	m.head = h
	if m.Version >= 3 {
		m.OSVersion = OSVersion(le.Uint32(h[16:]))
		m.HeaderSize = le.Uint32(h[offHeaderSizeV3:])
		m.Cmdline = m.storedCmdline()
		return m, nil
	}
	m.KernelAddr, m.RamdiskAddr = le.Uint32(h[12:]), le.Uint32(h[20:])
	m.SecondAddr, m.TagsAddr = le.Uint32(h[28:]), le.Uint32(h[32:])
	m.OSVersion = OSVersion(le.Uint32(h[44:]))
	m.Name = cString(h[offName : offName+nameLen])
	m.Cmdline = m.storedCmdline()
	copy(m.ID[:], h[offID:])
	if m.Version > 0 {
		m.HeaderSize = le.Uint32(h[offHeaderSize:])
	}
	if m.Version == 2 {
		m.DTBAddr = le.Uint64(h[offDTBAddr:])
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
	v1 := uint32(0)
	if len(h) >= headerLenV1 {
		v1 = le.Uint32(h[offHeaderSize:])
	}
	v3 := le.Uint32(h[offHeaderSizeV3:])
	switch word := le.Uint32(h[offVersion:]); {
	case word == 1 && v1 == headerLenV1, word == 2 && v1 == headerLenV2,
		word == 3 && (v3 == headerLenV3 || v3 == headerLenV3Early), word == 4 && v3 == headerLenV4:
		return int(word)
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
	size := func(at int, b []byte) { le.PutUint32(h[at:], uint32(len(b))) }
	size(8, m.Kernel)
	if m.Version >= 3 {
		size(12, m.Ramdisk)
		le.PutUint32(h[16:], uint32(m.OSVersion))
		le.PutUint32(h[offHeaderSizeV3:], m.headerSize(headerLenV3, headerLenV4))
		le.PutUint32(h[offVersion:], uint32(m.Version))
		putString(h[offCmdlineV3:offCmdlineV3+cmdlineLenV3], m.Cmdline)
		if m.Version == 4 {
			size(offSignatureSize, m.Signature)
		}
		return h, nil
	}
	size(16, m.Ramdisk)
	size(24, m.Second)
	for at, v := range map[int]uint32{12: m.KernelAddr, 20: m.RamdiskAddr, 28: m.SecondAddr, 32: m.TagsAddr,
		36: m.PageSize, offVersion: uint32(m.Version), 44: uint32(m.OSVersion)} {
		le.PutUint32(h[at:], v)
	}
	putString(h[offName:offName+nameLen], m.Name)
	first, extra := h[offCmdline:offCmdline+cmdlineLen], h[offExtraCmdline:offExtraCmdline+extraCmdlineLen]
	if cString(first)+cString(extra) != m.Cmdline {
		n := min(len(m.Cmdline), cmdlineLen-1) // loaders put a NUL into the last byte
		putString(first, m.Cmdline[:n])
		putString(extra, m.Cmdline[n:])
	}
	copy(h[offID:], m.ID[:])
	if m.Version == 0 {
		size(offVersion, m.DT)
		return h, nil
	}
	size(offDTBOSize, m.RecoveryDTBO)
	le.PutUint64(h[offDTBOOffset:], m.recoveryDTBOOffset())
	le.PutUint32(h[offHeaderSize:], m.headerSize(headerLenV1, headerLenV2))
	if m.Version == 2 {
		size(offDTBSize, m.DTB)
		le.PutUint64(h[offDTBAddr:], m.DTBAddr)
	}
	return h, nil
}

// headerSize is the stored one, else that of the version: odd or even.
func (m *Image) headerSize(odd, even uint32) uint32 {
	switch {
	case m.HeaderSize != 0:
		return m.HeaderSize
	case m.Version%2 == 1:
		return odd
	}
	return even
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
	if m.Version >= 3 && m.PageSize != PageSizeV3 || m.PageSize < MinPageSize || m.PageSize > MaxPageSize || m.PageSize&(m.PageSize-1) != 0 {
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
	for _, p := range []struct {
		name  string
		data  []byte
		since int
		until int
	}{
		{"kernel", m.Kernel, 0, 4}, {"ramdisk", m.Ramdisk, 0, 4}, {"second stage", m.Second, 0, 2}, {"device tree table", m.DT, 0, 0},
		{"recovery dtbo", m.RecoveryDTBO, 1, 2}, {"dtb", m.DTB, 2, 2}, {"signature", m.Signature, 4, 4},
	} {
		if len(p.data) > 0 && (m.Version < p.since || m.Version > p.until) {
			return bad(ErrMalformed, "header version %d has no room for a %s", m.Version, p.name)
		}
		if int64(len(p.data)) > math.MaxUint32 {
			return bad(ErrTooLarge, "a %s of %d bytes", p.name, len(p.data))
		}
	}
	return nil
}

// cString is what is in a fixed field up to the first NUL.
func cString(b []byte) string {
	if i := slices.Index(b, 0); i >= 0 {
		b = b[:i]
	}
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
