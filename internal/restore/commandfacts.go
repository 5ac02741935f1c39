package restore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"xflash/internal/phone"
	"xflash/usbproto/command"
)

// CommandFacts is what a phone of 2017 or later says about itself, as far as a plan depends on
// it. A value is empty when the phone does not tell it.
type CommandFacts struct {
	Product         string `json:"product"`
	BootVersion     string `json:"boot_version"`
	DefaultSecurity string `json:"default_security"`
	PlatformID      string `json:"platform_id"`
	RootHash        string `json:"root_hash"`     // hex
	MaxDownload     int64  `json:"max_download"`  // bytes, 0 when not told
	Slots           int    `json:"slots"`         // 2, or 0 for a phone without slots
	Slot            string `json:"slot"`          // a, b
	Battery         string `json:"battery"`       // as told
	Storage         string `json:"storage"`       // ufs, emmc
	StorageError    string `json:"storage_error"` // why the answer about the storage is not understood
	SectorSize      int64  `json:"sector_size"`   // bytes
	// LUNs are the sizes in bytes of the enabled logical units, by number; 0 is the eMMC.
	LUNs map[int]int64 `json:"luns"`
	// HasSlot is the answer for each partition of the bundle: yes, no.
	HasSlot map[string]string `json:"has_slot"`
	// Rollback is the lowest index that the phone starts, by location, as told.
	Rollback map[uint32]string `json:"rollback"`
}

// ReadCommandFacts asks a phone of 2017 or later who it is. What it refuses counts as not
// told. fw, which may be nil, says about which partitions it is asked.
func ReadCommandFacts(ctx context.Context, s *command.Session, fw *Firmware) (*Facts, error) {
	r := factsReader{ctx: ctx, s: s}
	c := &CommandFacts{Product: r.text("product"), BootVersion: r.text("version-bootloader"),
		DefaultSecurity: r.text("Default-security"), PlatformID: r.text("Platform-id"), Battery: r.text("Battery")}
	c.MaxDownload, _ = s.MaxDownload()
	c.SectorSize, _ = strconv.ParseInt(r.text("Sector-size"), 10, 64)
	hash, err := s.RootKeyHash(ctx)
	r.keep(err)
	c.RootHash = hex.EncodeToString(hash)
	slots, err := s.Slots(ctx)
	r.keep(err)
	c.Slots, c.Slot = slots.Count, slots.Current
	r.storage(c)
	r.partitions(c, fw)
	state, err := s.ReadTA(ctx, command.MiscPartition, unitFlashState)
	r.keep(err)
	f := &Facts{Command: c, Flashing: len(state) > 0 && state[0] != 0, Identity: r.identity(c)}
	return f, r.err
}

// factsReader keeps the first error that ended the session.
type factsReader struct {
	ctx context.Context
	s   *command.Session
	err error
}

func (r *factsReader) keep(err error) {
	if r.err == nil && err != nil && !errors.As(err, new(*command.Refusal)) {
		r.err = err
	}
}

func (r *factsReader) text(name string) string {
	if r.err != nil {
		return ""
	}
	v, err := r.s.Var(r.ctx, name)
	if err != nil { // its text is the refusal
		r.keep(err)
		return ""
	}
	return strings.TrimSpace(v)
}

func (r *factsReader) storage(c *CommandFacts) {
	if r.err != nil {
		return
	}
	c.LUNs = map[int]int64{}
	kind, units, err := r.s.Storage(r.ctx)
	switch {
	case err == nil:
		c.Storage = kind
	case broken(err):
		r.keep(err)
	case !errors.As(err, new(*command.Refusal)):
		c.StorageError = err.Error()
	}
	for _, l := range units {
		if !l.Enabled {
			continue
		}
		c.LUNs[l.Number] = l.Size()
		if kind == "ufs" && c.SectorSize > 0 && c.SectorSize != l.BlockSize {
			c.StorageError = fmt.Sprintf("it gives a sector of %d bytes, but for logical unit %d a block of %d", c.SectorSize, l.Number, l.BlockSize)
		}
	}
}

// partitions asks for slots and rollback indexes, as far as the firmware needs them.
func (r *factsReader) partitions(c *CommandFacts, fw *Firmware) {
	if fw == nil {
		return
	}
	c.HasSlot, c.Rollback = map[string]string{}, map[uint32]string{}
	for _, it := range fw.Items {
		for _, label := range it.image.Partitions {
			if _, asked := c.HasSlot[label]; !asked && c.Slots > 0 && it.image.Send != phone.SendNever && it.image.Send != phone.SendRefuse {
				c.HasSlot[label] = r.text("has-slot:" + label)
			}
		}
		if it.avb != nil {
			if _, asked := c.Rollback[it.avb.location]; !asked {
				c.Rollback[it.avb.location] = r.text(fmt.Sprintf("Rollback-index:%d", it.avb.location))
			}
		}
	}
}

// identity is a hash over what makes the phone unique: it has no serial number on USB.
func (r *factsReader) identity(c *CommandFacts) string {
	for _, name := range []string{"serialno", "Phone-id", "Soc-unique-id", "Device-id"} {
		if v := r.text(name); v != "" {
			return hexSHA256([]byte("command;" + c.Product + ";" + name + "=" + v))
		}
	}
	return ""
}

// broken reports whether a session is over.
func broken(err error) bool {
	return errors.As(err, new(*command.TransferError)) || errors.As(err, new(*command.AnswerError)) ||
		errors.As(err, new(*command.StrayError)) || errors.As(err, new(*command.BudgetError)) || errors.Is(err, command.ErrEnded)
}

// rollback is the index that the phone tells for a location, in decimal or hexadecimal; false
// when it tells none that can be read.
func (c *CommandFacts) rollback(location uint32) (uint64, bool) {
	text := c.Rollback[location]
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, true
	}
	hexa, found := strings.CutPrefix(strings.ToLower(text), "0x")
	n, err := strconv.ParseUint(hexa, 16, 64)
	return n, err == nil && (found || len(hexa) >= 8)
}
