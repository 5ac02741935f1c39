package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/trimarea"
	"xflash/usbproto"
	"xflash/usbproto/s1"
)

func newInfoCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "info",
		Short: "ask a phone in flash mode about itself, and explain its answers",
		Long: `Asks a phone in flash mode about itself and explains each answer. It writes nothing
to the phone. Serial number, IMEI and chip id are masked; --show-ids shows them.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			p, err := a.flashPhone(ctx, usbproto.FlashModes...)
			if err != nil {
				return err
			}
			defer func() { err = p.close(err) }()
			if p.mode == usbproto.ModeFlash2017 {
				return a.commandInfo(ctx, p)
			}
			s, err := s1.Open(ctx, p.conn, s1.Options{})
			if err != nil {
				return err
			}
			units, err := a.unitRows(ctx, s)
			if err != nil {
				return err
			}
			return a.showInfo(s.Info(), units)
		},
	}
}

// infoRow is one answer with its meaning.
type infoRow struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Meaning string `json:"meaning,omitempty"`
}

// answerRows says what a phone tells of itself, and what each answer means: a protocol, a key and
// its meaning in each row. A phone of 2010 to 2016 lists its keys, of which one ends with _1 for
// the first and usually only subsystem (usbproto/s1/PROTOCOL.md §4.2, internal/explain/ERRORS.md
// §3.2); a later one is asked for each, in this order (usbproto/command/PROTOCOL.md §2.5).
//
//go:embed answers.tsv
var answerRows string

// knownAnswers are the rows of one protocol, without values.
func knownAnswers(protocol string) (rows []infoRow) {
	for line := range strings.Lines(answerRows) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); f[0] == protocol {
			rows = append(rows, infoRow{Key: f[1], Meaning: f[2]})
		}
	}
	return rows
}

func (a *app) infoRows(info *s1.Info) []infoRow {
	var rows []infoRow
	meanings := map[string]string{}
	for _, r := range knownAnswers("s1") {
		meanings[r.Key] = r.Meaning
	}
	for _, key := range info.Keys() {
		value, _ := info.Get(key)
		if s1.Secret(key) {
			value = a.masked(value)
		}
		rows = append(rows, infoRow{key, printable(value), meaning(key, info, meanings)})
	}
	return rows
}

// meaning explains a key, and what its value means for a restore where that is known.
func meaning(key string, info *s1.Info, meanings map[string]string) string {
	text, ok := meanings[key]
	if i := strings.LastIndexByte(key, '_'); !ok && i > 0 {
		text, ok = meanings[key[:i]]
	}
	if !ok {
		return "not known to xflash"
	}
	if key == "HW_CONFIG" {
		if roles, _ := info.HWConfig(); len(roles) == 0 {
			return text + ". It is empty: the phone has lost this record and will refuse all firmware (see: xflash explain 80080021)"
		}
	}
	return text
}

// shownUnits are trim-area units worth reading in a diagnosis.
var shownUnits = []uint32{2210, 2202, 2205, 2206, 2207, 2209, 4900, 10021, 10100}

func (a *app) unitRows(ctx context.Context, s *s1.Session) ([]infoRow, error) {
	var refusal *s1.Refusal
	if err := s.OpenTA(ctx, 2); errors.As(err, &refusal) {
		return []infoRow{{"trim area", "refused", "the phone cannot open its trim area: " + printable(refusal.Raw)}}, nil
	} else if err != nil {
		return nil, err
	}
	var rows []infoRow
	for _, unit := range shownUnits {
		data, err := s.ReadUnit(ctx, unit)
		absent := ""
		if errors.As(err, &refusal) {
			absent = "(not there)"
		} else if err != nil {
			return nil, err
		}
		rows = append(rows, a.unitRow(unit, data, absent))
	}
	if err := s.CloseTA(ctx); err != nil && !errors.As(err, &refusal) {
		return nil, err
	}
	return rows, nil
}

// unitRow is a unit with its meaning; absent is why there is no content.
func (a *app) unitRow(unit uint32, data []byte, absent string) infoRow {
	m, _ := trimarea.Describe(trimarea.Misc, unit)
	value := unitText(data)
	if m.Secret {
		value = a.masked(value)
	}
	return infoRow{fmt.Sprintf("unit %d", unit), cmp.Or(absent, value), m.Text}
}

// unitText shows a unit as text when it is one, else as hexadecimal digits.
func unitText(data []byte) string {
	text := strings.TrimRight(string(data), "\x00")
	for _, b := range []byte(text) {
		if b < ' ' || b > '~' {
			text = ""
		}
	}
	if text == "" {
		return fmt.Sprintf("%X", data[:min(len(data), 32)])
	}
	return text
}

func (a *app) showInfo(info *s1.Info, units []infoRow) error {
	rows := a.infoRows(info)
	if a.ui.json {
		return a.ui.resultJSON(map[string]any{"type": "info", "info": rows, "units": units})
	}
	stage := "its boot stage answers"
	if info.Stage() == s1.StageLoader {
		stage = "a loader answers"
	}
	a.ui.result("The phone is in flash mode; %s.\n\n", stage)
	a.showRows(rows, units)
	return nil
}

func (a *app) showRows(lists ...[]infoRow) {
	for _, list := range lists {
		for _, r := range list {
			a.ui.hanging(fmt.Sprintf("%-18s ", r.Key), strings.ReplaceAll(cmp.Or(r.Value, "(empty)"), ",", ", "))
			if r.Meaning != "" {
				a.ui.hanging("    ", r.Meaning)
			}
		}
		a.ui.result("\n")
	}
}
