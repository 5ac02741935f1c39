package phone

import (
	"fmt"
	"slices"
)

// Target is what an image writes.
type Target string

// The targets.
const (
	ToPartition Target = "partition"
	ToTable     Target = "table"  // the partition table
	ToMemory    Target = "memory" // nothing on the phone's storage
)

// SendRule tells when an image of a bundle is sent.
type SendRule string

// The policies.
const (
	SendAlways   SendRule = "always"
	SendWipe     SendRule = "wipe"     // only when a wipe is asked for
	SendDelivery SendRule = "delivery" // only as chosen by the boot delivery
	SendComplete SendRule = "complete" // only as part of a complete restore
	SendLoader   SendRule = "loader"   // the flash program, before everything else
	SendNever    SendRule = "never"    // left out, and the plan says why
	SendRefuse   SendRule = "refuse"   // belongs to one phone: a bundle that has it is not to be trusted
)

// Image holds the known facts about the SIN image of one short name.
type Image struct {
	Short  string `json:"short"` // short name in a bundle, lower case
	Writes Target `json:"writes"`
	// Partitions holds the labels it may write; empty unless Writes is ToPartition.
	Partitions []string `json:"-"`
	Group      string   `json:"group"` // for a person: "boot chain", "kernel", "modem"
	Send       SendRule `json:"send"`
	Signer     string   `json:"signer"` // role its certificate must name; empty: not known
	// Danger: the phone may not come back if the flash stops while this image
	// is written (usbproto/s1/PROTOCOL.md §4.10).
	Danger bool `json:"danger"`
	// TopLevel: an image of the boot chain that the family's bundles hold beside the
	// delivery, or in it (PHONES.md §2.1 10).
	TopLevel bool `json:"-"`
	// Of phones of 2017 and later: the partition has one copy for each slot, and the slot
	// that the image goes to when it is not slot a.
	Slots  bool   `json:"slots"`
	Slot   string `json:"slot"`
	Reason string `json:"reason"` // for a person: what it is, or why it is not written
}

// Image tells what the image of this short name does on phones of the family.
// Names are compared without case, and older names lead to the present one: Short of
// "partition" is "partition-image". false: no such image is known at all, and it must
// not be sent. A known image that has no partition on these phones, or that is never
// sent to them, has SendNever.
func (f *Family) Image(short string) (Image, bool) {
	if f.Protocol == ProtocolCommand {
		return commandImage(short)
	}
	for _, known := range loaded().images {
		if !known.called(short) {
			continue
		}
		img := known.Image
		if img.Writes != ToPartition {
			return img, true
		}
		img.Partitions = f.targets[img.Short]
		img.TopLevel = slices.Contains(f.topLevel, img.Short)
		switch {
		case img.Send == SendNever, img.Send == SendRefuse:
		case len(img.Partitions) == 0:
			img.Send = SendNever
			img.Reason = fmt.Sprintf("it has no known partition on phones of the family %s", f.Name)
		case img.Send == SendDelivery && !img.TopLevel && f.NoBootSet != "":
			img.Send, img.Reason = SendNever, "boot chain: "+f.NoBootSet
		}
		return img, true
	}
	return Image{}, false
}

// SameImage reports whether two names are those of one known image.
func (f *Family) SameImage(a, b string) bool {
	x, known := f.Image(a)
	y, _ := f.Image(b)
	return known && x.Short == y.Short
}
