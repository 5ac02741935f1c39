package simphone

import (
	"encoding/binary"
	"strings"
)

// An Outcome is what an owner sees after `boot` was answered with OKAY
// (fastboot/bootimg/FORMAT.md §5). The loader itself checks none of this.
type Outcome string

const (
	OutcomeRuns  Outcome = "runs"         // the screen is on, adb appears
	OutcomeDark  Outcome = "black screen" // adb appears, the panel stays dark: a tree for another phone
	OutcomePanic Outcome = "logo, reboot" // the kernel finds no ramdisk that it can unpack
	OutcomeHang  Outcome = "hang"         // nothing ever happens
)

// kernelUnpacks are the first bytes of ramdisks that a 3.4 kernel of this phone unpacks:
// gzip, bzip2, lzma and plain cpio (fastboot/bootimg/FORMAT.md §6.1, §6.5).
var kernelUnpacks = []string{"\x1f\x8b", "BZ", "\x5d\x00", "070701", "070702"}

const zImageMagic = 0x016F2818 // at 0x24

// outcome is a model of what a kernel does with what the loader gave it. Contents are
// judged by how they start.
func outcome(kernel, ramdisk, tree []byte) Outcome {
	if len(kernel) < 0x30 || binary.LittleEndian.Uint32(kernel[0x24:]) != zImageMagic {
		return OutcomeHang
	}
	if len(tree) < 40 || binary.BigEndian.Uint32(tree) != 0xD00DFEED {
		return OutcomeHang
	}
	words, ok := rootWords(tree)
	if !ok {
		return OutcomeHang
	}
	known := false
	for _, begin := range kernelUnpacks {
		known = known || strings.HasPrefix(string(ramdisk[:min(len(ramdisk), 6)]), begin)
	}
	switch model := strings.ToLower(words.model); {
	case !known:
		return OutcomePanic
	case strings.HasPrefix(model, "somc ") && !strings.Contains(model, "aries"):
		return OutcomeDark
	}
	return OutcomeRuns
}
