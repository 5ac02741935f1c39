package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"xflash/usbproto"
	"xflash/usbproto/command"
)

// Errors of the newer flash protocol have an exit code, words and their own next step.
func TestCommandFailures(t *testing.T) {
	transfer := func(cause error) error {
		return &command.TransferError{Command: "flash:super", Err: &usbproto.TransferError{Op: "read", Device: "usb:1-2", Err: cause}}
	}
	for name, c := range map[string]struct {
		err  error
		exit int
		code string
		has  string // in words, text or hints
	}{
		"a known text":     {&command.Refusal{Command: "signature", Text: "Failed to verify cms"}, exitRefused, "refused", "another model"},
		"an unknown text":  {&command.Refusal{Command: "flash:super", Text: "sim: full"}, exitRefused, "refused", `"sim: full"`},
		"an unknown one":   {&command.Refusal{Command: "flash:super", Text: "sim: full"}, exitRefused, "refused", "on no known list"},
		"control bytes":    {&command.Refusal{Command: "Sync", Text: "\x1b[31mred"}, exitRefused, "refused", "Sync"},
		"a forbidden unit": {command.CheckUnit(2010, nil), exitPolicy, "forbidden", "SIM lock"},
		"too large":        {&command.TooLargeError{Size: 9, Limit: 8}, exitPolicy, "too-large", "larger than the 8"},
		"pending":          {&command.SilentError{Taken: true, Err: usbproto.ErrTimeout}, exitBroken, "silent", "rest of a download"},
		"no answer":        {&command.BudgetError{Command: "Sync", Limit: 10 * time.Minute}, exitBroken, "broken", "did not answer Sync within 10m"},
		"nonsense":         {&command.AnswerError{Command: "Sync", Got: "INFO\x1b", Reason: "an answer must start with OKAY"}, exitUnknown, "protocol", "unplug"},
		"out of step":      {&command.StrayError{Command: "erase:boot_a", Got: "OKAY"}, exitUnknown, "protocol", "out of step"},
		"unplugged":        {transfer(usbproto.ErrGone), exitBroken, "broken", "unplugged during flash:super"},
		"stopped":          {transfer(context.Canceled), exitInterrupted, "stopped", "stopped at once"},
	} {
		f := classify(fmt.Errorf("within: %w", c.err))
		all := f.what + "\n" + f.text + "\n" + strings.Join(f.hints, "\n")
		if f.exit != c.exit || f.code != c.code || !strings.Contains(strings.Join(strings.Fields(all), " "), c.has) {
			t.Errorf("%s: exit %d, code %q, %s", name, f.exit, f.code, all)
		}
		if strings.Contains(all, "\x1b") {
			t.Errorf("%s: an escape sequence in %q", name, all)
		}
	}
	if commandFailure(errors.New("something else")) != nil {
		t.Error("every error belongs to the protocol")
	}
}

// A FAIL means the same, and is as sure, in the command that met it and in explain.
func TestOneExplanationOfAFail(t *testing.T) {
	for _, text := range []string{"dtb not found", "unknown command", "GetVar Variable Not found", "Invalid Slot", "Failed to verify cms", "purple"} {
		f := loaderRefused("no", text, "getvar:x")
		exit, out, _ := door(t, "explain", "FAILED (remote: '"+text+"')")
		flat := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		if exit != exitOK || f.text == "" || !strings.Contains(flat(strings.ReplaceAll(out, "Meaning: ", "")), flat(f.text)) {
			t.Errorf("%s: the command says %q, explain %s", text, f.text, out)
		}
	}
}
