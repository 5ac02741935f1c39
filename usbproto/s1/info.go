package s1

import (
	"slices"
	"strconv"
	"strings"
)

// Stage is the program that answers in flash mode.
type Stage string

// Stages, as the key TYPE names them (s1-protocol.md §4.2).
const (
	StageBoot   Stage = "S1_BOOT"
	StageLoader Stage = "S1_LOADER"
)

// Limits of MAX_PKT_SZ that are believed. The smallest known is 0x10000, the largest
// 0x800000 (error-codes.md §3.1).
const (
	minPacket     = 0x200
	maxPacket     = 0x1000000
	defaultPacket = 0x10000
)

// Info is what the phone says of itself in answer to command 1: keys in the order sent.
// Unknown keys are kept (s1-protocol.md §4.2).
type Info struct {
	keys   []string
	values map[string]string
}

// ParseInfo reads KEY="VALUE";KEY="VALUE";... with or without a final NUL. The format
// has no escapes. Text that is no pair is passed over: a phone must not be lost over an
// odd key.
func ParseInfo(text []byte) *Info {
	info := &Info{values: map[string]string{}}
	rest := strings.TrimRight(string(text), "\x00")
	for rest != "" {
		key, after, found := strings.Cut(rest, "=")
		if !found {
			break
		}
		// What stands before a stray semicolon is no key.
		key = strings.TrimSpace(key[strings.LastIndexByte(key, ';')+1:])
		var value string
		if strings.HasPrefix(after, `"`) {
			// A value ends at '";', so it may hold a semicolon or a lone quotation mark.
			if value, rest, found = strings.Cut(after[1:], `";`); !found {
				value = strings.TrimSuffix(value, `"`)
			}
		} else {
			value, rest, _ = strings.Cut(after, ";")
		}
		if key == "" {
			continue
		}
		if _, twice := info.values[key]; !twice {
			info.keys = append(info.keys, key)
		}
		info.values[key] = value
	}
	return info
}

// Keys are the names of all values in the order of the phone.
func (i *Info) Keys() []string { return slices.Clone(i.keys) }

// Get gives a value; false when the phone did not send the key.
func (i *Info) Get(key string) (string, bool) {
	v, ok := i.values[key]
	return v, ok
}

// Stage is the program that answered, "" when it did not say.
func (i *Info) Stage() Stage { return Stage(i.values["TYPE"]) }

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
func (i *Info) Roots() []string {
	return strings.FieldsFunc(i.values["S1_ROOT"], func(r rune) bool { return r == ',' || r == ' ' })
}

// HWRole is one entry of the phone's hardware configuration: what files of a signer may
// do (error-codes.md §3.2).
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

// HWConfig is the list of roles, which may be empty: then the phone has lost its
// hardware-configuration record and refuses all images. sent is false when the phone
// did not send the key at all, which says nothing; boot stages do that.
func (i *Info) HWConfig() (roles []HWRole, sent bool) {
	text, sent := i.values["HW_CONFIG"]
	for _, entry := range strings.Split(text, ",") {
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
	return roles, sent
}

// secretKeys identify one phone or its owner; their values are masked in everything
// that may be shared.
var secretKeys = []string{"IMEI", "PHONE_ID", "MSN", "UNIQUE_DEV_ID"}

// Secret reports whether the value of a key identifies one phone.
func Secret(key string) bool {
	return slices.ContainsFunc(secretKeys, func(s string) bool { return key == s || strings.HasPrefix(key, s+"_") })
}

// Mask hides all but the shape of a value: letters and digits become x, so that an
// empty or malformed value can still be told.
func Mask(value string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return 'x'
		}
		return r
	}, value)
}
