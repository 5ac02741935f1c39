package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"xflash/ftf"
	"xflash/internal/firmware"
	"xflash/internal/tabackup"
	"xflash/internal/trimarea"
	"xflash/sin"
	"xflash/usbproto"
	"xflash/usbproto/command"
	"xflash/usbproto/s1"
)

func newTABackupCommand(a *app) *cobra.Command {
	var dir, loader string
	cmd := &cobra.Command{
		Use:   "backup [BUNDLE] -o DIR",
		Short: "copy the part of the trim area that flash mode lets you read",
		Long: `Reads the trim area of a phone of 2013 to 2015, or of 2017 and later, twice in flash mode,
compares the two, and saves it in a new folder. It writes nothing to the phone.

A phone of 2013 to 2015 needs its loader for that: name a firmware bundle for the model, or
a loader.sin with --loader. The loader runs in the phone's memory and is gone when the phone
is off.

The backup proves the state of the phone before a repair: SIM lock data, serial number,
hardware configuration, calibration. It lacks the DRM keys and the lock state (units from
0x10000 on), which flash mode does not show, so it does not replace a dump of the partition
TA made before the boot loader was unlocked. xflash does not write it back. Keep it private:
it identifies your phone.`,
		Example: `  xflash ta backup D5803_23.5.A.1.291.ftf -o my-phone-ta
  xflash ta backup --loader loader.sin -o my-phone-ta
  xflash ta backup -o my-phone-ta     # a phone of 2017 or later`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			ctx := cmd.Context()
			if dir == "" {
				return usageError{errors.New("-o DIR is missing: the new folder for the backup")}
			}
			if loader != "" && len(paths) > 0 {
				return usageError{errors.New("name a bundle or --loader, not both: one loader is sent")}
			}
			if err := newFolder(dir); err != nil {
				return err
			}
			file, err := loaderFile(ctx, strings.Join(paths, ""), loader)
			if err != nil {
				return err
			}
			return a.backUpTrim(ctx, dir, file)
		},
	}
	cmd.Flags().StringVarP(&dir, "output", "o", "", "new folder for the backup")
	cmd.Flags().StringVar(&loader, "loader", "", "loader.sin to send, instead of the one in a bundle")
	return cmd
}

// newFolder refuses, before the phone is opened, a folder that cannot be created.
func newFolder(dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		return usageError{fmt.Errorf("%s exists already; a backup goes into a new folder", dir)}
	}
	parent := filepath.Dir(filepath.Clean(dir))
	probe, err := os.MkdirTemp(parent, ".xflash-")
	if err != nil {
		return err
	}
	return os.Remove(probe)
}

// maxLoader bounds a loader, in bytes; known ones have at most 1 MiB.
const maxLoader = 16 << 20

// loaderFile reads a loader, from a bundle or from a file, and finds it intact. The phone
// judges its signature, and runs it in memory only. Without a name there is none: nil.
func loaderFile(ctx context.Context, bundle, path string) (*s1.Image, error) {
	name, open := path, func() (io.ReadCloser, error) { return os.Open(path) }
	if bundle != "" {
		b, err := openBundle(bundle)
		if err != nil {
			return nil, err
		}
		defer b.Close()
		found := slices.DeleteFunc(slices.Clone(b.Members), func(m *ftf.Member) bool { return !firmware.IsLoader(m) })
		if len(found) != 1 {
			return nil, &failure{exit: exitFile, code: "file-invalid", what: fmt.Sprintf("%s has %s instead of one", bundle, countOf(len(found), "loader")),
				hints: []string{"name another bundle for this model, or a loader.sin with --loader"}}
		}
		name, open = bundle+": "+found[0].Name, found[0].Open
	} else if path == "" {
		return nil, nil
	}
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLoader+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	report, err := sin.Check(ctx, bytes.NewReader(data), int64(len(data)), sin.CheckOptions{Name: name})
	if err != nil {
		return nil, err
	}
	if h := report.Header; report.Loader == nil || h.Version != 3 || report.Unsendable != "" {
		return nil, &failure{exit: exitFile, code: "file-invalid", what: name + " is not a loader for a phone of 2013 to 2015",
			hints: []string{`"xflash inspect ` + cmp.Or(bundle, path) + `" says what it is`}}
	}
	h := report.Header
	return &s1.Image{Name: filepath.Base(name), Header: h.Raw, Data: h.NewReader(bytes.NewReader(data[len(h.Raw):])), Size: h.PayloadSize()}, nil
}

// backUpTrim reads the trim area of the phone that is there.
func (a *app) backUpTrim(ctx context.Context, dir string, loader *s1.Image) (err error) {
	p, err := a.flashPhone(ctx, usbproto.FlashModes...)
	if err != nil {
		return err
	}
	defer func() { err = p.close(err) }()
	if p.mode == usbproto.ModeFlash2017 {
		return a.backUpCommand(ctx, p, dir, loader)
	}
	c, err := s1.Open(ctx, p.conn, s1.Options{})
	if err != nil {
		return err
	}
	sent := ""
	if c.Stage() != s1.StageLoader {
		if loader == nil {
			return &failure{exit: exitPolicy, code: "no-loader", what: "the phone needs its loader before it shows the trim area",
				hints: []string{"name a firmware bundle for this model, or its loader: xflash ta backup BUNDLE -o " + dir}}
		}
		sent = loader.Name
		a.ui.say("Sending %s, which runs in the phone's memory only.", printable(sent))
		if err := c.SendLoader(ctx, *loader, nil); err != nil {
			return err
		}
	}
	b, err := tabackup.Take(ctx, c, a.sayDoing)
	if err != nil {
		return err
	}
	chip, _ := c.Info().Get("UNIQUE_DEV_ID_1")
	d, err := a.saveBackup(ctx, dir, sent, b)
	if err != nil {
		return err
	}
	if err := a.showBackup(dir, b, d, belongsTo(d, chip, infoIMEIs(c.Info()))); err != nil {
		return err
	}
	return c.End(ctx)
}

