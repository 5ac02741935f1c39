package main

import (
	"errors"
	"fmt"
	"strings"

	"xflash/internal/restore"
	"xflash/internal/text"
	"xflash/usbproto/command"
)

// replugHint starts flash mode again.
const replugHint = "unplug the phone, hold Power and Volume Up for ten seconds until it is off, then hold Volume Down and plug it in again"

// commandFailure is an error of the flash protocol of 2017 and later in words, nil for other errors.
func commandFailure(err error) *failure {
	var refusal *command.Refusal
	var forbidden *command.Forbidden
	var large *command.TooLargeError
	var silent *command.SilentError
	var late *command.BudgetError
	var odd *command.AnswerError
	var stray *command.StrayError
	var broken *command.TransferError
	switch {
	case errors.As(err, &refusal):
		return loaderRefused(printable(refusal.Error()), refusal.Text, refusal.Command)
	case errors.As(err, &forbidden):
		return &failure{exit: exitPolicy, code: "forbidden", what: forbidden.Error()}
	case errors.As(err, &large):
		return &failure{exit: exitPolicy, code: "too-large", what: large.Error()}
	case errors.As(err, &silent):
		return &failure{exit: exitBroken, code: "silent", what: silent.Error(),
			hints: []string{replugHint, "use another port on the computer itself, without a hub, preferably a USB 2 port"}}
	case errors.As(err, &late):
		return &failure{exit: exitBroken, code: "broken", what: late.Error(), hints: []string{replugHint}}
	case errors.As(err, &odd):
		return &failure{exit: exitUnknown, code: "protocol", what: printable(odd.Error()), hints: []string{replugHint}}
	case errors.As(err, &stray):
		return &failure{exit: exitUnknown, code: "protocol", what: printable(stray.Error()), hints: []string{replugHint}}
	case errors.As(err, &broken):
		return brokenFailure(err, broken.Command, false)
	}
	return nil
}

// commandStep is a step that a phone of 2017 or later did not carry out: the file and the piece
// of it, the phone's own words, and what they mean.
func commandStep(e *restore.StepError) *failure {
	f := commandFailure(e.Err)
	what := e.Step.Title() + " failed"
	var chunk *restore.ChunkError
	if errors.As(e.Err, &chunk) {
		what += fmt.Sprintf(" at %s of %s", printable(chunk.Chunk), printable(chunk.File))
	}
	f.what = what + ": " + f.what
	if line := lastLine(e.Log); line != "" {
		f.text = strings.TrimLeft(strings.TrimRight(f.text, "\n")+"\n  "+wrap("The boot loader's log ends with: "+line, 76, "  "), "\n")
	}
	if e.Begun {
		f.hints = append(f.hints, "when the cause is gone, "+resumeHint)
	}
	return f
}

// lastLine is the last line of a boot loader's log, cut to what fits into a message.
func lastLine(log []byte) string {
	lines := strings.Split(strings.TrimRight(string(log), "\n\r \x00"), "\n")
	line := []rune(text.MaskIdentity(text.Clean(strings.TrimSpace(lines[len(lines)-1]))))
	if len(line) > 200 {
		line = line[len(line)-200:]
	}
	return string(line)
}
