// Command xflash restores Sony Xperia phones from Linux: it speaks Sony's flash mode,
// checks firmware bundles and explains what phones answer.
package main

import (
	"os"
)

// Signals stay caught until the process is gone: after the last word the exit code is right,
// too.
func main() { os.Exit(run(listen(), os.Args[1:], newTerminal())) }

// run executes one command line and returns the exit code. There is no other place
// that decides an exit code, and none that ends the process.
func run(in *interrupts, args []string, ui *terminal) int {
	a := &app{ui: ui, in: in}
	a.trace.args = args
	root := newRootCommand(a)
	root.SetArgs(args)
	root.SetIn(ui.in)
	root.SetOut(ui.out)
	root.SetErr(ui.err)
	// The command has its own goroutine, because it may be inside a system call that
	// never returns: a FIFO nobody writes to, a file server that is gone.
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(in.ctx) }()
	var err error
	select {
	case err = <-ended:
	case err = <-in.force:
	}
	ui.clearLine()
	var f *failure
	if err != nil {
		f = classify(err)
		if s := in.lastSignal(); s != nil && f.exit == exitInterrupted {
			f.exit = s.exit() // which signal it was is unknown where a run stops
		}
		ui.fail(f)
	}
	if err := a.trace.finish(f); err != nil && f == nil {
		ui.warn("%v", err) // what was done is done anyway
	}
	if f == nil {
		return exitOK
	}
	return f.exit
}
