package capture_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"xflash/usbproto/capture"
)

// masked is what a masked capture holds of an answer that comes in these transfers.
func masked(t *testing.T, command string, transfers ...string) string {
	t.Helper()
	mask := capture.CommandMask()
	mask.Host([]byte(command))
	all := ""
	for _, text := range transfers {
		b := []byte(text)
		if !mask.Phone(b) {
			t.Fatal("it waits")
		}
		if len(b) != len(text) {
			t.Fatal("the length changed")
		}
		all += string(b)
	}
	return all
}

// bytewise cuts a text into transfers of one byte.
func bytewise(text string) []string { return strings.Split(text, "") }

func TestCommandMask(t *testing.T) {
	unit := func(number uint32, data string) string {
		b := binary.BigEndian.AppendUint32(nil, number)
		return string(binary.BigEndian.AppendUint32(b, uint32(len(data)))) + data
	}
	units := unit(2210, "G8341") + unit(4900, "QV7SECRET1") + unit(10100, "\x01") + unit(66667, "\x00\x01KEY") + unit(2486, "")
	hidden := unit(2210, "G8341") + unit(4900, "XXXXXXXXXX") + unit(10100, "\x01") + unit(66667, "XXXXX") + unit(2486, "")
	data := func(b string) string { return fmt.Sprintf("DATA%08x%sOKAY", len(b), b) }
	for _, c := range []struct{ command, answer, want string }{
		{"getvar:product", "OKAYXQ-BC72", "OKAYXQ-BC72"},
		{"getvar:has-slot:boot_a", "OKAYyes", "OKAYyes"},
		{"getvar:Rollback-index:0", "OKAY12", "OKAY12"},
		{"getvar:serialno", "OKAYQV7SECRET1", "OKAYXXXXXXXXXX"},
		{"getvar:Phone-id", "OKAY0000:49901064000000", "OKAY0000:00000000000000"},
		{"getvar:Device-id", "OKAY5AFEC0DE", "OKAY00000000"},
		{"getvar:Soc-unique-id", "OKAY0011223344556677", "OKAY0000000000000000"},
		{"getvar:whatever", "OKAYQV7SECRET1", "OKAYXXXXXXXXXX"},
		{"getvar:serialno", "FAILserialno not supported", "FAILserialno not supported"},
		{"Get-root-key-hash", data("0123456789"), data("0123456789")},
		{"Get-ufs-info", data("descriptors"), data("descriptors")},
		{"Get-gpt-info:0", data("with GUIDs"), data("XXXXXXXXXX")},
		{"Read-TA:2:2210", data("G8341"), data("G8341")},
		{"Read-TA:2:4900", data("QV7SECRET1"), data("XXXXXXXXXX")},
		{"Read-TA:1:2210", data("calib"), data("XXXXX")},
		{"Read-TA:2:4900", "FAILUnable to read TA unit 4900, error=-22", "FAILUnable to read TA unit 4900, error=-22"},
		{"Read-all-TA:2", data(units), data(hidden)},
		{"Getlog", data("IMEI 49901064000000"), data("XXXXXXXXXXXXXXXXXXX")},
		{"Read-partition:modemst1", data("secret"), data("XXXXXX")},
		{"erase:boot_a", "OKAY", "OKAY"},
		{"erase:boot_a", "FAILsim: no", "FAILsim: no"},
		{"download:00000001", "DATA00000001", "DATA00000001"},
		{"Made-up:1", "OKAYQV7SECRET1", "OKAYXXXXXXXXXX"},
		{"getvar:product", "QV7SECRET1", "QV7SXXXXXX"}, // no answer at all: four letters that are none
	} {
		for how, transfers := range map[string][]string{"whole": {c.answer}, "bytewise": bytewise(c.answer)} {
			got := masked(t, c.command, transfers...)
			if strings.HasPrefix(c.answer, "QV7") && strings.Contains(got, "ECRET1") {
				t.Errorf("%s: %q", c.command, got)
			} else if !strings.HasPrefix(c.answer, "QV7") && got != c.want && !(how == "bytewise" && unlike(got, c.want)) {
				t.Errorf("%s %s: got %q, want %q", c.command, how, got, c.want)
			}
		}
	}
	// In several transfers, and with the NUL that some phones send.
	if got := masked(t, "Read-TA:2:4900", "DATA0000000a\x00", "QV7SECRET1", "OKAY"); got != "DATA0000000a\x00XXXXXXXXXXOKAY" {
		t.Errorf("%q", got)
	}
	if got := masked(t, "Read-TA:2:2210", "DATA00000005", "G8341OKAY"); got != "DATA00000005G8341OKAY" {
		t.Errorf("%q", got)
	}
}

// unlike allows the fill character to differ: of a word that comes in pieces it is unknown whether it is a number.
func unlike(got, want string) bool {
	return strings.Map(flat, got) == strings.Map(flat, want) && !strings.Contains(got, "SECRET")
}

func flat(r rune) rune {
	if r == 'X' {
		return '0'
	}
	return r
}

// What a host sends is its own, but for what it gives to commands that nobody knows.
func TestCommandMaskOfTheHost(t *testing.T) {
	mask := capture.CommandMask()
	say := func(text, want string) {
		t.Helper()
		b := []byte(text)
		mask.Host(b)
		if string(b) != want {
			t.Errorf("%q became %q", text, b)
		}
	}
	hear := func(text string) { mask.Phone([]byte(text)) }
	say("download:0000000a", "download:0000000a")
	hear("DATA0000000a")
	say("getva", "getva") // data that look like a command
	say("r:ser", "r:ser")
	hear("OKAY")
	say("Secret-word:49901064000000", "Secret-word:00000000000000")
}