// backUpCommand is backUpTrim for a phone of 2017 or later, which needs no loader and stays in flash mode.
func (a *app) backUpCommand(ctx context.Context, p *flashPhone, dir string, loader *s1.Image) error {
	c, err := a.commands(ctx, p, command.Options{})
	if err != nil {
		return err
	}
	if loader != nil {
		a.ui.say("This phone needs no loader: %s is not sent.", printable(loader.Name))
	}
	b, err := tabackup.TakeCommand(ctx, c, a.sayDoing)
	if err != nil {
		return err
	}
	d, err := a.saveBackup(ctx, dir, "", b)
	if err != nil {
		return err
	}
	return a.showBackup(dir, b, d, nil)
}

func (a *app) sayDoing(doing string) { a.ui.say("%s%s.", strings.ToUpper(doing[:1]), doing[1:]) }

// saveBackup judges what was read and writes it into the folder.
func (a *app) saveBackup(ctx context.Context, dir, loader string, b *tabackup.Backup) (*trimDump, error) {
	roots, _, err := a.roots(nil)
	if err != nil {
		return nil, err
	}
	units := &trimarea.Survey{}
	for _, p := range b.Partitions {
		for _, u := range p.Units {
			units.Add(p.Number, u.Number, u.Data)
		}
	}
	d := &trimDump{dir, trimarea.Judge(ctx, &trimarea.Dump{Container: trimarea.FolderBackup}, units, roots)}
	return d, b.Write(dir, "xflash "+version, loader, time.Now())
}

// belongsTo holds the signed hardware configuration against the phone's own answers: the
// ids of chip and radio in it must be those of this phone.
func belongsTo(d *trimDump, chip string, imeis []string) []string {
	var odd []string
	if !d.Record.Whole() {
		return append(odd, "hardware configuration (unit 2003): "+d.HardwareText())
	}
	if id, err := hex.DecodeString(chip); err == nil && len(id) > 0 && !slices.ContainsFunc(d.Record.Config.DeviceIDs, func(have []byte) bool { return bytes.Equal(have, id) }) {
		odd = append(odd, "the hardware configuration is for another chip than this phone's")
	}
	if answer, reasons := trimarea.Belongs(trimarea.Identity{IMEIs: d.ID.IMEIs}, trimarea.Identity{IMEIs: imeis}); answer == trimarea.OtherPhone {
		odd = append(odd, "the hardware configuration is for another phone: "+joined(reasons))
	}
	return odd
}

// showBackup says what was read, what it proves and what it lacks.
func (a *app) showBackup(dir string, b *tabackup.Backup, d *trimDump, odd []string) error {
	partitions := []map[string]any{}
	for _, p := range b.Partitions {
		row := map[string]any{"number": p.Number, "units": len(p.Units), "partial": p.Partial != "", "refused": printable(p.Refused)}
		partitions = append(partitions, row)
	}
	if a.ui.json {
		return a.ui.resultJSON(map[string]any{"type": "trim-area-backup", "folder": dir, "partial": b.Partial(), "partitions": partitions,
			"model": d.ID.Model, "serial": a.masked(d.ID.Serial), "hw_config": d.HardwareText(), "warnings": append([]string{}, odd...)})
	}
	state := "complete: all that flash mode shows"
	if b.Partial() {
		state = "PARTIAL"
	}
	a.ui.result("%s\n", wrap(fmt.Sprintf("Saved in %s, %s.", dir, state), a.ui.width(), ""))
	line := func(key, value string) { a.ui.hanging(fmt.Sprintf("  %-11s ", key), value) }
	for _, p := range b.Partitions {
		name := fmt.Sprintf("partition %d", p.Number)
		switch {
		case p.Refused != "":
			line(name, "not in the backup: the phone did not open it ("+p.Refused+")")
		case p.Partial != "":
			line(name, fmt.Sprintf("%s, read one by one because the phone refused to send all at once (%s); units with unknown numbers may be missing", countOf(len(p.Units), "unit"), p.Partial))
		default:
			line(name, fmt.Sprintf("%s, read twice and equal", countOf(len(p.Units), "unit")))
		}
	}
	line("model", orUnknown(d.ID.Model, "unit 2210 does not tell"))
	line("serial", orUnknown(a.masked(d.ID.Serial), "unit 4900 is missing"))
	line("hw config", d.HardwareText())
	for _, text := range odd {
		line("WARNING", text)
	}
	a.ui.result("\n%s\n", wrap("It holds SIM lock data, serial number and calibration of this phone: keep it private. "+
		"It lacks "+b.Missing+" "+
		"It proves the state of the phone: compare two backups with \"xflash ta compare\". xflash never writes it back.", a.ui.width(), ""))
	return nil
}
