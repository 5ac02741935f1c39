package simphone

import (
	"fmt"
	"strings"

	"xflash/sin/gpt"
)

// A commandModel is a phone with Sony's flash protocol of 2017 and later.
type commandModel struct {
	kind    string // name of the simulated phone
	product string
	suffix  string // key id of its firmware
	emmc    bool
	luns    []int64 // sizes in KiB

	slots       bool
	super       bool // logical partitions, made for slot a
	signs       bool // the signature is in the download buffer; else it comes with its command
	rootHash    int  // bytes
	maxDownload int64

	boot, baseband, loader string // versions
	chip                   string // Platform-id: JTAG id with the silicon revision in front
	battery                string // "": not told
}

// CommandNames are the simulated phones that speak that protocol.
var CommandNames = []string{"xz1", "1", "1iii"}

// commandModels are the phones of each name: the first with the right storage is the
// default, model= names others. What forms there are is usbproto/command/PROTOCOL.md §7. Sizes, suffixes and the forms of texts are those of public
// logs; build numbers, chip ids besides SDM630 and SM8150, and that there is an xz1 with
// eMMC, are inventions.
var commandModels = []*commandModel{
	{kind: "xz1", product: "G8341", suffix: "C93B", luns: []int64{62480384, 4096, 4096}, rootHash: 32, maxDownload: 104857600,
		boot: "1306-5035_X_Boot_MSM8998_LA1.0_P_114", baseband: "1307-7511_47.2.A.11.228", loader: "XFL-MSM8998-O-12", chip: "2005E0E1"},
	{kind: "xz1", product: "G8141", suffix: "42E5", luns: []int64{62480384, 4096, 4096, 4096, 4096, 4096}, rootHash: 32, maxDownload: 104857600,
		boot: "1306-5035_X_Boot_MSM8998_LA1.0_P_114", baseband: "1307-7511_47.1.A.16.20", loader: "XFL-MSM8998-O-12", chip: "2005E0E1"},
	{kind: "xz1", product: "G8341", suffix: "C93B", emmc: true, luns: []int64{30535680}, rootHash: 32, maxDownload: 104857600,
		boot: "1306-5035_X_Boot_MSM8998_LA1.0_P_114", baseband: "1307-7511_47.2.A.11.228", loader: "XFL-MSM8998-O-12", chip: "2005E0E1"},
	{kind: "1", product: "J9110", suffix: "A2CD", luns: []int64{62480384, 4096, 4096}, slots: true, rootHash: 48, maxDownload: 104857600,
		boot: "1315-2591_X_Boot_SM8150_LA2.0_Q_115", baseband: "1316-7200_55.0.A.11.29", loader: "XFL-SM8150-P-16", chip: "300A50E1", battery: "87"},
	{kind: "1", product: "H4113", suffix: "18AE", emmc: true, luns: []int64{30535680}, slots: true, rootHash: 32, maxDownload: 104857600,
		boot: "1310-0301_X_Boot_SDM630_LA3.0_P_101", baseband: "1312-1455_50.2.A.3.77", loader: "XFL-SDM630-P-3", chip: "000AC0E1", battery: "87"},
	{kind: "1iii", product: "XQ-BC72", suffix: "4BA8", luns: []int64{249896960, 8192, 8192}, slots: true, super: true, signs: true, rootHash: 48, maxDownload: 805306368,
		boot: "1322-1669_X_Boot_SM8350_LA2.0.1_T_205", baseband: "61.2.A.0.382", loader: "XFL-SM8350-R-8", chip: "2013B0E1"},
	{kind: "1iii", product: "XQ-AU52", suffix: "E9C8", emmc: true, luns: []int64{122138624}, slots: true, super: true, rootHash: 48, maxDownload: 104857600,
		boot: "1317-4415_X_Boot_SM6125_LA1.0_Q_109", baseband: "1318-9911_59.0.A.6.24", loader: "XFL-SM6125-Q-4", chip: "1014B0E1", battery: "3950"},
}

func init() {
	for _, m := range commandModels {
		if phones[m.kind] == nil {
			phones[m.kind] = &phoneKind{name: m.kind, model: m.product, command: m}
		}
	}
}

// Storages of such phones that Options.Storage names.
const (
	StorageUFS  = "ufs"
	StorageEMMC = "emmc"
)

// commandModelOf finds a model by name, storage and product; a product that is not listed
// is the default phone under another name.
func commandModelOf(kind, storage, product string) *commandModel {
	var first *commandModel
	for _, m := range commandModels {
		if m.kind != kind || m.emmc != (storage == StorageEMMC) {
			continue
		}
		if m.product == product {
			return m
		}
		if first == nil {
			first = m
		}
	}
	return first
}

// block is the size of a block in bytes.
func (m *commandModel) block() int64 {
	if m.emmc {
		return 512
	}
	return 4096
}

