package main

import (
	"errors"

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
