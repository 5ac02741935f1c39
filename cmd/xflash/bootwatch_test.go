package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"xflash/usbproto"
)

// What the bus shows after OKAY, look by look, and what that means.
func TestWatchBoot(t *testing.T) {
	in := func(mode usbproto.Mode, address int, port string) []usbproto.Device {
		return []usbproto.Device{{Mode: mode, Address: address, Port: port}}
	}
	gone := usbproto.Device{Mode: usbproto.ModeFastboot, Address: 5, Port: "1-2"}
	still, nobody := in(usbproto.ModeFastboot, 5, "1-2"), []usbproto.Device(nil)
	for name, c := range map[string]struct {
		looks [][]usbproto.Device
		want  afterBoot
	}{
		"a recovery":                     {[][]usbproto.Device{still, nobody, nobody, in(usbproto.ModeADB, 6, "1-2")}, bootRuns},
		"Android":                        {[][]usbproto.Device{nobody, in(usbproto.ModeMTP, 6, "1-2")}, bootRuns},
		"fastboot again":                 {[][]usbproto.Device{nobody, in(usbproto.ModeFastboot, 6, "1-2")}, bootCrashed},
		"so fast that nobody saw it go":  {[][]usbproto.Device{still, in(usbproto.ModeFastboot, 6, "1-2")}, bootCrashed},
		"flash mode":                     {[][]usbproto.Device{nobody, in(usbproto.ModeFlash, 7, "1-2")}, bootCrashed},
		"nothing":                        {[][]usbproto.Device{still, nobody}, bootNothing},
		"another phone on another port":  {[][]usbproto.Device{nobody, in(usbproto.ModeADB, 9, "1-4")}, bootNothing},
		"it never leaves":                {[][]usbproto.Device{still}, bootNothing},
		"it leaves, and another one too": {[][]usbproto.Device{nobody, append(in(usbproto.ModeFastboot, 9, "1-4"), in(usbproto.ModeADB, 6, "1-2")...)}, bootRuns},
	} {
		look := 0
		got, err := watchBoot(t.Context(), func(context.Context) ([]usbproto.Device, error) {
			look++
			return c.looks[min(look, len(c.looks))-1], nil
		}, gone, 50*time.Millisecond, time.Millisecond)
		if err != nil || got != c.want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		if bootTexts[got] == "" {
			t.Errorf("%s: no text", got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := watchBoot(ctx, func(context.Context) ([]usbproto.Device, error) { return nil, nil }, gone, time.Minute, time.Millisecond); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
