package main

import (
	"context"
	"errors"
	"time"

	"xflash/internal/simphone"
	"xflash/usbproto"
	"xflash/usbproto/libusb"
)

// afterBoot is what becomes of a phone that took an image (fastboot/bootimg/FORMAT.md §5.1).
type afterBoot string

// What the bus shows.
const (
	bootRuns    afterBoot = "runs"    // adb or MTP appeared
	bootCrashed afterBoot = "crashed" // it is in one of its loaders again
	bootNothing afterBoot = "nothing" // nothing appeared
	bootUnseen  afterBoot = "unseen"  // the phone is not on this computer's bus
)

// bootWatch is how long a phone is waited for after OKAY; recoveries take up to a minute.
const bootWatch = 90 * time.Second

// bootTexts say what each means and what to do.
var bootTexts = map[afterBoot]string{
	bootRuns:    `It runs: the phone is on the bus with its system's own USB. If its screen is dark, press the power key twice; "adb shell" works meanwhile. If the screen stays dark, the loader did not set it up: write the image to recovery and start it by keys ("xflash flash recovery IMAGE"), or start it once more and tell it that the display is on: xflash fastboot -c "COMMAND LINE OF THE IMAGE display_status=on" boot IMAGE.`,
	bootCrashed: `The phone is back in its loader: the kernel started and gave up. Usual reasons are a ramdisk that the kernel cannot unpack and a kernel for another phone; "xflash boot IMAGE --check --model …" checks for both as far as it can. Try next: an image of the same system that is known to start, or this one with its ramdisk repacked ("xflash boot IMAGE --repack").`,
	bootNothing: `Nothing appeared on the bus. If the screen shows the Sony logo, the kernel hangs or has no USB: "xflash boot IMAGE --check --model …" names what it can see, and an image known to start on this phone shows whether the phone or the image is at fault. If the screen is dark and there is no sign of life, the kernel does not run: the loader accepted the device tree, but it may be another model's; "xflash inspect IMAGE" names its model. Nothing was written. Hold Volume Up and Power until it vibrates three times to switch the phone off.`,
	bootUnseen:  `That means the sizes and the device tree were right, not that the image runs. Look at the phone: if a recovery runs behind a dark screen, pressing the power key twice wakes it, and "adb devices" shows it. If the Sony logo returns after some seconds, the kernel could not use its ramdisk: "xflash boot IMAGE --check --model …" says what it can see of that.`,
}

// watchBoot looks at the bus until the phone that took the image shows itself there again.
// gone is the phone as it was: the same port is the same phone.
func watchBoot(ctx context.Context, list func(context.Context) ([]usbproto.Device, error), gone usbproto.Device, limit, pause time.Duration) (afterBoot, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	left := false // it has been seen to leave: before that it is in fastboot still
	for {
		devices, err := list(ctx)
		if err != nil && ctx.Err() == nil {
			return bootUnseen, err
		}
		there := false
		for _, d := range devices {
			if d.Port != gone.Port {
				continue
			}
			there = true
			switch d.Mode {
			case usbproto.ModeADB, usbproto.ModeMTP, usbproto.ModeStorage, usbproto.ModeDisc, usbproto.ModeTether:
				return bootRuns, nil
			case usbproto.ModeFastboot, usbproto.ModeFlash, usbproto.ModeEmergency, usbproto.ModeDump:
				if left || d.Address != gone.Address {
					return bootCrashed, nil
				}
			}
		}
		left = left || !there
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return bootNothing, nil
			}
			return bootUnseen, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// afterOkay tells what becomes of the phone that took an image.
func (a *app) afterOkay(ctx context.Context, c *fastbootConn) (afterBoot, error) {
	if c.aboot != nil {
		switch c.aboot.Outcome {
		case simphone.OutcomeRuns, simphone.OutcomeDark:
			return bootRuns, nil
		case simphone.OutcomePanic:
			return bootCrashed, nil
		}
		return bootNothing, nil
	}
	if kind, _ := a.elsewhere(); kind != "" {
		return bootUnseen, nil
	}
	a.ui.say("watching the USB bus for up to %s; Ctrl-C stops watching and does no harm", bootWatch)
	return watchBoot(ctx, func(ctx context.Context) ([]usbproto.Device, error) {
		bus, err := libusb.New(libusb.Options{})
		if err != nil {
			return nil, err
		}
		devices, err := bus.List(ctx)
		return devices, errors.Join(err, bus.Close())
	}, c.device, bootWatch, 500*time.Millisecond)
}
