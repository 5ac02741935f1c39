package simphone

import (
	"fmt"
	"strings"
)

// infoText builds the reply of command 1: KEY="VALUE"; pairs and a NUL.
type infoText struct{ strings.Builder }

func (t *infoText) add(key, value string) { fmt.Fprintf(t, "%s=%q;", key, value) }

func (t *infoText) bytes() []byte { return append([]byte(t.String()), 0) }

// bootInfo is what the boot stage tells (s1-protocol.md §4.2 and §10.2). It has
// no IGNORE_CRC: whether a real one verifies packets is not known, this one does.
func (s *session) bootInfo() []byte {
	var t infoText
	set := &s.phone.settings
	t.add("TYPE", "S1_BOOT")
	t.add("VER", set.BootVersion)
	t.add("PROT_VER", "04")
	t.add("MAX_PKT_SZ", fmt.Sprintf("%08X", s.maxPacket))
	t.add("ROOTING_STATUS", map[bool]string{true: "ROOTABLE", false: "ROOTED"}[set.Locked])
	s.chipInfo(&t)
	t.add("S1_ROOT", s.rootNames())
	s.identityInfo(&t)
	return t.bytes()
}

// loaderInfo is what the loader tells, keys in the order of error-codes.md §3.2.
func (s *session) loaderInfo() []byte {
	var t infoText
	t.add("PROT_VER", "04")
	t.add("VER", s.loader.version)
	t.add("ID", s.loader.product)
	t.add("TYPE", "S1_LOADER")
	t.add("ACTIVE_COMP_AID", fmt.Sprintf("%04X", s.loader.aid))
	t.add("MAX_PKT_SZ", fmt.Sprintf("%08X", s.maxPacket))
	t.add("IGNORE_CRC", "HDR,DATA")
	security := "ON"
	if s.sec.off() {
		security = "OFF"
	}
	t.add("DEF_SEC", security)
	for _, key := range []string{"HWCONF_AID", "LOADER_AID", "BOOT_AID"} {
		t.add(key, fmt.Sprintf("%04X", s.sec.fuseAID))
	}
	s.chipInfo(&t)
	t.add("S1_ROOT", s.rootNames())
	s.hwConfInfo(&t)
	t.add("AUTH_LEVEL", "NONE")
	t.add("AUTH_MET", "0001")
	t.add("MEMDEVS", "EMMC")
	return t.bytes()
}

// chipInfo adds what the fuses and the chip tell.
func (s *session) chipInfo(t *infoText) {
	set := &s.phone.settings
	t.add("NO_SUB_SYSTEMS", "0001")
	t.add("OTP_LOCK_STATUS_1", set.OTPLock)
	t.add("OTP_DATA_1", set.OTPData)
	t.add("IDCODE_1", set.IDCode)
	t.add("PLF_ROOT_1", set.PlatformRoot)
	t.add("UNIQUE_DEV_ID_1", strings.ToUpper(set.UniqueID))
}

// hwConfInfo adds what comes from the hardware configuration. Without one the
// keys are there and empty (error-codes.md, main result, cause 1).
func (s *session) hwConfInfo(t *infoText) {
	var version, info, state, product, global, roles string
	if c := s.sec.conf; c != nil {
		version = "0006" // the only one there is
		info = "AP"
		state = "0001"
		product = fmt.Sprintf("%04X", c.ProductID)
		global = fmt.Sprintf("%04X", c.Flags)
		roles = hwConfText(c)
	}
	t.add("HW_CONFIG_VER", version)
	t.add("HW_CONFIG_INFO", info)
	t.add("SEC_STATE", state)
	t.add("PROD_ID", product)
	t.add("GLOB_SEC", global)
	t.add("HW_CONFIG", roles)
	s.identityInfo(t)
}

// identityInfo adds the phone's number.
func (s *session) identityInfo(t *infoText) {
	var imei, phone string
	if c := s.sec.conf; c != nil {
		if all := c.IMEIs(); len(all) > 0 {
			imei, phone = all[0], "0000:"+all[0]
		}
	}
	t.add("IMEI", imei)
	t.add("PHONE_ID", phone)
}

// rootNames is the value of S1_ROOT: the names of the live roots.
func (s *session) rootNames() string {
	names := []string{liveRootName}
	for _, root := range s.phone.roots {
		names = append(names, root.Subject)
	}
	return strings.Join(names, ",")
}
