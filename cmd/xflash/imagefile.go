package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/sparse"
	"xflash/internal/bootcheck"
	"xflash/internal/fileio"
)

// imageFile is an image to send: a file, or one that was made of files.
type imageFile struct {
	path string // of a file; empty for one that was made
	made []byte // the one that was made
	of   string // what it was made of, for a person
}

// name is what messages call the image.
func (i imageFile) name() string {
	if i.path != "" {
		return i.path
	}
	return i.of
}

// open returns the contents and their size, and what closes them.
func (i imageFile) open() (r io.ReaderAt, size int64, shut func() error, err error) {
	if i.path == "" {
		return bytes.NewReader(i.made), int64(len(i.made)), func() error { return nil }, nil
	}
	f, size, err := fileio.Open(i.path)
	if err != nil {
		return nil, 0, nil, err
	}
	return f, size, f.Close, nil
}

// plain is the image, or what is in it when it is sparse and no larger than a boot image.
func (i imageFile) plain(ctx context.Context) (imageFile, error) {
	if i.path == "" {
		return i, nil
	}
	f, _, err := fileio.Open(i.path)
	if err != nil {
		return i, err
	}
	defer f.Close()
	head := make([]byte, 4)
	if _, err := io.ReadFull(f, head); err != nil || !sparse.Is(head) {
		return i, nil // the look at the image says what is wrong with it
	}
	z, err := sparse.NewReader(io.MultiReader(bytes.NewReader(head), f))
	if err != nil {
		return i, &failure{exit: exitFile, code: "file-invalid", what: i.path + ": " + err.Error(), hints: []string{"get the file again; nothing was sent"}}
	}
	if z.Header().Size() > bootcheck.MaxImage {
		return i, nil
	}
	data, err := io.ReadAll(z.Expand())
	if err != nil {
		return i, &failure{exit: exitFile, code: "file-invalid", what: i.path + ": " + err.Error(), hints: []string{"get the file again; nothing was sent"}}
	}
	switch bootimg.Sniff(data) {
	case bootimg.KindAndroid, bootimg.KindSonyELF, bootimg.KindZImage:
		return imageFile{made: data, of: i.path + ", unpacked"}, nil
	}
	return i, nil
}

// bytes reads a boot image into memory; larger files are none.
func (i imageFile) bytes(ctx context.Context) ([]byte, error) {
	if i.path == "" {
		return i.made, nil
	}
	f, _, err := fileio.Open(i.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, bootcheck.MaxImage+1))
	if err == nil && len(data) > bootcheck.MaxImage {
		return nil, notAnImage(ctx, i.path, "too large for one")
	}
	return data, err
}

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
