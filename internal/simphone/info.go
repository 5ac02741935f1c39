package simphone

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"xflash/sin/gpt"
)

// infoText builds the reply of command 1: KEY="VALUE"; pairs and a NUL.
type infoText struct{ strings.Builder }

func (t *infoText) add(key, value string) { fmt.Fprintf(t, "%s=\"%s\";", key, value) }

func (t *infoText) bytes() []byte { return append([]byte(t.String()), 0) }

// Keys of a loader's hello, in order (usbproto/s1/PROTOCOL.md §14.9).
var (
	helloNew = keys(`PROT_VER VER ID TYPE ACTIVE_COMP_AID MAX_PKT_SZ IGNORE_CRC DEF_SEC HWCONF_AID LOADER_AID BOOT_AID NO_SUB_SYSTEMS
		OTP_DATA_1 OTP_LOCK_STATUS_1 UNIQUE_DEV_ID_1 IDCODE_1 S1_ROOT HW_CONFIG_VER HW_CONFIG_INFO SEC_STATE IMEI PROD_ID GLOB_SEC
		PHONE_ID HW_CONFIG AUTH_LEVEL AUTH_MET MEMDEVS PLF_ROOT_1 RAM_INFO CARD_PRESENT`)
	helloKitakami = after(helloNew, "IDCODE_1", "SUID_1")
	helloRhine    = keys(`PROT_VER ID TYPE ACTIVE_COMP_AID MAX_PKT_SZ IGNORE_CRC VER MEMDEVS S1_ROOT DEF_SEC HWCONF_AID LOADER_AID BOOT_AID
		NO_SUB_SYSTEMS OTP_DATA_1 OTP_LOCK_STATUS_1 UNIQUE_DEV_ID_1 IDCODE_1 RAM_INFO HW_CONFIG_VER IMEI PROD_ID GLOB_SEC PHONE_ID HW_CONFIG
		AUTH_LEVEL AUTH_MET`)
	chip2Keys = keys("OTP_DATA_2 OTP_LOCK_STATUS_2 UNIQUE_DEV_ID_2 IDCODE_2")
	helloZ    = after(without(helloRhine, "IGNORE_CRC", "RAM_INFO"), "IDCODE_1", chip2Keys...)
	helloZR   = after(after(without(helloRhine, "RAM_INFO"), "VER", "RAM_INFO"), "IDCODE_1", chip2Keys...)
)

// confKeys are not there without a hardware configuration; its other keys are empty
// then (internal/explain/ERRORS.md §0, cause 1).
var confKeys = keys("HW_CONFIG_INFO SEC_STATE PROD_ID")

func keys(text string) []string { return strings.Fields(text) }

func without(list []string, gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(key string) bool { return slices.Contains(gone, key) })
}

func after(list []string, key string, more ...string) []string {
	return slices.Insert(slices.Clone(list), slices.Index(list, key)+1, more...)
}

// bootInfo is what the boot stage tells (usbproto/s1/PROTOCOL.md §4.2, §10.2). It has
// no IGNORE_CRC: whether a real one verifies packets is unknown, this one does.
func (s *session) bootInfo() []byte {
	all := s.infoValues()
	all["TYPE"] = "S1_BOOT"
	all["VER"] = s.phone.settings.BootVersion
	all["ROOTING_STATUS"] = map[bool]string{true: "ROOTABLE", false: "ROOTED"}[s.phone.settings.Locked]
	var t infoText
	for _, key := range keys(`TYPE VER PROT_VER MAX_PKT_SZ ROOTING_STATUS NO_SUB_SYSTEMS OTP_LOCK_STATUS_1 OTP_DATA_1 IDCODE_1 PLF_ROOT_1
		UNIQUE_DEV_ID_1 S1_ROOT IMEI PHONE_ID`) {
		t.add(key, all[key])
	}
	return t.bytes()
}

