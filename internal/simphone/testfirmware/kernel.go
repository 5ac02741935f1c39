package testfirmware

import (
	"bytes"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/simphone/mkimage"
)

// Where a stock image of this phone loads its parts (fastboot/bootimg/FORMAT.md §1.6).
const (
	kernelAt  = 0x00008000
	ramdiskAt = 0x02000000
	treesAt   = 0x01E00000
)

// kernel is an image as kernel.sin and fotakernel.sin of these phones hold it: a Sony ELF
// with an LZO kernel, as all of Sony's own are, a gzip ramdisk, a table of device trees and a command line
// (fastboot/bootimg/FORMAT.md §1.7). The ramdisk holds as many bytes of noise as it takes to make
// the whole about size bytes.
func (m *maker) kernel(size int) ([]byte, error) {
	code := mkimage.Kernel{
		Banner: "Linux version 3.4.0-perf-g3e8cd4e (BuildUser@BuildHost) (gcc version 4.8 (GCC) ) #1 SMP PREEMPT Mon Jun 20 15:26:01 2016",
		Config: "CONFIG_ARM=y\nCONFIG_ARCH_MSM8974=y\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\n",
	}.Bytes()
	zImage := mkimage.ZImage(mkimage.Pack(code, unpack.LZO), unpack.LZO, len(code))
	table, err := m.trees()
	if err != nil {
		return nil, err
	}
	noise := max(size-len(zImage)-len(table)-3*4096, 1<<10)
	var ramdisk bytes.Buffer
	archive := mkimage.NewCPIOWriter(&ramdisk)
	archive.Add("init", 0o100750, []byte("#!/bin/sh\n")) // the first error stays until Close
	archive.Add("noise", 0o100640, m.random(noise))
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return mkimage.ELF(&bootimg.ELF{Segments: []bootimg.Segment{
		mkimage.NewSegment(bootimg.SegmentKernel, kernelAt, zImage),
		mkimage.NewSegment(bootimg.SegmentRamdisk, ramdiskAt, mkimage.Pack(ramdisk.Bytes(), unpack.Gzip)),
		mkimage.NewSegment(bootimg.SegmentQCDT, treesAt, table),
		mkimage.NewSegment(bootimg.SegmentCmdline, 0, []byte("androidboot.hardware=qcom user_debug=31 msm_rtb.filter=0x37 ehci-hcd.park=3")),
	}})
}

// trees is the table with the one device tree of a Z3 Compact.
func (m *maker) trees() ([]byte, error) {
	tree := bootimg.Tree{DTB: mkimage.SplitDTB("SoMC Aries ROW", "somc,aries-row", mkimage.AriesChips, mkimage.AriesBoard)}
	for i := 0; i < len(mkimage.AriesChips); i += 2 {
		tree.IDs = append(tree.IDs, bootimg.ID{Platform: mkimage.AriesChips[i], Variant: mkimage.AriesBoard[0], Rev: mkimage.AriesChips[i+1]})
	}
	return bootimg.BuildQCDT(2, 2048, []bootimg.Tree{tree})
}
