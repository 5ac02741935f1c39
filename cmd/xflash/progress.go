package main

import (
	"fmt"
	"strings"
	"time"

	"xflash/internal/restore"
)

// progress turns events into one moving line on a terminal, plain lines elsewhere, and
// one JSON object a line with --json.
type progress struct {
	ui      *terminal
	now     func() time.Time
	started time.Time // of the step, for its rate
	begun   time.Time // of the first byte sent, for the time that is left
	resent  int64     // bytes counted as done before this run
	last    time.Time // of the last report, to keep the pace
	files   []int     // for each step, the number of its file, counted from 1; 0 for others
	count   int       // of files
	later   bool      // a phone of 2017 or later, whose units are not read back
}

// follow gives the bar the plan that will be run, so that it can tell "file 7 of 19".
func (p *progress) follow(plan *restore.Plan) {
	p.later = plan.Untried != ""
	for _, s := range plan.Steps {
		n := 0
		if s.Bytes > 0 && (s.Kind == restore.StepLoader || s.Kind == restore.StepImage || s.Kind == restore.StepTable || s.Kind == restore.StepFlash) {
			p.count++
			n = p.count
		}
		p.files = append(p.files, n)
	}
}

// ofPlan names a step and its place among the files of the plan.
func (p *progress) ofPlan(index int, s restore.Step) string {
	if index < len(p.files) && p.files[index] > 0 {
		return fmt.Sprintf("file %d of %d, %s", p.files[index], p.count, s.Name)
	}
	return s.Name
}

func newProgress(ui *terminal) *progress { return &progress{ui: ui, now: time.Now} }

// pace is how often a moving report is made: smooth on a terminal, a line
// every five seconds elsewhere.
func (p *progress) pace() time.Duration {
	if p.ui.errTTY {
		return 100 * time.Millisecond
	}
	return 5 * time.Second
}

func (p *progress) event(e restore.Event) {
	if p.ui.json {
		p.jsonEvent(e)
		return
	}
	if p.ui.quiet {
		return
	}
	switch e := e.(type) {
	case restore.Checking:
		p.moving("checking "+e.Name, e.Done, e.Total, "")
	case restore.Unpacking:
		p.moving("unpacking "+e.Name, e.Done, e.Total, "")
	case restore.StepStarted:
		p.started = p.now()
		if e.Step.Bytes > 0 {
			p.last = p.now()
			if p.ui.errTTY {
				p.status(fmt.Sprintf("%s (%s)", p.ofPlan(e.Index, e.Step), size(e.Step.Bytes)))
			}
		}
	case restore.Sending:
		if p.begun.IsZero() {
			p.begun, p.resent = p.started, e.Done-e.Sent
		}
		// One bar for everything: what is done of the whole plan.
		p.moving(p.ofPlan(e.Index, e.Step), e.Done, e.Total, p.left(e))
	case restore.StepDone:
		if line := stepDone(e.Step, p.took()); line != "" {
			if p.later {
				line = strings.TrimSuffix(line, ", read back")
			}
			p.ui.say("  ok  %s", line)
		}
	case restore.Stalled:
		p.ui.say("  ..  no answer for a while during %s; still waiting, do not unplug", e.Doing)
	case restore.Finishing:
		p.ui.say("stopping after %s; press Ctrl-C again to stop at once (not advised)", e.Until)
	case restore.JournalLeft:
		p.ui.warn("the restore is complete, but its journal could not be removed: %v", e.Err)
	}
}

// took is the time of the step that ends, when it is worth telling.
func (p *progress) took() string {
	if d := p.now().Sub(p.started); d >= time.Second {
		return fmt.Sprintf("  in %s", d.Round(time.Second))
	}
	return ""
}

// What must have been sent, and how long, before the time that is left can be known.
const (
	leastTime  = 10 * time.Second
	leastBytes = 16 << 20
)

// left estimates the time to the end of the whole plan from the bytes of this run.
func (p *progress) left(e restore.Sending) string {
	spent := p.now().Sub(p.begun)
	sent := e.Done - p.resent
	if spent < leastTime || sent < leastBytes {
		return "" // too early to know
	}
	rate := float64(sent) / spent.Seconds()
	rest := time.Duration(float64(e.Total-e.Done) / rate * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%s/s, %s left", size(int64(rate)), rest)
}

func (p *progress) moving(what string, done, total int64, extra string) {
	if p.last.IsZero() {
		p.last = p.now() // the first report comes after the first pace
	}
	if p.now().Sub(p.last) < p.pace() && (done < total || !p.ui.errTTY) {
		return
	}
	p.last = p.now()
	percent := ""
	if total > 0 {
		percent = fmt.Sprintf(" %s%3d%%", p.bar(done, total), done*100/total)
	}
	if extra != "" {
		extra = ", " + extra
	}
	p.status(what + percent + extra)
}

// file reports how far a file was read: for work that emits no events.
func (p *progress) file(verb, name string, done, total int64) {
	switch {
	case !p.ui.json:
		if !p.ui.quiet {
			p.moving(verb+" "+printable(name), done, total, "")
		}
	case p.due(done, total):
		p.put("progress", map[string]any{"name": name, "done": done, "total": total})
	}
}

// bar draws a part of a whole on a terminal that has room for it.
func (p *progress) bar(done, total int64) string {
	const room = 12
	if !p.ui.errTTY || p.ui.width() < 60 {
		return ""
	}
	n := int(min(done, total) * room / total)
	return "[" + strings.Repeat("#", n) + strings.Repeat(".", room-n) + "]"
}

// status replaces the moving line on a terminal; elsewhere it is its own line.
func (p *progress) status(s string) {
	if !p.ui.errTTY {
		p.ui.say("%s", s)
		return
	}
	p.ui.moveLine(s)
}

func (p *progress) jsonEvent(e restore.Event) {
	switch e := e.(type) {
	case restore.Checking:
		if p.due(e.Done, e.Total) {
			p.put("check", map[string]any{"name": e.Name, "done": e.Done, "total": e.Total})
		}
	case restore.Unpacking:
		if p.due(e.Done, e.Total) {
			p.put("unpack", map[string]any{"name": e.Name, "done": e.Done, "total": e.Total})
		}
	case restore.StepStarted:
		p.put("step", map[string]any{"index": e.Index, "state": "begin", "step": e.Step})
	case restore.Sending:
		if p.due(e.Sent, e.Size) {
			p.put("progress", map[string]any{"index": e.Index, "sent": e.Sent, "size": e.Size, "done": e.Done, "total": e.Total})
		}
	case restore.StepDone:
		p.put("step", map[string]any{"index": e.Index, "state": "end"})
	case restore.Stalled:
		p.put("stalled", map[string]any{"doing": e.Doing})
	case restore.Finishing:
		p.put("stopping", map[string]any{"after": e.Until})
	case restore.JournalLeft:
		p.put("note", map[string]any{"text": "the journal could not be removed: " + e.Err.Error()})
	}
}

// due keeps JSON progress below five reports a second.
func (p *progress) due(done, total int64) bool {
	if done < total && p.now().Sub(p.last) < 200*time.Millisecond {
		return false
	}
	p.last = p.now()
	return true
}

func (p *progress) put(kind string, fields map[string]any) {
	fields["type"] = kind
	_ = p.ui.resultJSON(fields) // a closed stdout must not stop a flash half way
}
