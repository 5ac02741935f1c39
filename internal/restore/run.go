package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"xflash/sin"
	"xflash/usbproto/s1"
)

// RunOptions are what a run needs besides plan and phone.
type RunOptions struct {
	Journal *Journal        // is updated at every step; required
	From    int             // steps that an earlier run has done (Journal.Done)
	Stop    <-chan struct{} // closed to stop at the next safe point
	Now     func() time.Time
	Emit    func(Event) // may be nil
}

// Run carries the plan out. It returns nil only when the phone has acknowledged the
// last step. Everything else is one of *StepError (a step failed), *Stopped (a stop was
// asked for) or an error of the journal; the journal then says where to go on, and
// unit 10100 keeps the phone in flash mode.
//
// The session is left open with the trim area closed where that was possible.
func Run(ctx context.Context, s *s1.Session, plan *Plan, opt RunOptions) error {
	r := &runner{ctx: ctx, s: s, plan: plan, opt: opt}
	if r.opt.Now == nil {
		r.opt.Now = time.Now
	}
	return r.run()
}

// StepError is a step that failed, with everything needed to explain it.
type StepError struct {
	Index   int // of the step in the plan
	Step    Step
	Written bool     // data of this step may have reached the phone's storage
	Info    *s1.Info // what the phone said of itself last
	Err     error    // *s1.Refusal, a transfer error, or one of the file
}

func (e *StepError) Error() string {
	return fmt.Sprintf("step %d, %s: %v", e.Index+1, e.Step.Title(), e.Err)
}

// Unwrap gives the cause.
func (e *StepError) Unwrap() error { return e.Err }

// Stopped is a run that ended at a safe point because it was asked to.
type Stopped struct {
	Index int  // the step that comes next
	Step  Step // it
}

func (e *Stopped) Error() string { return "stopped before " + e.Step.Title() }

type runner struct {
	ctx  context.Context
	s    *s1.Session
	plan *Plan
	opt  RunOptions
	done int64 // bytes of the files behind us

	admitted bool
}

func (r *runner) run() error {
	from := r.plan.durable(r.opt.From)
	for i, step := range r.plan.Steps {
		if r.needed(i, from) {
			if i >= from {
				if err := r.safePoint(i); err != nil {
					return err
				}
				if err := r.opt.Journal.Step(i, step.Title()); err != nil {
					return err
				}
			}
			if from == 0 && step.Kind == StepOpenTA && !r.admitted {
				r.admitted = true
				if err := r.admit(); err != nil {
					return err
				}
			}
			r.emit(StepStarted{Index: i, Step: step})
			if err := r.step(i, step); err != nil {
				return r.abandon(i, step, err)
			}
			r.emit(StepDone{Index: i, Step: step})
		}
		if step.Kind == StepImage || step.Kind == StepLoader {
			r.done += step.Bytes
		}
	}
	return r.opt.Journal.Remove()
}

// durable is where a run goes on after a number of acknowledged steps. What is written
// into the trim area is stored only when it is closed, and a kernel leaves its header
// there too (loader-behaviour.md 1). So a group that was not closed is done again; it
// holds one file at most.
func (p *Plan) durable(done int) int {
	for i := min(done, len(p.Steps)) - 1; i >= 0; i-- {
		switch p.Steps[i].Kind {
		case StepOpenTA:
			return i
		case StepCloseTA:
			return done
		}
	}
	return done
}

// needed says whether a step is carried out by a run that goes on at step from. Of the
// steps before only the loader and the flash state are, because the phone may have been
// off in between; and neither when nothing is left but to end the session, since the
// flash state was cleared then.
func (r *runner) needed(i, from int) bool {
	steps := r.plan.Steps
	if !slices.ContainsFunc(steps[min(from, len(steps)):], func(s Step) bool { return s.Kind != StepEnd }) {
		return i >= from
	}
	if steps[i].Kind == StepLoader {
		return r.s.Stage() != s1.StageLoader
	}
	first, last := r.plan.firstGroup()
	return i >= from || i >= first && i <= last
}

// firstGroup is the steps that set the flash state: the first time the trim area is open.
func (p *Plan) firstGroup() (first, last int) {
	first = slices.IndexFunc(p.Steps, func(s Step) bool { return s.Kind == StepOpenTA })
	last = slices.IndexFunc(p.Steps, func(s Step) bool { return s.Kind == StepCloseTA })
	return first, last
}

