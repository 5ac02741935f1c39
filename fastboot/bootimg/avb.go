package bootimg

import "encoding/binary"

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
