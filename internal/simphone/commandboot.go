package simphone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// partition opens a partition on any unit.
func (c *commandPhone) partition(label string) (*Partition, error) {
	for _, d := range c.luns {
		if t := d.table(); t != nil {
			if e, ok := t.ByName(label); ok {
				return &Partition{d, e}, nil
			}
		}
	}
	if len(c.luns) > 0 && c.luns[0].table() == nil {
		return nil, errors.New("logical unit 0 has no valid partition table")
	}
	return nil, fmt.Errorf("the phone has no partition %s", label)
}

// SpeaksCommands reports that the phone's flash mode is that of 2017 and later.
func (p *Phone) SpeaksCommands() bool { return p.command != nil }

// LUN is the path of the file of a logical unit; eMMC is unit 0.
func (p *Phone) LUN(unit int) string { return p.path(p.command.lunFile(unit)) }

// commandPowerOn says what such a phone shows after a start. That unit 10100 keeps it in
// flash mode and that all images of a slot must be of one build are models; that super
// holds a system for slot a alone, and what a phone then does on slot b, was seen
// (usbproto/command/PROTOCOL.md §5.2, §5.7).
func (p *Phone) commandPowerOn() BootResult {
	c := p.command
	for _, d := range c.luns {
		d.loadLUN(c.model.block())
		if d.table() == nil {
			return BootResult{ModeDead, "black, no light, nothing on USB", "a logical unit has no valid partition table"}
		}
	}
	suffix := ""
	if c.model.slots {
		suffix = "_" + c.state.Slot
	}
	if why := c.missing("bootloader" + suffix); why != "" {
		return BootResult{ModeDead, "black, no light, nothing on USB", why}
	}
	if flag, ok, err := p.Unit(2, unitFlashState); err != nil || ok && len(flag) > 0 && flag[0] != 0 {
		p.FlashMode()
		return BootResult{ModeFlash, "black, green light", "unit 10100 says that a flash was not finished"}
	}
	loop := func(why string) BootResult {
		return BootResult{ModeStuck, "SONY logo, restarts over and over", "boot loop: " + why}
	}
	for _, name := range c.chain() {
		if why := c.missing(name + suffix); why != "" {
			return loop(why)
		}
	}
	if c.model.super && !strings.Contains(c.state.Super, c.state.Slot) {
		return loop("super has no system for slot " + c.state.Slot)
	}
	if why := c.mixed(suffix); why != "" {
		return BootResult{ModeCorrupt, "Your device is corrupt. It can't be trusted and will not boot", "corrupt: " + why}
	}
	if userdata, ok := c.state.Images["userdata"]; ok && userdata.Part {
		return loop("userdata was not written to its end")
	}
	if why := c.noIdentity(p, suffix); why != "" {
		return BootResult{ModeNoModem, "lock screen, no signal, IMEI unknown", "no modem identity: " + why}
	}
	if index, ok := c.rollbackIndex("vbmeta" + suffix); ok && index > c.state.Rollback {
		c.state.Rollback = index
		if err := p.saveCommand(); err != nil {
			return loop(err.Error())
		}
	}
	return BootResult{ModeAndroid, "XPERIA logo, then the lock screen", strings.TrimSpace("boots " + c.state.Slot)}
}

// chain are the images without which nothing starts, besides the boot loader.
func (c *commandPhone) chain() []string {
	switch {
	case c.model.super:
		return []string{"boot", "vbmeta", "vbmeta_system", "dtbo"}
	case c.model.slots:
		return []string{"boot", "vbmeta", "dtbo", "system", "vendor"}
	}
	return []string{"boot", "system", "vendor"}
}

// missing says why a partition has no whole image.
func (c *commandPhone) missing(label string) string {
	image, ok := c.state.Images[label]
	p, err := c.partition(label)
	switch {
	case err != nil:
		return err.Error()
	case !ok || p.blank():
		return "there is nothing in " + label
	case image.Part:
		return label + " was not written to its end"
	}
	return ""
}

// mixed finds verified images that do not belong together.
func (c *commandPhone) mixed(suffix string) string {
	build := c.state.Images[c.chain()[0]+suffix].Build
	names := c.chain()
	if c.model.super {
		names = append(names, "super")
	}
	for _, name := range names {
		label := name
		if slices.Contains(c.model.slotted(), name) {
			label += suffix
		}
		if other := c.state.Images[label].Build; other != build {
			return fmt.Sprintf("boot%s is of %s, %s of %s", suffix, build, label, other)
		}
	}
	if index, ok := c.rollbackIndex("vbmeta" + suffix); ok && index < c.state.Rollback {
		return fmt.Sprintf("vbmeta%s has rollback index %d, the phone %d", suffix, index, c.state.Rollback)
	}
	return ""
}

// noIdentity says what the modem lacks: its firmware, its file systems, its calibration.
func (c *commandPhone) noIdentity(p *Phone, suffix string) string {
	if !c.model.slots {
		suffix = ""
	}
	if why := c.missing("modem" + suffix); why != "" {
		return why
	}
	for _, label := range []string{"modemst1", "modemst2", "fsg"} {
		if _, err := c.partition(label); err != nil {
			continue
		}
		if image, ok := c.state.Images[label]; !ok || image.Part {
			return label + " was erased and not written to its end"
		}
	}
	if c.state.Images["modemst1"].Build != c.state.Images["modemst2"].Build {
		return "modemst1 and modemst2 are of different builds"
	}
	for _, u := range c.factoryUnits() {
		if u.partition == 1 || slices.Contains([]uint32{unitHWConf, unitSIMLock, unitSIMLockSign}, u.unit) {
			if data, ok, err := p.Unit(u.partition, u.unit); err != nil || !ok || string(data) != string(u.data) {
				return fmt.Sprintf("unit %d was changed", u.unit)
			}
		}
	}
	return ""
}

// rollbackIndex reads the header of a verified-boot image: magic AVB0, the index in 8 bytes,
// big-endian, at 112.
func (c *commandPhone) rollbackIndex(label string) (uint64, bool) {
	p, err := c.partition(label)
	if err != nil {
		return 0, false
	}
	b := p.start()
	if len(b) < 120 || string(b[:4]) != "AVB0" {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[112:]), true
}
