package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"xflash/ftf"
	"xflash/internal/explain"
	"xflash/internal/restore"
	"xflash/sin"
	"xflash/usbproto"
	"xflash/usbproto/capture"
	"xflash/usbproto/s1"
)

// Exit codes (README). A number that is not here is a failure too.
const (
	exitOK          = 0
	exitOther       = 1
	exitUsage       = 2
	exitNoPhone     = 3
	exitNoAccess    = 4
	exitBusy        = 5
	exitFile        = 6
	exitPolicy      = 7
	exitRefused     = 8
	exitBroken      = 9
	exitUnknown     = 10
	exitInterrupted = 130
	exitTerminated  = 143
)

// classify turns any error into how the command ends. It is the one place where errors
// become words and exit codes.
func classify(err error) *failure {
	var (
		ready    *failure
		usage    usageError
		problems restore.Problems
		step     *restore.StepError
		stopped  *restore.Stopped
		journal  *restore.JournalError
		refusal  *s1.Refusal
		talk     *s1.Error
		noBus    *usbproto.NoBusError
		verdict  *usbproto.NoPhoneError
		transfer *usbproto.TransferError
		signal   *signalError
		bundle   *ftf.Error
		image    *sin.Error
		mismatch *capture.MismatchError
	)
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.As(err, &mismatch):
		return &failure{exit: exitOther, code: "replay", what: "the trace goes another way: " + mismatch.Error(),
			hints: []string{"use the command, the files and the version of xflash that it was recorded with"}}
	// cobra has no type for flags that exclude each other.
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "if any flags in the group"):
		return &failure{exit: exitUsage, code: "usage", what: err.Error(), hints: []string{`"xflash help" lists the commands, "xflash help COMMAND" their options`}}
	case errors.As(err, &problems):
		return problemsFailure(problems)
	case errors.As(err, &stopped):
		return &failure{exit: exitInterrupted, code: "stopped", what: "stopped before " + stopped.Step.Title(),
			hints: []string{"the phone is still in " + modeOf(stopped.Step) + " mode; do not unplug it, and go on with the same command and --resume"}}
	case errors.As(err, &signal):
		return &failure{exit: signal.exit(), code: "stopped", what: signal.Error()}
	case errors.As(err, &step):
		return stepFailure(step)
	case errors.As(err, &journal):
		return &failure{exit: exitPolicy, code: "journal", what: journal.Error(),
			hints: []string{"run the same command without --resume: it flashes everything from the beginning, which is safe"}}
	case errors.As(err, &refusal):
		return refusalFailure(explain.Refusal(explain.Facts{Text: refusal.Raw, What: refusal.Doing}))
	case fastbootFailure(err) != nil:
		return fastbootFailure(err)
	case errors.As(err, &noBus):
		return &failure{exit: exitNoPhone, code: "no-usb", what: noBus.Error(), hints: noBusHints}
	case errors.As(err, &verdict):
		return verdictFailure(verdict)
	case errors.As(err, &talk):
		return brokenFailure(talk, talk.Doing, false)
	case errors.As(err, &transfer):
		return brokenFailure(transfer, transfer.Op, false)
	case errors.Is(err, context.Canceled):
		return &failure{exit: exitInterrupted, code: "stopped", what: "stopped"}
	case errors.As(err, &bundle), errors.As(err, &image):
		return &failure{exit: exitFile, code: "file-invalid", what: err.Error(), hints: []string{fileHint(bundle)}}
	case errors.Is(err, fs.ErrNotExist):
		return &failure{exit: exitOther, code: "no-file", what: err.Error(), hints: []string{"check the name of the file and the folder it is in"}}
	}
	return &failure{exit: exitOther, code: "other", what: err.Error()}
}

func fileHint(e *ftf.Error) string {
	if e != nil && e.Reason == ftf.NotBundle {
		return "a bundle is an .ftf file, or a folder with .sin files as XperiFirm makes it"
	}
	return "get the file again, best from another place; nothing was sent to the phone"
}

