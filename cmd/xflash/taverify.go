package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/trimarea"
)

func newTAVerifyCommand(a *app) *cobra.Command {
	var serial string
	var imeis []string
	cmd := &cobra.Command{
		Use:   "verify FILE…",
		Short: "say whether a trim-area backup is whole and belongs to this phone",
		Long: `Checks trim-area backups: blocks, checksums, units, the backup's own MD5, and the signed
hardware configuration. It also compares the backup with a phone if you name one: --device
asks the phone in flash mode, and --serial and --imei give what its label says. Exit code 0
means whole (and of this phone, if you named one), 6 damaged, 7 of another phone or
undecided.`,
		Example: `  xflash ta verify TA.img
  xflash ta verify TA.img --serial CB5A12345 --imei 356789012345678`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			ctx := cmd.Context()
			for _, n := range imeis {
				if len(n) < 14 || len(n) > 15 || strings.Trim(n, "0123456789") != "" {
					return usageError{fmt.Errorf("%q is not an IMEI: it has 15 digits, or 14 without the check digit", n)}
				}
			}
			want := trimarea.Identity{Serial: serial, IMEIs: imeis}
			if a.device != "" {
				if serial != "" || imeis != nil {
					return usageError{fmt.Errorf("--device asks the phone itself; leave --serial and --imei out")}
				}
				var err error
				if want, err = a.phoneIdentity(ctx); err != nil {
					return err
				}
			}
			asked := a.device != "" || serial != "" || imeis != nil
			var worst error
			for _, path := range paths {
				d, err := a.trimDump(ctx, path)
				if err != nil {
					return err
				}
				if err := a.judgeTrim(d, want, asked); err != nil && worst == nil {
					worst = err
				}
			}
			return worst
		},
	}
	cmd.Flags().StringVar(&serial, "serial", "", "serial number of the phone, as on its label")
	cmd.Flags().StringSliceVar(&imeis, "imei", nil, "IMEI of the phone, as on its label or from *#06#")
	return cmd
}

// judgeTrim prints the judgement of a backup; with asked also whether it is of the phone
// that want describes.
func (a *app) judgeTrim(d *trimDump, want trimarea.Identity, asked bool) error {
	verdict, reasons := trimarea.Belongs(d.ID, want)
	if a.ui.json {
		j := a.trimJSON(d)
		j["type"] = "verdict"
		if asked {
			j["belongs"], j["reasons"] = verdict.String(), reasons
		}
		if err := a.ui.resultJSON(j); err != nil {
			return err
		}
	} else {
		a.showTrimHead(d)
		if asked {
			a.ui.hanging(fmt.Sprintf("  %-10s ", "belongs"), belongsText(verdict, reasons))
		}
	}
	if err := d.damaged(); err != nil {
		return err
	}
	if !asked || verdict == trimarea.SamePhone {
		return nil
	}
	f := &failure{exit: exitPolicy, code: "other-phone", what: d.path + " belongs to another phone",
		hints: []string{"never write it to this phone: its calibration and keys do not fit, and flash mode would refuse all firmware"}}
	if verdict == trimarea.Undecided {
		f.code, f.what = "undecided", d.path+": nothing proves that it belongs to this phone"
		f.hints = []string{"treat it as another phone's until you know that its serial number is yours"}
	}
	return f
}

// belongsText says whether a backup belongs to a phone, and why.
func belongsText(b trimarea.Belonging, reasons []string) string {
	text := "cannot be decided"
	switch b {
	case trimarea.SamePhone:
		text = "yes, to this phone"
	case trimarea.OtherPhone:
		text = "NO, to another phone"
	}
	if len(reasons) > 0 {
		text += ": " + joined(reasons)
	}
	return text
}
