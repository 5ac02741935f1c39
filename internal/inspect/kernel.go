package inspect

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"xflash/fastboot/bootimg"
	"xflash/internal/text"
)

// bareKernel inspects a kernel without the image that a boot loader wants around it.
func (in *inspector) bareKernel(_ context.Context, rep *Report, data []byte) error {
	rep.Kind, rep.Title = KindKernel, "bare kernel ("+bootimg.ParseKernel(data).Kind.String()+"), not a boot image"
	rep.Boot = &Boot{}
	if len(data) >= 0x30 && bootimg.Sniff(data) == bootimg.KindZImage {
		// Words at 0x28 and 0x2C are where the image starts and ends
		// (fastboot/bootimg/FORMAT.md §6.2).
		start, end := binary.LittleEndian.Uint32(data[0x28:]), binary.LittleEndian.Uint32(data[0x2C:])
		if want := int64(end) - int64(start); end > start && want > rep.Size {
			rep.truncated(want, fmt.Sprintf("the kernel has %d bytes, the file ends after %d", want, rep.Size))
			return nil
		}
	}
	rep.kernel(data, false)
	rep.bootPhones()
	rep.Notes = append(rep.Notes, "boot loaders start it only inside a boot image, with a ramdisk")
	rep.unproven("the file is complete; it has no checksum for its content")
	return nil
}

// Sizes of the headers of vbmeta and dtbo, in bytes (fastboot/bootimg/FORMAT.md §7.2). All
// their integers are big-endian.
const vbmetaHeader, dtboHeader = 256, 32

var dtboMagic = []byte("\xd7\xb7\xab\x1e")

// vbmeta inspects the verification data for phones after the S1 era.
func (in *inspector) vbmeta(_ context.Context, rep *Report, s source) error {
	rep.Kind, rep.Title = KindVBMeta, "vbmeta image (Android verified boot), for phones after the S1 era"
	head, err := s.head()
	if err != nil {
		return err
	}
	want := int64(vbmetaHeader)
	if len(head) >= vbmetaHeader {
		for _, n := range []uint64{binary.BigEndian.Uint64(head[12:]), binary.BigEndian.Uint64(head[20:])} {
			want += int64(min(n, 1<<40))
		}
	}
	if want > s.size {
		rep.truncated(want, fmt.Sprintf("its header needs %d bytes, the file ends after %d", want, s.size))
		return nil
	}
	if flags := binary.BigEndian.Uint32(head[120:]); flags&2 != 0 {
		rep.Notes = append(rep.Notes, "its flags switch verification off")
	}
	rep.unproven("the file is complete; its signature is not checked")
	return nil
}

// dtbo inspects a table of device-tree overlays.
func (in *inspector) dtbo(_ context.Context, rep *Report, data []byte) error {
	rep.Kind, rep.Title = KindDTBO, "dtbo image (device-tree overlays), for phones after the S1 era"
	if len(data) < dtboHeader {
		rep.truncated(dtboHeader, "it ends within its header")
		return nil
	}
	be := binary.BigEndian
	total, size, count, at := int64(be.Uint32(data[4:])), int64(be.Uint32(data[12:])), int64(be.Uint32(data[16:])), int64(be.Uint32(data[20:]))
	if total > int64(len(data)) {
		rep.truncated(total, fmt.Sprintf("its header needs %d bytes, the file ends after %d", total, rep.Size))
		return nil
	}
	if size < 8 || at < dtboHeader || count > total/size || at+count*size > total {
		rep.wrong("malformed", 12, fmt.Sprintf("%d entries of %d bytes do not fit in %d", count, size, total))
		return nil
	}
	for i := range count {
		entry := data[at+i*size:]
		n, from := int64(be.Uint32(entry)), int64(be.Uint32(entry[4:]))
		if from+n > total || !bytes.HasPrefix(data[min(from, total):], []byte(bootimg.FDTMagic)) {
			rep.wrong("malformed", at+i*size, fmt.Sprintf("entry %d is not a device tree", i))
			return nil
		}
	}
	rep.Title += ", " + text.Count(int(count), "entry")
	rep.unproven("every tree is there; the format has no checksum for them")
	return nil
}
