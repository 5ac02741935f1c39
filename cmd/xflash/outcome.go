package main

// How a restore ends: the words for each outcome of a run. They say what the phone is like
// now and what helps next; the exit code and the JSON come from the same value.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"xflash/internal/explain"
	"xflash/internal/restore"
	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// resumeHint continues a restore.
const resumeHint = "continue with the same command and --resume"

// finished is the only place that says Done. It is reached when the phone has acknowledged
// the last step, and nothing that fails from here on takes that back.
func (c *restoreCommand) finished(plan *restore.Plan, p restore.Request) {
	c.in.settle()
	left := len(p.Only)+len(p.Skip) > 0
	if c.ui.json {
		result := map[string]any{"type": "result", "state": "done", "partial": left, "bytes": plan.Bytes, "model": plan.Model}
		if plan.Untried != "" {
			result["untried"] = plan.Untried
		}
		_ = c.ui.resultJSON(result)
		return
	}
	what := "the phone has everything"
	if left {
		what = "the phone has what was asked for (" + sentNames(plan) + "), everything else is as it was"
	}
	then, steps := ", and has switched itself off", []string{"Unplug the cable.", "Switch the phone on. The first start takes up to ten minutes."}
	if c.fastboot {
		if !left {
			what = "the phone has everything that fastboot can write"
		}
		then, steps = ", and it restarts", []string{"Wait. The first start takes up to ten minutes."}
	}
	c.ui.result("%s\n", wrap("Done: "+what+then+".", c.ui.width(), ""))
	if plan.Untried != "" {
		c.ui.result("%s\n", wrap("So far, restores of phones of 2017 and later have been tested on simulated phones only. Please report how yours went.", c.ui.width(), ""))
	}
	if !plan.Wipes {
		steps = append(steps, `If it hangs at the logo or asks for a password nobody knows, data of another system is in the way: run this again with --wipe.`)
	}
	for i, s := range steps {
		c.ui.say("  %d. %s", i+1, wrap(s, c.ui.width()-5, "     "))
	}
}

// sentNames lists what a plan writes.
func sentNames(plan *restore.Plan) string {
	var names []string
	for _, s := range plan.Steps {
		switch s.Kind {
		case restore.StepImage, restore.StepTable, restore.StepFlash, restore.StepErase:
		case restore.StepUnit:
			if s.Member == "" {
				continue
			}
		default:
			continue
		}
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, ", ")
}

// inFastboot reports whether a step belongs to a restore through fastboot.
func inFastboot(s restore.Step) bool {
	return s.Kind == restore.StepFlash || s.Kind == restore.StepErase || s.Kind == restore.StepReboot
}

func stoppedFailure(e *restore.Stopped) *failure {
	f := &failure{exit: exitInterrupted, code: "stopped", what: e.Error()}
	switch {
	case !e.Begun:
		f.what += "; nothing was written"
		return f
	case e.Within:
		f.text = "  " + e.Step.Name + " is only partly written now; --resume sends it again from its start."
	}
	mode := "flash"
	if inFastboot(e.Step) {
		mode = "fastboot"
	}
	f.hints = []string{"the phone is still in " + mode + " mode: leave it connected, and " + resumeHint}
	return f
}

// recordFailure is a restore that ended because its journal could not be written.
func recordFailure(e *restore.RecordError) *failure {
	if !e.Begun {
		return noStateFailure(e.Err)
	}
	if e.First {
		return &failure{exit: exitBroken, code: "journal-full", what: e.Error() + "; this run has written nothing",
			hints: []string{"free space on the disk that holds ~/.local/state/xflash, and " + resumeHint}}
	}
	return &failure{exit: exitBroken, code: "journal-full", what: e.Error(),
		text:  "  The phone is fine so far, and waits. Without a journal an interrupted restore could not be continued, so xflash stopped at the next safe point.",
		hints: []string{"free space on the disk that holds ~/.local/state/xflash, leave the phone connected, and " + resumeHint}}
}

// noStateFailure is a restore that did not start because it could not be continued if it were
// interrupted.
func noStateFailure(err error) *failure {
	return &failure{exit: exitOther, code: "state", what: fmt.Sprintf("not started: xflash cannot store the progress of the restore: %v", err),
		text:  "  Nothing was written to the phone.",
		hints: []string{"free space there and make the folder writable, or name another folder: XDG_STATE_HOME=/tmp/xflash-state xflash restore ..."}}
}

