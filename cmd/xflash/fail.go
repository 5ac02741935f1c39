package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"xflash/ftf"
	"xflash/internal/explain"
	"xflash/internal/fileio"
	"xflash/internal/inspect"
	"xflash/internal/restore"
	"xflash/internal/text"
	"xflash/internal/trimarea"
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
		record   *restore.RecordError
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
		return &failure{exit: exitOther, code: "replay", what: "the trace does not match: " + mismatch.Error(),
			hints: []string{"use the command, the files and the version of xflash that recorded it"}}
	// cobra has no type for flags that exclude each other.
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "if any flags in the group"):
		return &failure{exit: exitUsage, code: "usage", what: err.Error(), hints: []string{`"xflash help" lists the commands, "xflash help COMMAND" their options`}}
	case errors.As(err, &problems):
		return problemsFailure(problems)
	case errors.As(err, &stopped):
		return stoppedFailure(stopped)
	case errors.As(err, &record):
		return recordFailure(record)
	case errors.As(err, &signal):
		return &failure{exit: signal.exit(), code: "stopped", what: signal.Error()}
	case errors.As(err, &step):
		return stepFailure(step)
	case errors.As(err, &journal):
		return &failure{exit: exitPolicy, code: "journal", what: journal.Error(),
			hints: []string{"run the same command without --resume: it flashes everything from the start, which is safe"}}
	case errors.Is(err, restore.ErrLocked):
		return &failure{exit: exitBusy, code: "locked", what: err.Error(), hints: []string{"wait until it ends; two programs must not write to one phone"}}
	case errors.As(err, &refusal):
		return refusalFailure(explain.Refusal(explain.Facts{Text: refusal.Raw, What: refusal.Doing}))
	case fastbootFailure(err) != nil:
		return fastbootFailure(err)
	case commandFailure(err) != nil:
		return commandFailure(err)
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
	case errors.As(err, &bundle) && bundle.Reason == ftf.NotBundle:
		return notBundle(bundle)
	case errors.As(err, &bundle), errors.As(err, &image):
		return &failure{exit: exitFile, code: "file-invalid", what: err.Error(), hints: []string{fileHint(bundle)}}
	case errors.Is(err, fileio.ErrNotRegular):
		return &failure{exit: exitFile, code: "file-unknown", what: err.Error(), hints: []string{"name a file; xflash cannot judge pipes, devices and folders without firmware"}}
	case errors.Is(err, fs.ErrNotExist):
		return &failure{exit: exitOther, code: "no-file", what: err.Error(), hints: []string{"check the name of the file and its folder"}}
	}
	return &failure{exit: exitOther, code: "other", what: err.Error()}
}

const bundleHint = "a bundle is an .ftf file, or a folder with .sin files as XperiFirm makes it"

func fileHint(e *ftf.Error) string {
	if e != nil && e.Reason == ftf.NotRegular && e.Member == "" {
		return bundleHint
	}
	return "download the file again, if you can from another source; nothing was sent to the phone"
}

// openBundle opens firmware. The texts of a trim-area backup look like it.
func openBundle(path string) (*ftf.Bundle, error) {
	if trimarea.IsFolder(path) {
		return nil, &ftf.Error{File: path, Reason: ftf.NotBundle, Offset: -1}
	}
	return ftf.Open(path)
}

// notBundle is the failure of a file that is something else than firmware: of an archive ftf
// says what is in it, of all else inspect says what it is.
func notBundle(e *ftf.Error) *failure {
	f := &failure{exit: exitFile, code: "file-unknown", what: e.Error(), hints: []string{bundleHint}}
	kind, title, err := inspect.Identify(context.Background(), e.File)
	switch {
	case err != nil, kind == inspect.KindFolder, kind == inspect.KindUnknown, kind == inspect.KindEmpty:
	case kind == inspect.KindZip:
		if strings.Contains(f.what, "recovery installs") {
			f.hints = []string{"start a recovery (\"xflash boot RECOVERY.img\") and install it there; \"xflash restore\" writes Sony's firmware"}
		}
	case kind == inspect.KindSIN:
		f.what = e.File + ": not a firmware bundle: it is a single SIN image, one file of a bundle"
		f.hints = []string{"give the whole bundle; --only NAME (such as --only kernel) writes one file of it"}
	default:
		f.what = e.File + ": not a firmware bundle: it is " + text.WithArticle(title)
	}
	return f
}

// problemsFailure is a restore that was refused before anything was written.
func problemsFailure(ps restore.Problems) *failure {
	f := &failure{exit: exitPolicy, code: "policy", what: "not started: the restore is refused"}
	if ps.Kind() == restore.FileInvalid {
		f.exit, f.code, f.what = exitFile, "file-invalid", "not started: the bundle is damaged"
	}
	var b strings.Builder
	hints := map[string]bool{}
	for _, p := range ps {
		fmt.Fprintf(&b, "  %s\n", printable(p.Subject()+": "+p.What))
		if p.Why != "" {
			fmt.Fprintf(&b, "    %s\n", printable(p.Why))
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
	return &failure{exit: exitRefused, code: "refused", what: what, meaning: e.Text}
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
