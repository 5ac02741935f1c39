package fastboot

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Hazard is what makes a command more than its caller may send unasked.
type Hazard string

// The hazards.
const (
	HazardUnlock   Hazard = "unlock"   // erases the phone and its DRM keys for good
	HazardLock     Hazard = "lock"     // a loader that is locked starts Sony's kernel only
	HazardErase    Hazard = "erase"    // data are lost
	HazardWrite    Hazard = "write"    // something is written that nobody looked at
	HazardIdentity Hazard = "identity" // touches what makes the phone the one it is
	HazardUnknown  Hazard = "unknown"  // nobody here knows what the loader does
)

// Forbidden is the error of a command that the client never sends.
type Forbidden struct {
	Command string // unlock codes masked
	Hazard  Hazard
	Why     string
}

func (e *Forbidden) Error() string { return fmt.Sprintf("%q is never sent: %s", e.Command, e.Why) }

// Question is the error of a command that the owner of the phone must agree to first.
// Client.Agree is the answer yes.
type Question struct {
	Command string // unlock codes masked
	Hazard  Hazard
	Why     string
	command string // normalised
}

func (e *Question) Error() string { return fmt.Sprintf("%q needs confirmation: %s", e.Command, e.Why) }

// Agree lets the command of a question pass from now on.
func (c *Client) Agree(q *Question) { c.agreed = append(c.agreed, q.command) }

// guard is the last look at a command before it is sent.
func (c *Client) guard(command string) error {
	err := Judge(command)
	if q, ok := err.(*Question); ok && slices.Contains(c.agreed, q.command) {
		return nil
	}
	return err
}

// harmless are the commands of makers, and of "flashing", that read or that set something
// without consequence (PROTOCOL.md §3.2).
var harmless = []string{
	"oem device-info", "oem enable-charger-screen", "oem disable-charger-screen", "oem help",
	"oem get_unlock_data", "oem get_unlock_ability", "oem get_identifier_token", "oem lock-state info",
	"flashing get_unlock_ability",
}

// neverWritten are partitions that hold the identity of one phone, or its guard against
// thieves, on phones of any maker. No file brings a lost one back.
var neverWritten = []string{
	"ta", "trimarea", "trim-area", "modemst1", "modemst2", "fsg", "fsc", "persist", "persistent", "frp", "config",
	"nvram", "nvdata", "proinfo", "pro_info", "seccfg", "devinfo", "keystore", "misc", "protect1", "protect2", "protect_f", "protect_s", "efs", "sec_efs", "ddr",
}

// plain are the words of the protocol that cmd, or the loader, has judged already, or that
// read. A name after "flash:" or "erase:" is looked at on top of that.
var plain = []string{
	"getvar:", "download:", "upload", "flash:", "erase:", "boot", "continue", "reboot", "reboot-bootloader", "reboot-recovery",
	"reboot-fastboot", "powerdown", "shutdown", "set_active:", "fetch:", "create-logical-partition:", "resize-logical-partition:",
}

// Judge says whether a command may be sent: nil for yes, a *Question for one that the owner
// must agree to, a *Forbidden for one that is never sent, ErrCommand or ErrCommandTooLong for
// one that no loader would take. Case, blanks and the way the words were quoted make no
// difference.
func Judge(command string) error {
	if err := checkCommand(command); err != nil {
		return err
	}
	line := strings.Join(strings.Fields(strings.ToLower(command)), " ")
	shown := Masked(strings.Join(strings.Fields(command), " "))
	verb, rest, _ := strings.Cut(line, " ")
	if verb == "oem" || verb == "flashing" {
		return judgeMaker(line, rest, shown)
	}
	for _, word := range plain {
		name, ok := strings.CutPrefix(line, word)
		switch {
		case !ok, !strings.HasSuffix(word, ":") && name != "":
			continue
		case (word == "flash:" || word == "erase:") && protected(name):
			return &Forbidden{shown, HazardIdentity, "the partition holds the identity of this one phone, and nothing can restore it"}
		}
		return nil
	}
	hazard, why := HazardUnknown, "it is unknown what the loader does on it"
	if strings.HasPrefix(line, "delete-") || strings.HasPrefix(line, "snapshot-update") || strings.HasPrefix(line, "gsi") || strings.HasPrefix(line, "update-super") {
		hazard, why = HazardErase, "it removes a system from the phone"
	}
	return &Question{shown, hazard, why, line}
}

// protected tells whether a partition, named with or without slot and offset, is on the
// list.
func protected(name string) bool {
	name, _, _ = strings.Cut(strings.TrimSpace(name), ":")
	name = strings.TrimSuffix(strings.TrimSuffix(name, "_a"), "_b")
	return slices.Contains(neverWritten, name)
}

// judgeMaker is Judge for a command of the maker's own. rest is what follows the verb.
func judgeMaker(line, rest, shown string) error {
	if slices.Contains(harmless, line) {
		return nil
	}
	var unlock, lock, erase, write, identity bool
	for _, word := range strings.FieldsFunc(rest, func(r rune) bool { return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_') }) {
		identity = identity || protected(word)
		for _, part := range strings.Split(word, "_") {
			switch {
			case strings.Contains(part, "unlock"):
				unlock = true
			case strings.HasPrefix(part, "lock"), strings.HasPrefix(part, "relock"), part == "flashlock", part == "oemlock":
				lock = true
			}
			erase = erase || has(part, "erase", "wipe", "format", "clear", "clean", "reset", "delete", "factory", "trim")
			write = write || has(part, "flash", "write", "program", "burn", "fuse", "update", "repair", "patch")
		}
	}
	switch {
	case identity && (erase || write):
		return &Forbidden{shown, HazardIdentity, "it names data that holds the identity of this one phone, and nothing can restore it"}
	case lock:
		return &Forbidden{shown, HazardLock, "a locked loader starts only Sony's own kernel, so a phone with another kernel would no longer start"}
	case unlock:
		return &Question{shown, HazardUnlock, "unlocking erases the phone and its DRM keys for good", line}
	case erase:
		return &Question{shown, HazardErase, "it erases something, and the loader does not ask first", line}
	case write:
		return &Question{shown, HazardWrite, "it writes data that xflash cannot check", line}
	}
	return &Question{shown, HazardUnknown, "it is a command of the maker, and its effect is unknown", line}
}

// has tells whether one of the stems is in a word.
func has(word string, stems ...string) bool {
	return slices.ContainsFunc(stems, func(s string) bool { return strings.Contains(word, s) })
}

// maker tells whether a command is one of the maker's own, or "flashing".
func maker(command string) bool {
	line := strings.ToLower(strings.TrimSpace(command))
	return strings.HasPrefix(line, "oem") || strings.HasPrefix(line, "flashing")
}

// codeWord is an unlock code, with 0x before it or not, or anything else that is long and hexadecimal.
var codeWord = regexp.MustCompile(`(?i)[0-9a-f]{8,}`)

// Masked is a command as it may be shown: of one of the maker's own, what could be an unlock
// code is covered.
func Masked(command string) string {
	if !maker(command) {
		return command
	}
	return codeWord.ReplaceAllStringFunc(command, cover)
}

func cover(code string) string { return strings.Repeat("x", len(code)) }

// covered is what a loader says about a command, without the code that the command had.
func covered(command, text string) string {
	if !maker(command) {
		return text
	}
	for _, code := range codeWord.FindAllString(command, -1) {
		text = regexp.MustCompile("(?i)"+code).ReplaceAllString(text, cover(code))
	}
	return text
}
