package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"xflash/fastboot"
)

// FastbootOptions are what a run through fastboot needs besides phone, plan and bundle.
type FastbootOptions struct {
	RunOptions
	Dir   string // an existing folder for unpacked file systems; nothing is left in it
	Limit int64  // the most bytes of one download
}

// RunFastboot carries out a plan through fastboot. Everything is unpacked and looked at
// before the first byte is sent. See engine.run for the errors; a step that was done need
// not be done again.
func RunFastboot(ctx context.Context, c *fastboot.Client, plan *Plan, opt FastbootOptions) error {
	r := &fastbootRun{engine: newEngine(plan, opt.RunOptions), ctx: ctx, c: c, opt: opt, images: make([]fastbootImage, len(plan.Steps))}
	defer r.close()
	r.driver = r
	return r.run()
}

// fastbootRun is the driver of fastboot.
type fastbootRun struct {
	*engine
	ctx    context.Context
	c      *fastboot.Client
	opt    FastbootOptions
	images []fastbootImage // by step
}

// fastbootImage is what is sent for a step: as it is, or in several sparse images.
type fastbootImage struct {
	file   io.Closer
	pieces []fastbootPiece
	size   int64 // bytes of all pieces
}

type fastbootPiece struct {
	size int64
	open func() io.Reader
}

func (r *fastbootRun) close() {
	for _, image := range r.images {
		if image.file != nil {
			_ = image.file.Close() // it was only read
		}
	}
}

func (r *fastbootRun) needed(i int) bool { return i >= r.from }

func (r *fastbootRun) writes(step Step) bool { return step.Kind != StepReboot }

func (r *fastbootRun) settle() error { return nil }

func (r *fastbootRun) closeAfterError(failed *StepError) {
	failed.Written = failed.Begun && r.writes(failed.Step)
}

// ready prepares everything that will be sent, and counts it: sparse images have another
// size than what they are made of.
func (r *fastbootRun) ready() error {
	r.done, r.total = 0, 0
	for i, step := range r.plan.Steps {
		if i < r.from || step.Kind != StepFlash {
			continue
		}
		var err error
		if boot, ok := step.boot(); ok {
			r.images[i], err = r.split(bytes.NewReader(boot), int64(len(boot)))
		} else {
			r.images[i], err = r.fileSystem(step)
		}
		if err != nil {
			return err
		}
		r.total += r.images[i].size
	}
	return nil
}

// fileSystem unpacks one image.
func (r *fastbootRun) fileSystem(step Step) (image fastbootImage, err error) {
	f, err := os.CreateTemp(r.opt.Dir, step.Name+"-*.img")
	if err != nil {
		return image, err
	}
	// Nobody else needs its name, and without one the space is free again however this ends.
	if err := os.Remove(f.Name()); err != nil {
		return image, errors.Join(err, f.Close())
	}
	err = step.unpack(r.ctx, f, func(done, total int64) { r.emit(Unpacking{Name: step.Name, Done: done, Total: total}) })
	if err == nil {
		var st os.FileInfo
		if st, err = f.Stat(); err == nil {
			image, err = r.split(f, st.Size())
		}
	}
	image.file = f
	if err != nil {
		return fastbootImage{}, errors.Join(err, f.Close())
	}
	return image, nil
}

// split decides how an image is sent: in one download when it fits, else as sparse images.
func (r *fastbootRun) split(data io.ReaderAt, size int64) (fastbootImage, error) {
	if size <= r.opt.Limit {
		open := func() io.Reader { return io.NewSectionReader(data, 0, size) }
		return fastbootImage{pieces: []fastbootPiece{{size, open}}, size: size}, nil
	}
	pieces, err := fastboot.Split(data, size, r.opt.Limit)
	image := fastbootImage{}
	for _, p := range pieces {
		image.pieces = append(image.pieces, fastbootPiece{p.Size, p.Reader})
		image.size += p.Size
	}
	return image, err
}

func (r *fastbootRun) step(i int, step Step) error {
	switch step.Kind {
	case StepFlash:
		return r.flash(i, step)
	case StepErase:
		partition, err := step.partition()
		if err != nil {
			return err
		}
		return r.c.Erase(r.ctx, partition)
	case StepReboot:
		return r.c.Reboot(r.ctx, "")
	}
	return fmt.Errorf("the plan has a step of unknown kind %q", step.Kind)
}

// flash sends one image. It can be stopped between two pieces: --resume writes the partition
// again from its start.
func (r *fastbootRun) flash(i int, step Step) error {
	partition, err := step.partition()
	if err != nil {
		return err
	}
	image := r.images[i]
	sent := int64(0)
	defer r.c.OnProgress(nil)
	for n, p := range image.pieces {
		if n > 0 && closed(r.opt.Stop) {
			return &Stopped{Within: true}
		}
		r.c.OnProgress(func(now, _ int64) { r.sending(i, sent+now, image.size) })
		if err := r.c.FlashPiece(r.ctx, partition, p.open(), p.size); err != nil {
			return err
		}
		sent += p.size
	}
	r.done += image.size
	return nil
}
