package main

import (
	"cmp"
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
			if p.mode == usbproto.ModeFlash2017 {
				return a.commandInfo(ctx, p)
			}
			c, err := p.s1(ctx, s1.Options{})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.Close()) }()
			rows := a.infoRows(c.Info())
			units, err := a.unitRows(cmd, c.Session)
			if err != nil {
				return err
			}
			return a.showInfo(c.Info(), rows, units)
		},
	}
}

// infoRow is one answer with its meaning.
type infoRow struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Meaning string `json:"meaning,omitempty"`
}

// keyMeanings explains the keys of usbproto/s1/PROTOCOL.md §4.2 and internal/explain/ERRORS.md
// §3.2. A key ends with _1 for the first and usually only subsystem.
var keyMeanings = map[string]string{
	"TYPE":            "the program that answers: S1_BOOT is in the phone, S1_LOADER was sent to it",
	"ID":              "product number of the loader",
	"VER":             "version of the program that answers",
	"PROT_VER":        "version of the flash protocol",
	"MAX_PKT_SZ":      "longest packet it accepts, in bytes, hexadecimal",
	"IGNORE_CRC":      "the phone does not check these checksums",
	"S1_ROOT":         "roots that the phone trusts: one of them must have signed the firmware",
	"ACTIVE_COMP_AID": "security version of the running program",
	"HWCONF_AID":      "lowest security version of a hardware configuration it accepts",
	"LOADER_AID":      "lowest security version of a loader it accepts",
	"BOOT_AID":        "lowest security version of a boot program it accepts",
	"DEF_SEC":         "ON: signatures are checked",
	"SEC_STATE":       "security state",
	"GLOB_SEC":        "global security bits of the hardware configuration",
	"AUTH_LEVEL":      "NONE: no service authentication, the normal state",
	"AUTH_MET":        "method of service authentication",
	"OTP_LOCK_STATUS": "fuses of the chip: LOCKED in every phone from a shop",
	"OTP_DATA":        "fuse data; selects the boot set",
	"IDCODE":          "chip; selects the boot set",
	"PLF_ROOT":        "hash of the platform's root key; selects the boot set",
	"PLF_ROOT_HASH":   "hash of the platform's root key",
	"UNIQUE_DEV_ID":   "number of this chip",
	"NO_SUB_SYSTEMS":  "number of subsystems",
	"HW_CONFIG":       "who may sign what for this phone: role, lowest version, rights",
	"HW_CONFIG_VER":   "version of the hardware-configuration record",
	"HW_CONFIG_INFO":  "details of the hardware-configuration record",
	"PROD_ID":         "product number",
	"IMEI":            "first 14 digits of the IMEI",
	"PHONE_ID":        "IMEI of each radio",
	"MSN":             "serial number",
	"ROOTING_STATUS":  "ROOTED: the boot loader is unlocked; ROOTABLE: it is locked and can be unlocked",
	"MEMDEVS":         "storage chips",
	"S1SBL_VER":       "version of the boot loader",
}

func (a *app) infoRows(info *s1.Info) []infoRow {
	var rows []infoRow
	for _, key := range info.Keys() {
		value, _ := info.Get(key)
		if s1.Secret(key) {
			value = a.masked(value)
		}
		rows = append(rows, infoRow{key, printable(value), meaning(key, info)})
	}
	return rows
}

// meaning explains a key, and what its value means for a restore where that is known.
func meaning(key string, info *s1.Info) string {
	text, ok := keyMeanings[key]
	if !ok {
		if i := strings.LastIndexByte(key, '_'); i > 0 {
			text, ok = keyMeanings[key[:i]]
		}
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

func (a *app) unitRows(cmd *cobra.Command, s *s1.Session) ([]infoRow, error) {
	ctx := cmd.Context()
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

func (a *app) showInfo(info *s1.Info, rows, units []infoRow) error {
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
			a.ui.result("%-18s %s\n", r.Key, wrap(strings.ReplaceAll(cmp.Or(r.Value, "(empty)"), ",", ", "), a.ui.width()-19, strings.Repeat(" ", 19)))
			if r.Meaning != "" {
				a.ui.result("    %s\n", wrap(r.Meaning, a.ui.width()-4, "    "))
			}
		}
		a.ui.result("\n")
	}
}
