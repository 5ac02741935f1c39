package restore

import (
	"fmt"
	"time"

	"xflash/usbproto/s1"
)

// RunOptions are what a run needs besides plan and phone.
type RunOptions struct {
	Journal *Journal        // updated at every step; required
	Stop    <-chan struct{} // closed to stop at the next safe point
	Now     func() time.Time
	Emit    func(Event) // may be nil
}

// driver carries out the steps of a plan in one mode of the phone.
type driver interface {
	// needed reports whether the run carries out step i.
	needed(i int) bool
	// writes reports whether a step changes what the phone keeps without power.
	writes(Step) bool
	// ready is called once, before the first step that writes.
	ready() error
	step(i int, step Step) error
	// settle brings the phone into a state in which it can wait for the next run.
	settle() error
	// closeAfterError ends the run at a step that failed and describes the failure.
	closeAfterError(failed *StepError)
}

// engine carries out a plan: it keeps the journal, stops at safe points only, and reports
// what it does. It is the same for every mode of the phone.
type engine struct {
	plan   *Plan
	opt    RunOptions
	driver driver

	from        int
	whole       span  // steps between which a run does not stop on purpose
	set, clear  span  // steps that set the flash state, and that clear it
	flashing    bool  // unit 10100 was set to 1 and stored
	done, total int64 // bytes of the steps before this one, and of all
	begun       bool  // the journal exists: something may have been written
	unwritten   error // why the journal could not be kept up to date
}

// newEngine is an engine that continues after the steps that the journal counts.
func newEngine(plan *Plan, opt RunOptions) *engine {
	boot := plan.bootSet()
	e := &engine{plan: plan, opt: opt, from: plan.resumeIndex(opt.Journal.Done, boot), whole: plan.unstoppable(boot), total: plan.Bytes}
	e.set, e.clear = plan.flagged()
	return e
}

// run returns nil only when the phone has acknowledged the last step. Everything else is a
// *StepError (a step failed), a *Stopped (a stop was asked for) or a *RecordError (the journal
// could not be written).
func (e *engine) run() error {
	if e.opt.Now == nil {
		e.opt.Now = time.Now
	}
	e.begun = e.opt.Journal.exists
	ready := false
	for i, step := range e.plan.Steps {
		if !e.driver.needed(i) {
			e.done += step.Bytes
			continue
		}
		if err := e.safePoint(i); err != nil {
			return err
		}
		if !ready && i >= e.from && e.driver.writes(step) {
			ready = true
			if err := e.driver.ready(); err != nil {
				return e.failed(i, err)
			}
			if err := e.record(i); err != nil {
				return &RecordError{Index: i, Step: step, First: true, Begun: e.begun, Err: err}
			}
			e.begun = true
		} else if i >= e.from && e.begun {
			if err := e.record(i); err != nil && e.unwritten == nil {
				e.unwritten = err
			}
		}
		e.emit(StepStarted{Index: i, Step: step})
		if err := e.driver.step(i, step); err != nil {
			return e.failed(i, err)
		}
		e.emit(StepDone{Index: i, Step: step})
	}
	if err := e.opt.Journal.Remove(); err != nil {
		e.emit(JournalLeft{Path: e.opt.Journal.Path(), Err: err}) // the phone is complete anyway
	}
	return nil
}

func (e *engine) record(i int) error { return e.opt.Journal.Step(i, e.plan.Steps[i].Title()) }

// failed makes the error of a step, after the driver has left the phone as tidy as it can be.
func (e *engine) failed(i int, err error) error {
	step := e.plan.Steps[i]
	if stopped, ok := err.(*Stopped); ok {
		stopped.Index, stopped.Step, stopped.Begun = i, step, e.begun
		return stopped
	}
	failed := &StepError{Index: i, Step: step, Begun: e.begun, Err: err}
	e.driver.closeAfterError(failed)
	return failed
}

// safePoint ends the run before step i if that was asked for, or the journal could not be
// written, and if it is safe there.
func (e *engine) safePoint(i int) error {
	asked := e.stopping()
	if !asked && e.unwritten == nil {
		return nil
	}
	step := e.plan.Steps[i]
	if e.whole.inside(i) {
		if asked {
			e.emit(Finishing{Until: "the last file of the boot set"})
		}
		return nil
	}
	if err := e.driver.settle(); err != nil {
		return e.failed(i, err)
	}
	if e.unwritten != nil {
		return &RecordError{Index: i, Step: step, Begun: true, Err: e.unwritten}
	}
	if e.begun && i >= e.from {
		if err := e.record(i); err != nil {
			return &RecordError{Index: i, Step: step, Begun: true, Err: err}
		}
	}
	return e.failed(i, &Stopped{})
}

func (e *engine) stopping() bool { return closed(e.opt.Stop) }

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (e *engine) emit(event Event) {
	if e.opt.Emit != nil {
		e.opt.Emit(event)
	}
}

// sending reports acknowledged bytes of the running step.
func (e *engine) sending(i int, sent, size int64) {
	e.emit(Sending{Index: i, Step: e.plan.Steps[i], Sent: sent, Size: size, Done: e.done + sent, Total: e.total})
}

// StepError is a step that failed, with everything needed to explain it.
type StepError struct {
	Index    int // of the step in the plan
	Step     Step
	Begun    bool     // there is a journal, and --resume continues
	Written  bool     // this step may have changed what the phone stores
	Flashing bool     // unit 10100 was set: the phone comes back into flash mode until the flash is complete
	Proven   bool     // the file's chain ends at a root whose certificate is at hand
	Info     *s1.Info // what the phone last said about itself
	Log      []byte   // what the boot loader of a phone of 2017 or later noted about a refusal
	Err      error    // *s1.Refusal, *command.Refusal, a transfer error, or an error of the file
}

func (e *StepError) Error() string {
	return fmt.Sprintf("step %d, %s: %v", e.Index+1, e.Step.Title(), e.Err)
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// Stopped is a run that ended at a safe point because it was asked to.
type Stopped struct {
	Index  int  // the step that comes next
	Step   Step // it
	Begun  bool // there is a journal, and --resume continues
	Within bool // the step had started: its partition lost its old content
}

func (e *Stopped) Error() string {
	if e.Within {
		return "stopped while " + e.Step.Title()
	}
	return "stopped before " + e.Step.Title()
}

// RecordError is a run that ended at a safe point because its journal could not be written.
// The journal on the disk is older than the phone, which is safe: --resume sends again what
// it does not know of.
type RecordError struct {
	Index int // the step that comes next
	Step  Step
	First bool // it would have been the first step of this run that writes
	Begun bool // there is a journal, and --resume continues
	Err   error
}

func (e *RecordError) Error() string {
	return "stopped before " + e.Step.Title() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Err }
