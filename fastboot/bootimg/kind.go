package bootimg

import (
	"bytes"

	"xflash/fastboot/bootimg/unpack"
)

// Kind is what a file is that somebody wants to boot or to flash.
type Kind int

// Kinds of files (FORMAT.md §6.1, §8 rule C1).
const (
	KindUnknown Kind = iota
	KindAndroid
	KindVendorBoot
	KindSonyELF
	KindELF // another one: a kernel for development, a program
	KindSparse
	KindZip
	KindGzip
	KindCompressed // otherwise
	KindHTML
	KindZImage
	KindARM64
	KindUImage
	KindFDT
	KindQCDT
	KindCPIO
	KindMTK // header of MediaTek, another maker's chips
	KindEmpty
)

var kindNames = [...]string{"unknown", "Android boot image", "vendor_boot image", "Sony ELF image", "ELF file", "Android sparse image",
	"zip archive", "gzip file", "compressed file", "web page", "bare zImage", "bare arm64 kernel", "uImage", "device tree",
	"QCDT table", "cpio archive", "MediaTek image", "empty file"}

// String names the kind.
func (k Kind) String() string { return kindNames[k] }

// SniffLen is how many bytes Sniff wants to see.
const SniffLen = 512

// Sniff tells what a file is from its first bytes.
func Sniff(head []byte) Kind {
	if len(bytes.Trim(head, "\x00")) == 0 {
		return KindEmpty
	}
	for _, k := range []struct {
		magic string
		kind  Kind
	}{
		{Magic, KindAndroid}, {VendorMagic, KindVendorBoot}, {"\x3a\xff\x26\xed", KindSparse}, {"PK\x03\x04", KindZip},
		{uImageMagic, KindUImage}, {FDTMagic, KindFDT}, {QCDTMagic, KindQCDT}, {"\x88\x16\x88\x58", KindMTK},
		{"\x1f\x8b", KindGzip}, {cpioMagic, KindCPIO}, {cpioMagicSum, KindCPIO},
	} {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return k.kind
		}
	}
	switch {
	case IsSonyELF(head):
		return KindSonyELF
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return KindELF
	case isHTML(head):
		return KindHTML
	case unpack.Detect(head) != unpack.None:
		return KindCompressed
	}
	switch kernelKind(head) {
	case KernelZImage:
		return KindZImage
	case KernelARM64:
		return KindARM64
	}
	return KindUnknown
}

// isHTML wants a tag that pages start with, after white space and a byte order mark.
func isHTML(head []byte) bool {
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"))
	for _, tag := range []string{"<!doctype html", "<html", "<head", "<!--"} {
		if bytes.HasPrefix(text, []byte(tag)) {
			return true
		}
	}
	return false
}
