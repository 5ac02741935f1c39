package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// interrupts turns signals into what a command learns of them.
//
// While firmware is being written, the first SIGINT or SIGTERM asks for a stop at the next
// safe point, the second cancels the context, the third ends the program at once; SIGHUP
// means nothing then, because a closed terminal must not leave a phone half flashed. At any
// other time the first signal cancels the context. A command that has not ended some seconds
// after that is inside a call that cannot be cancelled, and is left behind.
type interrupts struct {
	ctx   context.Context
	force chan error // what the program ends with although the command has not

	mu      sync.Mutex
	cancel  context.CancelCauseFunc
	count   int
	last    *signalError
	settled bool          // the outcome is known: no signal changes it
	left    bool          // the command was left behind
	writing int           // how many parts of the program are writing
	soft    chan struct{} // closed for a stop at a safe point; nil when there are none
	grace   *time.Timer
	end     func()
}

type interruptsKey struct{}

// lastWait is how long a cancelled command has to end.
const lastWait = 3 * time.Second

// listen starts to listen to signals. A pipe that nobody reads from any more makes writes
// fail, and never ends the program.
func listen() *interrupts {
	in := &interrupts{force: make(chan error, 1)}
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), interruptsKey{}, in))
	in.ctx, in.cancel = ctx, cancel
	ch, pipes, done := make(chan os.Signal, 4), make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(pipes, syscall.SIGPIPE) // not Ignore: child processes would inherit that
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // else nohup has asked for that
		signal.Notify(ch, syscall.SIGHUP)
	}
	go func() {
		for {
			select {
			case s := <-ch:
				in.handle(s)
			case <-done:
				return
			}
		}
	}()
	in.end = func() { signal.Stop(ch); signal.Stop(pipes); close(done) }
	return in
}

func (in *interrupts) handle(s os.Signal) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if s == syscall.SIGHUP && in.writing > 0 {
		return
	}
	in.count++
	in.last = &signalError{s}
	switch {
	case in.count == 1 && in.soft != nil:
		close(in.soft)
	case in.grace == nil:
		in.cancel(in.last)
		in.grace = time.AfterFunc(lastWait, func() {
			in.mu.Lock()
			defer in.mu.Unlock()
			in.giveUp()
		})
	case !in.settled:
		in.giveUp()
	}
}

// giveUp ends the program; only the first call counts.
func (in *interrupts) giveUp() {
	switch {
	case in.left:
	case in.settled: // only the last words hang
		in.force <- nil
	default:
		in.force <- in.last
	}
	in.left = true
}

// settle is called when a command has done its last work, before it says so: the exit code
// must not contradict it, whatever signal comes. A command that was left behind says nothing
// more.
func (in *interrupts) settle() {
	in.mu.Lock()
	if !in.left {
		in.settled = true
		if in.grace != nil {
			in.grace.Reset(lastWait)
		}
		in.mu.Unlock()
		return
	}
	in.mu.Unlock()
	select {}
}

func (in *interrupts) lastSignal() *signalError {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.last
}

// writing marks the time in which a command writes to a phone: a closed terminal means
// nothing, and the computer neither sleeps nor shuts down, until end is called.
func writing(ctx context.Context) (end func()) {
	in, ok := ctx.Value(interruptsKey{}).(*interrupts)
	if !ok {
		return func() {}
	}
	add := func(n int) {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.writing += n
	}
	add(1)
	release := inhibitSleep()
	return func() { release(); add(-1) }
}

// writingWithStops is writing for a job with safe points: stop is closed by the first signal.
func writingWithStops(ctx context.Context) (stop <-chan struct{}, end func()) {
	in, ok := ctx.Value(interruptsKey{}).(*interrupts)
	if !ok {
		return nil, func() {}
	}
	done := writing(ctx)
	in.mu.Lock()
	defer in.mu.Unlock()
	soft := make(chan struct{})
	in.soft = soft
	return soft, func() {
		in.mu.Lock()
		in.soft = nil
		in.mu.Unlock()
		done()
	}
}

// signalError is the cause of a job that a signal ended.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string { return "stopped by " + e.signal.String() }

// exit is 128 and the number of the signal, as shells have it.
func (e *signalError) exit() int {
	if s, ok := e.signal.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return exitInterrupted
}
