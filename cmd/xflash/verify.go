package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"xflash/ftf"
	"xflash/internal/inspect"
	"xflash/sin"
)

func newVerifyCommand(a *app) *cobra.Command {
	var roots []string
	cmd := &cobra.Command{
		Use:   "verify FILE…",
		Short: "judge files of a rescue: whole, and genuine?",
		Long: `Reads SIN images and firmware bundles to their last byte and says of each file whether
it is whole, and what is proven about who made it: block hashes, signature, and the
certificate chain up to a root. Every damaged block is named with its place in the file.
Other files (disk dumps, trim areas, boot images, sparse images, file systems) are judged
by what their format can prove. Exit code 0 means that nothing is damaged, 6 that
something is, or that a file is nothing known.`,
		Example: `  xflash verify system.sin
  xflash verify D5803_23.5.A.1.291.ftf --json`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			ctx, stop := firstStop(cmd.Context())
			defer stop()
			set, _, err := a.roots(roots)
			if err != nil {
				return err
			}
			v := &verifier{app: a, roots: set}
			for _, path := range paths {
				if err := v.path(ctx, path); err != nil {
					return err
				}
			}
			if v.damaged > 0 {
				return &failure{exit: exitFile, code: "file-invalid", what: damagedText(v.damaged, v.files),
					hints: []string{"get the damaged files again, best from another place"}}
			}
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&roots, "root", nil, "also trust this root certificate (PEM)")
	return cmd
}

// verifier judges one file after the other. Roots of loaders that were seen help to prove
// what comes after them.
type verifier struct {
	*app
	roots          *sin.RootSet
	files, damaged int
}

// judgement is what is said of one file.
type judgement struct {
	Type    string       `json:"type"`
	File    string       `json:"file"`
	Member  string       `json:"member,omitempty"`
	Kind    string       `json:"kind,omitempty"`    // of other files, in words
	Version int          `json:"version,omitempty"` // of the SIN format
	OK      bool         `json:"ok"`
	Proven  bool         `json:"proven"` // signed by a root whose certificate is at hand
	Trust   string       `json:"trust,omitempty"`
	Signer  string       `json:"signer,omitempty"`
	Issuer  string       `json:"issuer,omitempty"`
	Reason  string       `json:"reason,omitempty"`
	Damaged []damageJSON `json:"damaged,omitempty"`
}

// damageJSON is one damaged block.
type damageJSON struct {
	Block  int    `json:"block"`  // -1 when it is none
	Offset int64  `json:"offset"` // in the file
	Text   string `json:"text"`
}

// path judges a SIN file, or a bundle with all its SIN files.
func (v *verifier) path(ctx context.Context, path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		head := make([]byte, 512)
		n, _ := f.ReadAt(head, 0) // a short file is told by what reads it
		if sin.Detect(head[:n]) != 0 {
			if _, err := f.Seek(0, 0); err != nil {
				return err
			}
			report, err := sin.Check(ctx, f, st.Size(), sin.CheckOptions{Roots: v.roots})
			return v.sin(ctx, judgement{File: path}, report, err)
		}
	}
	b, err := ftf.Open(path)
	var bad *ftf.Error
	if errors.As(err, &bad) {
		if bad.Reason == ftf.NotBundle && !st.IsDir() {
			return v.other(ctx, path)
		}
		return v.tell(judgement{File: path, Reason: err.Error()})
	}
	if err != nil {
		return err
	}
	defer b.Close()
	members := b.Members
	if loader, err := b.Image("loader"); err == nil {
		members = append([]*ftf.Member{loader}, members...)
	}
	seen := map[*ftf.Member]bool{}
	for _, m := range members {
		if seen[m] {
			continue
		}
		seen[m] = true
		if err := v.member(ctx, path, m); err != nil {
			return err
		}
	}
	return nil
}

