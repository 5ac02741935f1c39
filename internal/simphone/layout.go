package simphone

import (
	"fmt"
	"strings"

	"xflash/sin/gpt"
)

// DiskSize is the size of a new phone's eMMC in bytes. It is chosen so that
// userdata gets the 12 656 311 296 bytes of internal/phone/PHONES.md §3.4.
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

// partitionSpec is what a partition with that label is like on every phone here.
// Sizes with a source in internal/phone/PHONES.md §3.4 are exact for the Z3 Compact; those of
// the boot chain, DDR, the modem file systems, ramdump, apps_log and of everything
// that only other phones have are by analogy. Unique ids are those of internal/phone/PHONES.md
// §3.2 and sin/FORMAT.md §4.4 where they have them, others are invented.
type partitionSpec struct {
	kib    int64 // size; 0 is what is left of the disk
	unique string
	fill   fill
}

var partitionSpecs = map[string]partitionSpec{
	"TA":    {2048, "02841782-0268-44D8-8339-11E9E3E5045C", fillNone}, // its content is ta.img
	"sbl1":  {512, "", fillELF},
	"sbl2":  {512, "", fillELF},
	"sbl3":  {512, "", fillELF},
	"s1sbl": {256, "", fillELF}, "s1sbl2": {256, "", fillELF},
	"dbi":        {128, "", fillELF},
	"sdi":        {128, "", fillELF},
	"aboot":      {512, "", fillELF},
	"rpm":        {256, "", fillELF},
	"tz":         {512, "", fillELF},
	"hyp":        {512, "", fillELF},
	"pmic":       {128, "", fillELF},
	"boot":       {20480, "2F50DBC8-FC14-93E4-4A9D-496FBA338B45", fillELF},
	"ramdump":    {8192, "E46574C6-0A59-4BCC-A6D0-D3827F1D67B9", fillELF},
	"FOTAKernel": {16384, "DBE0B276-4DB9-4A0D-ACA7-00684DE9C467", fillELF},
	"DDR":        {64, "", fillPattern},
	"LTALabel":   {16384, "9DE21554-8B13-4E7D-B1E4-0371EB92073F", fillExt4},
	"modem":      {65536, "", fillPattern},
	"modemst1":   {1536, "", fillPattern},
	"modemst2":   {1536, "", fillPattern},
	"fsg":        {1536, "", fillPattern},
	"persist":    {8192, "", fillPattern},
	"ssd":        {64, "", fillPattern},
	"diag":       {8192, "D8DE1700-8075-11E4-B4A9-0800200C9A66", fillExt4},
	"oem":        {32768, "C83A6F3F-8B76-4B4D-9276-7B587C690E35", fillExt4},
	"apps_log":   {16384, "467947FF-9B77-41A5-859E-BBC839B2B0BD", fillExt4},
	"system":     {2609152, "F9CDF7BA-B834-A72A-F1C9-D6E0C0983896", fillExt4},
	"cache":      {204800, "A0844021-4CC1-3547-D2CD-0BDCC7B903C3", fillExt4},
	"userdata":   {0, "6EA4C6D3-957A-AB5B-7455-749893E94191", fillExt4},
}

// Partitions of the kinds of phones, in the order of internal/phone/PHONES.md §3.4: the boot
// chain, for which alternates follow, and the rest. Which there are is that section and
// internal/phone/PHONES.md §2.2.
var (
	chainShinano  = []string{"sbl1", "s1sbl", "dbi", "aboot", "rpm", "tz"}
	chainFusion3  = []string{"sbl1", "sbl2", "sbl3", "s1sbl2", "aboot", "rpm", "tz"}
	chainNicki    = []string{"sbl1", "sbl2", "s1sbl2", "sbl3", "aboot", "tz", "rpm"}
	chainKanuti   = []string{"sbl1", "s1sbl", "aboot", "rpm", "tz", "hyp"}
	chainKitakami = []string{"sbl1", "s1sbl", "aboot", "rpm", "tz", "hyp", "pmic", "sdi"}

	restShinano  = []string{"boot", "ramdump", "FOTAKernel", "DDR", "LTALabel", "modemst1", "modemst2", "fsg", "apps_log", "system", "cache", "userdata"}
	restNicki    = []string{"LTALabel", "boot", "modem", "modemst1", "modemst2", "fsg", "ramdump", "FOTAKernel", "persist", "system", "cache", "userdata"}
	restKanuti   = after(without(restShinano, "ramdump"), "fsg", "modem", "oem")
	restKitakami = after(restShinano, "fsg", "modem", "persist", "diag", "ssd", "oem")
)

