package main

import (
	"context"
	"errors"
	"strings"

	"xflash/fastboot/bootimg"
)

// rawHeader is what "flash:raw", and "boot" with a kernel, put into the header of the image
// that they make. Addresses are base plus offset, with the defaults of Android's client but
// for the base: these phones load at 0 (fastboot/bootimg/FORMAT.md §1.6).
type rawHeader struct {
	base, kernel, ramdisk, second, tags, page uint32
	cmdline                                   string
}

func newRawHeader() rawHeader {
	return rawHeader{kernel: 0x8000, ramdisk: 0x02000000, second: 0x00F00000, tags: 0x01E00000, page: 2048}
}

// build makes an Android image of a kernel, a ramdisk and a second stage. A file that is an
// Android image already stays as it is, but for a command line that is given.
func (h rawHeader) build(ctx context.Context, files []string) (imageFile, error) {
	made := imageFile{of: "the image made of " + strings.Join(files, " and ")}
	parts := make([][]byte, 3)
	var err error
	for i, file := range files {
		if parts[i], err = (imageFile{path: file}).bytes(ctx); err != nil {
			return made, err
		}
	}
	image := &bootimg.Image{PageSize: h.page, KernelAddr: h.base + h.kernel, RamdiskAddr: h.base + h.ramdisk,
		SecondAddr: h.base + h.second, TagsAddr: h.base + h.tags, Cmdline: h.cmdline,
		Kernel: parts[0], Ramdisk: parts[1], Second: parts[2]}
	image.ID = image.ComputeID()
	switch bootimg.Sniff(parts[0][:min(bootimg.SniffLen, len(parts[0]))]) {
	case bootimg.KindAndroid:
		if len(files) > 1 {
			return made, usageError{errors.New(files[0] + " is already a complete boot image, which leaves no place for " + files[1])}
		}
		if h.cmdline == "" {
			return imageFile{path: files[0]}, nil
		}
		if image, err = bootimg.Parse(parts[0]); err != nil {
			return made, &failure{exit: exitFile, code: "not-an-image", what: files[0] + ": " + err.Error()}
		}
		image.Cmdline = h.cmdline
	case bootimg.KindSonyELF:
		return made, &failure{exit: exitFile, code: "not-an-image", what: files[0] + " is not a kernel but a complete boot image in Sony's ELF format",
			hints: []string{`"xflash boot ` + files[0] + ` --repack" turns it into an Android image`}}
	}
	data, err := image.Build()
	if err != nil {
		return made, &failure{exit: exitFile, code: "not-an-image", what: "these parts do not make a boot image: " + err.Error()}
	}
	made.made = data
	return made, nil
}
