package restore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"xflash/usbproto/s1"
)

// Run carries the plan out in flash mode. It returns nil only when the phone has
// acknowledged the last step and unit 10100 was read back as 0. See engine.run for the
// errors.
//
// The session is left open, with the trim area closed where that was possible.
func Run(ctx context.Context, s *s1.Session, plan *Plan, opt RunOptions) error {
	r := newFlashRun(ctx, s, plan, opt)
	r.flashing = r.from > r.set.last
	return r.run()
}

func newFlashRun(ctx context.Context, s *s1.Session, plan *Plan, opt RunOptions) *flashRun {
	r := &flashRun{newEngine(plan, opt), ctx, s}
	r.driver = r
	return r
}

// flashRun is the driver of flash mode.
type flashRun struct {
	*engine
	ctx context.Context
	s   *s1.Session
}

// needed: the loader is sent when none runs, also by a run that is continued, because the
// phone may have been off in between; unless nothing is left but to end the session.
func (r *flashRun) needed(i int) bool {
	if r.plan.Steps[i].Kind == StepLoader {
		return r.s.Stage() != s1.StageLoader && r.plan.Steps[r.from].Kind != StepEnd
	}
	return i >= r.from
}

func (r *flashRun) writes(step Step) bool { return step.Kind != StepLoader && step.Kind != StepEnd }

func (r *flashRun) ready() error {
	if err := r.plan.checkStorage(r.ctx, r.s); err != nil {
		return err
	}
	if r.flashing {
		return nil
	}
	return preflight(r.ctx, r.s, r.plan)
}

func (r *flashRun) settle() error {
	if r.s.OpenedTA() == 0 {
		return nil
	}
	return r.s.CloseTA(r.ctx)
}

func (r *flashRun) step(i int, step Step) error {
	switch step.Kind {
	case StepLoader, StepImage:
		return r.send(i, step)
	case StepOpenTA:
		return r.s.OpenTA(r.ctx, 2)
	case StepCloseTA:
		err := r.s.CloseTA(r.ctx)
		r.flashing = r.flashing || err == nil && i == r.set.last
		return err
	case StepUnit, StepTimestamp:
		unit, value, err := step.unit(r.opt.Now())
		if err != nil {
			return err
		}
		return r.s.WriteUnit(r.ctx, unit, value)
	case StepEnd:
		if err := r.cleared(); err != nil {
			return err
		}
		return r.s.End(r.ctx)
	}
	return fmt.Errorf("the plan has a step of unknown kind %q", step.Kind)
}

// StateError is a phone whose flash state is not what the flash left there.
type StateError struct{ Value []byte }

func (e *StateError) Error() string {
	return fmt.Sprintf("unit %d reads %X after the flash, not 00: the phone did not record the flash as complete", unitFlashState, e.Value)
}

// cleared reads the flash state back after it was stored: a phone on which it is not 0 goes
// back into flash mode, whatever it has acknowledged.
func (r *flashRun) cleared() error {
	if err := r.s.OpenTA(r.ctx, 2); err != nil {
		return err
	}
	value, err := r.s.ReadUnit(r.ctx, unitFlashState)
	if err != nil {
		return err
	}
	if err := r.s.CloseTA(r.ctx); err != nil {
		return err
	}
	if !bytes.Equal(value, []byte{0}) {
		return &StateError{value}
	}
	r.flashing = false
	return nil
}

// send sends one SIN file. It is read and hashed again on the way, so that what is sent
// is what was checked.
func (r *flashRun) send(i int, step Step) (err error) {
	file, h, err := step.open()
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, file.Close()) }()
	image := s1.Image{Name: step.Name, Header: h.Raw, Data: h.NewReader(file), Size: h.PayloadSize()}
	sent := int64(0)
	progress := func(n int64) {
		sent = n
		r.sending(i, n, step.Bytes)
	}
	if step.Kind == StepLoader {
		err = r.s.SendLoader(r.ctx, image, progress)
	} else {
		if !r.whole.inside(i) {
			image.Stop = r.opt.Stop
		}
		err = r.s.SendImage(r.ctx, image, progress)
	}
	if errors.Is(err, s1.ErrStopped) {
		if e := r.settle(); e != nil {
			return e
		}
		return &Stopped{Within: sent > int64(len(h.Raw))}
	}
	if err == nil {
		r.done += step.Bytes
	}
	return err
}

// closeAfterError leaves the phone as tidy as it can be: upload dropped, trim area closed,
// session ended. What fails on the way adds nothing to the first error.
func (r *flashRun) closeAfterError(failed *StepError) {
	failed.Flashing, failed.Info = r.flashing, r.s.Info()
	failed.Written = failed.Step.Kind == StepImage
	var offered *offerError
	if errors.As(failed.Err, &offered) {
		failed.Step, failed.Err = offered.step, offered.err
	}
	if it := failed.Step.load.item; it != nil {
		failed.Proven = it.Trust.Proven()
	}
	var refusal *s1.Refusal
	if !errors.As(failed.Err, &refusal) {
		return
	}
	if refusal.Command == s1.CmdHeader {
		failed.Written = false // every loader judges a header before it erases anything
	}
	// The phone is still listening. It ends the session and switches itself off; with unit
	// 10100 set it comes back in flash mode (usbproto/s1/PROTOCOL.md §10.4).
	if r.s.OpenedTA() != 0 && refusal.Command != s1.CmdCloseTA {
		_ = r.s.CloseTA(r.ctx)
	}
	_ = r.s.End(r.ctx)
}
