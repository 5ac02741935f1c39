package mkbundle

import (
	"path"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
)

// Missing is something that a full restore needs and a bundle lacks.
type Missing struct {
	Item     string   `json:"item"`  // "modem set"
	Files    []string `json:"files"` // that are not there, by short name
	Why      string   `json:"why"`
	Next     string   `json:"next"`
	Optional bool     `json:"optional"` // a restore is complete without it
}

// needs is what the groups of images are called, why a restore wants them and what to do
// without them, by the group in internal/phone (ftf/FORMAT.md §8.1, §8.2).
var needs = map[string]Missing{
	"loader": {Item: "loader", Why: "the flash program: without it the phone accepts no image at all",
		Next: "take loader.sin from another bundle of the same model, or name it with --loader when you restore"},
	"partition table": {Item: "partition layout", Why: "it gives the other images their places",
		Next: "XperiFirm delivers it as partition-image…sin or partition.zip: download the firmware again"},
	"boot chain": {Item: "boot set", Why: "a system on an older boot chain may not start",
		Next: "XperiFirm delivers it as boot.zip: put that, or the folder boot/ it was unpacked to, beside the other files"},
	"modem": {Item: "modem set", Why: "with modem files from other firmware the phone may loop or find no network",
		Next: "take these files from the same firmware, never from a phone"},
	"label": {Item: "elabel", Why: "the regulatory label of the model",
		Next: "Sony delivers it separately, and a phone starts without it: continue if you cannot get it"},
	"kernel": {Item: "kernel", Why: "the kernel must be that of the system, or the phone does not start",
		Next: "take these files from the same firmware"},
	"system": {Item: "system", Why: "it is Android itself", Next: "take system.sin from the same firmware"},
	"cache": {Item: "cache", Why: "an old cache can stop a new system from starting",
		Next: "take cache.sin from the same firmware, or erase the cache with fastboot if the boot loader is unlocked"},
	"user data": {Item: "user data", Why: "only a restore with --wipe writes it",
		Next: "nothing, if you want to keep the data of the phone", Optional: true},
}

// extras are images that older firmware of a family does not have at all.
var extras = []string{"ramdump"}

// missing compares the bundle with a complete flash of the model.
func (a *assembler) missing(b *ftf.Bundle) {
	if a.family == nil {
		a.note("the model %q is unknown, and so are the files that a full restore needs", a.out.Manifest.Device)
		return
	}
	order, ok := a.family.Order(a.model)
	if !ok {
		a.note("the flash order of a %s is unknown, and so are the files that a full restore needs", a.model.Code)
		return
	}
	lack := lacking{family: a.family, have: map[string]bool{}, list: []Missing{}}
	for _, f := range a.out.Files {
		if !strings.HasPrefix(f.Name, "boot/") {
			lack.have[strings.ToLower(ftf.ShortName(f.Name))] = true
		}
	}
	lack.image("loader")
	for _, step := range order.Steps {
		for _, short := range step.Images {
			if img, _ := a.family.Image(short); img.Send != phone.SendDelivery {
				lack.image(short)
			}
		}
	}
	lack.boot(a.bootFiles(b))
	lack.resets(order)
	a.out.Missing = lack.list
}

// bootFiles is the files of the boot delivery that do not go in, and whether there is a
// delivery at all.
func (a *assembler) bootFiles(b *ftf.Bundle) (lost []string, delivery bool) {
	in := func(m *ftf.Member) bool {
		return slices.ContainsFunc(a.out.Files, func(f Packed) bool { return f.From == m.Name })
	}
	if b.Delivery == nil {
		return nil, false
	}
	for _, m := range b.Members {
		if strings.EqualFold(m.Base, "boot_delivery.xml") && in(m) {
			delivery = true
		}
	}
	for _, c := range b.Delivery.Configurations {
		for _, file := range c.Files() {
			at := slices.IndexFunc(b.Members, func(m *ftf.Member) bool { return m.Boot && strings.EqualFold(m.Base, path.Base(file)) && in(m) })
			if at < 0 && !c.Development() && !slices.Contains(lost, file) {
				lost = append(lost, file)
			}
		}
	}
	return lost, delivery
}

// lacking collects what is not there.
type lacking struct {
	family *phone.Family
	have   map[string]bool // short names, lower case
	list   []Missing
}

// image misses one image of the flash order.
func (l *lacking) image(short string) {
	img, known := l.family.Image(short)
	if !known || img.Send == phone.SendNever || l.has(short) {
		return
	}
	need, ok := needs[img.Group]
	if !ok {
		need = Missing{Item: short, Why: img.Reason, Next: "take it from the same firmware"}
	}
	if slices.Contains(extras, short) {
		need = Missing{Item: short, Why: img.Reason, Next: "nothing: much firmware does not have it", Optional: true}
	}
	l.miss(need, short)
}

func (l *lacking) has(short string) bool {
	return l.have[short] || short == "partition-image" && l.have["partition"]
}

// miss adds a file to what is missing of its kind.
func (l *lacking) miss(need Missing, file string) {
	if at := slices.IndexFunc(l.list, func(m Missing) bool { return m.Item == need.Item }); at >= 0 {
		l.list[at].Files = append(l.list[at].Files, file)
		return
	}
	need.Files = []string{file}
	l.list = append(l.list, need)
}

// boot misses the boot delivery or files of it.
func (l *lacking) boot(lost []string, delivery bool) {
	if !delivery {
		lost = append([]string{"boot_delivery.xml"}, lost...)
	}
	for _, file := range lost {
		l.miss(needs["boot chain"], file)
	}
}

// resets misses the trim-area files that the order writes outside the boot delivery.
func (l *lacking) resets(order phone.Order) {
	for _, name := range []string{"cust-reset", "fota-reset"} {
		file, _ := phone.TAFileByName(name)
		wanted := slices.ContainsFunc(order.Steps, func(s phone.Step) bool {
			return slices.ContainsFunc(file.Units, func(u uint32) bool { return slices.Contains(s.Units, u) })
		})
		if wanted && !l.have[name] {
			l.miss(Missing{Item: "resets", Why: "without them the phone continues with the state of the old firmware",
				Next: "nothing: xflash writes them itself when it restores; for other programs, take the .ta files from the same firmware", Optional: file.Data != nil}, name)
		}
	}
}
