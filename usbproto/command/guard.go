package command

import (
	"fmt"
	"slices"
	"strings"
)

// Units of the session itself.
const (
	UnitUpdate = 10100 // 1 while an update runs, 0 after it
	UnitTime   = 10021 // when it ended, 20 bytes of text
)

// Units of trim-area partition 2 that may be written (PROTOCOL.md §5.6).
const (
	unitCustomer = 2171
	maxCustomer  = 32
)

var writableUnits = []uint32{
	UnitUpdate, UnitTime,
	2127, 2301, // boot configuration
	2212, 2311, 2316, 2330, 2404, 2473, 2486, 2553, 2590, // resets of a full set
	2550, // master reset
	unitCustomer,
}

// neverUnits are the units that firmware or a stranger's file might hold and that make the phone the one it is.
var neverUnits = []struct {
	from, to uint32
	what     string
}{
	{2003, 2003, "the hardware configuration"}, {2010, 2010, "the SIM lock"}, {2129, 2129, "the signature of the SIM lock"},
	{2210, 2210, "the model"}, {2226, 2226, "the unlock code"}, {2560, 2568, "network addresses"},
	{4899, 4909, "serial and product numbers"}, {4952, 4970, "calibration"}, {0x10000, 0xffffffff, "keys and locks"},
}

// CheckUnit says why a unit of partition 2 may not be written with this content: a *Forbidden, or nil.
func CheckUnit(unit uint32, data []byte) error {
	no := func(why string) error { return &Forbidden{What: fmt.Sprintf("unit %d", unit), Why: why} }
	if !slices.Contains(writableUnits, unit) {
		for _, n := range neverUnits {
			if n.from <= unit && unit <= n.to {
				return no("it holds " + n.what + " of this one phone")
			}
		}
		return no("it is not on the list of units that a restore writes")
	}
	switch {
	case unit == UnitUpdate && (len(data) != 1 || data[0] > 1):
		return no("the only known contents are 00 and 01")
	case unit == unitCustomer && (len(data) > maxCustomer || !printable(strings.TrimRight(string(data), "\x00"))):
		return no("a customer id is a short ASCII text")
	}
	return nil
}

// Partitions that may be erased and flashed, by the name in the firmware (PROTOCOL.md §5.6). Everything else is refused,
// above all TA and persist.
var writablePartitions = strings.Fields(`
	bootloader boot vendor_boot init_boot recovery FOTAKernel dtbo vbmeta vbmeta_system super system vendor oem
	modem bluetooth dsp rdimage featenabler pvmfw mdtp mdtpsecapp
	userdata metadata cache misc appslog diag ssd Qnovo LTALabel
	modemst1 modemst2 fsg fsmetadata mdm1m9kefs1 mdm1m9kefs2 mdm1m9kefs3 spunvm cdt`)

// otherSlot are the partitions that have an image for slot b in Sony's firmware. Nothing else goes to slot b
// (PROTOCOL.md §5.1).
var otherSlot = []string{"system", "oem"}

// CheckPartition says why a partition, with or without its slot, may not be erased or flashed: a *Forbidden, or nil.
func CheckPartition(partition string) error {
	no := func(why string) error { return &Forbidden{What: fmt.Sprintf("partition %.40q", partition), Why: why} }
	if !plainName(partition) {
		return no("a name has 1 to 36 letters, digits and underscores")
	}
	base, slot := splitSlot(partition)
	switch lower := strings.ToLower(base); {
	case lower == "ta", lower == "persist":
		return no("it holds keys and calibration of this one phone, and no file can restore them")
	case !slices.Contains(writablePartitions, base):
		return no("it is not on the list of partitions that a restore writes")
	case slot == "b" && !slices.Contains(otherSlot, base):
		return no("a restore writes slot a: a phone set to slot b afterwards does not start at all")
	}
	return nil
}

// splitSlot takes _a or _b off a name.
func splitSlot(partition string) (base, slot string) {
	if n := len(partition) - 2; n > 0 && (partition[n:] == "_a" || partition[n:] == "_b") {
		return partition[:n], partition[n+1:]
	}
	return partition, ""
}

// Limits of names and commands (PROTOCOL.md §1.4): a longer name in has-slot reportedly crashes a boot loader.
const (
	maxName    = 36
	maxCommand = 64
)

func plainName(s string) bool {
	return s != "" && len(s) <= maxName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// checkCommand is the last look at a command. What builds it checks the name before.
func checkCommand(command string) error {
	if command == "" || len(command) > maxCommand || !printable(command) {
		return fmt.Errorf("%.80q: %w: a command has 1 to %d printable characters", command, ErrState, maxCommand)
	}
	return nil
}