// commandSizes are the sizes of partitions by name in KiB; userdata takes the rest. Which there are follows the file lists of real
// firmware; which unit they are on and the sizes of most are a model.
var commandSizes = map[string]int64{
	"TA": 2048, "persist": 32768, "ssd": 8, "misc": 1024, "Qnovo": 512, "fsmetadata": 1024, "fsg": 2048, "modemst1": 2048, "modemst2": 2048,
	"appslog": 16384, "diag": 8192, "LTALabel": 16384, "cache": 262144, "cdt": 128, "spunvm": 8192, "metadata": 16384, "super": 8 << 20,
	"boot": 98304, "vendor_boot": 98304, "recovery": 102400, "FOTAKernel": 65536, "dtbo": 24576, "vbmeta": 64, "vbmeta_system": 64,
	"modem": 131072, "bluetooth": 4096, "dsp": 65536, "rdimage": 65536, "mdtp": 32768, "oem": 262144, "vendor": 1 << 20, "system": 4 << 20,
	"bootloader": 2048, "reserve": 128,
}

var (
	unslottedF = []string{"TA", "persist", "ssd", "misc", "Qnovo", "fsmetadata", "fsg", "modemst1", "modemst2", "appslog", "diag", "LTALabel", "cache",
		"boot", "FOTAKernel", "modem", "bluetooth", "dsp", "rdimage", "oem", "vendor", "system"}
	unslottedG = []string{"TA", "persist", "ssd", "misc", "Qnovo", "fsmetadata", "fsg", "modemst1", "modemst2", "appslog", "diag", "LTALabel"}
	unslottedH = []string{"TA", "persist", "misc", "cdt", "spunvm", "modemst1", "modemst2", "appslog", "diag", "LTALabel", "metadata", "super"}
	slottedG   = []string{"boot", "dtbo", "vbmeta", "modem", "bluetooth", "dsp", "rdimage", "mdtp", "oem", "vendor", "system"}
	slottedH   = []string{"boot", "vendor_boot", "recovery", "dtbo", "vbmeta", "vbmeta_system", "modem", "bluetooth", "dsp", "rdimage", "oem"}
)

// slotted are the names that have slots, bootloader among them (usbproto/command/PROTOCOL.md
// §5.1).
func (m *commandModel) slotted() []string {
	switch {
	case m.super:
		return append([]string{"bootloader"}, slottedH...)
	case m.slots:
		return append([]string{"bootloader"}, slottedG...)
	}
	return nil
}

// parts are the labels of a logical unit in order. The boot loader of slot a is on unit 1,
// that of slot b on unit 2, as boot units of UFS are; with eMMC everything is on unit 0.
func (m *commandModel) parts(lun int) []string {
	boot := func(lun int) []string {
		switch {
		case m.slots && lun > 0 && lun < 3:
			return []string{"bootloader_" + slotNames[lun-1]}
		case !m.slots && lun == 1:
			return []string{"bootloader"}
		}
		return []string{"reserve"}
	}
	if lun > 0 {
		return boot(lun)
	}
	list := unslottedF
	switch {
	case m.super:
		list = unslottedH
	case m.slots:
		list = unslottedG
	}
	list = append([]string(nil), list...)
	for _, slot := range slotNames {
		for _, name := range m.slotted() {
			if name != "bootloader" {
				list = append(list, name+"_"+slot)
			}
		}
	}
	if m.emmc {
		for i := range 2 {
			list = append(list, boot(i+1)...)
		}
	}
	return append(list, "userdata")
}

// slotNames are the slots.
var slotNames = []string{"a", "b"}

// bareName is a label without its slot.
func bareName(label string) string {
	for _, slot := range slotNames {
		if name, ok := strings.CutSuffix(label, "_"+slot); ok {
			return name
		}
	}
	return label
}

// table is the partition table of a logical unit of that many bytes.
func (m *commandModel) table(lun int, size int64) (*lunTable, error) {
	block := m.block()
	t := &lunTable{block: block, disk: diskGUID, last: uint64(size/block) - 1}
	t.disk[14], t.disk[15] = 'L', byte(lun)
	next := (2 + entryBlocks(block) + 7) &^ 7
	end := t.last - entryBlocks(block) - 1
	for i, label := range m.parts(lun) {
		e := gpt.Entry{Type: basicData, Unique: t.disk, First: next, Name: label}
		e.Unique[13] = byte(i + 1)
		blocks := uint64(commandSizes[bareName(label)] << 10 / block)
		if blocks == 0 {
			if next > end || end-next < 64<<20/uint64(block) {
				return nil, fmt.Errorf("unit %d of %d bytes has no room for its partitions", lun, size)
			}
			blocks = end - next + 1
		}
		e.Last = next + blocks - 1
		next += blocks
		t.entries = append(t.entries, e)
	}
	if next > end+1 {
		return nil, fmt.Errorf("unit %d of %d bytes has no room for its partitions", lun, size)
	}
	return t, nil
}
