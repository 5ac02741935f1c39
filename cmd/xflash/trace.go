package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"xflash/usbproto"
	"xflash/usbproto/capture"
)

// tracing is what --trace asks for.
type tracing struct {
	path   string
	ids    bool            // --trace-ids
	device usbproto.Device // the phone on USB, when it is one
	count  int             // connections traced so far
}

// Names of the files in the folder of a report.
const (
	traceFile  = "session.pcap"
	deviceFile = "phone.umockdev"
	readmeFile = "README.txt"
)

// traced puts a recorder around a connection when --trace asks for it. When it cannot, it
// closes the connection: a trace that was asked for and is missing helps nobody.
func (a *app) traced(conn usbproto.Conn, mode usbproto.Mode) (usbproto.Conn, error) {
	if a.trace.path == "" {
		return conn, nil
	}
	o := capture.Options{Device: a.trace.device}
	o.Device.Mode = mode
	if !a.trace.ids {
		o.Mask = capture.FlashMask()
		if mode == usbproto.ModeFastboot {
			o.Mask = capture.FastbootMask()
		}
	}
	f, err := a.traceFile(o.Device)
	if err != nil {
		return nil, errors.Join(&failure{exit: exitOther, code: "trace", what: "the trace cannot be written: " + err.Error(),
			hints: []string{"name a new file or a new folder with --trace: nothing that is there is written over"}}, conn.Close())
	}
	return capture.Record(conn, f, o), nil
}

// traceFile makes the file for the next connection, and in a folder what belongs to it. No
// file that is there is touched.
func (a *app) traceFile(d usbproto.Device) (*os.File, error) {
	path := a.trace.path
	a.trace.count++
	info, err := os.Stat(path)
	if folder := strings.HasSuffix(path, "/") || err == nil && info.IsDir(); folder {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return nil, err
		}
		for name, text := range map[string]string{deviceFile: capture.Describe(d), readmeFile: traceReadme(a.trace.ids)} {
			if a.trace.count > 1 {
				break // they belong to the first connection of this run
			}
			if err := saved(filepath.Join(path, name), func(f *os.File) error { _, err := f.WriteString(text); return err }); err != nil {
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
func (a *app) replay(path string) (usbproto.Conn, error) {
	p, err := capture.Open(path)
	var bad *capture.Error
	if errors.As(err, &bad) {
		err = &failure{exit: exitFile, code: "file-invalid", what: err.Error(), hints: []string{"give a file that --trace has written, or usbmon in the form of classic pcap"}}
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func traceReadme(ids bool) string {
	masked := `Serial number, IMEI and other identities of the phone are overwritten with X and 0 in
it, and so are the contents of the trim area, but for the few units that say which model
and firmware it has. The files that were sent to the phone are in it as they were, so it
is as large as they are.`
	if ids {
		masked = `It was made with --trace-ids: serial number, IMEI and contents of the trim area ARE in
it. Give it only to people you trust.`
	}
	return `This folder is a report of what xflash and a phone said to each other.

` + traceFile + `    everything that went over the USB cable, as the kernel's usbmon has it;
                Wireshark opens it
` + deviceFile + `  what the phone looks like on the bus, without its serial number
` + readmeFile + `      this text

` + masked + `

To report a problem: pack the folder (tar czf report.tar.gz FOLDER) and add the exact
command, and what xflash printed.

To play it back, with the same command and the same files, and no phone, either inside the
program or through libusb:

  xflash COMMAND… --device replay:` + traceFile + `
  umockdev-run -d ` + deviceFile + ` -p ` + capture.ReplayArgument(traceFile) + ` -- \
    xflash COMMAND… --small-requests

A restore writes the time into the phone. To have the same one, set SOURCE_DATE_EPOCH to
the second in which it was written, for the recording or for the playback.

To make a test of it, put two files into cmd/xflash/testdata/captures: NAME.pcap, and
NAME.txt with the words of the command in its first line, and pieces of what xflash must
print in the others, one in each line.
`
}
