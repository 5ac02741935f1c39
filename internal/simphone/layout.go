package simphone

import (
	"fmt"

	"xflash/sin/gpt"
)

// DiskSize is the size of a new phone's eMMC in bytes. It is chosen so that
// userdata gets the 12 656 311 296 bytes of device-rescue.md §1.1.
const DiskSize int64 = 15628975616

// minDisk leaves userdata 64 MiB.
const minDisk int64 = 3 << 30

// fill says what a healthy phone has at the start of a partition.
type fill int

const (
	fillNone    fill = iota // all zero
	fillPattern             // calibration and the like: must never change
	fillELF                 // a program: boot chain and Sony kernels
	fillExt4                // a file system
)

// partitionSpec is one line of the Z3 Compact's partition table.
type partitionSpec struct {
	label  string
	kib    int64 // size; 0 is what is left of the disk
	unique string
	fill   fill
}

// partitionSpecs is the order of device-rescue.md §1.1. Sizes with a source
// there are exact; those of the boot chain, DDR, the modem file systems, ramdump
// and apps_log are by analogy. Unique GUIDs are those of sin-ftf-format.md §4.4
// and s1-families.md §3.2 where those have them, others are invented.
var partitionSpecs = []partitionSpec{
	{"TA", 2048, "02841782-0268-44D8-8339-11E9E3E5045C", fillNone}, // its content is ta.img
	{"sbl1", 512, "DC1ECC40-3FA1-D953-4088-F455A8AF9788", fillELF},
	{"s1sbl", 256, "D28E12EA-2F3D-4C3C-8EB9-2E9CEE3F8FCC", fillELF},
	{"dbi", 128, "FE44EA4F-54C6-4A40-9DCF-ECE4F7523F42", fillELF},
	{"aboot", 512, "7EAF38FB-5939-9CB9-432A-A761CD06C9F7", fillELF},
	{"rpm", 256, "2E074246-C42F-F9AA-D4BE-C77831F4314B", fillELF},
	{"tz", 512, "36BF6F26-09C2-0446-DD1D-0410FA887DDA", fillELF},
	{"alt_sbl1", 512, "BD3404CA-2D58-42F3-99A1-57974D792356", fillELF},
	{"alt_s1sbl", 256, "9C241432-3B47-4750-89A0-0570ECDFF209", fillELF},
	{"alt_dbi", 128, "0C762340-DAAD-43C3-A63C-F6F8941A949D", fillELF},
	{"alt_aboot", 512, "6E8C6805-27C9-4379-AC5F-A108E2F5B2C5", fillELF},
	{"alt_rpm", 256, "DDE410D3-CFFA-48E8-8185-0AE0828DF526", fillELF},
	{"alt_tz", 512, "52EA74FD-AEF5-404B-88A4-241E4B6171D9", fillELF},
	{"boot", 20480, "2F50DBC8-FC14-93E4-4A9D-496FBA338B45", fillELF},
	{"ramdump", 8192, "E46574C6-0A59-4BCC-A6D0-D3827F1D67B9", fillELF},
	{"FOTAKernel", 16384, "DBE0B276-4DB9-4A0D-ACA7-00684DE9C467", fillELF},
	{"DDR", 64, "", fillPattern},
	{"LTALabel", 16384, "9DE21554-8B13-4E7D-B1E4-0371EB92073F", fillExt4},
	{"modemst1", 1536, "", fillPattern},
	{"modemst2", 1536, "", fillPattern},
	{"fsg", 1536, "", fillPattern},
	{"apps_log", 16384, "467947FF-9B77-41A5-859E-BBC839B2B0BD", fillExt4},
	{"system", 2609152, "F9CDF7BA-B834-A72A-F1C9-D6E0C0983896", fillExt4},
	{"cache", 204800, "A0844021-4CC1-3547-D2CD-0BDCC7B903C3", fillExt4},
	{"userdata", 0, "6EA4C6D3-957A-AB5B-7455-749893E94191", fillExt4},
}

// bootChain are the partitions that the loader knows to be needed by the boot
// chain: a partition layout without one of them is refused with 801C003B
// (loader-behaviour.md, correction 14). Which names it looks for was not read
// from the loader; these are the members of a boot delivery.
var bootChain = []string{"sbl1", "s1sbl", "dbi", "aboot", "rpm", "tz"}

// kernelGUID is the unique GUID of the partition boot. An image for it leaves
// its header in unit 66670 (loader-behaviour.md, correction 1).
var kernelGUID = mustGUID("2F50DBC8-FC14-93E4-4A9D-496FBA338B45")

var (
	basicData = mustGUID("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")
	diskGUID  = mustGUID("5A334300-0000-4000-8000-000000000000")
)

const (
	firstSector  = 256 // where the partitions begin
	tableSectors = 33  // header and entries of one table
)

// DefaultLayout is the partition table of a Z3 Compact whose eMMC has so many
// bytes: the 25 partitions of device-rescue.md §1.1, userdata up to the end.
// It fails for a disk that has no room for them.
func DefaultLayout(disk int64) (*gpt.Table, error) {
	if disk < minDisk || disk%gpt.SectorSize != 0 {
		return nil, fmt.Errorf("a disk of %d bytes: need a multiple of %d, at least %d", disk, gpt.SectorSize, minDisk)
	}
	t := &gpt.Table{DiskGUID: diskGUID, Sectors: uint64(disk / gpt.SectorSize)}
	next := uint64(firstSector)
	for i, spec := range partitionSpecs {
		unique := diskGUID
		unique[15] = byte(i + 1)
		if spec.unique != "" {
			unique = mustGUID(spec.unique)
		}
		sectors := uint64(spec.kib) * 1024 / gpt.SectorSize
		if sectors == 0 {
			sectors = t.Sectors - tableSectors - next
		}
		t.Entries = append(t.Entries, gpt.Entry{Type: basicData, Unique: unique, First: next, Last: next + sectors - 1, Name: spec.label})
		next += sectors
	}
	return t, nil
}

func mustGUID(s string) gpt.GUID {
	g, err := gpt.ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}
