package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const getvar = "getvar:"

// Var asks for a variable. One that the phone does not know is a *Refusal, which is normal.
func (s *Session) Var(ctx context.Context, name string) (string, error) {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:") != "" {
		return "", fmt.Errorf("%w: %.40q cannot be the name of a variable", ErrState, name)
	}
	return s.run(ctx, getvar+name, s.opt.Answer, false)
}

// Slots is what the phone says about its two sets of partitions.
type Slots struct {
	Count   int    // 2, or 0 for a phone without slots
	Current string // a, b, or "" when the phone does not tell
}

// Slots asks for them. A phone of 2017 has none.
func (s *Session) Slots(ctx context.Context) (Slots, error) {
	var slots Slots
	var refused *Refusal
	text, err := s.Var(ctx, "slot-count")
	if err != nil && !errors.As(err, &refused) {
		return slots, err
	}
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 100 {
		slots.Count = n
	}
	text, err = s.Var(ctx, "current-slot")
	if err != nil && !errors.As(err, &refused) {
		return slots, err
	}
	if text == "a" || text == "b" {
		slots.Current = text
	}
	return slots, nil
}

// maxHash is the longest root key hash in bytes; 32 and 48 are known.
const maxHash = 64

// RootKeyHash asks for the hash of the key that the phone trusts: 32 bytes in 2017 and 2018, 48 after that.
func (s *Session) RootKeyHash(ctx context.Context) ([]byte, error) {
	return s.fetchAll(ctx, "Get-root-key-hash", maxHash)
}

// maxLog is the longest log that is read in bytes.
const maxLog = 4 << 20

// BootLog asks for the log of the boot loader, which says more than a refusal does.
func (s *Session) BootLog(ctx context.Context) ([]byte, error) {
	return s.fetchAll(ctx, "Getlog", maxLog)
}

// publicVariables are the same on every phone of a model, or its state (PROTOCOL.md §2.5).
var publicVariables = []string{
	"max-download-size", "product", "version", "version-bootloader", "version-baseband", "secure", "Sector-size", "Version-sony", "USB-version",
	"is-userspace", "Loader-version", "Platform-id", "Rooting-status", "Ufs-info", "Emmc-info", "Default-security", "Keystore-counter",
	"S1-root", "Sake-root", "X-conf", "Frp-partition", "Battery", "slot-count", "current-slot", "Rollback-index-count", "Has-been-unlocked",
}

// Secret reports whether the value of a variable may identify one phone: that of every name that is not known to be public.
func Secret(name string) bool {
	return !slices.Contains(publicVariables, name) && !strings.HasPrefix(name, "has-slot:") && !strings.HasPrefix(name, "Rollback-index:")
}

// Battery is what the variable of that name says: one of the two, the other is 0 (PROTOCOL.md §2.5).
type Battery struct{ Percent, Millivolts int }

// ParseBattery reads the variable.
func ParseBattery(text string) (Battery, bool) {
	n, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
	switch {
	case err != nil || n < 0 || n > 10000:
		return Battery{}, false
	case n > 1150:
		return Battery{Millivolts: n}, true
	}
	return Battery{Percent: n}, n <= 100
}

// Low reports whether the battery may not last: below 15 % or 3750 mV.
func (b Battery) Low() bool {
	if b.Millivolts > 0 {
		return b.Millivolts < 3750
	}
	return b.Percent < 15
}

func (b Battery) String() string {
	if b.Millivolts > 0 {
		return fmt.Sprintf("%d mV", b.Millivolts)
	}
	return fmt.Sprintf("%d %%", b.Percent)
}
