package phone

import (
	"cmp"
	"io/fs"
	"slices"
	"strings"
)

// Phones of 2017 and later speak another flash protocol than those before, and the same
// images and units are written on all of them: command.json. A phone judges the signature
// of each image before anything of it is erased, so a model needs no proven loader. What
// differs by model is in its family's file.

// Form is the generation of a phone of 2017 and later.
type Form string

// The forms. The signature form is probed and not taken from here.
const (
	FormOne   Form = "F"   // 2017: no slots
	FormSlots Form = "G"   // 2018 and 2019: two slots, each with a system
	FormSuper Form = "H"   // 2020: two slots, their systems in super
	FormLater Form = "H21" // 2021 and later: as H, and the signature is downloaded
)

// commandData holds the known facts about all phones of 2017 and later.
type commandData struct {
	images []imageData
	orders []commandOrder
	last   []string
	units  []unitData
}

type commandOrder struct {
	Forms  []Form   `json:"forms"`
	Images []string `json:"images"`
}

func (k *knowledge) loadCommand(files fs.FS) error {
	var data struct {
		Images []struct {
			imageData
			Partition string `json:"partition"` // absent: the image's name
			Table     bool   `json:"table"`
		} `json:"images"`
		Orders []commandOrder `json:"orders"`
		Last   []string       `json:"last"` // images that come after the units
		Units  []unitData     `json:"units"`
	}
	if err := decode(files, "command.json", &data); err != nil {
		return err
	}
	for _, d := range data.Images {
		img := d.imageData
		if img.Writes = ToTable; !d.Table {
			img.Writes, img.Partitions = ToPartition, []string{cmp.Or(d.Partition, d.Short)}
		}
		k.command.images = append(k.command.images, img)
	}
	k.command.orders, k.command.last, k.command.units = data.Orders, data.Last, data.Units
	return nil
}

// tableLUN is how the file of the partition table of one logical unit is called.
const tableLUN = "partition-image-lun"

// commandImage is Image for phones of 2017 and later.
func commandImage(short string) (Image, bool) {
	if low := strings.ToLower(short); strings.HasPrefix(low, tableLUN) && strings.Trim(low[len(tableLUN):], "0123456789") == "" {
		short = "partition-image"
	}
	for _, known := range loaded().command.images {
		if known.called(short) {
			return known.Image, true
		}
	}
	return Image{}, false
}

// called reports whether the image is meant by a short name, in any case.
func (d imageData) called(short string) bool {
	return strings.EqualFold(d.Short, short) ||
		slices.ContainsFunc(d.Aliases, func(a string) bool { return strings.EqualFold(a, short) })
}

// CommandOrder returns the order in which Sony's tool writes the images of a model of 2017 and
// later: tables and boot chain, the others, and after the trim-area units those of last.
func (f *Family) CommandOrder(m Model) (images, last []string) {
	for _, o := range loaded().command.orders {
		if slices.Contains(o.Forms, m.Form) {
			images = o.Images
		}
	}
	return images, loaded().command.last
}

// Unit is the verdict on a trim-area unit for the phones of the family. Those of 2017 and
// later have their own list before the one of all phones, and allow nothing that is not
// on it.
func (f *Family) Unit(number uint32) Unit {
	if f.Protocol != ProtocolCommand {
		return UnitVerdict(number)
	}
	if u, known := findUnit(loaded().command.units, number); known {
		return u
	}
	u := UnitVerdict(number)
	if u.Verdict == Allow || u.Verdict == Request {
		u.Verdict = Never
	}
	return u
}

// Unlisted is the family and model of a phone of 2017 and later that no list has: it may be
// restored when the phone itself says this model.
func Unlisted(code string) (*Family, Model) {
	m := Model{Code: code, Name: "Xperia " + code, Form: "", ByName: true}
	return &Family{Name: "unlisted", Protocol: ProtocolCommand, Note: "This model is in no list.", Models: []Model{m}}, m
}
