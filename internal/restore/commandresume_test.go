package restore_test

import (
	"errors"
	"fmt"
	"testing"

	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/internal/simphone/xperifirm"
)

type wrote = simphone.Written

// A restore that is cut off at any command, before it is carried out or before it is answered,
// and at places inside the data, is continued to the same end. A finished image is not sent
// again. Layer: a sample in make check; in the long one every command of one phone, and
// every fifth of another.
func TestCommandResume(t *testing.T) {
	t.Parallel()
	specs := []string{"1iii", "xz1"}
	if testing.Short() {
		specs = specs[:1]
	}
	for i, spec := range specs {
		kit := newCommandKit(t, spec, xperifirm.Options{})
		commands := countCommands(t, kit)
		var faults []string
		step, places := 1+4*i, 100
		if testing.Short() {
			step, places = commands/4, 3
		}
		for n := 1; n <= commands; n += step {
			faults = append(faults, fmt.Sprintf("unplug@%d", n), fmt.Sprintf("unplug=answer@%d", n))
		}
		for i := range places {
			faults = append(faults, fmt.Sprintf("unplug=%d@download:%d", 1+i*37, 2+i%20))
		}
		for _, fault := range faults {
			t.Run(spec+"/"+fault, func(t *testing.T) {
				t.Parallel()
				k := *kit
				k.t = t
				k.fresh()
				defer k.off()
				k.cutAndResume(fault)
			})
		}
	}
}

// countCommands is how many commands a whole restore sends.
func countCommands(t *testing.T, kit *commandKit) int {
	k := *kit
	k.t = t
	k.fresh()
	defer k.off()
	n := 0
	k.onEvent = func(e simphone.Event) { n = max(n, e.Packet) }
	k.on()
	if _, err := k.run(restore.Request{}, false, restore.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	return n
}

func (k *commandKit) cutAndResume(fault string) {
	k.t.Helper()
	t := k.t
	k.on(fault)
	_, err := k.run(restore.Request{}, false, restore.RunOptions{})
	if err == nil {
		k.whole(false) // the place of the fault was not reached
		return
	}
	before := finished(k.journal())
	journals := k.store.Unfinished()
	k.on()
	if len(journals) == 0 { // nothing was written
		if len(before) > 0 {
			t.Fatalf("%v was written, and there is no journal", before)
		}
		if _, err := k.run(restore.Request{}, false, restore.RunOptions{}); err != nil {
			t.Fatal(err)
		}
		k.whole(false)
		return
	}
	var step *restore.StepError
	if errors.As(err, &step) && step.Begun == false {
		t.Errorf("a journal, and the error says that nothing began: %v", err)
	}
	done := len(k.journal())
	if _, err := k.run(restore.Request{}, true, restore.RunOptions{}); err != nil {
		t.Fatalf("continued after %v: %v", fault, err)
	}
	for _, w := range k.journal()[done:] {
		if i := journals[0].Done; w.Command == "erase" && before[w.Target] && i > 0 && !k.doing(journals[0], w.Target) {
			t.Errorf("%s was finished and is written again", w.Target)
		}
	}
	k.whole(false)
}

// doing reports whether a partition belongs to what was running when the journal was written:
// an image counts as one, and so does the boot set.
func (k *commandKit) doing(j *restore.Journal, target string) bool {
	return target == "bootloader" || target == "bootloader_a" || j.Doing == "sending "+bare(target)
}

func bare(target string) string {
	if n := len(target) - 2; n > 0 && target[n] == '_' {
		return target[:n]
	}
	return target
}

// finished are the partitions whose last chunk was followed by another command that changes
// the phone.
func finished(list []wrote) map[string]bool {
	done := map[string]bool{}
	last := ""
	for _, w := range list {
		if w.Command == "signature" || w.Command == "Write-TA" || w.Command == "set_active" {
			if last != "" {
				done[last] = true
			}
			last = ""
		}
		if w.Command == "flash" && w.Refused == "" {
			last = w.Target
		}
	}
	return done
}

// A stop that is asked for comes at a safe point, between two chunks at the earliest.
func TestCommandStop(t *testing.T) {
	t.Parallel()
	k := newCommandKit(t, "1iii", xperifirm.Options{})
	k.on()
	stop := make(chan struct{})
	stopped := false
	_, err := k.run(restore.Request{}, false, restore.RunOptions{Stop: stop, Emit: func(e restore.Event) {
		if s, ok := e.(restore.Sending); ok && s.Step.Name == "super" && !stopped {
			stopped = true
			close(stop)
		}
	}})
	var s *restore.Stopped
	if !errors.As(err, &s) || !s.Within || s.Step.Name != "super" {
		t.Fatalf("%v", err)
	}
	k.afterError()
	if _, err := k.run(restore.Request{}, true, restore.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	k.whole(false)
}
