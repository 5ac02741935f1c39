package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"xflash/fastboot"
	"xflash/internal/phone"
)

// prepareUpdateZip is prepareUpdate for the images of an update.zip.
func (a *app) prepareUpdateZip(ctx context.Context, c *fastbootConn, path string, o flashOptions) (act, error) {
	z, err := zip.OpenReader(path)
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, zip.ErrChecksum) {
		return nil, &failure{exit: exitFile, code: "file-invalid", what: path + ": " + err.Error(), hints: []string{`"xflash inspect ` + path + `" says what it is`}}
	}
	if err != nil {
		return nil, err
	}
	c.atEnd(z.Close)
	return a.prepareUpdate(ctx, c, &z.Reader, path, o)
}

// prepareUpdate unpacks an update and looks at all of it; what it gives writes the images.
func (a *app) prepareUpdate(ctx context.Context, c *fastbootConn, files fs.FS, name string, o flashOptions) (act, error) {
	u, err := fastboot.OpenUpdate(files)
	if err != nil {
		return nil, &failure{exit: exitFile, code: "file-invalid", what: name + ": " + err.Error(), hints: []string{`"xflash inspect ` + name + `" says what it is; for a firmware bundle from Sony, use "xflash restore"`}}
	}
	dir, err := os.MkdirTemp("", "xflash-update-")
	if err != nil {
		return nil, err
	}
	c.atEnd(func() error { return os.RemoveAll(dir) })
	for _, name := range u.LeftOut {
		a.ui.warn("%s is not written: it belongs to no partition of this phone", printable(name))
	}
	unpacked := make([]string, len(u.Images))
	for i, image := range u.Images {
		a.ui.say("unpacking %s (%s)", printable(image.File), size(image.Size))
		// One file may go to two partitions.
		unpacked[i] = filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(image.File)))
		err := saved(unpacked[i], func(f *os.File) error { return u.Copy(f, image) })
		if err != nil {
			return nil, &failure{exit: exitFile, code: "file-invalid", what: name + ": " + err.Error()}
		}
	}
	if err := c.Meets(ctx, u.Requirements); err != nil {
		return nil, err
	}
	target, err := c.facts(ctx, o.model)
	if err != nil {
		return nil, err
	}
	var lost []phone.Partition
	var writes []func(context.Context) error
	for i, image := range u.Images {
		p, err := safePartition(target, image.Partition)
		if err != nil {
			return nil, err
		}
		file, err := a.admitImage(ctx, c, target, p, image.Partition, imageFile{path: unpacked[i]}, o.yes)
		if err != nil {
			return nil, err
		}
		r, bytes, shut, err := file.open()
		if err != nil {
			return nil, err
		}
		c.atEnd(shut)
		writes = append(writes, func(ctx context.Context) error { return c.Flash(ctx, image.Partition, r, bytes, o.limit) })
		if p.Verdict == phone.Wipe {
			lost = append(lost, p)
		}
	}
	for _, p := range lost {
		if err := a.confirmLoss(ctx, p, o.yes); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		for i, write := range writes {
			if err := write(ctx); err != nil {
				return err
			}
			a.ui.say("  ok  %s", printable(u.Images[i].Partition))
		}
		return a.done("The update is written.")
	}, nil
}
