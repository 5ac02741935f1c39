package explain

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"xflash/usbproto"
)

// ModeText is what people read about a mode.
type ModeText struct {
	Describe string // a sentence
	Off      string // how to switch the phone off from there
}

// Buttons: internal/phone/PHONES.md §8.1. Ten seconds of Power and Volume Up is how a phone
// without a removable battery is switched off.
const (
	offByMenu = "switch the phone off in its menu and unplug it"
	offByKeys = "unplug the phone and hold Power and Volume Up for ten seconds, until it has vibrated three times"
)

var modeTexts = [...]ModeText{
	usbproto.ModeUnknown: {"The USB id does not show what the phone is doing.",
		"switch the phone off; if it does not react, hold Power and Volume Up for ten seconds, until it has vibrated three times"},
	usbproto.ModeFlash:     {"The phone waits for firmware in Sony's flash mode.", offByKeys},
	usbproto.ModeFastboot:  {"The phone waits for commands in fastboot.", offByKeys},
	usbproto.ModeFlash2017: {"The phone waits for firmware in Sony's flash mode of 2017 and later. Fastboot commands do not work in it, though \"fastboot devices\" lists the phone, as ????????????.", offByKeys},
	usbproto.ModeMTP:       {"Android is running and offers its files.", offByMenu},
	usbproto.ModeDisc:      {"Android is running and offers the disc with Sony's PC software.", offByMenu},
	usbproto.ModeStorage:   {"Android is running and offers its memory card as a disk.", offByMenu},
	usbproto.ModeTether:    {"Android is running and shares its network.", offByMenu},
	usbproto.ModeADB:       {"Android or a recovery is running, with adb switched on.", offByMenu},
	usbproto.ModeEmergency: {"The phone is in a service mode below flash mode, which only Sony's own service tools speak.", offByKeys},
	usbproto.ModeEDL:       {"The phone's processor is in its emergency download mode, as when it finds no boot loader. Programs such as qdl and edl can talk to it, but need a programmer signed for this model.", offByKeys},
	usbproto.ModeDump:      {"The phone crashed and waits for a program to read its memory.", offByKeys},
	usbproto.ModeGeneric:   {"A boot loader that is not Sony's waits for fastboot commands; it may be lk2nd, or a phone of another maker.", offByKeys},
	usbproto.ModeOther:     {"The phone has an id of Sony's with no published meaning.", offByKeys},
}

// OfMode returns the words for a mode.
func OfMode(m usbproto.Mode) ModeText {
	if m < 0 || int(m) >= len(modeTexts) {
		m = usbproto.ModeUnknown
	}
	return modeTexts[m]
}

// KeysTo says how to get from a mode into flash mode (both kinds have the same keys) or
// fastboot; it is empty for modes that no key leads to.
func KeysTo(from, want usbproto.Mode) string {
	switch want {
	case usbproto.ModeFlash, usbproto.ModeFlash2017:
		return OfMode(from).Off + "; then hold Volume Down while you plug it in, and let go when its light is green"
	case usbproto.ModeFastboot:
		return OfMode(from).Off + "; then hold Volume Up while you plug it in, and let go when its light is blue"
	}
	return ""
}

// StepsTo says how to get a phone from one mode into another, or why that cannot be done:
// one to three steps.
func StepsTo(from, want usbproto.Mode) []string {
	switch {
	case from == usbproto.ModeFlash2017 && want == usbproto.ModeFlash:
		return []string{"you need not press anything: this is the flash mode of phones of 2017 and later. Use firmware for this model"}
	case want == usbproto.ModeADB:
		return []string{"start the phone, and allow USB debugging in its developer options"}
	}
	steps := []string{KeysTo(from, want)}
	switch from {
	case usbproto.ModeEmergency:
		steps[0] = "once: " + steps[0]
		steps = append(steps, "if the phone comes back in this mode, it is beyond xflash and needs a workshop with Sony's tools")
	case usbproto.ModeEDL, usbproto.ModeDump:
		steps[0] = "once: " + steps[0]
		steps = append(steps, "if the phone comes back in this mode, it is beyond xflash; see the programs qdl and edl")
	}
	return steps
}

// NoPhoneSteps are for a phone that does not show up at all.
func NoPhoneSteps(want usbproto.Mode) []string {
	return []string{
		"charge the phone with a wall charger first, for two hours if its light only blinks red: with an empty battery no key works",
		firstKeys(want),
		"try another cable (many only charge), and a port on the computer itself instead of a hub, preferably a USB 2 port",
	}
}

func firstKeys(want usbproto.Mode) string {
	if keys := KeysTo(usbproto.ModeUnknown, want); keys != "" {
		return keys
	}
	return StepsTo(usbproto.ModeUnknown, want)[0]
}

// RightsSteps are for a phone that this user may not open.
var RightsSteps = []string{
	`run "sudo xflash udev --install": it lets whoever sits at this computer use the phone`,
	"over ssh, where nobody sits at the computer, run xflash itself with sudo",
}

// idOnBus is a phone's USB id as lsusb, the kernel and Windows show it.
var idOnBus = regexp.MustCompile(`(?i)\b(?:ID )?(0fce|05c6|18d1):([0-9a-f]{4})\b|idVendor=(0fce|05c6|18d1),? *idProduct=([0-9a-f]{4})|VID_(0FCE|05C6|18D1)&PID_([0-9A-F]{4})|VID=(0fce|05c6|18d1) and PID=([0-9a-f]{4})`)

// modesIn names the modes of the phones whose USB ids are in a text.
func modesIn(lines []line) (found []placed) {
	seen := map[string]bool{}
	for i := range lines {
		for _, m := range idOnBus.FindAllStringSubmatch(lines[i].raw, maxFound) {
			id := strings.ToLower(strings.Join(m[1:], " "))
			ids := strings.Fields(id)
			vid, _ := strconv.ParseUint(ids[0], 16, 16) // the pattern allows nothing else
			pid, _ := strconv.ParseUint(ids[1], 16, 16)
			mode := usbproto.ModeOf(uint16(vid), uint16(pid))
			if mode == usbproto.ModeUnknown || seen[id] {
				continue
			}
			seen[id] = true
			next := []string{`"xflash restore FILE" writes firmware in this mode.`}
			if !slices.Contains(usbproto.FlashModes, mode) {
				next = StepsTo(mode, usbproto.ModeFlash)
				next[0] = "For flash mode: " + next[0]
			}
			found = append(found, placed{lines[i].at, Explanation{Source: FromBus, ID: ids[0] + ":" + ids[1], Said: ids[0] + ":" + ids[1] + " is " + mode.String(),
				Meaning: OfMode(mode).Describe, Confidence: High, Known: true, Action: "MODE", Next: next,
				distress: mode == usbproto.ModeEDL || mode == usbproto.ModeDump || mode == usbproto.ModeEmergency}})
		}
	}
	return found
}
