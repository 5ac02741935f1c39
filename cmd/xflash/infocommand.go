package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"xflash/internal/trimarea"
	"xflash/usbproto/command"
)

// commandInfo is info for a phone of 2017 or later. Nothing is written.
func (a *app) commandInfo(ctx context.Context, p *flashPhone) error {
	s, err := a.commands(ctx, p, command.Options{})
	if err != nil {
		return err
	}
	rows, untold, err := a.variableRows(ctx, s)
	if err != nil {
		return err
	}
	storage, err := storageRows(ctx, s)
	if err != nil {
		return err
	}
	units, err := a.commandUnitRows(ctx, s)
	if err != nil {
		return err
	}
	battery, low, err := batteryOf(ctx, s)
	if err != nil {
		return err
	}
	if a.ui.json {
		return a.ui.resultJSON(map[string]any{"type": "info", "mode": p.mode.String(), "info": append(rows, storage...), "units": units,
			"untold": append([]string{}, untold...), "battery": battery, "battery_low": low})
	}
	a.ui.result("The phone is in the flash mode of 2017 and later.\n\n")
	a.showRows(rows, storage, units)
	if len(untold) > 0 {
		a.ui.hanging("not reported       ", strings.Join(untold, ", ")+": this boot loader does not know them, which is normal")
	}
	a.ui.hanging("battery            ", battery)
	if low {
		a.ui.warn("the battery is low: charge the phone before you write to it")
	}
	return nil
}

// variableRows are the variables that the phone tells, and the names of those it does not.
func (a *app) variableRows(ctx context.Context, s *command.Session) (rows []infoRow, untold []string, err error) {
	for _, row := range knownAnswers("command") {
		value, err := s.Var(ctx, row.Key)
		var refused *command.Refusal
		switch {
		case errors.As(err, &refused) && refused.Unsupported():
			untold = append(untold, row.Key)
			continue
		case errors.As(err, &refused):
			value = "(refused: " + refused.Text + ")"
		case err != nil:
			return nil, nil, err
		case command.Secret(row.Key):
			value = a.masked(value)
		}
		row.Value = printable(value)
		rows = append(rows, row)
	}
	return rows, untold, nil
}

// storageRows are what the phone trusts and what it stores on.
func storageRows(ctx context.Context, s *command.Session) (rows []infoRow, err error) {
	row := func(key, value, meaning string) { rows = append(rows, infoRow{key, printable(value), meaning}) }
	var refused *command.Refusal
	hash, err := s.RootKeyHash(ctx)
	switch {
	case errors.As(err, &refused):
		row("root key hash", "(refused: "+refused.Text+")", "")
	case err != nil:
		return nil, err
	default:
		row("root key hash", hex.EncodeToString(hash), "hash of the platform's root key; selects the boot set")
	}
	kind, units, err := s.Storage(ctx)
	switch {
	case errors.As(err, &refused):
		row("storage", "(refused: "+refused.Text+")", "")
	case err != nil:
		return nil, err
	}
	for _, l := range units {
		key, note := fmt.Sprintf("LUN %d", l.Number), "logical unit of the UFS storage"
		if kind == "emmc" {
			key, note = "eMMC", "size of the storage"
		}
		row(key, fmt.Sprintf("%s (%d KiB)", size(l.Size()), l.Size()>>10), note)
	}
	return rows, nil
}

// commandUnitRows are the units of the trim area that are worth reading in a diagnosis.
func (a *app) commandUnitRows(ctx context.Context, s *command.Session) (rows []infoRow, err error) {
	for _, unit := range shownUnits {
		data, err := s.ReadTA(ctx, trimarea.Misc, unit)
		var refused *command.Refusal
		absent := ""
		switch {
		case errors.As(err, &refused) && refused.NoUnit():
			absent = "(not there)"
		case errors.As(err, &refused):
			absent = "(refused: " + printable(refused.Text) + ")"
		case err != nil:
			return nil, err
		}
		rows = append(rows, a.unitRow(unit, data, absent))
	}
	return rows, nil
}

// batteryOf is the state of the battery in words, and whether it is too low to write.
func batteryOf(ctx context.Context, s *command.Session) (words string, low bool, err error) {
	value, err := s.Var(ctx, "Battery")
	var refused *command.Refusal
	if err != nil && !errors.As(err, &refused) {
		return "", false, err
	}
	b, ok := command.ParseBattery(value)
	switch {
	case refused != nil:
		return "the phone does not tell: charge it to at least half before you write to it", false, nil
	case !ok:
		return fmt.Sprintf("%q, which is neither percent nor millivolts: charge the phone to at least half before you write to it", value), false, nil
	}
	return b.String(), b.Low(), nil
}