// stepFailure is a restore that ended at a step that failed.
func stepFailure(e *restore.StepError) *failure {
	f := stepCause(e)
	if state := phoneState(e); state != "" {
		f.text = strings.TrimRight(f.text, "\n") + "\n  " + state
		f.text = strings.TrimLeft(f.text, "\n")
	}
	return f
}

// phoneState says what the phone is like after a failed step.
func phoneState(e *restore.StepError) string {
	switch {
	case inFastboot(e.Step):
		return ""
	case !e.Begun:
		return "Nothing was written to the phone."
	case e.Step.Kind == restore.StepEnd, e.Step.Kind == restore.StepSync && !e.Flashing:
		return "Every file is written. It is unknown whether the phone has closed its side; --resume asks it."
	case !e.Flashing:
		return "At most the mark of an unfinished flash (unit 10100) was written."
	}
	state := "The restore is not complete: until one is, the phone starts in flash mode."
	if e.Written {
		state = e.Step.Name + " is not complete on the phone. " + state
	}
	return state
}

// stepCause is what went wrong, without what it means for the phone.
func stepCause(e *restore.StepError) *failure {
	var refusal *s1.Refusal
	var unit *s1.UnitError
	var state *restore.StateError
	var talk *s1.Error
	var transfer *usbproto.TransferError
	broken := fastbootFailure(e.Err)
	switch {
	case broken != nil:
		broken.what = e.Step.Title() + " failed: " + broken.what
		broken.hints = []string{resumeHint + "; everything written so far stays written"}
		if broken.exit != exitRefused {
			broken.hints = append([]string{"unplug the phone and start fastboot mode again: off, hold Volume Up, plug in"}, broken.hints...)
		}
		return broken
	case commandFailure(e.Err) != nil:
		return commandStep(e)
	case errors.As(e.Err, &refusal):
		f := refusalFailure(explain.Refusal(refusalFacts(e, refusal)))
		if e.Begun {
			f.hints = append(f.hints, "when you have removed the cause, "+resumeHint)
			if e.Step.Kind == restore.StepImage && !e.Written && !e.Step.Fragile {
				f.hints = append(f.hints, "or leave this file out: the same command with --skip "+e.Step.Name+" and without --resume")
			}
		}
		return f
	case errors.As(e.Err, &unit):
		return &failure{exit: exitRefused, code: "unit", what: e.Step.Title() + " failed: " + unit.Error(),
			hints: []string{"restart the phone in flash mode and " + resumeHint}}
	case errors.As(e.Err, &state):
		return &failure{exit: exitUnknown, code: "not-stored", what: state.Error(),
			hints: []string{"start the phone in flash mode again and run the same command without --resume: it flashes everything from the start, which is safe"}}
	case errors.Is(e.Err, s1.ErrState):
		return &failure{exit: exitOther, code: "other", what: e.Step.Title() + " failed: " + e.Err.Error(),
			hints: []string{"this is a bug in xflash: please report it with the plan (--dry-run)"}}
	case errors.As(e.Err, &talk) || errors.As(e.Err, &transfer):
		f := brokenFailure(e.Err, e.Step.Title(), e.Begun)
		if e.Step.Kind == restore.StepLoader && errors.Is(e.Err, usbproto.ErrTimeout) && talk != nil && talk.Chunk == talk.Chunks {
			f.text += "\n  A loader is silent like this, from the start, when its security version (AID) is below the lowest that the phone accepts."
			f.hints = append(f.hints[:1], "then use a newer loader for this model: --loader FILE")
		}
		return f
	}
	return &failure{exit: exitFile, code: "file-invalid", what: fmt.Sprintf("%s failed: %v", e.Step.Title(), e.Err),
		hints: []string{"the file was whole when it was checked: check the disk that holds it, then " + resumeHint}}
}

// brokenFailure is a conversation that ended in the middle.
func brokenFailure(err error, doing string, resumable bool) *failure {
	f := &failure{exit: exitBroken, code: "broken", what: "the connection broke during " + doing, text: "  " + wrap(printable(err.Error()), 76, "  ")}
	switch {
	case errors.Is(err, context.Canceled):
		f.exit, f.code, f.what = exitInterrupted, "stopped", "stopped at once during "+doing
	case errors.Is(err, usbproto.ErrGone):
		f.what = "the phone was unplugged during " + doing
	case errors.Is(err, usbproto.ErrTimeout):
		f.what = "the phone stopped answering during " + doing
	}
	f.hints = []string{replugHint}
	if resumable {
		f.hints = append(f.hints, "then "+resumeHint)
	} else if f.code != "stopped" { // whoever stopped it needs no other cable
		f.hints = append(f.hints, "use a short cable, plugged into the computer itself, without a hub")
	}
	return f
}
