package simphone

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Hardware configurations that Options.HWConf names.
const (
	HWConfGood      = "good"
	HWConfMissing   = "missing"     // unit 2003 is not there
	HWConfNoLiveBit = "no-live-bit" // the live root is accepted for loaders only
	HWConfNoUsage   = "no-usage"    // no role but those of loader and hardware configuration is listed
)

// Hellos that Options.Hello names.
const (
	HelloBoth     = "both"
	HelloNone     = "none"      // neither stage speaks first: what a second run of a tool finds
	HelloNoBoot   = "no-boot"   // only the loader does
	HelloNoLoader = "no-loader" // only the boot stage does
)

// unknownModel is what unit 2210 reads on phones that ran a custom ROM
// (usbproto/s1/PROTOCOL.md §4.4): 29 bytes, no NUL.
const unknownModel = "Unknown: Jan 23 2014/09:43:25"

// Options describe a phone. The zero value is a healthy D5803. The second group is
// kept in the state directory; a field that is set changes the phone there.
type Options struct {
	Name string // one of Names; empty is z3c; a state directory keeps its phone

	Dir         string // state directory, created if missing; empty: a temporary one that Close removes
	Model       string // unit 2210, "D5803"
	Serial      string // unit 4900
	Disk        int64  // bytes of eMMC; only when the phone is made
	BootVersion string // VER of the boot stage
	OTPLock     string // OTP_LOCK_STATUS_1: LOCKED, UNLOCKED (an unfused chip), INVALID
	OTPData     string // OTP_DATA_1, 8 hexadecimal digits
	HWConf      string // one of the HWConf constants
	Locked      bool   // its boot loader is; "oem unlock" ends that
	Storage     string // one of the Storage constants, of a phone of 2017 or later; empty is ufs
	Slot        string // a or b: the slot such a phone is on
	Unknown2210 bool   // unit 2210 reads "Unknown: <date>"

	FuseAID         uint64   // minimum security version in the fuses; 0 is 1
	Aboot           string   // one of the Aboot constants; empty is 2013
	InFastboot      bool     // the phone is put into fastboot mode, not into flash mode
	Hello           string   // one of the Hello constants; empty is both
	BootMaxPacket   uint32   // MAX_PKT_SZ of the boot stage in bytes; 0 is 0x80000
	LoaderMaxPacket uint32   // MAX_PKT_SZ of the loader in bytes; 0 is that of the executed one
	RootFiles       []string // PEM files of further roots; test roots if they are called S1_Root_Test...
	TrustAny        bool     // the result of signature checks is not asked for
	Faults          []Fault
	OnKill          func()      // called for FaultKill on the phone's goroutine
	Log             func(Event) // packet log, called on the phone's goroutine
}

// ParseSpec reads what follows "sim:" on the command line: the name of a
// phone and settings, "z3c,key=value,...". The keys are:
//
//	model=D5833            serial=TEXT           disk=BYTES (or with G or M)
//	boot-ver=TEXT          otp=LOCKED|UNLOCKED|INVALID[:DATA]
//	hwconf=good|missing|no-live-bit|no-usage     2210=unknown
//	aid=N                  hello=both|none|no-boot|no-loader
//	maxpkt=N[:N]           MAX_PKT_SZ of both stages, or of boot stage and loader
//	root=FILE.pem          trust=any             fault=NAME[=ARG]@N
//	mode=flash|fastboot    aboot=2013|2014|2015  locked=yes
//
// The phones of CommandNames have model, serial, disk (of logical unit 0), root, trust,
// fault, and these:
//
//	storage=ufs|emmc       slot=a|b
//
// root and fault may come more than once. Numbers are decimal, or hexadecimal
// with 0x.
func ParseSpec(text string) (Options, error) {
	var o Options
	name, rest, more := strings.Cut(text, ",")
	if phones[name] == nil {
		return o, unknownPhone(name)
	}
	if name != DefaultName {
		o.Name = name
	}
	if !more {
		return o, nil
	}
	for setting := range strings.SplitSeq(rest, ",") {
		key, value, ok := strings.Cut(setting, "=")
		if !ok || value == "" {
			return o, fmt.Errorf("setting %q of the simulated phone is not key=value", setting)
		}
		if err := o.set(key, value); err != nil {
			return o, fmt.Errorf("setting %s of the simulated phone: %w", key, err)
		}
	}
	return o, nil
}

