package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"xflash/internal/explain"
	"xflash/internal/restore"
	"xflash/usbproto"
)

// scriptPatience is how long a restore waits for the phone when nobody is at a terminal.
const scriptPatience = time.Minute

// oldKeys are the models of 2010 and 2011 that want the Back key for flash mode
// (internal/phone/PHONES.md).
var oldKeys = []string{"X10", "E10", "E15", "E16", "U20", "LT15", "LT18", "MT15", "MT11", "R800"}

// keyModel is the model whose keys are shown: the one that is named, else the bundle's.
func keyModel(fw *restore.Firmware, named string) string {
	if named != "" || fw == nil {
		return named
	}
	return cmp.Or(fw.Model.Code, fw.Manifest.Device)
}

// drawing shows the key to hold and what the light means.
func drawing(model string, want usbproto.Mode) string {
	down, up, key, light := "", "", "Volume Down", "green"
	if want == usbproto.ModeFastboot {
		key, light = "Volume Up", "blue"
		up = "  <- hold this"
	} else {
		down = "  <- hold this"
	}
	shape := fmt.Sprintf(`   _______
  |       |= Volume Up%s
  |       |= Volume Down%s
  |       |o Power
  |_______|
     | |     then plug in the cable`, up, down)
	if want == usbproto.ModeFlash && slices.ContainsFunc(oldKeys, func(m string) bool { return strings.HasPrefix(model, m) }) {
		key = "the Back key"
		shape = `   _______
  |       |
  |       |
  |_<__o__|   hold Back (<), left below the screen
     | |      then plug in the cable`
	}
	return fmt.Sprintf("Waiting for the phone. Switch it off, hold\n%s, and plug it in:\n%s\n"+
		"  light %s: it worked, let go of the key\n  light blinks red, or no light: charge the phone first", key, shape, light)
}

// await waits until a phone on USB is in the mode that a restore needs, and shows how to get
// it there. A phone in another mode is reported at once. It does not wait for a phone that is not
// on this computer's bus, nor for one that is there and cannot be used.
func (c *restoreCommand) await(ctx context.Context, mode usbproto.Mode, model string) error {
	if kind, _ := c.elsewhere(); kind != "" {
		return nil
	}
	limit := c.patience
	if limit == 0 && !c.ui.errTTY {
		limit = scriptPatience
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	shown, said := 0, ""
	_, err := c.waitFor(ctx, func(none *usbproto.NoPhoneError) {
		text := drawing(model, mode)
		if none.Kind == usbproto.OtherMode {
			text = "The phone is in " + none.Devices[0].Mode.String() + ".\n" +
				wrap("To "+mode.String()+": "+explain.StepsTo(none.Devices[0].Mode, mode)[0]+".", c.ui.width(), "  ") + "\n" + text
		}
		if text != said {
			c.wipe(shown)
			c.ui.say("%s", text)
			shown, said = strings.Count(text, "\n")+1, text
		}
	}, mode)
	c.wipe(shown)
	return err
}

// wipe takes lines off a terminal, so that what comes next replaces them.
func (c *restoreCommand) wipe(lines int) {
	if lines > 0 && c.ui.errTTY && !c.ui.json && !c.ui.quiet && os.Getenv("TERM") != "dumb" {
		fmt.Fprintf(c.ui.err, "\x1b[%dA\x1b[J", lines)
	}
}
