package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"xflash/internal/restore"
)

// One bar for the whole plan: it names the file's place among the files, and gives no time
// that is left before that can be known.
func TestBarOfTheWholePlan(t *testing.T) {
	var out bytes.Buffer
	clock := time.Unix(1_000_000, 0)
	p := &progress{ui: &terminal{err: &out}, now: func() time.Time { return clock }}
	steps := []restore.Step{
		{Kind: restore.StepLoader, Name: "loader", Bytes: 1 << 20},
		{Kind: restore.StepImage, Name: "kernel", Bytes: 9 << 20},
		{Kind: restore.StepImage, Name: "system", Bytes: 990 << 20},
	}
	p.follow(&restore.Plan{Steps: steps})
	const total = 1000 << 20
	send := func(index int, after time.Duration, done int64) string {
		clock = clock.Add(after)
		out.Reset()
		p.event(restore.Sending{Index: index, Step: steps[index], Done: done, Total: total, Sent: 1 << 20})
		return out.String()
	}
	p.event(restore.StepStarted{Index: 0, Step: steps[0]})
	send(0, 0, 1<<20)
	for _, report := range []struct {
		index int
		after time.Duration
		done  int64
		says  string
		left  string
	}{
		{1, 6 * time.Second, 5 << 20, "file 2 of 3, kernel", ""},        // too little time and too few bytes
		{1, 6 * time.Second, 10 << 20, "file 2 of 3, kernel", ""},       // too few bytes
		{2, 8 * time.Second, 200 << 20, "file 3 of 3, system", "1m20s"}, // 200 MiB in 20 s, 800 to go
		{2, 20 * time.Second, 600 << 20, "file 3 of 3, system", "27s"},
	} {
		line := send(report.index, report.after, report.done)
		if !strings.Contains(line, report.says) || strings.Contains(line, " left") != (report.left != "") || !strings.Contains(line, report.left) {
			t.Errorf("at %d MiB: %q, want %q and %q", report.done>>20, line, report.says, report.left)
		}
	}
}
