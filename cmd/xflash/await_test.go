package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"xflash/internal/text"
	"xflash/usbproto"
)

// busWith lays out a USB bus as the kernel shows it, and returns a function that plugs a
// phone in.
func busWith(t *testing.T) (plug func(vid, pid string)) {
	t.Helper()
	root := t.TempDir()
	t.Setenv("UMOCKDEV_DIR", root)
	devices := filepath.Join(root, "sys/bus/usb/devices")
	put := func(device string, files map[string]string) {
		for name, value := range files {
			path := filepath.Join(devices, device, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(value+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("usb1", map[string]string{"product": "xHCI Host Controller"})
	return func(vid, pid string) {
		put("1-2", map[string]string{"idVendor": vid, "idProduct": pid, "busnum": "1", "devnum": "5", "speed": "480"})
	}
}

func waiting(device string, patience time.Duration) (*restoreCommand, *bytes.Buffer) {
	out := &bytes.Buffer{}
	ui := &terminal{in: strings.NewReader(""), out: out, err: out}
	return &restoreCommand{app: &app{ui: ui, device: device}, patience: patience}, out
}

// TestAwait: the key is shown, a phone in another mode is reported at once, and it continues as
// soon as the phone is there.
func TestAwait(t *testing.T) {
	plug := busWith(t)
	c, out := waiting("", time.Minute)
	synctest.Test(t, func(t *testing.T) {
		go func() {
			time.Sleep(50 * time.Millisecond)
			plug("0fce", "0dde")
			time.Sleep(700 * time.Millisecond)
			plug("0fce", "adde")
		}()
		if err := c.await(t.Context(), usbproto.ModeFlash, "D5803"); err != nil {
			t.Fatal(err)
		}
	})
	for _, says := range []string{"Volume Down  <- hold this", "light green", "charge the phone first", "The phone is in fastboot."} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("lacks %q:\n%s", says, out)
		}
	}
	for line := range strings.Lines(drawing("D5803", usbproto.ModeFastboot) + "\n" + drawing("X10", usbproto.ModeFlash)) {
		if text.Width(strings.TrimRight(line, "\n")) > 60 {
			t.Errorf("too wide: %q", line)
		}
	}
	if !strings.Contains(drawing("X10a", usbproto.ModeFlash), "Back") {
		t.Error("the X10 wants the Back key")
	}
}

// TestAwaitEnds: the time ends it with exit code 3, a signal with its own, and a phone that
// is not on this bus is not waited for.
func TestAwaitEnds(t *testing.T) {
	busWith(t)
	c, _ := waiting("", 10*time.Millisecond)
	if err := c.await(t.Context(), usbproto.ModeFlash, ""); classify(err).exit != exitNoPhone {
		t.Errorf("%v", err)
	}
	c, _ = waiting("", time.Minute)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&signalError{os.Interrupt})
	if err := c.await(ctx, usbproto.ModeFlash, ""); classify(err).exit != exitInterrupted {
		t.Errorf("%v", err)
	}
	for _, device := range []string{"sim:z3c", "bridge:localhost:1", "replay:x.pcap", "tcp:localhost"} {
		c, out := waiting(device, time.Minute)
		if err := c.await(t.Context(), usbproto.ModeFlash, ""); err != nil || out.Len() > 0 {
			t.Errorf("%s: %v, %s", device, err, out)
		}
	}
	c, _ = waiting("usb:nonsense", time.Minute)
	var usage usageError
	if err := c.await(t.Context(), usbproto.ModeFlash, ""); !errors.As(err, &usage) {
		t.Errorf("%v", err)
	}
}
