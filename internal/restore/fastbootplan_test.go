package restore_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"xflash/fastboot"
	"xflash/internal/bootcheck"
	"xflash/internal/restore"
	"xflash/internal/simphone"
)

// loaderBench is a phone in fastboot mode and the small bundle.
type loaderBench struct {
	*bench
	facts   *restore.FastbootFacts
	aboot   *simphone.Aboot
	request restore.Request
	limit   int64
}

func newLoaderBench(t *testing.T, o simphone.Options, p restore.Request) *loaderBench {
	t.Helper()
	o.InFastboot = true
	fw, err := small()
	if err != nil {
		t.Fatal(err)
	}
	checked, err := check(t, fw.Bundle, p)
	if err != nil {
		t.Fatal(err)
	}
	target, _ := bootcheck.TargetFor("D5803")
	phone := newPhone(t, o)
	return &loaderBench{bench: &bench{t: t, phone: phone, fw: checked, store: restore.Store{Dir: quickDir(t)}}, aboot: phone.Fastboot(),
		facts: &restore.FastbootFacts{Product: "D5803", Target: target, Identity: strings.Repeat("5e", 32)}, request: p, limit: 64 << 20}
}

// restore runs the fastboot route once.
func (b *loaderBench) restore(resume bool, stop <-chan struct{}, emit func(restore.Event)) error {
	b.t.Helper()
	ctx := context.Background()
	c, err := fastboot.Open(ctx, b.aboot.Conn(), fastboot.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer c.Close()
	boots, err := restore.BootImages(ctx, b.fw, b.facts, b.request)
	if err != nil {
		return err
	}
	plan, journal, err := restore.PrepareFastbootRun(b.store, b.fw, b.facts, boots, b.request, resume)
	if err != nil {
		return err
	}
	return restore.RunFastboot(ctx, c, plan, restore.FastbootOptions{
		RunOptions: restore.RunOptions{Journal: journal, Stop: stop, Emit: emit},
		Dir:        b.t.TempDir(), Limit: b.limit})
}

// partition reads n bytes of a partition.
func (b *loaderBench) partition(label string, n int64) []byte {
	b.t.Helper()
	p, err := b.phone.Partition(label)
	if err != nil {
		b.t.Fatal(err)
	}
	data := make([]byte, n)
	if _, err := p.ReadAt(data, 0); err != nil {
		b.t.Fatal(err)
	}
	return data
}

// complete fails unless the phone has everything of the bundle that fastboot can write.
func (b *loaderBench) complete(labels ...string) {
	b.t.Helper()
	fw, err := small()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, label := range labels {
		want, err := os.ReadFile(fw.Images[label])
		if err != nil {
			b.t.Fatal(err)
		}
		if label == "boot" || label == "FOTAKernel" {
			b.sameParts(want, b.partition(label, 8<<20), label)
			continue
		}
		if !bytes.Equal(b.partition(label, int64(len(want))), want) {
			b.t.Errorf("%s does not hold what the bundle has for it", label)
		}
	}
}

// sameParts compares the segments of a Sony ELF, as Go's reader of ELF files finds them,
// with the parts of an Android image, taken by the offsets of fastboot/bootimg/FORMAT.md §1.1.
func (b *loaderBench) sameParts(sony, android []byte, label string) {
	b.t.Helper()
	sony = slices.Clone(sony)
	sony[7] = 0 // Sony's mark there is no known system
	f, err := elf.NewFile(bytes.NewReader(sony))
	if err != nil {
		b.t.Fatal(err)
	}
	word := func(at int) int { return int(binary.LittleEndian.Uint32(android[at:])) }
	if string(android[:8]) != "ANDROID!" {
		b.t.Fatalf("%s holds no Android image", label)
	}
	page := word(36)
	at := page
	for i, size := range []int{word(8), word(16)} {
		want, err := io.ReadAll(f.Progs[i].Open())
		if err != nil {
			b.t.Fatal(err)
		}
		if !bytes.Equal(android[at:at+size], want) {
			b.t.Errorf("%s: part %d is not segment %d of the Sony image", label, i, i)
		}
		at += (size + page - 1) / page * page
	}
	if string(android[at:at+4]) != "QCDT" {
		b.t.Errorf("%s: no device tree table after the ramdisk", label)
	}
}

var loaderLabels = []string{"boot", "FOTAKernel", "system", "cache"}

func TestFastbootRoute(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{simphone.Aboot2013, simphone.Aboot2014, simphone.Aboot2015} {
		t.Run(generation, func(t *testing.T) {
			b := newLoaderBench(t, simphone.Options{Aboot: generation}, restore.Request{})
			before := b.partition("userdata", 1<<20)
			var last restore.Sending
			if err := b.restore(false, nil, func(e restore.Event) {
				if e, ok := e.(restore.Sending); ok {
					if e.Done < last.Done || e.Sent > e.Size {
						t.Errorf("progress goes from %+v to %+v", last, e)
					}
					last = e
				}
			}); err != nil {
				t.Fatal(err)
			}
			b.complete(loaderLabels...)
			if !bytes.Equal(b.partition("userdata", 1<<20), before) {
				t.Error("user data are not what they were")
			}
			if last.Done != last.Total || last.Total == 0 {
				t.Errorf("the last progress is %d of %d", last.Done, last.Total)
			}
			if got := b.aboot.Started; got != "reboot" {
				t.Errorf("afterwards the phone does %q", got)
			}
			if left := b.store.Unfinished(); len(left) > 0 {
				t.Errorf("a journal is left: %+v", left)
			}
			// The loader starts exactly what was written to boot.
			again := b.phone.Fastboot()
			c, err := fastboot.Open(t.Context(), again.Conn(), fastboot.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			image := b.partition("boot", 8<<20)
			if err := c.Boot(t.Context(), bytes.NewReader(image), int64(len(image))); err != nil {
				t.Fatal(err)
			}
			if got := again.Outcome; got != simphone.OutcomeRuns {
				t.Errorf("the written kernel: %s", got)
			}
		})
	}
}

// A limit below the size of the images makes sparse pieces of them; with --wipe the user
// data are written too.
func TestFastbootRouteInPieces(t *testing.T) {
	b := newLoaderBench(t, simphone.Options{}, restore.Request{Wipe: true})
	b.limit = 4 << 20
	pieces := 0
	if err := b.restore(false, nil, func(e restore.Event) {
		if e, ok := e.(restore.Sending); ok && e.Step.Name == "system" && e.Sent == e.Size {
			pieces++
		}
	}); err != nil {
		t.Fatal(err)
	}
	b.complete(append(loaderLabels, "userdata")...)
	if pieces != 1 {
		t.Errorf("system was complete %d times", pieces)
	}
}

// A stop or a refusal at every step leaves a journal from which the restore completes.
func TestFastbootRouteResumes(t *testing.T) {
	t.Parallel()
	for at := range 5 {
		b := newLoaderBench(t, simphone.Options{}, restore.Request{})
		stop := make(chan struct{})
		closed := sync.OnceFunc(func() { close(stop) })
		err := b.restore(false, stop, func(e restore.Event) {
			switch e := e.(type) {
			case restore.Sending:
				if at == 0 {
					closed()
				}
			case restore.StepDone:
				if e.Index == at-1 {
					closed()
				}
			}
		})
		var stopped *restore.Stopped
		if !errors.As(err, &stopped) || at > 0 && stopped.Index != at || at == 0 && stopped.Index != 1 {
			t.Fatalf("stop after step %d: %v", at, err)
		}
		first := -1
		if err := b.restore(true, nil, func(e restore.Event) {
			if e, ok := e.(restore.StepStarted); ok && first < 0 {
				first = e.Index
			}
		}); err != nil {
			t.Fatalf("stop after step %d, resumed: %v", at, err)
		}
		if first != stopped.Index {
			t.Errorf("it continued at step %d, not at %d", first, stopped.Index)
		}
		b.complete(loaderLabels...)
	}
}

func TestFastbootRouteRefusedByThePhone(t *testing.T) {
	// Commands: the client's first question, then download and flash of each image.
	b := newLoaderBench(t, simphone.Options{Faults: []simphone.Fault{{Name: simphone.FaultFail, Arg: "flash write failure", At: 7}}}, restore.Request{})
	err := b.restore(false, nil, nil)
	var failed *restore.StepError
	var refusal *fastboot.Refusal
	if !errors.As(err, &failed) || !errors.As(err, &refusal) || refusal.Text != "flash write failure" {
		t.Fatalf("%v", err)
	}
	if left := b.store.Unfinished(); len(left) != 1 || left[0].Done != failed.Index {
		t.Fatalf("journals: %+v", left)
	}
}

func TestFastbootRouteIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request restore.Request
		facts   func(*restore.FastbootFacts)
		want    string
	}{
		"another model":       {facts: func(f *restore.FastbootFacts) { f.Product = "D6603" }, want: "the phone is a D6603"},
		"a model by name":     {facts: func(f *restore.FastbootFacts) { f.Product = "aries" }},
		"no name":             {facts: func(f *restore.FastbootFacts) { f.Product = "" }, want: "does not say which model"},
		"no name, --model":    {facts: func(f *restore.FastbootFacts) { f.Product = "" }, request: restore.Request{Model: "D5803"}},
		"--model contradicts": {request: restore.Request{Model: "D6603"}, want: "--model says D6603, the phone says D5803"},
		"unknown --model":     {request: restore.Request{Model: "X9999"}, want: "--model names an unknown model"},
		"too large":           {facts: func(f *restore.FastbootFacts) { f.Sizes = map[string]int64{"system": 1 << 20} }, want: "holds 1048576"},
		"kernel too large":    {facts: func(f *restore.FastbootFacts) { f.Sizes = map[string]int64{"boot": 64 << 10} }, want: "fastboot cannot write this kernel"},
		"nothing left":        {request: restore.Request{Only: []string{"loader"}}, want: "nothing in it is left"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newLoaderBench(t, simphone.Options{}, c.request)
			if c.facts != nil {
				c.facts(b.facts)
			}
			boots, err := restore.BootImages(t.Context(), b.fw, b.facts, c.request)
			if err == nil {
				_, err = restore.BuildFastboot(b.fw, b.facts, boots, c.request)
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
