// Command xflash restores Sony Xperia phones from Linux: it speaks Sony's flash mode,
// checks firmware bundles and explains what phones answer.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:], newTerminal())) }

// run executes one command line and returns the exit code. There is no other place
// that decides an exit code, and none that ends the process.
func run(args []string, ui *terminal) int {
	ctx, stop := signals(context.Background())
	defer stop()
	root := newRootCommand(&app{ui: ui})
	root.SetArgs(args)
	root.SetIn(ui.in)
	root.SetOut(ui.out)
	root.SetErr(ui.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	f := classify(err)
	ui.fail(f)
	return f.exit
}

// interrupts is how a long job learns of Ctrl-C: the first signal asks it to stop at
// the next safe point, the second one cancels its context.
type interrupts struct {
	soft chan struct{} // closed by the first signal
	last os.Signal     // set before soft is closed
}

type interruptsKey struct{}

// signals returns a context that the second interrupt cancels. SIGHUP is ignored: a
// closed terminal must not leave a phone half flashed.
func signals(parent context.Context) (context.Context, func()) {
	in := &interrupts{soft: make(chan struct{})}
	ctx, cancel := context.WithCancelCause(context.WithValue(parent, interruptsKey{}, in))
	ch := make(chan os.Signal, 4)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	signal.Ignore(syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-ch:
				select {
				case <-in.soft:
					cancel(&signalError{s})
				default:
					in.last = s
					close(in.soft)
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, func() { signal.Stop(ch); close(done); cancel(nil) }
}

// softStop is closed when the person asked to stop.
func softStop(ctx context.Context) (<-chan struct{}, func() os.Signal) {
	in, ok := ctx.Value(interruptsKey{}).(*interrupts)
	if !ok {
		return nil, func() os.Signal { return nil }
	}
	return in.soft, func() os.Signal { <-in.soft; return in.last }
}

// firstStop is for work that has no safe points of its own: the first signal ends it.
func firstStop(ctx context.Context) (context.Context, context.CancelFunc) {
	soft, last := softStop(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	if soft == nil {
		return ctx, func() { cancel(nil) }
	}
	go func() {
		select {
		case <-soft:
			cancel(&signalError{last()})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// signalError is the cause of a job that a signal ended.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string { return "stopped by " + e.signal.String() }

func (e *signalError) exit() int {
	if e.signal == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupted
}
