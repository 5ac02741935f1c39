package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"xflash/fastboot/sparse"
	"xflash/internal/extract"
	"xflash/internal/firmware"
	"xflash/internal/mkbundle"
	"xflash/sin/gpt"
)

func newUnpackCommand(a *app) *cobra.Command {
	var (
		opt extract.Options
		raw bool
		gap string
	)
	cmd := &cobra.Command{
		Use:   "unpack FILE -o DIR",
		Short: "unpack a SIN image, a bundle, a sparse image or a disk dump",
		Long: `Unpacks a firmware file into a folder:
  a SIN image of any version    the partition image inside
  a bundle or XperiFirm folder  every image; .ta, .xml and .fsc files are copied
  an Android sparse image       the raw image
  a whole-disk dump             the partitions that --partition names

It verifies everything on the way. A file appears only when it is whole, and replaces
another only with --force. Zeros become holes, so the files need less space than they show.`,
		Example: `  xflash unpack system.sin -o out
  xflash unpack D5803_23.5.A.1.291.ftf -o out --member kernel,boot
  xflash unpack backup.dd -o out --partition boot,FOTAKernel`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opt.Dir == "" {
				return usageError{errors.New("name the output folder: -o DIR")}
			}
			switch strings.ToLower(gap) {
			case "00":
			case "ff":
				opt.Gap = 0xFF
			default:
				return usageError{fmt.Errorf("--gap %s: only 00 and ff are known", gap)}
			}
			return a.unpack(cmd.Context(), args[0], opt)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&opt.Dir, "output", "o", "", "the folder for the files, created if needed")
	f.StringSliceVar(&opt.Members, "member", nil, "only these members of a bundle, by short name or file name (boot means the boot set)")
	f.StringSliceVar(&opt.Partitions, "partition", nil, "these partitions of a whole-disk dump, by label")
	f.BoolVar(&raw, "raw", false, "write raw images, as dd and mount need them (this is the default)")
	f.BoolVar(&opt.Sparse, "sparse", false, "write Android sparse images, as fastboot needs them")
	f.StringVar(&gap, "gap", "00", "fill byte for gaps: 00, or ff as in other tools")
	f.BoolVar(&opt.Force, "force", false, "replace existing files")
	cmd.MarkFlagsMutuallyExclusive("raw", "sparse")
	return cmd
}

func (a *app) unpack(ctx context.Context, path string, opt extract.Options) error {
	show := newProgress(a.ui)
	opt.Progress = func(name string, done, total int64) { show.file("unpacking", name, done, total) }
	opt.Note = func(text string) {
		a.ui.warn("%s", printable(text))
		if a.ui.json {
			show.put("note", map[string]any{"text": text})
		}
	}
	var lost error // of stdout
	opt.Done = func(f extract.File) { lost = errors.Join(lost, a.unpacked(f)) }
	err := extract.Unpack(ctx, path, opt)
	if err != nil {
		return a.filesFailure(err, "everything else was unpacked")
	}
	return lost
}

// unpacked reports one output.
func (a *app) unpacked(f extract.File) error {
	if a.ui.json {
		return a.ui.resultJSON(struct {
			Type string `json:"type"`
			extract.File
		}{"unpacked", f})
	}
	content := ""
	if f.Content != "" {
		content = string(f.Content) + ", "
	}
	a.ui.result("%-24s %10s  %sfrom %s\n", printable(f.Name), size(f.Bytes), content, printable(f.From))
	for _, n := range f.Notes {
		a.ui.warn("%s: %s", printable(f.Name), printable(n))
	}
	if f.Warning != "" {
		a.ui.warn("%s", printable(f.Warning))
	}
	return nil
}

// filesFailure turns the errors of taking apart and putting together into words;
// what it does not know is left to classify. despite is what was done in spite of damage.
func (a *app) filesFailure(err error, despite string) error {
	var (
		format  *extract.FormatError
		option  *extract.OptionError
		choice  *firmware.ChoiceError
		exists  *extract.ExistsError
		refused *mkbundle.RefusedError
		damaged *firmware.DamagedError
	)
	switch {
	case errors.As(err, &format):
		return &failure{exit: exitFile, code: "file-unknown", what: format.Error(),
			hints: []string{"xflash can unpack SIN images, .ftf bundles, XperiFirm folders, Android sparse images and whole-disk dumps"}}
	case errors.As(err, &option):
		return usageError{option}
	case errors.As(err, &choice):
		return a.choiceFailure(choice)
	case errors.As(err, &exists):
		return &failure{exit: exitOther, code: "exists", what: exists.Error(),
			hints: []string{"choose another folder with -o, or add --force to replace it"}}
	case errors.As(err, &refused):
		return &failure{exit: exitPolicy, code: "policy", what: refused.Error()}
	case errors.As(err, &damaged):
		var b strings.Builder
		for _, d := range damaged.Files {
			fmt.Fprintf(&b, "  %s\n", wrap(printable(d.Err.Error()), 76, "    "))
		}
		return &failure{exit: exitFile, code: "file-invalid", what: countOf(len(damaged.Files), "damaged file") + "; " + despite, text: b.String(),
			hints: []string{"download the bundle again, if you can from another source"}}
	case errors.As(err, new(*sparse.Error)), errors.As(err, new(*gpt.Error)):
		return &failure{exit: exitFile, code: "file-invalid", what: err.Error(), hints: []string{"copy or download the file again: it is not whole"}}
	}
	return err
}

// choiceFailure lists what can be chosen.
func (a *app) choiceFailure(e *firmware.ChoiceError) error {
	f := &failure{exit: exitUsage, code: "choice", what: printable(e.Error())}
	if a.ui.json {
		if err := a.ui.resultJSON(map[string]any{"type": e.What + "s", e.What + "s": e.Have}); err != nil {
			return err
		}
	}
	var b strings.Builder
	for _, c := range e.Have {
		number, mark := "", ""
		if c.Number > 0 {
			number = fmt.Sprintf("%3d  ", c.Number)
		}
		if c.Warning != "" {
			mark = "  belongs to this one phone"
		}
		fmt.Fprintf(&b, "  %s%-24s %10s%s\n", number, printable(c.Name), size(c.Bytes), mark)
	}
	f.text = b.String()
	hint := "use the names as they are written here; boot means the whole boot set"
	if e.What == "partition" {
		hint = "use the labels as they are written here, as in --partition boot,FOTAKernel"
	}
	f.hints = []string{hint}
	return f
}
