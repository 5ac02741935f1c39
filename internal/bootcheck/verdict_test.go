package bootcheck

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/samples"
	"xflash/internal/simphone/mkimage"
)

// TestFlashIsNotBoot: what a loader refuses on boot it writes on flash; then the image is
// doubtful, and what can be repaired is offered. What it refuses on flash too stays refused.
func TestFlashIsNotBoot(t *testing.T) {
	doubtful := map[string]bool{"D1": false, "D2a": true, "D2c": true, "D3": true, "D4": false, "D5": false, "D9": true}
	seen := map[string]bool{}
	for _, c := range cases(t) {
		target := z3c(t)
		if c.target != nil {
			c.target(&target)
		}
		boot, err := Diagnose(c.data, target)
		if err != nil {
			t.Fatal(err)
		}
		target.Flash = true
		flash, err := Diagnose(c.data, target)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(boot.Rules(), flash.Rules()) {
			t.Errorf("%s: rules %v and %v", c.name, boot.Rules(), flash.Rules())
		}
		always := flash.Has("C1") || flash.Has("C2") || flash.Has("C4") || flash.Has("C5") || flash.Has("L1")
		if flash.Refused() != always {
			t.Errorf("%s: refused on flash: %t, by %v", c.name, flash.Refused(), flash.Rules())
		}
		for rule, cure := range doubtful {
			if boot.Refused() && boot.Has(rule) && !always {
				seen[rule] = true
				if !flash.Doubtful() || cure && !flash.Improvable() {
					t.Errorf("%s: doubtful %t, improvable %t", c.name, flash.Doubtful(), flash.Improvable())
				}
			}
		}
	}
	for rule := range doubtful {
		if !seen[rule] {
			t.Errorf("no image was refused for %s", rule)
		}
	}
}

// TestVerdict: one line says one thing, also where the loaders differ.
func TestVerdict(t *testing.T) {
	plain := image(t, appending(mkimage.PlainDTB("Sony Xperia Z3 Compact", "sony,xperia-aries")))
	split := image(t, appending(ariesSplit()))
	good := image(t, withQCDT)
	for name, c := range map[string]struct {
		data   []byte
		change func(*Target)
		want   string
	}{
		"good":                  {good, nil, "should accept it (accepted by loaders of: all)"},
		"good, flash":           {good, func(t *Target) { t.Flash = true }, "writes it and should start it"},
		"2015 refuses":          {plain, nil, `should accept it, unless it is of 2015 and later: that one refuses it with "dtb not found" (accepted by loaders of: summer of 2013, 2014)`},
		"2015 refuses, flash":   {plain, func(t *Target) { t.Flash = true }, "writes it and should start it, unless it is of 2015 and later: that one finds no device tree in it, and the phone stays dark"},
		"split":                 {split, nil, "will certainly or probably refuse it (accepted by loaders of: 2014, 2015 and later)"},
		"split, flash":          {split, func(t *Target) { t.Flash = true }, "writes it, but will probably not start it"},
		"split, a known loader": {split, func(t *Target) { t.Loader = "1286-7314_S1_Boot_MSM8974AC_LA3.0_M_2" }, "should accept it (accepted by loaders of: 2014, 2015 and later)"},
		"locked, flash":         {good, func(t *Target) { t.Flash, t.Locked = true, true }, "will not write it"},
		"no kernel for it":      {image(t, func(m *bootimg.Image) { withQCDT(m); m.Ramdisk = nil }), nil, "should accept it, but it will probably not run (accepted by loaders of: all)"},
	} {
		target := z3c(t)
		if c.change != nil {
			c.change(&target)
		}
		d, err := Diagnose(c.data, target)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Verdict(target); got != "the loader of the "+target.Model.Name+" "+c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// To flash, every loader asks for the Android header, also one whose device trees are not
// foreseen: Sony's own kernels get it.
func TestFlashNeedsAndroidHeader(t *testing.T) {
	elf, err := mkimage.ELF(&bootimg.ELF{Segments: []bootimg.Segment{
		mkimage.NewSegment(bootimg.SegmentKernel, 0x80208000, zimage(config34)),
		mkimage.NewSegment(bootimg.SegmentRPM, 0x20000, []byte("rpm firmware")),
		mkimage.NewSegment(bootimg.SegmentRamdisk, 0x81900000, mkimage.Pack(mkimage.Ramdisk("init.rc"), unpack.Gzip)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"C6603", "D2203", "E2303", "E5823", "C1905", "F5121"} {
		target, ok := TargetFor(code)
		if !ok {
			t.Fatalf("%s is unknown", code)
		}
		target.Flash = true
		d, err := Diagnose(elf, target)
		if err != nil {
			t.Fatal(err)
		}
		if !d.Refused() || !d.Curable() {
			t.Errorf("%s: %v", code, d.Findings)
			continue
		}
		fixed, err := Repair(d, target)
		if err != nil || !bytes.HasPrefix(fixed.Image, []byte("ANDROID!")) {
			t.Errorf("%s: %v", code, err)
			continue
		}
		if m, err := bootimg.Parse(fixed.Image); err != nil || m.KernelAddr != 0x80208000 || m.RamdiskAddr != 0x81900000 || m.TagsAddr != 0x80200100 {
			t.Errorf("%s: %v, %+v", code, err, m)
		}
		if !slices.ContainsFunc(fixed.Changes, func(s string) bool { return strings.Contains(s, "rpm firmware") }) {
			t.Errorf("%s: the lost part is not told: %q", code, fixed.Changes)
		}
	}
}

// A loader that nobody has read is not foreseen: an image without device trees, as all of
// 2010 to 2012 are, is not refused for that.
func TestUnknownLoaderIsNotForeseen(t *testing.T) {
	image := samples.Read(t, "boot-v0-x10.img")
	for code, foreseen := range map[string]bool{"X10i": false, "LT26i": false, "F5121": false, "D5803": true} {
		target, ok := TargetFor(code)
		if !ok {
			t.Fatalf("%s is unknown", code)
		}
		d, err := Diagnose(image, target)
		if err != nil {
			t.Fatal(err)
		}
		if d.Refused() != foreseen || d.Has("D0") == foreseen || d.Has("D1") != foreseen {
			t.Errorf("%s: %s; %v", code, d.Verdict(target), d.Rules())
		}
	}
}