// loaderInfo is what the loader tells.
func (s *session) loaderInfo() []byte {
	all := s.infoValues()
	all["TYPE"] = "S1_LOADER"
	all["VER"] = s.loader.version
	if s.model.is(s.loader.version) {
		all["VER"] = s.model.version
	}
	all["ID"] = s.loader.product
	all["ACTIVE_COMP_AID"] = fmt.Sprintf("%04X", s.loader.aid)
	all["IGNORE_CRC"] = "HDR,DATA"
	all["AUTH_LEVEL"] = "NONE"
	all["AUTH_MET"] = "0001"
	all["RAM_INFO"] = strings.TrimSuffix(strings.Repeat("00000000:", s.model.ram), ":")
	all["CARD_PRESENT"] = "NO"
	var t infoText
	for _, key := range s.model.hello {
		if s.sec.conf == nil && slices.Contains(confKeys, key) {
			continue
		}
		t.add(key, all[key])
	}
	return t.bytes()
}

// infoValues are the values that both stages know.
func (s *session) infoValues() map[string]string {
	set := &s.phone.settings
	all := map[string]string{
		"PROT_VER": "04", "MAX_PKT_SZ": fmt.Sprintf("%08X", s.maxPacket),
		"DEF_SEC":    map[bool]string{true: "OFF", false: "ON"}[s.sec.off()],
		"HWCONF_AID": fmt.Sprintf("%04X", s.sec.fuseAID),
		"S1_ROOT":    s.rootNames(),
		// One entry for the eMMC; all numbers but that of its sectors are of an invented card.
		"MEMDEVS":        fmt.Sprintf("03:00:0015:0100:0000:%08X:00000400:00000200", s.phone.disk.size/gpt.SectorSize),
		"NO_SUB_SYSTEMS": "0001",
		"OTP_DATA_1":     set.OTPData, "OTP_LOCK_STATUS_1": set.OTPLock,
		"UNIQUE_DEV_ID_1": strings.ToUpper(set.UniqueID), "IDCODE_1": set.IDCode,
		"PLF_ROOT_1": set.PlatformRoot,
	}
	all["LOADER_AID"], all["BOOT_AID"] = all["HWCONF_AID"], all["HWCONF_AID"]
	if s.model.twoChips {
		all["NO_SUB_SYSTEMS"] = "0002"
		s.secondChip(all)
	}
	if c := s.sec.conf; c != nil {
		all["HW_CONFIG_VER"] = "0006" // the only one there is
		all["PROD_ID"] = fmt.Sprintf("%04X", c.ProductID)
		all["GLOB_SEC"] = fmt.Sprintf("%04X", c.Flags)
		all["HW_CONFIG"] = hwConfText(c)
		if imeis := c.IMEIs(); len(imeis) > 0 {
			all["IMEI"], all["PHONE_ID"] = imeis[0], "0000:"+imeis[0]
		}
	}
	return all
}

// secondChip adds what unit 2150 says: u16 1, three u16, three u32, of which the
// reference says only that they are lock, fuses, serial number and id code. Their
// order here is a model. Without the unit they are zero, and UNLOCKED.
func (s *session) secondChip(all map[string]string) {
	data, lock := make([]byte, 20), "UNLOCKED"
	if image, err := s.phone.readTrimArea(); err == nil {
		if u, ok := image.Unit(2, unitSecondChip); ok && len(u.Data) == len(data) {
			data = u.Data
			if binary.BigEndian.Uint16(data[2:]) != 0 {
				lock = "LOCKED"
			}
		}
	}
	all["OTP_LOCK_STATUS_2"] = lock
	all["OTP_DATA_2"] = fmt.Sprintf("%08X", binary.BigEndian.Uint32(data[4:]))
	all["UNIQUE_DEV_ID_2"] = fmt.Sprintf("%08X", binary.BigEndian.Uint32(data[12:]))
	all["IDCODE_2"] = fmt.Sprintf("%08X", binary.BigEndian.Uint32(data[16:]))
}

// rootNames is the value of S1_ROOT: the live and the test root of every loader,
// and those that this phone was told to trust.
func (s *session) rootNames() string {
	names := []string{s.phone.kind.rootName, testRootName}
	for _, root := range s.phone.roots {
		names = append(names, root.Subject)
	}
	return strings.Join(names, ",")
}
