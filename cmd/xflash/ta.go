package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/text"
	"xflash/internal/trimarea"
	"xflash/sin"
	"xflash/usbproto/s1"
)

func newTACommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ta",
		Short: "back up a phone's trim area, and look into backups",
		Long: `Reads backups of the trim area, the part of a Sony phone that holds what makes it that
one phone: calibration, SIM lock, DRM keys, serial number. A backup can be a dump of the
partition (TA.img), a zip made by Backup-TA, a Flashtool backup, or a dump of the whole
disk. Nothing here writes to a phone, and secrets are masked unless --show-ids is given.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTABackupCommand(a), newTAListCommand(a), newTAVerifyCommand(a), newTACompareCommand(a))
	return cmd
}

// trimDump is a backup that was read.
type trimDump struct {
	path string
	*trimarea.Dump
	*trimarea.Survey
	id     trimarea.Identity
	record *trimarea.Record
}

// trimDump reads a backup; roots help to judge the signature of its hardware
// configuration.
func (a *app) trimDump(ctx context.Context, path string) (*trimDump, error) {
	dump, err := trimarea.Open(path)
	if err != nil {
		return nil, trimFailure(path, err)
	}
	survey, err := trimarea.Examine(dump.Data)
	if err != nil {
		return nil, trimFailure(path, err)
	}
	if len(survey.Blocks) == 0 {
		what := path + " is no trim area"
		if dump.Container == trimarea.WholeDisk {
			what = "the partition TA of " + path + " holds no trim area"
		}
		return nil, &failure{exit: exitFile, code: "file-invalid", what: what + ": none of its 16 blocks begins with the mark of one",
			hints: []string{`"xflash inspect ` + path + `" tells what it is`}}
	}
	roots, _, err := a.roots(nil)
	if err != nil {
		return nil, err
	}
	d := &trimDump{path: path, Dump: dump, Survey: survey}
	d.id, d.record = survey.Identity(ctx, roots)
	return d, nil
}

// trimFailure says of a file that cannot be read as a backup what that means.
func trimFailure(path string, err error) error {
	for _, cause := range []error{trimarea.ErrSize, trimarea.ErrNoImage, trimarea.ErrTwo, trimarea.ErrNoTA, trimarea.ErrMembers, trimarea.ErrTooLarge} {
		if errors.Is(err, cause) {
			what := err.Error()
			if !strings.HasPrefix(what, path) {
				what = path + ": " + what
			}
			return &failure{exit: exitFile, code: "file-invalid", what: what, hints: []string{`"xflash inspect ` + path + `" tells what it is`}}
		}
	}
	return err
}

// faults lists everything that is wrong with a backup, in plain words.
func (d *trimDump) faults() []string {
	var out []string
	for _, f := range d.Faults {
		text := f.Error()
		if d.Offset > 0 && f.Offset >= 0 {
			text += fmt.Sprintf(" (byte 0x%X of the file)", d.Offset+f.Offset)
		}
		out = append(out, text)
	}
	if d.MD5 != "" && d.MD5 != d.Sum {
		out = append(out, fmt.Sprintf("the backup's own MD5 is %s, the image has %s: it changed after it was made", d.MD5, d.Sum))
	}
	if d.Dump.Serial != "" && d.id.Serial != "" && d.Dump.Serial != d.id.Serial {
		out = append(out, "the serial number that the backup notes is not the one in its unit 4900: image and note are of two phones")
	}
	for _, p := range []int{trimarea.Trim, trimarea.Misc} {
		if !d.HasPartition(p) {
			out = append(out, fmt.Sprintf("no block of partition %d (%s), which every phone has", p, trimPartition(p)))
		}
	}
	if d.record.Present && d.record.Err != nil {
		out = append(out, "the hardware configuration in unit 2003 is damaged: "+d.record.Err.Error())
	}
	return out
}

// damaged is the failure of a backup that is not whole, nil for one that is.
func (d *trimDump) damaged() error {
	n := len(d.faults())
	if n == 0 {
		return nil
	}
	return &failure{exit: exitFile, code: "file-invalid", what: fmt.Sprintf("%s: %s", d.path, countOf(n, "fault")),
		hints: []string{"keep it all the same: parts of it may be whole, and there is no other source of what it holds"}}
}

func trimPartition(p int) string {
	switch p {
	case trimarea.Trim:
		return "Trim"
	case trimarea.Misc:
		return "Misc"
	}
	return "unknown"
}

// title says what was read, in one line.
func (d *trimDump) title() string {
	text := string(d.Container)
	if d.Member != "" {
		text += ", " + d.Member
	}
	if d.Container == trimarea.WholeDisk {
		text += fmt.Sprintf(", partition TA at byte 0x%X", d.Offset)
	}
	return fmt.Sprintf("%s: %s, %s", d.path, text, size(int64(len(d.Data))))
}

// hwText says what is known of the record without which a phone refuses all firmware.
func (d *trimDump) hwText() string {
	r := d.record
	switch {
	case !r.Present:
		return "missing: a phone with this trim area refuses all firmware in flash mode (80080021)"
	case r.Err != nil:
		return "damaged: " + r.Err.Error()
	}
	text := "whole"
	switch r.Trust.State {
	case sin.TrustPinned:
		text += ", genuine: signed under Sony's root " + r.Trust.Root
	case sin.TrustSupplied:
		text += ", signed under the root " + r.Trust.Root + " that was given"
	default:
		text += ", whose signature is not proven"
		if r.Trust.Root != "" {
			text += " (it names the root " + r.Trust.Root + ")"
		}
	}
	if r.Config != nil {
		text += fmt.Sprintf("; %s may sign for this phone", countOf(len(r.Config.Roles), "role"))
	}
	return text
}

// masked hides what identifies a phone, unless the owner asks for it.
func (a *app) masked(value string) string {
	if a.showIDs || value == "" {
		return value
	}
	return text.Mask(value)
}

// infoIMEIs are the IMEIs that a phone in flash mode tells, each without its check digit.
func infoIMEIs(info *s1.Info) (imeis []string) {
	for _, key := range []string{"IMEI", "PHONE_ID"} {
		v, _ := info.Get(key)
		for _, n := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' }) {
			if n = strings.TrimPrefix(n, "0000:"); len(n) >= 14 && strings.Trim(n, "0123456789") == "" {
				imeis = append(imeis, n)
			}
		}
	}
	return imeis
}

// phoneIdentity asks the phone that --device names who it is. Nothing is written.
func (a *app) phoneIdentity(ctx context.Context) (id trimarea.Identity, err error) {
	c, err := a.flashMode(ctx, s1.Options{})
	if err != nil {
		return id, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	id.IMEIs = infoIMEIs(c.Info())
	id.Serial, _ = c.Info().Get("MSN")
	var refusal *s1.Refusal
	if err := c.OpenTA(ctx, trimarea.Misc); errors.As(err, &refusal) {
		return id, nil // a phone whose trim area is gone; what it told must do
	} else if err != nil {
		return id, err
	}
	for _, unit := range []uint32{2210, 4900} {
		data, err := c.ReadUnit(ctx, unit)
		if errors.As(err, &refusal) {
			continue
		}
		if err != nil {
			return id, err
		}
		if text := strings.TrimRight(string(data), "\x00 "); unit == 4900 {
			id.Serial = text
		} else if !strings.HasPrefix(text, "Unknown") {
			id.Model = text
		}
	}
	if err := c.CloseTA(ctx); err != nil && !errors.As(err, &refusal) {
		return id, err
	}
	return id, nil
}
