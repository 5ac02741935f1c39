package capture

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// FastbootMask masks what goes over in fastboot: the values of variables that may identify
// a phone, unlock codes, answers to commands that are unknown, and everything that is
// read out of the phone's storage.
func FastbootMask() Masker { return &fastbootMask{} }

type fastbootMask struct {
	secret   bool  // the answer to what was asked is a secret
	list     bool  // what was asked gives all variables, one a line
	reads    bool  // what was asked gives data of the phone
	download int64 // bytes of a download that the host has still to send
	upload   int64 // bytes that the phone has still to send
}

// openVariables start with these words: they are the same on every phone of a model, or
// its state. Everything else may identify a phone (fastboot/PROTOCOL.md §5).
var openVariables = []string{
	"version", "product", "variant", "kernel", "secure", "unlocked", "max-", "partition-", "has-slot", "slot-", "current-slot",
	"is-", "super-partition-name", "snapshot-", "battery", "off-mode-charge", "charger-screen-enabled", "hw-revision", "rollback-index",
}

func openVariable(name []byte) bool {
	text := strings.ToLower(strings.TrimSpace(string(name)))
	return slices.ContainsFunc(openVariables, func(word string) bool { return strings.HasPrefix(text, word) })
}

// openCommands tell nothing of the phone, and their arguments are the host's own.
var openCommands = []string{
	"download", "flash", "erase", "boot", "continue", "reboot", "reboot-bootloader", "reboot-recovery", "reboot-fastboot", "powerdown",
	"set_active", "signature", "create-logical-partition", "delete-logical-partition", "resize-logical-partition", "update-super",
	"snapshot-update", "gsi",
}

// maxCommand is the longest command, bytes; what is longer is not a command.
const maxCommand = 4096

// Host follows commands; the data of a download are the host's own. Unlock codes, and what
// is given to a command that is unknown, are overwritten.
func (m *fastbootMask) Host(b []byte) {
	if m.download > 0 {
		m.download -= min(m.download, int64(len(b)))
		return
	}
	m.secret, m.list, m.reads = false, false, false
	if len(b) > maxCommand {
		return
	}
	end := bytes.IndexAny(b, ": ")
	if end < 0 {
		end = len(b)
	}
	argument := b[min(end+1, len(b)):]
	switch word := string(b[:end]); {
	case word == "getvar":
		m.list = string(argument) == "all"
		m.secret = !m.list && !openVariable(argument)
	case word == "oem", word == "flashing":
		m.secret = word == "oem" // it is unknown what it tells
		if at := bytes.IndexByte(argument, ' '); at >= 0 && bytes.HasPrefix(argument, []byte("unlock")) {
			overwrite(argument[at:])
		}
	case word == "upload", word == "fetch":
		m.reads = true
	case !slices.Contains(openCommands, word):
		m.secret = true
		overwrite(argument)
	}
}

// Phone masks answers, each of which is one transfer.
func (m *fastbootMask) Phone(b []byte) bool {
	if m.upload > 0 {
		m.upload -= min(m.upload, int64(len(b)))
		clear(b)
		return true
	}
	if len(b) < 4 {
		overwrite(b)
		return true
	}
	switch text := b[4:]; string(b[:4]) {
	case "DATA":
		if n, err := strconv.ParseUint(string(text[:min(len(text), 8)]), 16, 32); err == nil && m.reads {
			m.upload = int64(n)
		} else if err == nil {
			m.download = int64(n)
		}
	case "OKAY", "FAIL":
		m.download = 0 // a refused one is over
		if m.secret {
			overwrite(text)
		}
	case "INFO", "TEXT":
		// A line of "getvar all" is "NAME: VALUE" or "NAME:VALUE".
		name, value, _ := bytes.Cut(text, []byte(":"))
		switch {
		case m.secret:
			overwrite(text)
		case m.list && !openVariable(name):
			overwrite(value)
		}
	default:
		overwrite(b)
	}
	return true
}

// Abandon has nothing to do: nothing waits.
func (m *fastbootMask) Abandon() {}