// other judges a file of another kind, as "xflash inspect" sees it.
func (v *verifier) other(ctx context.Context, path string) error {
	report, err := inspect.Path(ctx, path, inspect.Options{Roots: v.roots})
	if err != nil {
		return err
	}
	j := judgement{File: path, Kind: report.Title, OK: !report.Damaged()}
	switch {
	case report.Kind == inspect.KindUnknown || report.Kind == inspect.KindEmpty:
		j.OK, j.Reason = false, "nothing that xflash knows"
	case report.Whole != nil:
		j.Reason = report.Whole.Text
		for _, f := range report.Whole.Faults {
			j.Damaged = append(j.Damaged, damageJSON{f.Block, f.Offset, f.Text})
		}
	}
	return v.tell(j)
}

// damagedText counts what is damaged.
func damagedText(damaged, files int) string {
	switch {
	case files == 1:
		return "the file is damaged, or nothing that is known"
	case damaged == 1:
		return fmt.Sprintf("1 of %d files is damaged, or nothing that is known", files)
	}
	return fmt.Sprintf("%d of %d files are damaged, or nothing that is known", damaged, files)
}

// member judges one file of a bundle.
func (v *verifier) member(ctx context.Context, path string, m *ftf.Member) error {
	j := judgement{File: path, Member: m.Name}
	switch m.Kind {
	case ftf.KindTA:
		_, err := m.TA()
		j.OK = err == nil
		if err != nil {
			j.Reason = err.Error()
		}
		return v.tell(j)
	case ftf.KindSIN:
		r, err := m.Open()
		if err != nil {
			return err
		}
		report, err := sin.Check(ctx, r, m.Size, sin.CheckOptions{Roots: v.roots})
		if e := r.Close(); err == nil {
			err = e
		}
		return v.sin(ctx, j, report, err)
	}
	return nil
}

// sin completes the judgement of a SIN file.
func (v *verifier) sin(ctx context.Context, j judgement, report *sin.Report, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		j.Reason = err.Error()
	}
	j.OK = err == nil
	if report != nil {
		j.Version, j.Signer, j.Issuer = report.Header.Version, report.Header.Signer(), report.Header.Issuer()
		j.Proven, j.Trust = report.Trust.Proven(), trustText(report)
		for _, d := range report.Damaged {
			j.Damaged = append(j.Damaged, damageJSON{d.Block, d.Offset, d.Error()})
		}
		if report.Loader != nil {
			v.roots.AddLoader(report.Loader)
		}
	}
	return v.tell(j)
}

// trustText says what was and what was not proven.
func trustText(r *sin.Report) string {
	switch r.Trust.State {
	case sin.TrustPinned:
		return "genuine: the chain ends at Sony's root " + r.Trust.Root
	case sin.TrustSupplied:
		return "the chain ends at the root " + r.Trust.Root + " that was given, which is not one of Sony's"
	case sin.TrustByName:
		return "not proven: it names Sony's root " + r.Trust.Root + ", whose certificate is not at hand"
	case sin.TrustUnknown:
		return "not proven: it names a root that nobody knows, " + r.Trust.Root
	}
	if r.Header.Version > 3 {
		return "not verified: how the signature of this version binds its content is not known"
	}
	return "not proven"
}

func (v *verifier) tell(j judgement) error {
	v.files++
	if !j.OK {
		v.damaged++
	}
	j.Type = "verdict"
	if v.ui.json {
		return v.ui.resultJSON(j)
	}
	name := j.File
	if j.Member != "" {
		name += ": " + j.Member
	}
	if j.OK {
		text := "ok"
		if j.Version > 0 {
			text = fmt.Sprintf("ok, SIN version %d, %s", j.Version, j.Trust)
		}
		if j.Kind != "" {
			text = fmt.Sprintf("ok, %s: %s", j.Kind, j.Reason)
		}
		v.ui.result("%s\n", wrap(printable(name+": "+text), v.ui.width(), "  "))
		return nil
	}
	v.ui.result("%s\n", wrap(printable(name+": DAMAGED: "+j.Reason), v.ui.width(), "  "))
	for _, d := range j.Damaged {
		switch {
		case d.Block >= 0:
			v.ui.result("  block %d at file offset %#x\n", d.Block, d.Offset)
		case d.Offset >= 0 && d.Text == j.Reason:
			v.ui.result("  at file offset %#x\n", d.Offset)
		case d.Offset >= 0:
			v.ui.hanging(fmt.Sprintf("  at file offset %#x: ", d.Offset), d.Text)
		}
	}
	return nil
}
