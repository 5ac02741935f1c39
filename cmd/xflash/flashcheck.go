package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/sparse"
	"xflash/internal/bootcheck"
	"xflash/internal/phone"
	"xflash/sin"
)

// safePartition finds a partition of the safe list by the name that fastboot has for it.
func safePartition(t bootcheck.Target, name string) (phone.Partition, error) {
	if t.Family == nil {
		return phone.Partition{}, &failure{exit: exitPolicy, code: "unknown-phone", what: "the model of this phone is unknown, so nothing is written to it",
			hints: []string{"name the model printed on the phone, with --model"}}
	}
	p, ok := t.Family.FastbootPartition(name)
	if ok && (p.Verdict == phone.Allow || p.Verdict == phone.Wipe) {
		return p, nil
	}
	what := fmt.Sprintf("fastboot may not write %s on this phone", name)
	hint := "the safe ones are boot, recovery, system, cache and userdata"
	if ok {
		what = fmt.Sprintf("xflash does not write %s through fastboot: %s", p.Label, p.Note)
		if p.Verdict == phone.Bundle || p.Verdict == phone.Delivery {
			hint = `"xflash restore FILE.ftf" writes Sony's signed image of it in flash mode`
		}
	}
	return p, &failure{exit: exitPolicy, code: "not-safe", what: what, hints: []string{hint}}
}

// admitImage says why an image must not be written to a partition, or would be refused. What
// it gives is what is to be written: the image, or its repair.
func (a *app) admitImage(ctx context.Context, c *fastbootConn, target bootcheck.Target, p phone.Partition, name string, image imageFile, yes bool) (imageFile, error) {
	told, err := c.PartitionSize(ctx, name)
	if err != nil {
		return image, err
	}
	if told > 0 {
		p.Size = told
	}
	if !p.Kernel {
		if err := checkContent(ctx, p, image); err != nil {
			return image, err
		}
		return image, unlocked(target)
	}
	if err := unlocked(target); err != nil {
		return image, err
	}
	return a.admitBoot(ctx, image, p, target, yes)
}

// checkContent says why a file must not be written to a partition that holds a file system, nil when
// it may. A sparse image is examined.
func checkContent(ctx context.Context, p phone.Partition, image imageFile) error {
	r, size, shut, err := image.open()
	if err != nil {
		return err
	}
	defer func() { _ = shut() }() // it was only read
	head := make([]byte, min(int64(sin.HeadSize), size))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	path := image.name()
	wrong := func(is string, hints []string) error {
		return &failure{exit: exitPolicy, code: "wrong-content", what: fmt.Sprintf("%s: %s holds a file system (ext4, plain or sparse), but this file is %s; nothing was sent", path, p.Label, is), hints: hints}
	}
	switch sin.Recognize(head) {
	case sin.KindExt4:
	case sin.KindSparse:
		if head, size, err = insideSparse(io.NewSectionReader(r, 0, size)); err != nil {
			return &failure{exit: exitFile, code: "file-invalid", what: path + ": " + err.Error(), hints: []string{"get the file again; nothing was sent"}}
		}
		if sin.Recognize(head) != sin.KindExt4 {
			is, hints := sparseIs(path, head)
			return wrong(is, hints)
		}
	default:
		is, hints, err := wrongFile(ctx, path, false)
		if err != nil {
			return err
		}
		return wrong(cmp.Or(is, "of an unknown format"), hints)
	}
	if p.Size > 0 && size > p.Size {
		return &failure{exit: exitPolicy, code: "wrong-content", what: fmt.Sprintf("%s: the image unpacks to %d bytes; %s holds %d; nothing was sent", path, size, p.Label, p.Size),
			hints: []string{`"xflash inspect ` + path + `" says more about the file`}}
	}
	return nil
}

// insideSparse expands the start of a sparse image, and gives the size of all of it.
func insideSparse(r io.Reader) (head []byte, size int64, err error) {
	z, err := sparse.NewReader(r)
	if err != nil {
		return nil, 0, err
	}
	size = z.Header().Size()
	head = make([]byte, min(int64(sin.HeadSize), size))
	_, err = io.ReadFull(z.Expand(), head)
	return head, size, err
}

