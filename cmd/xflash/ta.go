package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"xflash/ftf"
	"xflash/internal/inspect"
	"xflash/internal/text"
	"xflash/internal/trimarea"
	"xflash/usbproto"
	"xflash/usbproto/command"
	"xflash/usbproto/s1"
)

func newTACommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ta",
		Short: "back up a phone's trim area, and examine backups",
		Long: `Reads backups of the trim area, the part of a Sony phone that belongs to that phone
alone: calibration, SIM lock, DRM keys, serial number. A backup can be a dump of the
partition (TA.img), a zip made by Backup-TA, a Flashtool backup, or a dump of the whole
disk. These commands write nothing to a phone, and mask secrets unless you add --show-ids.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTABackupCommand(a), newTAListCommand(a), newTAVerifyCommand(a), newTACompareCommand(a))
	return cmd
}

// trimDump is a backup that was read.
type trimDump struct {
	path string
	*trimarea.Backup
}

// trimDump reads a backup. Sony's known roots are not at hand, so a signature is proven
// only by those of --root.
func (a *app) trimDump(ctx context.Context, path string) (*trimDump, error) {
	roots, _, err := a.roots(nil)
	if err != nil {
		return nil, err
	}
	b, err := trimarea.Open(ctx, path, roots)
	if err != nil {
		return nil, trimFailure(ctx, path, err)
	}
	return &trimDump{path, b}, nil
}

// trimFailure says what a file that cannot be read as a backup is instead, or what is
// wrong with it.
func trimFailure(ctx context.Context, path string, err error) error {
	known := errors.As(err, new(*ftf.Error))
	for _, cause := range []error{trimarea.ErrSize, trimarea.ErrNoImage, trimarea.ErrTwo, trimarea.ErrArchive, trimarea.ErrNoTA, trimarea.ErrMembers, trimarea.ErrTooLarge, trimarea.ErrUnpack, trimarea.ErrNoBlock} {
		known = known || errors.Is(err, cause)
	}
	if !known {
		return err
	}
	f := &failure{exit: exitFile, code: "file-invalid", what: err.Error(), hints: []string{`"xflash inspect ` + path + `" says what the file is`}}
	if !strings.HasPrefix(f.what, path) {
		f.what = path + ": " + f.what
	}
	kind, title, e := inspect.Identify(ctx, path)
	switch {
	case e != nil: // it can no longer be read
	case kind == inspect.KindTrimArea, kind == inspect.KindTA, kind == inspect.KindDisk, kind == inspect.KindEmpty:
	case kind == inspect.KindZip, kind == inspect.KindBundle, kind == inspect.KindCompressed:
		if !errors.Is(err, trimarea.ErrArchive) {
			f.code = "file-unknown"
		}
	case kind == inspect.KindUnknown:
		f.code = "file-unknown"
	default:
		f.code, f.what = "file-unknown", path+": not a backup of a trim area: it is "+text.WithArticle(title)
	}
	return f
}

// faults is what is wrong with a backup, in words.
func (d *trimDump) faults() []string {
	list := []string{}
	for _, w := range d.Wrong {
		list = append(list, w.Text)
	}
	return list
}

// damaged is the failure of a backup that is not whole, nil for one that is.
func (d *trimDump) damaged() error {
	n := len(d.Wrong)
	if n == 0 {
		return nil
	}
	return &failure{exit: exitFile, code: "file-invalid", what: fmt.Sprintf("%s: %s", d.path, countOf(n, "fault")),
		hints: []string{"keep it anyway: parts of it may be whole, and its content exists nowhere else"}}
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

// masked hides what identifies a phone, unless the owner asks for it.
func (a *app) masked(value string) string {
	if a.showIDs {
		return value
	}
	return text.Mask(value)
}

// infoIMEIs are the IMEIs that a phone in flash mode tells.
func infoIMEIs(info *s1.Info) (imeis []string) {
	for _, key := range []string{"IMEI", "PHONE_ID"} {
		v, _ := info.Get(key)
		imeis = append(imeis, phoneIDs(v)...)
	}
	return imeis
}

// phoneIDs takes the IMEIs out of a list such as "0000:49901064000000,0000:…", each without its check digit.
func phoneIDs(list string) (imeis []string) {
	for _, n := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		if n = strings.TrimPrefix(n, "0000:"); len(n) >= 14 && strings.Trim(n, "0123456789") == "" {
			imeis = append(imeis, n)
		}
	}
	return imeis
}

// commandIdentity is phoneIdentity for a phone of 2017 or later.
func (a *app) commandIdentity(ctx context.Context, p *flashPhone) (id trimarea.Identity, err error) {
	c, err := a.commands(ctx, p, command.Options{})
	if err != nil {
		return id, err
	}
	var refused *command.Refusal
	value := func(name string) string {
		v, e := c.Var(ctx, name)
		if e != nil && !errors.As(e, &refused) {
			err = errors.Join(err, e)
		}
		return v
	}
	id.Model, id.Serial, id.IMEIs = value("product"), value("serialno"), phoneIDs(value("Phone-id"))
	return id, err
}

// phoneIdentity asks the phone that --device names who it is. Nothing is written.
func (a *app) phoneIdentity(ctx context.Context) (id trimarea.Identity, err error) {
	p, err := a.flashPhone(ctx, usbproto.FlashModes...)
	if err != nil {
		return id, err
	}
	defer func() { err = p.close(err) }()
	if p.mode == usbproto.ModeFlash2017 {
		return a.commandIdentity(ctx, p)
	}
	c, err := s1.Open(ctx, p.conn, s1.Options{})
	if err != nil {
		return id, err
	}
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
