package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"xflash/fastboot"
	"xflash/sin"
)

// Meter carries the progress of a download from the fastboot client, which is made before
// there is a plan, to the run of the plan. The client's Options.Progress is its Sent.
type Meter struct{ to func(sent int64) }

// Sent is called by the client.
func (m *Meter) Sent(sent, _ int64) {
	if m.to != nil {
		m.to(sent)
	}
}

// LoaderOptions are what a run of the second way needs besides phone, plan and bundle.
type LoaderOptions struct {
	RunOptions
	Dir   string // a folder for the unpacked file systems; the caller removes it
	Limit int64  // the most bytes of one download
	Meter *Meter
}

// RunLoader carries out a plan of the second way. Everything is unpacked and looked at
// before the first byte is sent. The errors are those of Run; a step that was done need
// not be done again.
func RunLoader(ctx context.Context, c *fastboot.Client, plan *Plan, opt LoaderOptions) error {
	r := &loaderRun{ctx: ctx, c: c, plan: plan, opt: opt, images: make([]loaderImage, len(plan.Steps))}
	defer r.close()
	if err := r.prepare(); err != nil {
		return err
	}
	for i, step := range plan.Steps {
		if i < opt.From {
			continue
		}
		select {
		case <-opt.Stop:
			err := opt.Journal.Step(i, step.Title())
			return errors.Join(err, &Stopped{Index: i, Step: step})
		default:
		}
		if err := opt.Journal.Step(i, step.Title()); err != nil {
			return err
		}
		r.emit(StepStarted{Index: i, Step: step})
		if err := r.step(i, step); err != nil {
			var stopped *Stopped
			if errors.As(err, &stopped) {
				return err
			}
			return &StepError{Index: i, Step: step, Written: step.Kind != StepReboot, Err: err}
		}
		r.emit(StepDone{Index: i, Step: step})
	}
	return opt.Journal.Remove()
}

type loaderRun struct {
	ctx    context.Context
	c      *fastboot.Client
	plan   *Plan
	opt    LoaderOptions
	images []loaderImage // by step
	done   int64         // bytes sent of the steps behind
	total  int64         // bytes to be sent
}

// loaderImage is what is sent for a step: as it is, or in several sparse images.
type loaderImage struct {
	file   io.Closer
	pieces []loaderPiece
	size   int64 // bytes of all pieces
}

type loaderPiece struct {
	size int64
	open func() io.Reader
}

func (r *loaderRun) emit(e Event) {
	if r.opt.Emit != nil {
		r.opt.Emit(e)
	}
}

func (r *loaderRun) close() {
	for _, image := range r.images {
		if image.file != nil {
			_ = image.file.Close() // it was only read
		}
	}
}

// prepare has everything ready that is to be sent.
func (r *loaderRun) prepare() error {
	for i, step := range r.plan.Steps {
		if i < r.opt.From || step.Kind != StepFlash {
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

// fileSystem unpacks one image and makes sure that it is what its partition holds.
func (r *loaderRun) fileSystem(step Step) (image loaderImage, err error) {
	f, err := os.OpenFile(filepath.Join(r.opt.Dir, step.Name+".img"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return image, err
	}
	err = step.unpack(r.ctx, f, func(done, total int64) { r.emit(Unpacking{Name: step.Name, Done: done, Total: total}) })
	if err == nil {
		image, err = r.look(f, step)
	}
	image.file = f
	if err != nil {
		return loaderImage{}, errors.Join(err, f.Close())
	}
	return image, nil
}

func (r *loaderRun) look(f *os.File, step Step) (loaderImage, error) {
	st, err := f.Stat()
	if err != nil {
		return loaderImage{}, err
	}
	head := make([]byte, min(st.Size(), sin.HeadSize))
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return loaderImage{}, err
	}
	if kind := sin.Recognize(head); kind != sin.KindExt4 {
		return loaderImage{}, Problems{{Kind: PolicyRefusal, Item: step.Member, What: fmt.Sprintf("it holds no ext4 file system, but %s", kind),
			Why: "fastboot would write it as it is, and the phone could not use it", Next: "leave it out: --skip " + step.Name}}
	}
	return r.split(f, st.Size())
}

// split decides how an image is sent: in one download when it fits, else as sparse images.
func (r *loaderRun) split(data io.ReaderAt, size int64) (loaderImage, error) {
	if size <= r.opt.Limit {
		open := func() io.Reader { return io.NewSectionReader(data, 0, size) }
		return loaderImage{pieces: []loaderPiece{{size, open}}, size: size}, nil
	}
	pieces, err := fastboot.Split(data, size, r.opt.Limit)
	image := loaderImage{}
	for _, p := range pieces {
		image.pieces = append(image.pieces, loaderPiece{p.Size, p.Reader})
		image.size += p.Size
	}
	return image, err
}

func (r *loaderRun) step(i int, step Step) error {
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
	return fmt.Errorf("the plan has a step of the unknown kind %q", step.Kind)
}

// flash sends one image. Between two pieces it can be stopped: the partition is written
// anew from its beginning when the restore goes on.
func (r *loaderRun) flash(i int, step Step) error {
	partition, err := step.partition()
	if err != nil {
		return err
	}
	image := r.images[i]
	sent := int64(0)
	defer func() { r.opt.Meter.to = nil }()
	for n, p := range image.pieces {
		if n > 0 {
			select {
			case <-r.opt.Stop:
				return &Stopped{Index: i, Step: step}
			default:
			}
		}
		r.opt.Meter.to = func(now int64) {
			r.emit(Sending{Index: i, Step: step, Sent: sent + now, Size: image.size, Done: r.done + sent + now, Total: r.total})
		}
		if err := r.c.FlashPiece(r.ctx, partition, p.open(), p.size); err != nil {
			return err
		}
		sent += p.size
	}
	r.done += image.size
	return nil
}
