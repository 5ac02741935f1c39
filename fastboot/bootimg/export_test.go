package bootimg

// What only tests need: round trips of what the program reads and never makes.

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
)

// NewOSVersion packs a version a.b.c, each below 128, and a patch level of a year from 2000 and a month.
func NewOSVersion(a, b, c, year, month int) OSVersion {
	return OSVersion(a<<25 | b<<18 | c<<11 | (year-2000)<<4 | month)
}

// Walk visits every property with the names of the nodes that lead to it, the root's own one
// (normally "") first.
func (f *FDT) Walk(visit func(path []string, p Property) error) error {
	return f.tokens(func(path []string, p *Property) error {
		if p == nil {
			return nil
		}
		return visit(path, *p)
	})
}

// Build puts the image together. The fragments must lie within the ramdisk.
func (v *VendorBoot) Build() ([]byte, error) {
	if v.Version != 3 && v.Version != 4 {
		return nil, fail("vendor_boot image", ErrUnsupported, 8, "header version %d", v.Version)
	}
	if v.PageSize < MinPageSize || v.PageSize > MaxPageSize || v.PageSize&(v.PageSize-1) != 0 ||
		len(v.Cmdline) >= vendorCmdlineLen || len(v.Name) > nameLen || int64(len(v.Ramdisk)) > math.MaxUint32 || int64(len(v.DTB)) > math.MaxUint32 {
		return nil, fail("vendor_boot image", ErrTooLarge, 0, "the page size or the length of a part cannot be written down")
	}
	if v.Version == 3 && len(v.Fragments)+len(v.Bootconfig) > 0 {
		return nil, fail("vendor_boot image", ErrMalformed, 8, "header version 3 has no place for fragments and bootconfig")
	}
	le := binary.LittleEndian
	headerLen, table := vendorLenV3, []byte(nil)
	if v.Version == 4 {
		headerLen = vendorLenV4
		for _, f := range v.Fragments {
			if int64(f.Offset)+int64(f.Size) > int64(len(v.Ramdisk)) || len(f.Name) > fragmentNameLen {
				return nil, fail("vendor_boot image", ErrTooLarge, 0, "fragment %q does not fit", f.Name)
			}
			for _, word := range []uint32{f.Size, f.Offset, f.Type} {
				table = le.AppendUint32(table, word)
			}
			table = append(append(table, f.Name...), make([]byte, fragmentNameLen-len(f.Name))...)
			for _, word := range f.BoardID {
				table = le.AppendUint32(table, word)
			}
		}
	}
	h := make([]byte, roundUp(int64(headerLen), int64(v.PageSize)))
	copy(h, VendorMagic)
	for at, word := range map[int]uint32{8: uint32(v.Version), 12: v.PageSize, 16: v.KernelAddr, 20: v.RamdiskAddr,
		24: uint32(len(v.Ramdisk)), 2076: v.TagsAddr, 2096: cmp.Or(v.HeaderSize, uint32(headerLen)), 2100: uint32(len(v.DTB))} {
		le.PutUint32(h[at:], word)
	}
	copy(h[28:], v.Cmdline)
	copy(h[2080:], v.Name)
	le.PutUint64(h[2104:], v.DTBAddr)
	if v.Version == 4 {
		for at, word := range map[int]int{2112: len(table), 2116: len(v.Fragments), 2120: fragmentLen, 2124: len(v.Bootconfig)} {
			le.PutUint32(h[at:], uint32(word))
		}
	}
	b := bytes.NewBuffer(h)
	for _, part := range [][]byte{v.Ramdisk, v.DTB, table, v.Bootconfig} {
		b.Write(part)
		b.Write(make([]byte, int(roundUp(int64(b.Len()), int64(v.PageSize))-int64(b.Len()))))
	}
	b.Write(v.Trailing)
	return b.Bytes(), nil
}
