package bootimg_test

import (
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/simphone/mkimage"
)

func TestSniff(t *testing.T) {
	elf, err := mkimage.ELF(sonyELF())
	if err != nil {
		t.Fatal(err)
	}
	arm64 := make([]byte, 64)
	copy(arm64[0x38:], "ARM\x64")
	for want, data := range map[bootimg.Kind][]byte{
		bootimg.KindAndroid:    []byte("ANDROID!\x00"),
		bootimg.KindVendorBoot: []byte("VNDRBOOT\x03"),
		bootimg.KindSonyELF:    elf,
		bootimg.KindELF:        []byte("\x7fELF\x02\x01\x01\x00 of a program"),
		bootimg.KindSparse:     []byte("\x3a\xff\x26\xed\x01\x00"),
		bootimg.KindZip:        []byte("PK\x03\x04\x14"),
		bootimg.KindGzip:       mkimage.Pack(nil, unpack.Gzip),
		bootimg.KindCompressed: mkimage.Pack(nil, unpack.XZ),
		bootimg.KindHTML:       []byte("\xef\xbb\xbf\r\n <!DOCTYPE html><html>"),
		bootimg.KindZImage:     mkimage.ZImage(nil, unpack.Gzip, 0)[:bootimg.SniffLen],
		bootimg.KindARM64:      arm64,
		bootimg.KindUImage:     []byte("\x27\x05\x19\x56\x00"),
		bootimg.KindFDT:        mkimage.PlainDTB("m", "c"),
		bootimg.KindQCDT:       []byte("QCDT\x02\x00"),
		bootimg.KindCPIO:       mkimage.Ramdisk(),
		bootimg.KindMTK:        []byte("\x88\x16\x88\x58\x00"),
		bootimg.KindEmpty:      make([]byte, 512),
		bootimg.KindUnknown:    []byte("a text that is nothing of these"),
	} {
		if got := bootimg.Sniff(data[:min(bootimg.SniffLen, len(data))]); got != want {
			t.Errorf("%q is taken for %v, not %v", data[:min(16, len(data))], got, want)
		}
	}
	if got := bootimg.Sniff(nil); got != bootimg.KindEmpty {
		t.Errorf("no bytes at all: %v", got)
	}
}