// safePoint stops the run before step i if that was asked for and is safe there. Between
// two fragile steps it is not: half a boot chain is worse than none (s1-protocol.md §4.10).
func (r *runner) safePoint(i int) error {
	if !r.stopping() {
		return nil
	}
	if r.inFragileRun(i) {
		r.emit(Finishing{Until: "the last file of the boot set"})
		return nil
	}
	if r.s.OpenPartition() != 0 {
		if err := r.s.CloseTA(r.ctx); err != nil {
			return r.abandon(i, r.plan.Steps[i], err)
		}
	}
	if err := r.opt.Journal.Step(i, r.plan.Steps[i].Title()); err != nil {
		return err
	}
	return &Stopped{Index: i, Step: r.plan.Steps[i]}
}

func (r *runner) stopping() bool {
	select {
	case <-r.opt.Stop:
		return true
	default:
		return false
	}
}

// inFragileRun says whether a fragile step has been done and another one follows before
// anything else than the trim area's opening and closing.
func (r *runner) inFragileRun(i int) bool {
	before := i - 1
	for before >= 0 && (r.plan.Steps[before].Kind == StepOpenTA || r.plan.Steps[before].Kind == StepCloseTA) {
		before--
	}
	after := i
	for after < len(r.plan.Steps)-1 && (r.plan.Steps[after].Kind == StepOpenTA || r.plan.Steps[after].Kind == StepCloseTA) {
		after++
	}
	return before >= 0 && r.plan.Steps[before].Fragile && r.plan.Steps[after].Fragile
}

func (r *runner) step(i int, step Step) error {
	switch step.Kind {
	case StepLoader, StepImage:
		return r.send(i, step)
	case StepOpenTA:
		return r.s.OpenTA(r.ctx, 2)
	case StepCloseTA:
		return r.s.CloseTA(r.ctx)
	case StepUnit, StepTimestamp:
		unit, value, err := step.unit(r.opt.Now())
		if err != nil {
			return err
		}
		return r.s.WriteUnit(r.ctx, unit, value)
	case StepEnd:
		return r.s.End(r.ctx)
	}
	return fmt.Errorf("the plan has a step of the unknown kind %q", step.Kind)
}

// send sends one SIN file. It is read and hashed again on the way, so that what is sent
// is what was checked.
func (r *runner) send(i int, step Step) (err error) {
	file, h, err := step.open()
	if err != nil {
		return err
	}
	defer func() {
		if e := file.Close(); err == nil {
			err = e
		}
	}()
	image := s1.Image{Name: step.Name, Header: h.Raw, Data: h.NewReader(file), Size: h.PayloadSize()}
	progress := func(sent int64) {
		r.emit(Sending{Index: i, Step: step, Sent: sent, Size: step.Bytes, Done: r.done + sent, Total: r.plan.Bytes})
	}
	if step.Kind == StepLoader {
		return r.s.SendLoader(r.ctx, image, progress)
	}
	if !step.Fragile {
		image.Stop = r.opt.Stop
	}
	return r.s.SendImage(r.ctx, image, progress)
}

// begin opens a SIN file and reads its header, which must be the one that was checked.
func (it *Item) begin(checked string) (io.ReadCloser, *sin.Header, error) {
	file, err := it.Open()
	if err != nil {
		return nil, nil, err
	}
	h, err := sin.ReadHeader(file, it.Bytes)
	if err == nil && headerSHA256(h) != checked {
		err = fmt.Errorf("%s has changed since it was checked", it.Member)
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, h, nil
}

// abandon ends a run at a step that failed or was stopped, and leaves the phone as tidy
// as it can be: upload cancelled, trim area closed. What fails on the way out adds
// nothing to the first error.
func (r *runner) abandon(i int, step Step, err error) error {
	if errors.Is(err, s1.ErrStopped) {
		if r.s.OpenPartition() != 0 {
			if e := r.s.CloseTA(r.ctx); e != nil {
				return &StepError{Index: i, Step: step, Written: true, Info: r.s.Info(), Err: e}
			}
		}
		return &Stopped{Index: i, Step: step}
	}
	failed := &StepError{Index: i, Step: step, Err: err, Written: step.Kind == StepImage, Info: r.s.Info()}
	var refusal *s1.Refusal
	if !errors.As(err, &refusal) {
		return failed
	}
	if refusal.Command == s1.CmdHeader {
		failed.Written = false // true of every refusal of a header (error-codes.md §5)
	}
	// The phone is still listening. It ends the session and switches itself off;
	// unit 10100 brings it back into flash mode (s1-protocol.md §10.4).
	if r.s.OpenPartition() != 0 {
		_ = r.s.CloseTA(r.ctx)
	}
	_ = r.s.End(r.ctx)
	return failed
}

func (r *runner) emit(e Event) {
	if r.opt.Emit != nil {
		r.opt.Emit(e)
	}
}
