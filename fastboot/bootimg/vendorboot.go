package bootimg

import (
	"bytes"
	"encoding/binary"
)

// VendorMagic starts a vendor_boot image.
const VendorMagic = "VNDRBOOT"

// VendorBoot is the vendor half of a boot image, header v3 or v4
// (FORMAT.md §1.2). A v4 image divides its ramdisk into Fragments.
type VendorBoot struct {
	Version                           int    // 3 or 4
	HeaderSize                        uint32 // as stored; Build puts the right one for 0
	PageSize                          uint32
	KernelAddr, RamdiskAddr, TagsAddr uint32
	DTBAddr                           uint64
	Name, Cmdline                     string

	Ramdisk, DTB []byte
	Fragments    []Fragment // v4
	Bootconfig   []byte     // v4
	Trailing     []byte
}

// Fragment is an entry of the ramdisk table of a v4 vendor_boot image.
type Fragment struct {
	Offset, Size uint32 // within Ramdisk, bytes
	Type         uint32 // 0 none, 1 platform, 2 recovery, 3 dlkm
	Name         string // at most 32 bytes
	BoardID      [16]uint32
}

const (
	vendorCmdlineLen = 2048
	vendorLenV3      = 2112
	vendorLenV3Early = 2108 // written for the same layout by mkbootimg of Android 10
	vendorLenV4      = 2128
	fragmentLen      = 108
	fragmentNameLen  = 32
)

// ParseVendorBoot takes a vendor_boot image apart. A part that does not fit the
// file is an error here, since no phone that we flash has this partition and
// nothing can be diagnosed from half of one.
func ParseVendorBoot(data []byte) (*VendorBoot, error) {
	bad := func(reason error, at int, format string, args ...any) (*VendorBoot, error) {
		return nil, fail("vendor_boot image", reason, int64(at), format, args...)
	}
	if !bytes.HasPrefix(data, []byte(VendorMagic)) {
		return bad(ErrWrongKind, 0, "starts with % x", data[:min(8, len(data))])
	}
	if len(data) < vendorLenV3 {
		return bad(ErrTruncated, len(data), "the header has %d bytes or more", vendorLenV3)
	}
	le := binary.LittleEndian
	u32 := func(at int) uint32 { return le.Uint32(data[at:]) }
	v := &VendorBoot{
		Version: int(u32(8)), PageSize: u32(12), KernelAddr: u32(16), RamdiskAddr: u32(20), TagsAddr: u32(2076),
		Cmdline: cString(data[28 : 28+vendorCmdlineLen]), Name: cString(data[2080:2096]),
		HeaderSize: u32(2096), DTBAddr: le.Uint64(data[2104:]),
	}
	switch {
	case v.Version != 3 && v.Version != 4:
		return bad(ErrUnsupported, 8, "header version %d", u32(8))
	case !soundPageSize(v.PageSize):
		return bad(ErrMalformed, 12, "page size %d", v.PageSize)
	case v.Version == 3 && v.HeaderSize != vendorLenV3 && v.HeaderSize != vendorLenV3Early, v.Version == 4 && v.HeaderSize != vendorLenV4:
		return bad(ErrMalformed, 2096, "header size %d", v.HeaderSize)
	case v.Version == 4 && len(data) < vendorLenV4:
		return bad(ErrTruncated, len(data), "the header has %d bytes", vendorLenV4)
	}
	var table []byte
	page := int64(v.PageSize)
	at := roundUp(int64(v.HeaderSize), page)
	for _, p := range []section{{"ramdisk", &v.Ramdisk, 3, 4, 24}, {"dtb", &v.DTB, 3, 4, 2100}, {"ramdisk table", &table, 4, 4, 2112},
		{"bootconfig", &v.Bootconfig, 4, 4, 2124}} {
		if v.Version < p.since {
			continue
		}
		end := at + int64(u32(p.size))
		if end > int64(len(data)) {
			return bad(ErrTruncated, len(data), "the %s of %d bytes would end at %#x", p.name, u32(p.size), end)
		}
		*p.data = data[at:end:end]
		at = roundUp(end, page)
	}
	v.Trailing = data[min(at, int64(len(data))):]
	if v.Version == 4 {
		if count, size := int64(u32(2116)), u32(2120); size != fragmentLen || count*fragmentLen != int64(len(table)) {
			return bad(ErrMalformed, 2112, "a ramdisk table of %d bytes with %d entries of %d", len(table), count, size)
		}
	}
	return v, v.parseFragments(table)
}

func (v *VendorBoot) parseFragments(table []byte) error {
	for i := 0; len(table) > 0; i++ {
		f := Fragment{
			Size: binary.LittleEndian.Uint32(table), Offset: binary.LittleEndian.Uint32(table[4:]),
			Type: binary.LittleEndian.Uint32(table[8:]), Name: cString(table[12 : 12+fragmentNameLen]),
		}
		for j := range f.BoardID {
			f.BoardID[j] = binary.LittleEndian.Uint32(table[44+4*j:])
		}
		if int64(f.Offset)+int64(f.Size) > int64(len(v.Ramdisk)) {
			return fail("vendor_boot image", ErrMalformed, 0, "ramdisk fragment %d ends at %d of %d bytes", i, int64(f.Offset)+int64(f.Size), len(v.Ramdisk))
		}
		v.Fragments = append(v.Fragments, f)
		table = table[fragmentLen:]
	}
	return nil
}
