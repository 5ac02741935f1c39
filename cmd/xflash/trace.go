package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"xflash/internal/text"
	"xflash/usbproto"
	"xflash/usbproto/capture"
)

// tracing is what --trace asks for.
type tracing struct {
	path   string
	folder bool            // path is a new folder, for a whole report
	args   []string        // the command line
	ids    bool            // --trace-ids
	device usbproto.Device // the phone on USB, when it is one
	count  int             // connections traced so far
}

// Names of the files in the folder of a report.
const (
	traceFile  = "session.pcap"
	deviceFile = "phone.umockdev"
	readmeFile = "README.txt"
	reportFile = "report.txt"
)

// startTrace makes sure, before anything else happens, that the trace goes to a new file or
// a new folder.
func (a *app) startTrace() error {
	t := &a.trace
	if t.path == "" {
		return nil
	}
	info, err := os.Lstat(t.path)
	t.folder = strings.HasSuffix(t.path, "/") || err == nil && info.IsDir()
	switch {
	case err == nil:
		err = &fs.PathError{Op: "create", Path: t.path, Err: fs.ErrExist}
	case t.folder:
		err = os.Mkdir(t.path, 0o700)
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		t.path = ""
		return traceFailure(err)
	}
	if !t.folder {
		return nil
	}
	return t.save(readmeFile, traceReadme(t.ids))
}

func traceFailure(err error) error {
	return &failure{exit: exitOther, code: "trace", what: "the trace cannot be written: " + err.Error(),
		hints: []string{"name a new file or folder with --trace: xflash overwrites nothing"}}
}

// save puts a text into the folder of a report.
func (t *tracing) save(name, text string) error {
	err := saved(filepath.Join(t.path, name), func(f *os.File) error { _, err := f.WriteString(text); return err })
	if err != nil {
		return traceFailure(err)
	}
	return nil
}

// finish adds to a report what was asked and how it ended. f is nil after success.
func (t *tracing) finish(f *failure) error {
	if t.path == "" || !t.folder {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "xflash %s (commit %s, %s, %s/%s)\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(&b, "xflash %s\n", strings.Join(maskedArgs(t.args), " "))
	if f == nil {
		f = &failure{exit: exitOK, what: "success"}
	}
	fmt.Fprintf(&b, "exit code %d\n%s\n%s\n", f.exit, f.what, strings.TrimRight(f.body(78), "\n"))
	for _, h := range f.hints {
		fmt.Fprintf(&b, "hint: %s\n", h)
	}
	return t.save(reportFile, text.CleanLines(text.MaskIdentity(b.String())))
}

var (
	identityFlag = regexp.MustCompile(`^(--device|--serial|--imei|-s)(=|$)`)
	// identityWord is a serial number as Sony writes them, or an unlock code.
	identityWord = regexp.MustCompile(`^([A-Z0-9]{8,12}|(0[xX])?[0-9A-Fa-f]{16})$`)
	deviceForm   = regexp.MustCompile(`^(usb|` + strings.Join(notOnBus, "|") + `):`)
)

// maskedArgs is a command line without what identifies a phone or unlocks it.
func maskedArgs(args []string) []string {
	args = slices.Clone(args)
	secret := false // the word before announces an identity
	for i, word := range args {
		if name, value, ok := strings.Cut(word, "="); ok && identityFlag.MatchString(word) && !deviceForm.MatchString(value) {
			args[i] = name + "=" + text.Mask(value)
			continue
		}
		hide := secret && !deviceForm.MatchString(word)
		secret = identityFlag.MatchString(word)
		switch {
		case hide || identityWord.MatchString(word):
			word = text.Mask(word)
		case strings.Contains(word, "unlock 0x"):
			word = "oem unlock xxxx"
		}
		if strings.ContainsAny(word, " \t\"'") {
			word = strconv.Quote(word)
		}
		args[i] = word
	}
	return args
}

// traced puts a recorder around a connection when --trace asks for it. When it cannot, it
// closes the connection: a trace that was asked for and is missing helps nobody.
func (a *app) traced(conn usbproto.Conn, mode usbproto.Mode) (usbproto.Conn, error) {
	if a.trace.path == "" {
		return conn, nil
	}
	o := capture.Options{Device: a.trace.device}
	o.Device.Mode = mode
	if !a.trace.ids {
		switch mode {
		case usbproto.ModeFastboot:
			o.Mask = capture.FastbootMask()
		case usbproto.ModeFlash2017:
			o.Mask = capture.CommandMask()
		default:
			o.Mask = capture.FlashMask()
		}
	}
	f, err := a.traceFile(o.Device)
	if err != nil {
		return nil, errors.Join(traceFailure(err), conn.Close())
	}
	return capture.Record(conn, f, o), nil
}

// traceFile makes the file for the next connection, and in a folder what belongs to it. No
// file that is there is touched.
func (a *app) traceFile(d usbproto.Device) (*os.File, error) {
	path := a.trace.path
	a.trace.count++
	if a.trace.folder {
		if a.trace.count == 1 { // it describes the first connection of this run
			if err := a.trace.save(deviceFile, capture.Describe(d)); err != nil {
				return nil, err
			}
		}
		path = filepath.Join(path, traceFile)
	}
	if a.trace.count > 1 {
		ending := filepath.Ext(path)
		path = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(path, ending), a.trace.count, ending)
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// replay plays a trace back in the place of a phone.
func (a *app) replay(path string) (*capture.Replay, error) {
	p, err := capture.Open(path)
	var bad *capture.Error
	if errors.As(err, &bad) {
		err = &failure{exit: exitFile, code: "file-invalid", what: err.Error(), hints: []string{"give a file that --trace wrote, or a usbmon capture in classic pcap format"}}
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

//go:embed tracereadme.txt
var traceReadmeText string

func traceReadme(ids bool) string {
	masked := `X and 0 replace the serial number, the IMEI and other identities of the phone, and the
contents of the trim area, except for the few units that hold the model and firmware. The
files that were sent to the phone are in it unchanged, so it is as large as they are.`
	if ids {
		masked = `It was made with --trace-ids: serial number, IMEI and contents of the trim area ARE in
it. Give it only to people you trust.`
	}
	return fmt.Sprintf(traceReadmeText, masked, capture.ReplayArgument(traceFile))
}
