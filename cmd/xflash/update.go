package main

import (
	"archive/zip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"xflash/fastboot"
	"xflash/internal/phone"
)

// updateZip writes the images of an update.zip.
func (a *app) updateZip(ctx context.Context, path string, o flashOptions) error {
	z, err := zip.OpenReader(path)
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, zip.ErrChecksum) {
		return &failure{exit: exitFile, code: "file-invalid", what: path + ": " + err.Error(), hints: []string{`"xflash inspect ` + path + `" tells what it is`}}
	}
	if err != nil {
		return err
	}
	defer z.Close()
	return a.update(ctx, &z.Reader, path, o)
}

// update writes the images of an update to the phone that is there, and starts it again.
// Everything is unpacked and looked at before the first byte is sent.
func (a *app) update(ctx context.Context, files fs.FS, name string, o flashOptions) (err error) {
	u, err := fastboot.OpenUpdate(files)
	if err != nil {
		return &failure{exit: exitFile, code: "file-invalid", what: name + ": " + err.Error(), hints: []string{`"xflash inspect ` + name + `" tells what it is; a firmware bundle of Sony's is for "xflash restore"`}}
	}
	dir, err := os.MkdirTemp("", "xflash-update-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, image := range u.Images {
		a.ui.say("unpacking %s (%s)", image.File, size(image.Size))
		err := saved(filepath.Join(dir, image.File), func(f *os.File) error { return u.Copy(f, image) })
		if err != nil {
			return &failure{exit: exitFile, code: "file-invalid", what: name + ": " + err.Error()}
		}
	}
	c, err := a.fastbootMode(ctx, a.loaderOptions("sending"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Meets(ctx, u.Requirements); err != nil {
		return err
	}
	target, err := c.facts(ctx, o.model)
	if err != nil {
		return err
	}
	var lost []phone.Partition
	for _, image := range u.Images {
		p, err := safePartition(target, image.Partition)
		if err != nil {
			return err
		}
		if err := a.withFile(dir, image, func(f *os.File) error {
			return a.admitImage(ctx, c, target, p, image.Partition, f.Name(), f, image.Size, o.yes)
		}); err != nil {
			return err
		}
		if p.Verdict == phone.Wipe {
			lost = append(lost, p)
		}
	}
	for _, p := range lost {
		if err := a.confirmLoss(ctx, p, o.yes); err != nil {
			return err
		}
	}
	for _, image := range u.Images {
		if err := a.withFile(dir, image, func(f *os.File) error { return c.Flash(ctx, image.Partition, f, image.Size, o.limit) }); err != nil {
			return err
		}
		a.ui.say("  ok  %s", image.Partition)
	}
	if o.stay {
		return a.done("The update is written; the phone stays in fastboot mode.")
	}
	if err := c.Reboot(ctx, ""); err != nil {
		return err
	}
	return a.done("The update is written and the phone starts again.")
}

func (a *app) withFile(dir string, image fastboot.UpdateImage, run func(*os.File) error) error {
	f, err := os.Open(filepath.Join(dir, image.File))
	if err != nil {
		return err
	}
	return errors.Join(run(f), f.Close())
}
