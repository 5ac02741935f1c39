package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"xflash/ftf"
	"xflash/internal/extract"
	"xflash/internal/mkbundle"
)

func newBundleCommand(a *app) *cobra.Command {
	var (
		opt    mkbundle.AssembleOptions
		roots  []string
		output string
		force  bool
	)
	cmd := &cobra.Command{
		Use:   "bundle DIR [-o FILE.ftf]",
		Short: "make a firmware bundle from a XperiFirm folder or loose files",
		Long: `Makes an .ftf bundle from a XperiFirm folder or from loose .sin and .ta files, and names
it as Flashtool does. Model and version come from fwinfo.xml, the name of the folder, or
--model and --version.

It checks every image to its last byte first and never bundles a damaged one. It leaves
out files that hold the identity of one phone, such as simlock.ta, and lists the files
that a full restore of the model needs and the folder lacks, with what to do about each.`,
		Example: `  xflash bundle "D5803_Customized CE1_1289-5302_23.5.A.1.291_R5D"
  xflash bundle folder -o rescue.ftf --model D5803 --version 23.5.A.1.291
  xflash bundle folder -o kernels.ftf --only loader,kernel,fotakernel`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if opt.Roots, _, err = a.roots(roots); err != nil {
				return err
			}
			return a.bundle(cmd.Context(), args[0], output, force, opt)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", "", "the bundle, or the folder for it (default: this folder, with Flashtool's name)")
	f.StringSliceVar(&opt.Only, "only", nil, "bundle only these, by short name or file name (boot means the boot set)")
	f.StringVar(&opt.Device, "model", "", "the model the firmware is for, such as D5803")
	f.StringVar(&opt.Version, "version", "", "the version of the firmware, such as 23.5.A.1.291")
	f.StringVar(&opt.Branding, "branding", "", "operator or region of the firmware")
	f.StringSliceVar(&roots, "root", nil, "also trust this root certificate (PEM)")
	f.BoolVar(&force, "force", false, "replace an existing bundle")
	return cmd
}

const noBundle = "no bundle was written"

func (a *app) bundle(ctx context.Context, dir, output string, force bool, opt mkbundle.AssembleOptions) error {
	b, err := openBundle(dir)
	if err != nil {
		return err
	}
	defer b.Close()
	if b.Manifest.Device+opt.Device == "" || b.Manifest.Version+opt.Version == "" {
		return &failure{exit: exitUsage, code: "usage", what: printable(dir) + " does not name its model and version",
			hints: []string{"name both: --model D5803 --version 23.5.A.1.291; the model is printed under the SIM-card flap of the phone"}}
	}
	show := newProgress(a.ui)
	opt.Progress = func(name string, done, total int64) { show.file("checking", name, done, total) }
	assembly, err := mkbundle.Assemble(ctx, b, opt)
	if err != nil {
		return a.filesFailure(err, noBundle)
	}
	path := bundlePath(output, assembly.Manifest)
	if _, err := os.Lstat(path); err == nil && !force {
		return a.filesFailure(&extract.ExistsError{Path: path}, noBundle)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	a.ui.say("writing %s", printable(path))
	if err := assembly.Write(ctx, path); err != nil {
		return a.filesFailure(err, noBundle)
	}
	if err := a.bundled(path, assembly); err != nil {
		return err
	}
	var unread []string
	for _, l := range assembly.LeftOut {
		if l.Unread {
			unread = append(unread, l.Name)
		}
	}
	if len(unread) == 0 {
		return nil
	}
	return &failure{exit: exitFile, code: "incomplete", what: "the bundle lacks " + countOf(len(unread), "file") + " that could not be read: " + printable(strings.Join(unread, ", ")),
		hints: []string{"replace them with regular files, or move them out of the folder"}}
}

// bundlePath is where the bundle goes: with Flashtool's name unless a file is named.
func bundlePath(output string, m ftf.Manifest) string {
	if info, err := os.Stat(output); output == "" || err == nil && info.IsDir() {
		return filepath.Join(output, m.FileName())
	}
	return output
}

// bundled reports the bundle that was written.
func (a *app) bundled(path string, b *mkbundle.Assembly) error {
	if a.ui.json {
		m := b.Manifest
		return a.ui.resultJSON(struct {
			Type     string             `json:"type"`
			File     string             `json:"file"`
			Device   string             `json:"device"`
			Version  string             `json:"version"`
			Branding string             `json:"branding"`
			CDA      string             `json:"cda"`
			Revision string             `json:"revision"`
			Bytes    int64              `json:"bytes"`
			Files    []mkbundle.Packed  `json:"files"`
			LeftOut  []mkbundle.LeftOut `json:"left_out"`
			Missing  []mkbundle.Missing `json:"missing"` // null: not known
			Notes    []string           `json:"notes"`
		}{"bundle", path, m.Device, m.Version, m.Branding, m.CDA, m.Revision, b.Bytes(), b.Files, b.LeftOut, b.Missing, b.Notes})
	}
	a.ui.result("%s: %s, %s, for %s %s\n", printable(path), countOf(len(b.Files), "file"), size(b.Bytes()),
		printable(b.Manifest.Device), printable(b.Manifest.Version))
	for _, l := range b.LeftOut {
		a.ui.warn("%s is left out: %s", printable(l.Name), printable(l.Reason))
	}
	for _, n := range b.Notes {
		a.ui.warn("%s", printable(n))
	}
	if b.Missing != nil {
		a.tellMissing(b.Missing)
	}
	return nil
}

// tellMissing lists what a full restore needs and the bundle lacks.
func (a *app) tellMissing(missing []mkbundle.Missing) {
	var needed, optional []mkbundle.Missing
	for _, m := range missing {
		if m.Optional {
			optional = append(optional, m)
		} else {
			needed = append(needed, m)
		}
	}
	if len(needed) == 0 {
		a.ui.result("It has everything that a full restore of this model needs.\n")
	} else {
		a.ui.result("For a full restore of this model it lacks:\n")
	}
	for _, m := range needed {
		a.missingItem(m)
	}
	if len(optional) > 0 {
		a.ui.result("Missing, but not needed:\n")
	}
	for _, m := range optional {
		a.missingItem(m)
	}
}

// missingItem shows one thing that is not there. Boot images have long names, so the
// files are counted where they are many.
func (a *app) missingItem(m mkbundle.Missing) {
	const shown = 3
	files := strings.Join(m.Files, ", ")
	if len(m.Files) > shown {
		files = fmt.Sprintf("%s and %s", m.Files[0], countOf(len(m.Files)-1, "other file"))
	}
	if files != m.Item {
		files = m.Item + ": " + files
	}
	a.ui.result("  %s\n", wrap(printable(files), a.ui.width()-2, "    "))
	for _, text := range []string{m.Why, m.Next} {
		a.ui.hanging("      ", text)
	}
}
