package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/inspect"
	"xflash/sin"
)

func newInspectCommand(a *app) *cobra.Command {
	p := proofOptions{hashes: true}
	cmd := &cobra.Command{
		Use:   "inspect FILE|DIR…",
		Short: "say what a file is, whether it is whole and genuine, and for which phones",
		Long: `Says for each file what it is, whether it is whole, what is proven about who made it and
what is not, for which phones it is, and what is inside, with a picture of where the parts
lie. It recognises files by their content, whatever their names.

It knows SIN images of every version, .ftf bundles and XperiFirm folders, Android and Sony
boot images, device tree tables, Android sparse images, ext, FAT and yaffs2 file systems,
whole-disk dumps, trim-area images, and the texts that come with firmware.

It writes nothing. Exit code 0 means that it read every file, whatever it found; use
"xflash verify" if the exit code should report damage.`,
		Example: `  xflash inspect loader.sin
  xflash inspect D5803_23.5.A.1.291.ftf backup.dd
  xflash inspect --json downloads/`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			first := true
			return p.eachReport(cmd.Context(), a, paths, func(_ string, r *inspect.Report) error {
				if a.ui.json {
					return a.ui.resultJSON(r)
				}
				if !first {
					a.ui.result("\n")
				}
				first = false
				(&inspection{ui: a.ui}).report(r)
				return nil
			})
		},
	}
	p.flags(cmd)
	return cmd
}

// proofOptions say which roots prove who signed a file that is judged.
type proofOptions struct {
	roots, loaders []string
	hashes         bool // of the files are wanted, too
}

func (p *proofOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&p.roots, "root", nil, "also trust this root certificate (PEM)")
	cmd.Flags().StringSliceVar(&p.loaders, "loader", nil, "read Sony's root certificate from this loader")
}

// learn reads the roots of the flags, and those of all loaders among the files, so that their
// order does not matter.
func (p *proofOptions) learn(ctx context.Context, a *app, paths []string) (*sin.RootSet, error) {
	set, _, err := a.roots(p.roots)
	if err != nil {
		return nil, err
	}
	for _, name := range p.loaders {
		if err := inspect.Learn(ctx, name, set); err != nil {
			return nil, &failure{exit: exitFile, code: "file-invalid", what: fmt.Sprintf("--loader %s: %v", name, err),
				hints: []string{"use the loader.sin of the same phone; only loaders from 2013 on contain their root"}}
		}
	}
	for _, name := range paths {
		_ = inspect.Learn(ctx, name, set) // most files are not loaders
	}
	return set, ctx.Err()
}

// eachReport judges every file. One that cannot be read does not hide the others: its error
// comes back after the last one.
func (p *proofOptions) eachReport(ctx context.Context, a *app, paths []string, tell func(path string, r *inspect.Report) error) error {
	set, err := p.learn(ctx, a, paths)
	if err != nil {
		return err
	}
	opt := inspect.Options{Roots: set, Hashes: p.hashes, ShowIDs: a.showIDs}
	if !a.ui.json { // whose answer is one object a file and nothing else
		show := newProgress(a.ui)
		opt.Progress = func(name string, done, total int64) { show.file("reading", name, done, total) }
	}
	var failed error
	for _, path := range paths {
		report, err := inspect.Path(ctx, path, opt)
		if err == nil {
			err = tell(path, report)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch {
		case failed == nil:
			failed = err
		case err != nil:
			failed = fmt.Errorf("%w; %w", failed, err)
		}
	}
	return failed
}

// inspection prints one report.
type inspection struct {
	ui     *terminal
	indent string
}

// line prints a fact with its name in front.
func (p *inspection) line(name, format string, args ...any) {
	p.ui.hanging(fmt.Sprintf("%s  %-9s", p.indent, name), fmt.Sprintf(format, args...))
}

// report prints a file and what is inside.
func (p *inspection) report(r *inspect.Report) {
	p.ui.result("%s\n", wrap(p.indent+printable(fmt.Sprintf("%s: %s, %s", r.Name, r.Title, size(r.Size))), p.ui.width(), p.indent+"  "))
	if r.Whole != nil {
		p.whole(r.Whole)
	}
	if g := r.Genuine; g != nil {
		p.line("genuine", "%s", g.Text)
		for _, s := range g.Proven {
			p.line("", "proven: %s", s)
		}
		for _, s := range g.NotProven {
			p.line("", "not proven: %s", s)
		}
	}
	for _, m := range r.For {
		p.phones(m)
	}
	p.details(r)
	for _, l := range r.Layouts {
		p.picture(l)
	}
	for _, n := range r.Notes {
		p.line("note", "%s", n)
	}
	if r.Warning != "" {
		p.line("warning", "%s", r.Warning)
	}
	if len(r.Contents) > 0 {
		p.contents(r)
	}
}

func (p *inspection) whole(w *inspect.Integrity) {
	verdict := map[inspect.State]string{inspect.StateWhole: "yes", inspect.StateDamaged: "NO", inspect.StateUnproven: "nothing wrong found"}[w.State]
	p.line("whole", "%s: %s", verdict, w.Text)
	const shown = 20
	for i, f := range w.Faults {
		if i == shown {
			p.line("", "and %d more", w.Count-shown)
			break
		}
		if f.Text != w.Text || f.Member != "" {
			p.line("", "%s", faultText(f))
		}
	}
}

// faultText names a fault with its place.
func faultText(f inspect.Fault) string {
	if f.Member != "" {
		return f.Member + ": " + f.Text
	}
	return f.Text
}

func (p *inspection) phones(m inspect.Match) {
	var parts []string
	if m.Family != "" {
		parts = append(parts, m.Family)
	}
	if m.Platform != "" {
		parts = append(parts, m.Platform)
	}
	if len(m.Models) > 0 {
		parts = append(parts, strings.Join(m.Models, " "))
	}
	p.line("for", "%s — %s", strings.Join(parts, ", "), m.Because)
}

// contents prints what is inside: of firmware one line a file, of all else everything.
func (p *inspection) contents(r *inspect.Report) {
	switch r.Kind {
	case inspect.KindBundle, inspect.KindFolder, inspect.KindZip:
		p.line("inside", "%s", countOf(len(r.Contents), "file"))
		for _, c := range r.Contents {
			p.row(c)
		}
		return
	}
	inner := &inspection{ui: p.ui, indent: p.indent + "    "}
	p.line("inside", "")
	for _, c := range r.Contents {
		inner.report(c)
	}
}

// row is a file of a bundle in one line.
func (p *inspection) row(c *inspect.Report) {
	state := ""
	switch {
	case c.Intact == inspect.IntactNo:
		state = "DAMAGED: "
	case c.Intact == inspect.IntactUnknown && c.Whole != nil:
		state = c.Whole.Text + ": "
	case c.Genuine != nil && c.Genuine.Proof == inspect.ProofSony:
		state = "genuine: "
	}
	name := printable(c.Name)
	if len(name) > 24 { // the files of a boot set have names of 150 characters
		p.ui.result("%s    %s\n", p.indent, name)
		name = ""
	}
	lead := fmt.Sprintf("%s    %-24s %10s  ", p.indent, name, size(c.Size))
	p.ui.hanging(lead, state+c.Title)
}
