package restore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"xflash/internal/phone"
)

// Sony's own small modem files make the modem build its settings again. Their partitions
// hold data of this one phone, so the files are written only as part of a complete firmware
// for it, as Sony's own flash does.

// modem says why a modem reset file stays behind; "" for every other file, and for one that
// is written.
func (j *judge) modem(it *Item) string {
	if !j.resetsModem(it) {
		return ""
	}
	const only = "xflash writes modem settings only as part of complete firmware for this phone: "
	if j.fw.Manifest.Device == "" || j.fw.Manifest.Version == "" {
		return only + "this bundle does not say its model and version"
	}
	if why := j.partial(j.incomplete()); why != "" {
		return only + why
	}
	return ""
}

// partial says why this is not a restore of a complete firmware, "" when it is.
func (j *judge) partial(missing []string) string {
	switch {
	case !j.sel.all:
		return "--only leaves parts of it out"
	case len(missing) > 0:
		return "this bundle lacks " + strings.Join(missing, ", ")
	}
	return ""
}

// unfit says why one modem reset file may not be written, "" when it may.
func (j *judge) unfit(it *Item) string {
	switch {
	case !j.byFamily(it):
		return "it is not proven to be from Sony"
	case it.Signer != "S1_SW":
		return "it is signed by " + cmp.Or(it.Signer, "nobody") + ", not by S1_SW"
	}
	for _, t := range it.Targets {
		if j.place(t).Size == 0 {
			return "the size of its partition is unknown"
		}
	}
	return ""
}

// resetsModem reports whether a file writes a partition with modem settings.
func (j *judge) resetsModem(it *Item) bool {
	return slices.ContainsFunc(it.image.Partitions, func(l string) bool {
		part, _ := j.fw.Family.Partition(l)
		return part.Class == phone.Modem && slices.Contains(modemSettings, l)
	})
}

// modemSettings are the partitions that modem reset files write.
var modemSettings = []string{"modemst1", "modemst2", "fsg"}

// incomplete lists what a bundle lacks of a complete firmware. What --skip leaves out does
// not count as lacking, except for the modem files themselves: they belong together.
func (j *judge) incomplete() []string {
	missing := j.noCore()
	for _, label := range modemSettings {
		i := slices.IndexFunc(j.fw.Items, func(it *Item) bool { return j.writes(it, label) && j.leftOut(it) == "" })
		switch {
		case !j.orderWrites(label):
		case i < 0:
			missing = append(missing, "the file for "+label)
		case j.unfit(j.fw.Items[i]) != "":
			missing = append(missing, fmt.Sprintf("a file for %s (%s: %s)", label, j.fw.Items[i].Short, j.unfit(j.fw.Items[i])))
		}
	}
	if why := j.noWholeBootSet(); why != "" {
		missing = append(missing, fmt.Sprintf("a complete boot set (%s)", why))
	}
	return missing
}

// orderWrites reports whether the flash order of the model has an image for a partition:
// not every family has one for each of the modem settings.
func (j *judge) orderWrites(label string) bool {
	return j.order == nil || slices.ContainsFunc(j.order.Steps, func(s phone.Step) bool {
		return slices.ContainsFunc(s.Images, func(short string) bool {
			img, ok := j.fw.Family.Image(short)
			return ok && slices.Contains(img.Partitions, label)
		})
	})
}

// noCore lists what a bundle lacks of the images that make it a firmware.
func (j *judge) noCore() (missing []string) {
	core := []string{"kernel", "system", "partition-image"}
	switch {
	case j.fw.command() && j.fw.image("super") != nil:
		core = []string{"boot", "super", "vbmeta"}
	case j.fw.command():
		core = []string{"boot", "system"}
	}
	for _, short := range core {
		if it := j.fw.image(short); it == nil || it.Problem != nil {
			missing = append(missing, short)
		}
	}
	return missing
}

// writes reports whether a sound file is made for a partition.
func (j *judge) writes(it *Item, label string) bool {
	return it.Problem == nil && slices.Contains(it.image.Partitions, label)
}
