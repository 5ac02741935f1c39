package phone

import (
	"fmt"
	"slices"
	"strings"
)

// Target is what an image writes.
type Target string

// The targets.
const (
	ToPartition Target = "partition"
	ToTable     Target = "table"  // the partition table
	ToMemory    Target = "memory" // nothing on the phone's storage
)

// Policy tells when an image of a bundle is sent.
type Policy string

// The policies.
const (
	PolicyAlways   Policy = "always"
	PolicyWipe     Policy = "wipe"     // only when a wipe is asked for
	PolicyDelivery Policy = "delivery" // only as chosen by the boot delivery
	PolicyLoader   Policy = "loader"   // the flash program, before everything else
	PolicyNever    Policy = "never"
)

// Image is what is known of the SIN image of one short name.
type Image struct {
	Short  string // short name in a bundle, lower case
	Writes Target
	// Partitions holds the labels it may write; empty unless Writes is ToPartition.
	Partitions []string
	Group      string // for a person: "boot chain", "kernel", "modem"
	Policy     Policy
	Signer     string // role its certificate must name; empty: not known
	// Danger: the phone may not come back if the flash stops while this image
	// is written (s1-protocol.md §4.10).
	Danger bool
	Reason string // for a person: what it is, or why it is not written
}

// Image tells what the image of this short name does on phones of the family.
// Names are compared without case; "partition" is another name of
// "partition-image". false: no such image is known at all, and it must not be
// sent. A known image that has no partition on these phones has PolicyNever.
func (f *Family) Image(short string) (Image, bool) {
	for _, known := range loaded().images {
		if !strings.EqualFold(known.Short, short) &&
			!slices.ContainsFunc(known.Aliases, func(a string) bool { return strings.EqualFold(a, short) }) {
			continue
		}
		img := known.Image
		if img.Writes == ToPartition {
			if img.Partitions = f.targets[img.Short]; len(img.Partitions) == 0 {
				img.Policy = PolicyNever
				img.Reason = fmt.Sprintf("no partition for it is known on phones of the family %s", f.Name)
			}
		}
		return img, true
	}
	return Image{}, false
}

// Order is the sequence of a complete flash.
type Order struct {
	Name   string
	Source string // where it was found
	Steps  []Step
}

// Step is a group of images or units that belong together. With TA, trim-area
// partition 2 is opened before the group and closed after it; it must be open
// for the kernel image (loader-behaviour.md 1). Unit 10100 is in the first step
// (value 1) and at the end of the last one (value 0, after the time stamp).
type Step struct {
	TA     bool     `json:"ta"`
	Images []string `json:"images"`
	Units  []uint32 `json:"units"`
}

// Order gives the flash order for a model of this family. false: none is known,
// so the phone must not be flashed. Groups that only read trim-area units in
// the scripts the orders come from are left out.
func (f *Family) Order(m Model) (Order, bool) {
	for _, o := range f.orders {
		if m.order != "" && o.Name == m.order {
			return o, true
		}
	}
	return Order{}, false
}
