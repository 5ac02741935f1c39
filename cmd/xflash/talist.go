package main

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/trimarea"
)

func newTAListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list FILE",
		Short: "list every unit of a trim-area backup, named and explained",
		Long: `Lists the blocks and units of a trim-area backup: number, name, length, purpose, and the
content unless it is secret. The list includes deleted units and older copies. Exit code 0
means that nothing is damaged, 6 that something is.`,
		Example: `  xflash ta list TA.img
  xflash ta list TA-backup-20151224.101500.zip --show-ids`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			d, err := a.trimDump(cmd.Context(), paths[0])
			if err != nil {
				return err
			}
			if err := a.listTrim(d); err != nil {
				return err
			}
			return d.damaged()
		},
	}
}

// unitJSON is a unit as programs see it. Content is there when it is not a secret, or the
// owner asked for it.
type unitJSON struct {
	Type      string `json:"type"`
	Partition int    `json:"partition"`
	Number    uint32 `json:"number"`
	Name      string `json:"name,omitempty"`
	Meaning   string `json:"meaning"`
	Danger    string `json:"danger"`
	Offset    int64  `json:"offset"` // of its content, in the image
	Size      int    `json:"size"`
	State     string `json:"state"` // live, deleted, older
	Secret    bool   `json:"secret"`
	Content   string `json:"content,omitempty"` // hexadecimal
}

type blockJSON struct {
	Type      string `json:"type"`
	Offset    int64  `json:"offset"`
	Partition int    `json:"partition"`
	Part      int    `json:"part"`
	Size      int    `json:"size"`
	Right     bool   `json:"checksum_right"`
}

func (a *app) unitJSON(u trimarea.Stored) unitJSON {
	m, _ := trimarea.Describe(u.Partition, u.Number)
	j := unitJSON{Type: "unit", Partition: u.Partition, Number: u.Number, Name: m.Name, Meaning: m.Text, Danger: string(m.Danger),
		Offset: u.Offset, Size: len(u.Data), State: "live", Secret: m.Secret}
	switch {
	case u.Deleted:
		j.State = "deleted"
	case u.Older:
		j.State = "older"
	}
	if !m.Secret || a.showIDs {
		j.Content = hex.EncodeToString(u.Data)
	}
	return j
}

func (a *app) listTrim(d *trimDump) error {
	if a.ui.json {
		if err := a.ui.resultJSON(a.trimJSON(d)); err != nil {
			return err
		}
		for _, b := range d.Blocks {
			if err := a.ui.resultJSON(blockJSON{"block", b.Offset, b.Partition, b.Part, b.Size, b.Right}); err != nil {
				return err
			}
		}
		for _, u := range d.Stored {
			if err := a.ui.resultJSON(a.unitJSON(u)); err != nil {
				return err
			}
		}
		return nil
	}
	a.showTrimHead(d)
	a.ui.result("\n")
	for _, b := range d.Blocks {
		state := "checksum right"
		if !b.Right {
			state = "CHECKSUM WRONG"
		}
		a.ui.result("block %2d at 0x%06X  partition %d (%s), part %d, %s, %s\n", b.Offset/int64(d.BlockSize), b.Offset,
			b.Partition, trimarea.PartitionName(b.Partition), b.Part, size(int64(b.Size)), state)
	}
	units := slices.Clone(d.Stored)
	slices.SortStableFunc(units, func(a, b trimarea.Stored) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Number, b.Number))
	})
	last := 0
	for _, u := range units {
		if u.Partition != last {
			last = u.Partition
			a.ui.result("\nPartition %d (%s)\n", last, trimarea.PartitionName(last))
		}
		a.showUnit(u)
	}
	return nil
}

// showUnit prints a unit in two lines: what it is called and holds, and what it is for.
func (a *app) showUnit(u trimarea.Stored) {
	m, _ := trimarea.Describe(u.Partition, u.Number)
	content := "(masked)"
	if len(u.Data) == 0 || !m.Secret || a.showIDs {
		content = contentText(u.Data, 120)
	}
	switch {
	case u.Deleted:
		content = "deleted, " + content
	case u.Older:
		content = "older copy, " + content
	}
	a.ui.hanging(fmt.Sprintf("  %5d %-19s ", u.Number, cmp.Or(m.Name, "?")), fmt.Sprintf("%d B, %s", len(u.Data), content))
	a.ui.hanging("        ", m.Text+dangerText(m.Danger))
}

// contentText shows what a unit holds, cut to a number of characters.
func contentText(data []byte, most int) string {
	switch {
	case len(data) == 0:
		return "(empty)"
	case strings.Trim(string(data), "\x00") == "":
		return "(zeros)"
	}
	text := unitText(data)
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}

func dangerText(d trimarea.Danger) string {
	switch d {
	case trimarea.DangerNever:
		return "; never written by xflash"
	case trimarea.DangerVendor:
		return "; written only from Sony's own files"
	}
	return ""
}

// trimJSON is the head of every answer in JSON.
func (a *app) trimJSON(d *trimDump) map[string]any {
	imeis := []string{}
	for _, n := range d.ID.IMEIs {
		imeis = append(imeis, a.masked(n))
	}
	faults := d.faults()
	return map[string]any{
		"type": "trim-area", "file": d.path, "container": d.Container, "size": len(d.Data), "block_size": d.BlockSize,
		"whole": len(faults) == 0, "faults": faults,
		"model": d.ID.Model, "serial": a.masked(d.ID.Serial), "imei": imeis, "hw_config": d.HardwareText(),
	}
}

// showTrimHead prints what a backup is, of which phone, and everything that is wrong.
func (a *app) showTrimHead(d *trimDump) {
	a.ui.result("%s\n", wrap(printable(d.title()), a.ui.width(), "  "))
	line := func(key, value string) {
		a.ui.hanging(fmt.Sprintf("  %-10s ", key), value)
	}
	faults := d.faults()
	if len(faults) == 0 {
		line("whole", d.wholeText())
	} else {
		line("whole", "NO: "+countOf(len(faults), "fault"))
	}
	for _, f := range faults {
		line("fault", f)
	}
	if d.MD5 != "" && d.MD5 == d.Sum {
		line("md5", "the image has the checksum that the backup records")
	}
	if missing := trimarea.MissingMarks(d.Data); len(missing) > 0 && d.HasBlocks() {
		line("note", "the texts "+strings.Join(missing, ", ")+", which a real trim area holds, are missing")
	}
	line("model", orUnknown(d.ID.Model, "unit 2210 does not tell"))
	line("serial", orUnknown(a.masked(d.ID.Serial), "unit 4900 is missing"))
	for _, n := range d.ID.IMEIs {
		line("imei", a.masked(n)+" (without its check digit)")
	}
	line("hw config", d.HardwareText())
}

// wholeText says what proves that nothing is wrong.
func (d *trimDump) wholeText() string {
	if !d.HasBlocks() {
		return "yes: " + countOf(len(d.Stored), "unit") + ", each as long as its line says; the text has no checksums"
	}
	return "yes: " + countOf(len(d.Blocks), "block") + " in use, each with the right checksum"
}

func orUnknown(value, why string) string {
	if value == "" {
		return "not known: " + why
	}
	return value
}
