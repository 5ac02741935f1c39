package simphone

import (
	"fmt"
	"slices"
)

// CommandFacts are what a maker of firmware must know of one of the phones of CommandNames.
type CommandFacts struct {
	Product     string
	Suffix      string // key id of its firmware
	EMMC        bool
	LUNs        []int64 // sizes of the logical units in KiB
	Slots       bool
	Super       bool
	BootVersion string // of a new phone, as 1315-2591_X_Boot_SM8150_LA2.0_Q_115
	Chip        string // Platform-id with the revision, 8 digits
	RootHash    []byte
	MaxDownload int64 // bytes

	model *commandModel
}

// CommandFactsOf are those of the phone that a specification with these settings makes;
// storage and product may be empty.
func CommandFactsOf(name, storage, product string) (CommandFacts, error) {
	m := commandModelOf(name, storage, product)
	if m == nil {
		return CommandFacts{}, fmt.Errorf("%s is not a phone of 2017 or later with such storage", name)
	}
	f := CommandFacts{
		Product: m.product, Suffix: m.suffix, EMMC: m.emmc, LUNs: slices.Clone(m.luns), Slots: m.slots, Super: m.super,
		BootVersion: m.boot, Chip: m.chip, RootHash: m.rootHashBytes(), MaxDownload: m.maxDownload, model: m,
	}
	if product != "" {
		f.Product = product
	}
	return f, nil
}

// HasSlot reports that the partitions of a name end in _a and _b.
func (f CommandFacts) HasSlot(name string) bool { return slices.Contains(f.model.slotted(), name) }

// Table is the partition table of a logical unit of that size, as firmware carries it.
func (f CommandFacts) Table(unit int, kib int64) ([]byte, error) {
	t, err := f.model.table(unit, kib<<10)
	if err != nil {
		return nil, err
	}
	return t.primary()
}

// Size is how many bytes a partition has; 0 for userdata, which takes the rest.
func (f CommandFacts) Size(name string) int64 { return commandSizes[name] << 10 }