// sparseIs says what a sparse image holds that is not a file system, from its start.
func sparseIs(path string, head []byte) (is string, hints []string) {
	switch bootimg.Sniff(head) {
	case bootimg.KindAndroid, bootimg.KindSonyELF:
		return "a sparse image with a boot image inside", []string{`such an image belongs to boot or recovery: "xflash flash boot ` + path + `" unpacks and writes it`}
	case bootimg.KindEmpty:
		return "a sparse image with no data at its start, such as a piece of a larger one", []string{"get the image as one file"}
	}
	return "a sparse image that holds no file system", []string{`"xflash inspect ` + path + `" says more about the file`}
}

// admitBoot looks at a boot image that is to be written. One that is cut, or for another
// model, is refused; one that the phone writes and will probably not start is a question,
// with the repair first.
func (a *app) admitBoot(ctx context.Context, image imageFile, p phone.Partition, t bootcheck.Target, yes bool) (imageFile, error) {
	t.Flash, t.Partition = true, p.Size
	image, err := image.plain(ctx)
	if err != nil {
		return image, err
	}
	d, err := diagnose(ctx, image, t)
	if err != nil {
		return image, err
	}
	path := image.name()
	if len(d.Findings) > 0 {
		if err := a.showDiagnosis(path, d, t); err != nil {
			return image, err
		}
	}
	if d.Has("C2") {
		return image, &failure{exit: exitFile, code: "file-invalid", what: path + " is truncated; nothing was sent", hints: []string{"download it again and compare its checksum"}}
	}
	if d.Has("D6") {
		return image, &failure{exit: exitPolicy, code: "other-model", what: path + ": its device tree is that of another model, so it is not written to " + p.Label + "; nothing was sent",
			hints: []string{"get the image for " + t.Model.Code, `"xflash boot ` + path + `" starts it once without writing it`}}
	}
	if d.Refused() {
		fixed, err := a.offerRepair(ctx, image, d, t, "Write the repaired image?", yes)
		if err != nil {
			return image, err
		}
		return imageFile{made: fixed.Image, of: path + ", repaired"}, nil
	}
	if !d.Doubtful() || yes {
		return image, nil
	}
	hints := []string{"--yes writes it unchanged"}
	if d.Improvable() && image.path != "" {
		hints = append(hints, fmt.Sprintf("xflash boot %s --repack --model %s makes an image that the phone starts", image.path, t.Model.Code))
	}
	if d.Improvable() && a.ui.asks() {
		if fixed, err := bootcheck.Repair(d, t); err == nil {
			a.showRepair(fixed)
			if yes, err := a.ui.agrees(ctx, "Write the repaired image?"); yes || err != nil {
				return imageFile{made: fixed.Image, of: path + ", repaired"}, err
			}
		}
	}
	return image, a.confirm(ctx, path+" will probably not run (see above)", "Write it to "+p.Label+" unchanged?", hints...)
}

// unlocked says of a locked phone that it accepts nothing, before anything is sent.
func unlocked(t bootcheck.Target) error {
	if !t.Locked {
		return nil
	}
	return &failure{exit: exitRefused, code: "locked", what: "the boot loader of the phone is locked, so fastboot cannot write; nothing was sent",
		hints: []string{`"xflash restore FILE.ftf" works on a locked phone, in flash mode`}}
}

// confirmLoss asks before what a person cannot get back is overwritten.
func (a *app) confirmLoss(ctx context.Context, p phone.Partition, yes bool) error {
	if p.Verdict != phone.Wipe || yes {
		return nil
	}
	return a.confirm(ctx, p.Label+" holds "+p.Note, "All of it will be lost. Continue?", "--yes agrees to the loss")
}

// confirm asks a question, where somebody is there to answer it.
func (a *app) confirm(ctx context.Context, why, question string, hints ...string) error {
	if !a.ui.asks() {
		return &failure{exit: exitPolicy, code: "not-confirmed", what: why + "; nothing was done", hints: hints}
	}
	yes, err := a.ui.agrees(ctx, strings.ToUpper(why[:1])+why[1:]+". "+question)
	if err == nil && !yes {
		err = &failure{exit: exitPolicy, code: "not-confirmed", what: "nothing was done"}
	}
	return err
}