func (o *Options) set(key, value string) (err error) {
	switch key {
	case "model":
		o.Model = value
	case "serial":
		o.Serial = value
	case "disk":
		o.Disk, err = parseSize(value)
	case "boot-ver":
		o.BootVersion = value
	case "otp":
		o.OTPLock, o.OTPData, _ = strings.Cut(value, ":")
	case "hwconf":
		o.HWConf = value
	case "2210":
		if value != "unknown" {
			return fmt.Errorf("%q: the only value is unknown", value)
		}
		o.Unknown2210 = true
	case "aid":
		o.FuseAID, err = strconv.ParseUint(value, 0, 16)
	case "hello":
		o.Hello = value
	case "mode":
		if value != "flash" && value != "fastboot" {
			return fmt.Errorf("%q: the values are flash and fastboot", value)
		}
		o.InFastboot = value == "fastboot"
	case "aboot":
		o.Aboot = value
	case "locked":
		if value != "yes" {
			return fmt.Errorf("%q: the only value is yes", value)
		}
		o.Locked = true
	case "maxpkt":
		boot, loader, both := strings.Cut(value, ":")
		if !both {
			loader = boot
		}
		if o.BootMaxPacket, err = parsePacket(boot); err == nil {
			o.LoaderMaxPacket, err = parsePacket(loader)
		}
	case "storage":
		o.Storage = value
	case "slot":
		o.Slot = value
	case "root":
		o.RootFiles = append(o.RootFiles, value)
	case "trust":
		if value != "any" {
			return fmt.Errorf("%q: the only value is any", value)
		}
		o.TrustAny = true
	case "fault":
		var f Fault
		f, err = ParseFault(value)
		o.Faults = append(o.Faults, f)
	default:
		return fmt.Errorf("there is no such setting")
	}
	if err != nil {
		return err
	}
	return o.check()
}

// check refuses values that no phone can have.
func (o *Options) check() error {
	oneOf := func(what, value string, allowed ...string) error {
		if value != "" && !slices.Contains(allowed, value) {
			return fmt.Errorf("%s %q is not one of %s", what, value, strings.Join(allowed, ", "))
		}
		return nil
	}
	if o.Name != "" && phones[o.Name] == nil {
		return unknownPhone(o.Name)
	}
	if err := o.checkKind(); err != nil {
		return err
	}
	if err := oneOf("storage", o.Storage, StorageUFS, StorageEMMC); err != nil {
		return err
	}
	if err := oneOf("slot", o.Slot, slotNames...); err != nil {
		return err
	}
	if err := oneOf("hardware configuration", o.HWConf, HWConfGood, HWConfMissing, HWConfNoLiveBit, HWConfNoUsage); err != nil {
		return err
	}
	if err := oneOf("hello", o.Hello, HelloBoth, HelloNone, HelloNoBoot, HelloNoLoader); err != nil {
		return err
	}
	if err := oneOf("boot loader of", o.Aboot, Aboot2013, Aboot2014, Aboot2015); err != nil {
		return err
	}
	if err := oneOf("fuse state", o.OTPLock, "LOCKED", "UNLOCKED", "INVALID"); err != nil {
		return err
	}
	if o.OTPData != "" {
		if _, err := strconv.ParseUint(o.OTPData, 16, 32); err != nil || len(o.OTPData) != 8 {
			return fmt.Errorf("fuse data %q are not 8 hexadecimal digits", o.OTPData)
		}
	}
	for _, text := range []string{o.Model, o.Serial, o.BootVersion} {
		if strings.ContainsAny(text, "\";\x00") {
			return fmt.Errorf("%q cannot be written in the phone's KEY=\"VALUE\"; text", text)
		}
	}
	return nil
}

// checkKind refuses what the named phone does not have.
func (o *Options) checkKind() error {
	if k := phones[o.Name]; k == nil || k.command == nil {
		if o.Storage != "" || o.Slot != "" {
			return fmt.Errorf("only %s have storage and slot", strings.Join(CommandNames, ", "))
		}
		return nil
	}
	other := o.BootVersion != "" || o.OTPLock != "" || o.OTPData != "" || o.HWConf != "" || o.Locked || o.Unknown2210 || o.FuseAID != 0 ||
		o.Aboot != "" || o.InFastboot || o.Hello != "" || o.BootMaxPacket != 0 || o.LoaderMaxPacket != 0
	if other {
		return fmt.Errorf("%s has none but model, serial, disk, storage, slot, root, trust and fault", o.Name)
	}
	for _, f := range o.Faults {
		if !slices.Contains(commandFaults, f.Name) {
			return fmt.Errorf("%s has no fault %s", o.Name, f.Name)
		}
	}
	return nil
}

// smallestPacket leaves room for the commands themselves, largestPacket is more
// than any loader has (internal/explain/ERRORS.md §3.1).
const (
	smallestPacket = 512
	largestPacket  = 0x800000
	defaultPacket  = 0x80000
)

func parsePacket(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 0, 32)
	if err != nil || n < smallestPacket || n > largestPacket {
		return 0, fmt.Errorf("%q is not a packet size of %d to %d bytes", text, smallestPacket, largestPacket)
	}
	return uint32(n), nil
}

func parseSize(text string) (int64, error) {
	number, unit := strings.TrimRight(text, "GM"), int64(1)
	switch strings.TrimPrefix(text, number) {
	case "":
	case "M":
		unit = 1 << 20
	case "G":
		unit = 1 << 30
	default:
		return 0, fmt.Errorf("%q is not a size", text)
	}
	n, err := strconv.ParseInt(number, 0, 64)
	if err != nil || n <= 0 || n > (1<<50)/unit {
		return 0, fmt.Errorf("%q is not a size", text)
	}
	return n * unit, nil
}