// problemsFailure is a restore that was refused before anything was written.
func problemsFailure(ps restore.Problems) *failure {
	f := &failure{exit: exitPolicy, code: "policy", what: "not started: this bundle is not safe for this phone"}
	if ps.Kind() == restore.FileInvalid {
		f.exit, f.code, f.what = exitFile, "file-invalid", "not started: the bundle is damaged"
	}
	var b strings.Builder
	hints := map[string]bool{}
	for _, p := range ps {
		fmt.Fprintf(&b, "  %s\n", wrap(printable(p.Subject()+": "+p.What), 76, "    "))
		if p.Why != "" {
			fmt.Fprintf(&b, "    %s\n", wrap(printable(p.Why), 74, "    "))
		}
		if p.Next != "" && !hints[p.Next] && len(f.hints) < 3 {
			hints[p.Next] = true
			f.hints = append(f.hints, p.Next)
		}
	}
	b.WriteString("  Nothing was written to the phone.")
	f.text = b.String()
	return f
}

// refusalFailure is a phone that said no.
func refusalFailure(e explain.Explanation) *failure {
	what := "the phone said no"
	if e.What != "" {
		what = "the phone refused " + e.What
	}
	return &failure{exit: exitRefused, code: "refused", what: what, text: e.Text(78)}
}

// modeOf is the mode that the phone is in during a step.
func modeOf(s restore.Step) string {
	switch s.Kind {
	case restore.StepFlash, restore.StepErase, restore.StepReboot:
		return "fastboot"
	}
	return "flash"
}

func stepFailure(e *restore.StepError) *failure {
	if f := fastbootFailure(e.Err); f != nil {
		f.what = e.Step.Title() + " failed: " + f.what
		f.hints = []string{"go on with the same command and --resume; what is written already stays written"}
		if f.exit != exitRefused {
			f.hints = append([]string{"unplug the phone and start fastboot mode again: off, hold Volume Up, plug in"}, f.hints...)
		}
		return f
	}
	var refusal *s1.Refusal
	if errors.As(e.Err, &refusal) {
		f := refusalFailure(explain.Refusal(refusalFacts(e, refusal)))
		f.hints = append(f.hints, "when the cause is gone, go on with the same command and --resume")
		if !e.Written {
			f.hints = nil
		}
		return f
	}
	var unit *s1.UnitError
	if errors.As(e.Err, &unit) {
		return &failure{exit: exitRefused, code: "unit", what: e.Step.Title() + " failed: " + unit.Error(),
			hints: []string{"restart the phone in flash mode and go on with the same command and --resume"}}
	}
	if errors.Is(e.Err, s1.ErrState) {
		return &failure{exit: exitOther, code: "other", what: e.Step.Title() + " failed: " + e.Err.Error(),
			hints: []string{"this is a fault of xflash: please report it with the plan (--dry-run)"}}
	}
	var talk *s1.Error
	var transfer *usbproto.TransferError
	if errors.As(e.Err, &talk) || errors.As(e.Err, &transfer) {
		return brokenFailure(e.Err, e.Step.Title(), true)
	}
	return &failure{exit: exitFile, code: "file-invalid", what: fmt.Sprintf("%s failed: %v", e.Step.Title(), e.Err),
		hints: []string{"the file was whole when it was checked: look at the disk it is on, then go on with the same command and --resume"}}
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
	f.hints = []string{"unplug the phone, hold Power and Volume Up for ten seconds until it is off, then hold Volume Down and plug it in again"}
	if resumable {
		f.hints = append(f.hints, "then go on with the same command and --resume; the phone stays in flash mode until the flash is complete")
	} else {
		f.hints = append(f.hints, "use a short cable, directly at the computer, without a hub")
	}
	return f
}

// verdictFailure is a phone that could not be opened.
func verdictFailure(v *usbproto.NoPhoneError) *failure {
	f := &failure{exit: exitNoPhone, code: "no-phone", what: v.Error(), text: noPhoneText(v), hints: noPhoneHints(v)}
	switch v.Kind {
	case usbproto.NoAccess:
		f.exit, f.code = exitNoAccess, "no-access"
	case usbproto.Busy:
		f.exit, f.code = exitBusy, "busy"
	case usbproto.Ambiguous:
		f.exit, f.code = exitUsage, "two-phones"
	}
	return f
}
