package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"xflash/fastboot"
)

// hostile is what a phone may answer: it clears the screen, hides what follows, turns the
// direction of the line and sets a title.
const hostile = "no\x1b[2J\r\u009b31m\u202egnp.exe\u2066\x07 \x1b]0;title\x9c"

// Whatever a phone says reaches a terminal and JSON without characters that do more than
// being shown, and JSON keeps its value.
func TestTextOfAPhoneIsFiltered(t *testing.T) {
	failures := map[string]*failure{
		"FAIL":   classify(&fastboot.Refusal{Command: "flash:system", Text: hostile}),
		"plain":  classify(errors.New(hostile)),
		"hinted": {what: "x", text: hostile, hints: []string{hostile}},
	}
	for name, f := range failures {
		for _, asJSON := range []bool{false, true} {
			var out, err strings.Builder
			ui := &terminal{out: &out, err: &err, json: asJSON, errTTY: true}
			ui.fail(f)
			ui.result("%s\n", hostile)
			ui.say("%s", hostile)
			ui.warn("%s", hostile)
			ui.moveLine(hostile)
			all := out.String() + err.String()
			for _, bad := range []string{"\x1b[2J", "\x1b]", "\u009b", "\u202e", "\u2066", "\x07", "\x9c"} {
				if strings.Contains(all, bad) {
					t.Errorf("%s, json %t: %q gets through", name, asJSON, bad)
				}
			}
		}
	}
	var out strings.Builder
	ui := &terminal{out: &out, json: true}
	want := "\u202e\u009b\U000e0001"
	if err := ui.resultJSON(want); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
