package s1

import (
	"strconv"
	"strings"
)

// Stage is the program that answers in flash mode.
type Stage string

// Stages, as the key TYPE names them (PROTOCOL.md §4.2).
const (
	StageBoot   Stage = "S1_BOOT"
	StageLoader Stage = "S1_LOADER"
)

// Stage is the program that answered, "" when it did not say.
func (i *Info) Stage() Stage { return Stage(i.values["TYPE"]) }

// Version is the version of the program that answered, such as MSM8974AB_22. That of
// the boot stage is compared with the boot delivery of a bundle.
func (i *Info) Version() string { return i.values["VER"] }

// Plausible limits of MAX_PKT_SZ. The smallest known value is 0x10000, the largest
// 0x800000 (PROTOCOL.md §4.2).
const (
	minPacket     = 0x200
	maxPacket     = 0x1000000
	defaultPacket = 0x10000
)

// MaxPacket is the longest packet data in bytes that this stage takes. The key is
// hexadecimal text. Without a believable value the smallest known one is used.
func (i *Info) MaxPacket() int {
	n, err := strconv.ParseUint(i.values["MAX_PKT_SZ"], 16, 32)
	if err != nil || n < minPacket || n > maxPacket {
		return defaultPacket
	}
	return int(n)
}

// Roots are the names of the root certificates the phone trusts.
func (i *Info) Roots() []string { return SplitRoots(i.values["S1_ROOT"]) }

// SplitRoots reads the value of S1_ROOT, the names of root certificates.
func SplitRoots(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
}

// HWRole is one entry of the phone's hardware configuration: what files of a signer may
// do (internal/explain/ERRORS.md §3.2).
type HWRole struct {
	Name  string // S1_SW, S1_Boot, ...
	AID   uint16 // lowest security version accepted
	Flags uint16
}

// Flags of a role.
const (
	RoleEnforced = 0x0001 // signatures are checked
	RoleLiveRoot = 0x0002 // files of Sony's production root are accepted
	RoleTestRoot = 0x0004 // files of Sony's internal test root are accepted
)

// Accepts reports whether files of this type are accepted with a kind of root, RoleLiveRoot or
// RoleTestRoot. Without enforcement all are.
func (r HWRole) Accepts(root uint16) bool { return r.Flags&RoleEnforced == 0 || r.Flags&root != 0 }

// HWConfig is the list of roles that the phone tells. A list that was sent and is empty
// means that the phone has lost its hardware-configuration record and refuses all
// images. told is false when the phone did not send the key, as boot stages do, or sent
// a word such as UNKNOWN instead of a list: that says nothing. Entries that cannot be
// read are left out.
func (i *Info) HWConfig() (roles []HWRole, told bool) {
	text, told := i.values["HW_CONFIG"]
	if text != "" && !strings.Contains(text, ":") {
		return nil, false
	}
	for entry := range strings.SplitSeq(text, ",") {
		parts := strings.Split(strings.TrimSpace(entry), ":")
		if len(parts) != 3 {
			continue
		}
		aid, err1 := strconv.ParseUint(parts[1], 16, 16)
		flags, err2 := strconv.ParseUint(parts[2], 16, 16)
		if err1 == nil && err2 == nil && parts[0] != "" {
			roles = append(roles, HWRole{Name: parts[0], AID: uint16(aid), Flags: uint16(flags)})
		}
	}
	return roles, told
}

// PublicKeys are the keys whose values are the same on many phones, so that they may go
// into a plan, a journal and a capture.
var PublicKeys = []string{
	"TYPE", "ID", "VER", "PROT_VER", "MAX_PKT_SZ", "IGNORE_CRC", "NO_SUB_SYSTEMS", "S1_ROOT", "DEF_SEC", "SEC_STATE", "GLOB_SEC",
	"OTP_LOCK_STATUS_1", "OTP_DATA_1", "IDCODE_1", "PLF_ROOT_1", "PLF_ROOT", "ROOTING_STATUS",
	"HW_CONFIG", "HW_CONFIG_VER", "HWCONF_AID", "LOADER_AID", "BOOT_AID", "ACTIVE_COMP_AID",
}
