package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"xflash/fastboot/bootimg"
)

// rawHeader is what "flash:raw" puts into the header of the image that it makes. Addresses
// are base plus offset, with the defaults of Android's client but for the base: these
// phones load at 0 (boot-fastboot.md §1.6).
type rawHeader struct {
	base, kernel, ramdisk, second, tags, page uint32
	cmdline                                   string
}

func newRawHeader() rawHeader {
	return rawHeader{kernel: 0x8000, ramdisk: 0x02000000, second: 0x00F00000, tags: 0x01E00000, page: 2048}
}

// number is the field that an option sets.
func (h *rawHeader) number(option string) *uint32 {
	return map[string]*uint32{"--base": &h.base, "--kernel-offset": &h.kernel, "--ramdisk-offset": &h.ramdisk,
		"--second-offset": &h.second, "--tags-offset": &h.tags, "--page-size": &h.page}[option]
}

// flashRaw makes an Android image of a kernel, a ramdisk and a second stage, and flashes it
// as flash does.
func (a *app) flashRaw(ctx context.Context, partition string, files []string, o flashOptions) (err error) {
	parts := make([][]byte, 3)
	for i, file := range files {
		if parts[i], err = readImage(ctx, file); err != nil {
			return err
		}
	}
	h := o.raw
	image := &bootimg.Image{PageSize: h.page, KernelAddr: h.base + h.kernel, RamdiskAddr: h.base + h.ramdisk,
		SecondAddr: h.base + h.second, TagsAddr: h.base + h.tags, Cmdline: h.cmdline,
		Kernel: parts[0], Ramdisk: parts[1], Second: parts[2]}
	image.ID = image.ComputeID()
	data, err := image.Build()
	if err != nil {
		return &failure{exit: exitFile, code: "not-an-image", what: "no boot image can be made of these parts: " + err.Error()}
	}
	dir, err := os.MkdirTemp("", "xflash-raw-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, partition+".img")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	return a.flash(ctx, partition, path, o)
}
