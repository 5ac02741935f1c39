package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"xflash/usbproto"
)

// Packages install the file, "xflash udev" prints the constant: the same bytes.
func TestUdevRuleIsTheFile(t *testing.T) {
	file, err := os.ReadFile("../../packaging/udev/" + udevFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(file) != udevRule {
		t.Errorf("packaging/udev/%s differs from UdevRule:\n%s", udevFile, udevRule)
	}
}

// usbproto/libusb/NOTES.md §5: before 73-seat-late.rules, for Sony's three boot modes and nothing
// else, with the tag and not with a mode that lets everybody in.
func TestUdevRule(t *testing.T) {
	if udevFile >= "73-seat-late.rules" {
		t.Errorf("%s comes after the rule that acts on its tag", udevFile)
	}
	var rules []string
	for line := range strings.Lines(udevRule) {
		if !strings.HasPrefix(line, "#") {
			rules = append(rules, strings.TrimSpace(line))
		}
	}
	if len(rules) != 1 {
		t.Fatalf("%d rules", len(rules))
	}
	for _, part := range []string{`SUBSYSTEM=="usb"`, `ENV{DEVTYPE}=="usb_device"`, `ATTR{idVendor}=="0fce"`, `TAG+="uaccess"`, `ENV{ID_MM_DEVICE_IGNORE}="1"`} {
		if !strings.Contains(rules[0], part) {
			t.Errorf("without %s: %s", part, rules[0])
		}
	}
	if strings.Contains(rules[0], "MODE=") {
		t.Errorf("sets a mode: %s", rules[0])
	}
	ids := regexp.MustCompile(`ATTR\{idProduct\}=="([^"]*)"`).FindStringSubmatch(rules[0])
	if ids == nil {
		t.Fatal("no product ids")
	}
	modes := map[usbproto.Mode]bool{}
	for _, id := range strings.Split(ids[1], "|") {
		var pid uint16
		if _, err := fmt.Sscanf(id, "%04x", &pid); err != nil {
			t.Fatal(err)
		}
		modes[usbproto.ModeOf(usbproto.VendorSony, pid)] = true
	}
	if len(modes) != 3 || !modes[usbproto.ModeFlash] || !modes[usbproto.ModeFastboot] || !modes[usbproto.ModeFlash2017] {
		t.Errorf("the rule is for %v", modes)
	}
}
