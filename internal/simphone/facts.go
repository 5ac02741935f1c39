package simphone

import (
	"fmt"
	"slices"
	"strings"
)

// Facts are what a maker of firmware must know of one of the phones.
type Facts struct {
	Model       string   // D5803
	BootVersion string   // of a new phone
	SpaceID     string   // product id of its boot delivery
	IDCode      string   // of its chip
	Root        string   // name of Sony's live root
	Version     string   // VER of its loader
	Product     string   // ID of its loader
	AID         int64    // of its loader
	Tags        []string // of image maps that its loader knows
	Fill28      bool     // its loader accepts the FILL tags of 28 bytes
	Chain       []string // labels of the boot chain
}

// FactsOf are the facts of the phone with that name; "" is z3c.
func FactsOf(name string) (Facts, error) {
	if name == "" {
		name = DefaultName
	}
	k := phones[name]
	if k == nil {
		return Facts{}, unknownPhone(name)
	}
	if k.loader == nil {
		return Facts{}, fmt.Errorf("%s has no loader", name)
	}
	return Facts{
		Model: k.model, BootVersion: k.bootVersion, SpaceID: spaceID, IDCode: k.idCode, Root: k.rootName,
		Version: k.loader.version, Product: k.loader.product, AID: int64(k.loader.aid),
		Tags: k.loader.tags, Fill28: k.loader.fill == fill28, Chain: k.chain,
	}, nil
}

// Platform is the part of the boot version that names the chip, as in MSM8974AC.
func (f Facts) Platform() string {
	parts := strings.Split(f.BootVersion, "_")
	return parts[len(parts)-2]
}

// NextBootVersion is one newer than the phone's own.
func (f Facts) NextBootVersion() string {
	at := strings.LastIndexByte(f.BootVersion, '_') + 1
	var n int
	_, _ = fmt.Sscan(f.BootVersion[at:], &n)
	return fmt.Sprint(f.BootVersion[:at], n+1)
}

// LZ4 reports that the loader knows compressed blocks.
func (f Facts) LZ4() bool { return slices.Contains(f.Tags, "LZ4A") }
