package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"xflash/internal/inspect"
)

func newVerifyCommand(a *app) *cobra.Command {
	var p proofOptions
	cmd := &cobra.Command{
		Use:   "verify FILE…",
		Short: "say whether files are whole and genuine",
		Long: `Reads SIN images and firmware bundles to their last byte and says whether each file is
whole, and what is proven about who made it: block hashes, signature, and the certificate
chain up to a root. It names every damaged block with its offset in the file. For other
files (disk dumps, trim areas, boot images, sparse images, file systems) it checks what
their format can prove. In a folder it reads everything, also what is not part of the
firmware there, which restore, bundle and unpack do not read. Exit code 0 means that every
file is intact, 6 that one is damaged, is of an unknown kind, or could not be read.`,
		Example: `  xflash verify system.sin
  xflash verify D5803_23.5.A.1.291.ftf --json`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			v := &verifier{app: a}
			if err := p.eachReport(cmd.Context(), a, paths, v.file); err != nil {
				return err
			}
			return v.failure()
		},
	}
	p.flags(cmd)
	return cmd
}

// verifier shows the judgements of inspect, one line a file.
type verifier struct {
	*app
	files, damaged, unknown int
}

// judgement is what programs get of one file.
type judgement struct {
	Type    string         `json:"type"`
	File    string         `json:"file"`
	Member  string         `json:"member,omitempty"`
	Kind    string         `json:"kind,omitempty"`    // in words
	Version int            `json:"version,omitempty"` // of the SIN format
	OK      bool           `json:"ok"`
	Intact  inspect.Intact `json:"intact"`
	Proven  bool           `json:"proven"` // signed by a root whose certificate is at hand
	Trust   string         `json:"trust,omitempty"`
	Signer  string         `json:"signer,omitempty"`
	Issuer  string         `json:"issuer,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	Damaged []damageJSON   `json:"damaged,omitempty"`
	Notes   []string       `json:"notes,omitempty"`
}

// damageJSON is one thing that is wrong.
type damageJSON struct {
	Block  int    `json:"block"`  // -1 when it is none
	Offset int64  `json:"offset"` // in the file
	Text   string `json:"text"`
}

// file tells of a file, or of each file in a bundle, folder or archive. What is wrong with
// the container itself is its own line.
func (v *verifier) file(path string, r *inspect.Report) error {
	switch r.Kind {
	case inspect.KindBundle, inspect.KindFolder, inspect.KindZip:
	default:
		return v.tell(path, "", r, true)
	}
	for _, c := range r.Contents {
		if err := v.tell(path, c.Name, c, r.Counts(c)); err != nil {
			return err
		}
	}
	own := *r
	own.Whole = r.OwnFaults()
	explained := own.Whole == nil && (r.Intact == inspect.IntactYes || len(r.Contents) > 0 && !r.Unread())
	if explained && len(r.Contents) > 0 && len(r.Notes) == 0 {
		return nil
	}
	if own.Whole == nil && len(r.Contents) > 0 {
		own.Intact, own.Notes = inspect.IntactYes, r.Notes
		if r.Unread() {
			own.Intact = inspect.IntactUnknown
		}
	}
	return v.tell(path, "", &own, own.Intact != inspect.IntactYes || len(r.Contents) == 0)
}

// tell shows one judgement; counted says that it counts as a file.
func (v *verifier) tell(file, member string, r *inspect.Report, counted bool) error {
	j := judgement{Type: "verdict", File: file, Member: member, Kind: r.Title, OK: r.Intact == inspect.IntactYes,
		Intact: r.Intact, Proven: r.Proven, Notes: r.Notes}
	if r.Whole != nil {
		j.Reason = r.Whole.Text
		for _, f := range r.Whole.Faults {
			j.Damaged = append(j.Damaged, damageJSON{f.Block, f.Offset, f.Text})
		}
	}
	if r.Genuine != nil {
		j.Trust = r.Genuine.Text
	}
	if r.SIN != nil {
		j.Version, j.Signer, j.Issuer = r.SIN.Version, r.SIN.SignerCN, r.SIN.IssuerCN
	}
	if counted {
		v.files++
		switch r.Intact {
		case inspect.IntactNo:
			v.damaged++
		case inspect.IntactUnknown:
			v.unknown++
		}
	}
	if v.ui.json {
		return v.ui.resultJSON(j)
	}
	name := file
	if member != "" {
		name += ": " + member
	}
	text := "ok, " + j.Kind
	switch {
	case r.Intact == inspect.IntactNo:
		text = "DAMAGED: " + j.Reason
	case r.Intact == inspect.IntactUnknown:
		text = "unknown: " + cmp.Or(j.Reason, "a part of it could not be read")
	case j.Version > 0:
		text = fmt.Sprintf("ok, SIN version %d, %s", j.Version, j.Trust)
	case j.Reason != "":
		text += ": " + j.Reason
	}
	v.ui.result("%s\n", wrap(printable(name+": "+text), v.ui.width(), "  "))
	for _, d := range j.Damaged {
		switch {
		case d.Block >= 0:
			v.ui.result("  block %d at file offset %#x\n", d.Block, d.Offset)
		case d.Offset >= 0 && d.Text == j.Reason:
			v.ui.result("  at file offset %#x\n", d.Offset)
		case d.Offset >= 0:
			v.ui.hanging(fmt.Sprintf("  at file offset %#x: ", d.Offset), d.Text)
		case d.Text != j.Reason:
			v.ui.hanging("  ", d.Text)
		}
	}
	for _, n := range j.Notes {
		v.ui.hanging("  note: ", n)
	}
	return nil
}

// failure is how the command ends: nil when every file is intact.
func (v *verifier) failure() error {
	if v.damaged+v.unknown == 0 {
		return nil
	}
	f := &failure{exit: exitFile, code: "file-invalid", what: fmt.Sprintf("%d of %s damaged", v.damaged, countOf(v.files, "file"))}
	switch {
	case v.files == 1 && v.damaged == 1:
		f.what = "the file is damaged"
	case v.files == 1:
		f.what = "the file is of an unknown kind, or could not be read"
	case v.damaged == 0:
		f.what = fmt.Sprintf("%d of %s unknown", v.unknown, countOf(v.files, "file"))
	case v.unknown > 0:
		f.what += fmt.Sprintf(", %d unknown", v.unknown)
	}
	if v.damaged > 0 {
		f.hints = []string{"get the damaged files again, from another source"}
	} else {
		f.code = "file-unknown"
	}
	return f
}
