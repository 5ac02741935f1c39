package main

import (
	"fmt"
	"strings"

	"xflash/internal/phone"
	"xflash/usbproto"
)

// modeText is what people read about a mode.
type modeText struct {
	describe string // a sentence
	off      string // how to switch the phone off from there
}

// Buttons: device-rescue.md §3.1. Ten seconds of Power and Volume Up is how a phone
// without a removable battery is switched off.
const (
	offByMenu = "switch the phone off in its menu and unplug it"
	offByKeys = "unplug the phone and hold Power and Volume Up for ten seconds, until it has vibrated three times"
)

var modeTexts = [...]modeText{
	usbproto.ModeUnknown: {"It is not known what the phone is doing.",
		"switch the phone off; if it does not react, hold Power and Volume Up for ten seconds, until it has vibrated three times"},
	usbproto.ModeFlash:     {"The phone waits for firmware in Sony's flash mode.", offByKeys},
	usbproto.ModeFastboot:  {"The phone waits for commands in fastboot.", offByKeys},
	usbproto.ModeFlash2017: {"The phone waits for firmware in the flash mode of models from 2017 on, which speaks another protocol.", offByKeys},
	usbproto.ModeMTP:       {"Android is running and offers its files.", offByMenu},
	usbproto.ModeDisc:      {"Android is running and offers the disc with Sony's PC software.", offByMenu},
	usbproto.ModeStorage:   {"Android is running and offers its memory card as a disk.", offByMenu},
	usbproto.ModeTether:    {"Android is running and shares its network.", offByMenu},
	usbproto.ModeADB:       {"Android or a recovery is running, with adb switched on.", offByMenu},
	usbproto.ModeEmergency: {"The phone is in a service mode below flash mode, which only Sony's own service tools speak.", offByKeys},
	usbproto.ModeEDL:       {"The phone's processor is in its emergency download mode, as when it finds no boot loader. Programs such as qdl and edl speak to it, but need a programmer that is signed for this model.", offByKeys},
	usbproto.ModeDump:      {"The phone crashed and waits for a program that reads its memory.", offByKeys},
	usbproto.ModeGeneric:   {"A boot loader that is not Sony's waits for fastboot commands; it may be lk2nd, or a phone of another maker.", offByKeys},
	usbproto.ModeOther:     {"The phone has an id of Sony's whose meaning is not known.", offByKeys},
}

func textOf(m usbproto.Mode) modeText {
	if m < 0 || int(m) >= len(modeTexts) {
		m = usbproto.ModeUnknown
	}
	return modeTexts[m]
}

// keysTo says how to get from a mode into flash mode (both kinds have the same keys) or
// fastboot; it is empty for modes that no key leads to.
func keysTo(from, want usbproto.Mode) string {
	switch want {
	case usbproto.ModeFlash, usbproto.ModeFlash2017:
		return textOf(from).off + "; then hold Volume Down while you plug it in, and let go when its light is green"
	case usbproto.ModeFastboot:
		return textOf(from).off + "; then hold Volume Up while you plug it in, and let go when its light is blue"
	}
	return ""
}

// modelsOf lists the model codes that share the USB id of a phone that runs Android.
func modelsOf(d usbproto.Device) []string {
	if d.VID != usbproto.VendorSony || !d.Mode.Android() {
		return nil
	}
	var codes []string
	for _, m := range phone.ByUSB(d.PID) {
		codes = append(codes, m.Code)
	}
	return codes
}

// titleOf names a phone: "usb:1-2.3, fastboot (0fce:0dde)", and its model where the id
// gives it away.
func titleOf(d usbproto.Device) string {
	s := fmt.Sprintf("%s, %s (%04x:%04x)", d.Path(), d.Mode, d.VID, d.PID)
	models := modelsOf(d)
	if len(models) == 0 {
		return s
	}
	codes := strings.Join(models, " or ")
	if _, m, ok := phone.ByModel(models[0]); ok { // one id is one name with several codes
		return fmt.Sprintf("%s, %s (%s)", s, m.Name, codes)
	}
	return s + ", " + codes
}
