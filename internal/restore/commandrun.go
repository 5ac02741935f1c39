package restore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"xflash/sin"
	"xflash/usbproto/command"
)

// RunCommand carries the plan out on a phone of 2017 or later. It returns nil only when the
// phone has acknowledged the last step. See engine.run for the errors.
//
// After an error the phone is left as it is: unit 10100 stays 1, and it is neither started nor
// switched off. A ctx that ends in the middle of a download leaves a phone that waits for the
// rest, until it is unplugged.
func RunCommand(ctx context.Context, s *command.Session, plan *Plan, opt RunOptions) error {
	r := &commandRun{engine: newEngine(plan, opt), ctx: ctx, s: s}
	r.driver = r
	r.flashing = r.from > r.set.last && r.from <= r.clear.first
	return r.run()
}

// commandRun is the driver of the flash protocol of 2017.
type commandRun struct {
	*engine
	ctx    context.Context
	s      *command.Session
	erased bool // the running step may have changed its partition
}

// needed: unit 10100 is set again by a run that is continued, unless nothing is left but what
// comes after clearing it.
func (r *commandRun) needed(i int) bool {
	return i >= r.from || i == r.set.first && r.from < r.clear.first
}

func (r *commandRun) writes(step Step) bool { return step.Kind != StepEnd }

// ready finds out how the phone accepts signatures, which changes nothing.
func (r *commandRun) ready() error {
	return r.s.ProbeSignature(r.ctx)
}

func (r *commandRun) settle() error { return nil }

func (r *commandRun) step(i int, step Step) error {
	r.erased = false
	switch step.Kind {
	case StepImage, StepTable:
		return r.send(i, step)
	case StepUnit, StepTimestamp:
		return r.unit(step)
	case StepSlot:
		return r.s.SetActiveA(r.ctx)
	case StepSync:
		return r.sync()
	case StepEnd:
		return r.s.End(r.ctx)
	}
	return fmt.Errorf("the plan has a step of unknown kind %q", step.Kind)
}

func (r *commandRun) unit(step Step) error {
	unit, value, err := step.unit(r.opt.Now())
	if err != nil {
		return err
	}
	if err := r.s.WriteTA(r.ctx, unit, value); err != nil || unit != unitFlashState {
		return err
	}
	r.flashing = value[0] != 0
	if r.flashing {
		return nil
	}
	// A phone on which it is not 0 is not to start, whatever it has acknowledged.
	stored, err := r.s.ReadTA(r.ctx, command.MiscPartition, unit)
	switch {
	case errors.As(err, new(*command.Refusal)):
		return nil // not every unit can be read
	case err == nil && !bytes.Equal(stored, value):
		return &StateError{stored}
	}
	return err
}

// sync waits until the phone has stored everything. One that refuses it must not start: what
// was written may be lost.
func (r *commandRun) sync() error {
	err := r.s.Sync(r.ctx)
	if errors.As(err, new(*command.Refusal)) && r.s.WriteTA(r.ctx, unitFlashState, []byte{1}) == nil {
		r.flashing = true
	}
	return err
}

// ChunkError is what went wrong with one piece of a file.
type ChunkError struct {
	File  string // in the bundle
	Chunk string // name of the piece in it: super.023, or the signature
	Err   error
}

func (e *ChunkError) Error() string { return fmt.Sprintf("%s, %s: %v", e.File, e.Chunk, e.Err) }

// Unwrap returns the cause.
func (e *ChunkError) Unwrap() error { return e.Err }

// send sends one archive: its signature, and each chunk as a download and a flash. The
// partition is erased when the signature was accepted and the first chunk is in the phone. The
// file is hashed again on the way, and nothing of a chunk that has changed is written.
func (r *commandRun) send(i int, step Step) (err error) {
	file, a, err := step.archive()
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, file.Close()) }()
	member, chunks := step.load.item.Member, step.load.item.Archive.Chunks
	if err := r.s.Sign(r.ctx, a.CMS); err != nil {
		return &ChunkError{member, a.Name + ".cms", err}
	}
	sent := int64(len(a.CMS))
	for n, want := range chunks {
		if n > 0 && closed(r.opt.Stop) && !r.whole.inside(i) {
			return &Stopped{Within: true}
		}
		c, err := a.Next()
		if err == nil && (c.Name != want.Name || c.Size != want.Size) {
			err = errors.New("it has changed since it was checked")
		}
		if err == nil {
			err = r.chunk(i, step, n, want, a, sent)
		}
		if err != nil {
			return &ChunkError{member, want.Name, err}
		}
		sent += want.Size
	}
	r.done += step.Bytes
	return nil
}

// chunk downloads one chunk and has it written.
func (r *commandRun) chunk(i int, step Step, n int, want sin.ArchiveChunk, data io.Reader, before int64) error {
	sum := sha256.New()
	progress := func(now int64) { r.sending(i, before+now, step.Bytes) }
	if err := r.s.Download(r.ctx, io.TeeReader(data, sum), want.Size, progress); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), want.SHA256) {
		return errors.New("it has changed since it was checked")
	}
	if step.Kind == StepTable {
		r.erased = true
		return r.s.Repartition(r.ctx, step.load.lun)
	}
	partition, err := step.partition()
	if err != nil {
		return err
	}
	if n == 0 {
		r.erased = true
		if err := r.s.Erase(r.ctx, partition); err != nil {
			return err
		}
	}
	return r.s.Flash(r.ctx, partition)
}

// closeAfterError describes the failure. The phone gets no command but the question for its
// log: unit 10100 stays 1, so that it is not started half flashed.
func (r *commandRun) closeAfterError(failed *StepError) {
	failed.Flashing = r.flashing
	failed.Written = r.erased
	if errors.As(failed.Err, new(*command.Refusal)) {
		if log, err := r.s.BootLog(r.ctx); err == nil {
			failed.Log = log
		}
	}
}