// alternateLabel is the label of the second copy of a boot image.
func alternateLabel(label string) string { return "alt_" + label }

// labels are the partitions of a kind in order.
func (k *phoneKind) labels() []string {
	list := append([]string{"TA"}, k.chain...)
	for _, label := range k.chain {
		if k.loader.hasAlternate(label) {
			list = append(list, alternateLabel(label))
		}
	}
	return append(list, k.rest...)
}

// hasAlternate reports that a phone with this loader has a second copy. Phones whose
// loader has dbi in no set have one anyway (internal/phone/PHONES.md §3.4).
func (m *loaderModel) hasAlternate(label string) bool {
	_, ok := m.group(label)
	return ok || label == "dbi"
}

var (
	basicData = mustGUID("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")
	diskGUID  = mustGUID("5A334300-0000-4000-8000-000000000000")
)

const (
	firstSector  = 256 // where the partitions start
	tableSectors = 33  // header and entries of one table
)

// DefaultLayout is the partition table of a Z3 Compact whose eMMC has so many
// bytes: the 25 partitions of internal/phone/PHONES.md §3.4, userdata up to the end.
// It fails for a disk that has no room for them.
func DefaultLayout(disk int64) (*gpt.Table, error) { return Layout(DefaultName, disk) }

// Layout is DefaultLayout of the phone with that name.
func Layout(name string, disk int64) (*gpt.Table, error) {
	k := phones[name]
	if k == nil {
		return nil, unknownPhone(name)
	}
	if k.command != nil {
		return nil, fmt.Errorf("%s has no table of this form", name)
	}
	if disk < minDisk || disk%gpt.SectorSize != 0 {
		return nil, fmt.Errorf("a disk of %d bytes: need a multiple of %d, at least %d", disk, gpt.SectorSize, minDisk)
	}
	t := &gpt.Table{DiskGUID: diskGUID, Sectors: uint64(disk / gpt.SectorSize)}
	next := uint64(firstSector)
	for i, label := range k.labels() {
		spec := specOf(label)
		e := gpt.Entry{Type: basicData, Unique: diskGUID, First: next, Name: label}
		e.Unique[15] = byte(i + 1)
		if spec.unique != "" {
			e.Unique = mustGUID(spec.unique)
		}
		k.loader.name(&e)
		sectors := uint64(spec.kib) * 1024 / gpt.SectorSize
		if sectors == 0 {
			sectors = t.Sectors - tableSectors - next
		}
		e.Last = next + sectors - 1
		t.Entries = append(t.Entries, e)
		next += sectors
	}
	return t, nil
}

// specOf is the line of a label; a second copy is as large as the first.
func specOf(label string) partitionSpec {
	return partitionSpecs[strings.TrimPrefix(label, alternateLabel(""))]
}

// name gives a partition of the boot chain its ids.
func (m *loaderModel) name(e *gpt.Entry) {
	label, second := strings.CutPrefix(e.Name, alternateLabel(""))
	row := m.row(label)
	switch {
	case row.primary.IsZero():
	case second:
		e.Unique, e.Type = row.alternate, row.spare
	default:
		e.Unique, e.Type = row.primary, row.inForce
	}
}

func mustGUID(s string) gpt.GUID {
	g, err := gpt.ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}
