package inspect

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"xflash/fastboot/bootimg"
	"xflash/internal/text"
)

// bareKernel inspects a kernel without the image that a boot loader wants around it.
func (r *Report) bareKernel(data []byte) {
	r.Kind, r.Title = KindKernel, "bare kernel ("+bootimg.ParseKernel(data).Kind.String()+"), not a boot image"
	r.Boot = &Boot{}
	if len(data) >= 0x30 && bootimg.Sniff(data) == bootimg.KindZImage {
		// Words at 0x28 and 0x2C are where the image starts and ends
		// (fastboot/bootimg/FORMAT.md §6.2).
		start, end := binary.LittleEndian.Uint32(data[0x28:]), binary.LittleEndian.Uint32(data[0x2C:])
		if r.short(int64(end)-int64(start), "the kernel has %d bytes") {
			return
		}
	}
	r.kernel(data, false)
	r.bootPhones()
	r.Notes = append(r.Notes, "boot loaders start it only inside a boot image, with a ramdisk")
	r.unproven("the file is complete; it has no checksum for its content")
}

// Sizes of the headers of vbmeta and dtbo, in bytes (fastboot/bootimg/FORMAT.md §7.2). All
// their integers are big-endian.
const vbmetaHeader, dtboHeader = 256, 32

var dtboMagic = []byte("\xd7\xb7\xab\x1e")

// vbmeta inspects the verification data for phones after the S1 era.
func (r *Report) vbmeta(head []byte) {
	r.Kind, r.Title = KindVBMeta, "vbmeta image (Android verified boot), for phones after the S1 era"
	want := int64(vbmetaHeader)
	if len(head) >= vbmetaHeader {
		for _, n := range []uint64{binary.BigEndian.Uint64(head[12:]), binary.BigEndian.Uint64(head[20:])} {
			want += int64(min(n, 1<<40))
		}
	}
	if r.short(want, "its header needs %d bytes") {
		return
	}
	if flags := binary.BigEndian.Uint32(head[120:]); flags&2 != 0 {
		r.Notes = append(r.Notes, "its flags switch verification off")
	}
	r.unproven("the file is complete; its signature is not checked")
}

// dtbo inspects a table of device-tree overlays.
func (r *Report) dtbo(data []byte) {
	r.Kind, r.Title = KindDTBO, "dtbo image (device-tree overlays), for phones after the S1 era"
	if len(data) < dtboHeader {
		r.truncated(dtboHeader, "it ends within its header")
		return
	}
	be := binary.BigEndian
	total, size, count, at := int64(be.Uint32(data[4:])), int64(be.Uint32(data[12:])), int64(be.Uint32(data[16:])), int64(be.Uint32(data[20:]))
	if r.short(total, "its header needs %d bytes") {
		return
	}
	if total > int64(len(data)) {
		r.unproven("it is larger than xflash reads, so only its header was checked")
		return
	}
	if size < 8 || at < dtboHeader || count > total/size || at+count*size > total {
		r.wrong("malformed", 12, fmt.Sprintf("%d entries of %d bytes do not fit in %d", count, size, total))
		return
	}
	for i := range count {
		entry := data[at+i*size:]
		n, from := int64(be.Uint32(entry)), int64(be.Uint32(entry[4:]))
		if from+n > total || !bytes.HasPrefix(data[min(from, total):], []byte(bootimg.FDTMagic)) {
			r.wrong("malformed", at+i*size, fmt.Sprintf("entry %d is not a device tree", i))
			return
		}
	}
	r.Title += ", " + text.Count(int(count), "entry")
	r.unproven("every tree is there; the format has no checksum for them")
}
