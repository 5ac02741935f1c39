package capture

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"xflash/usbproto/command"
)

// CommandMask masks what goes over in the flash mode of 2017 and later: the values of variables that may identify a phone,
// the contents of trim-area units but for a few that are the same on many phones, and what is read out of the storage.
func CommandMask() Masker { return &commandMask{} }

// publicData are commands whose data are the same on every phone of a model.
var publicData = []string{"Get-root-key-hash", "Get-ufs-info", "Get-emmc-info"}

// hostCommands are those without an answer that could identify a phone; their arguments are the host's own.
var hostCommands = []string{
	"download", "signature", "erase", "flash", "Repartition", "Write-TA", "set_active", "Sync", "powerdown", "continue", "reboot",
	"Reboot-bootloader", "reboot-bootloader", "reboot-fastboot", "reboot-recovery",
}

// commandMask follows both directions as streams: where a transfer ends matters only for the text of an answer, which the
// host's next command ends.
type commandMask struct {
	host     int64 // bytes of a download that the host has still to send
	upload   bool  // the command sends data to the phone
	text     bool  // the text of an answer may be shown
	mask     func([]byte)
	units    unitMask
	head     []byte // the start of an answer, as far as it came
	data     int64  // bytes of data that the phone has still to send
	answered bool   // what comes is the text of an answer
	shown    bool   // and is shown
}

// Host follows the commands.
func (m *commandMask) Host(b []byte) {
	if m.host > 0 {
		m.host -= min(m.host, int64(len(b)))
		return
	}
	*m = commandMask{mask: hide}
	if len(b) > maxCommand {
		return
	}
	word, argument, _ := strings.Cut(string(b), ":")
	switch {
	case word == "getvar":
		m.text = !command.Secret(argument)
	case slices.Contains(hostCommands, word):
		m.upload, m.text = word == "download" || word == "signature", true
	case slices.Contains(publicData, word):
		m.mask = func([]byte) {}
	case word == "Read-TA":
		_, unit, _ := strings.Cut(argument, ":")
		if n, err := strconv.ParseUint(unit, 10, 32); err == nil && strings.HasPrefix(argument, "2:") && slices.Contains(openUnits, uint32(n)) {
			m.mask = func([]byte) {}
		}
	case word == "Read-all-TA":
		m.mask = func(b []byte) { m.units.mask(b) }
	case word == "Getlog", word == "Get-gpt-info", word == "Read-partition":
	default:
		overwrite(b[min(len(word)+1, len(b)):])
	}
}

// Phone masks as it comes. A refusal is shown: it says what went wrong, in the words of the boot loader.
func (m *commandMask) Phone(b []byte) bool {
	if len(m.head) == 0 && m.data == 0 && !m.answered {
		b = b[len(b)-len(bytes.TrimLeft(b, "\x00")):] // what a DATA in parts left
	}
	for len(b) > 0 {
		switch {
		case m.data > 0:
			n := min(m.data, int64(len(b)))
			if m.mask == nil {
				hide(b[:n])
			} else {
				m.mask(b[:n])
			}
			m.data, b = m.data-n, b[n:]
		case m.answered:
			if !m.shown {
				overwrite(b)
			}
			return true
		case len(m.head) < 4:
			m.head, b = append(m.head, b[0]), b[1:]
			if len(m.head) < 4 {
				continue
			}
			kind := string(m.head)
			m.answered = kind != "DATA"
			m.shown = kind == "FAIL" || kind == "OKAY" && m.text
			if kind == "FAIL" || kind == "OKAY" {
				m.host = 0
			}
		default:
			m.head, b = append(m.head, b[0]), b[1:]
			if len(m.head) < 12 {
				continue
			}
			n, err := strconv.ParseUint(string(m.head[4:]), 16, 32)
			m.head = nil
			switch {
			case err != nil:
				m.answered, m.shown = true, false
			case m.upload:
				m.host = int64(n)
			default:
				m.data = int64(n)
			}
			if len(b) == 1 && b[0] == 0 { // the 13th byte of some phones (usbproto/command/PROTOCOL.md §1.4)
				return true
			}
		}
	}
	return true
}

// Abandon has nothing to do: nothing waits.
func (m *commandMask) Abandon() {}
