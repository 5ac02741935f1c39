package restore

import (
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/usbproto/s1"
)

// chooseBoot decides about the boot delivery: the boot chain in several variants, of
// which a phone takes exactly one (s1-protocol.md §4.6). A wrong one leaves a phone
// that does not start at all, so anything short of one clear match is refused.
func (b *builder) chooseBoot() {
	d := b.fw.Delivery
	if d == nil {
		return
	}
	if why := b.policy.excluded(bootName); why != "" {
		if len(b.policy.Only) == 0 {
			b.note("the boot set is left out: %s", why)
		}
		return
	}
	if b.ph == nil {
		b.note("which boot set fits is decided when the phone is connected")
		return
	}
	installed := b.ph.bootVersion()
	if d.Compare(installed) == ftf.Same {
		b.note("the phone already has the boot version of this bundle (%s), so the boot set is left out", installed)
		return
	}
	config, verdicts, err := d.Match(b.ph.keys())
	if err != nil {
		var why []string
		for _, v := range verdicts {
			why = append(why, v.String())
		}
		b.refuse("boot_delivery.xml", "no boot set of this bundle is certain to fit the phone", strings.Join(why, "; "),
			"the bundle may be for another phone; if you only need the rest of it, leave the boot set out: --skip "+bootName)
		return
	}
	files, err := b.fw.bundleBoot(config)
	if err != nil {
		b.refuse("boot_delivery.xml", err.Error(), "the boot set is flashed as a whole or not at all", "get the bundle again, or leave the boot set out: --skip "+bootName)
		return
	}
	b.boot = &bootSet{images: map[string]*Item{}, units: map[uint32]*Item{}}
	for _, it := range files {
		switch img, known := b.fw.Family.Image(it.Short); {
		case it.Kind == ItemUnits:
			for _, u := range it.Units {
				if v := phone.UnitVerdict(u.Unit); v.Verdict != phone.Delivery {
					b.refuse(it.Member, "the boot set would write a trim-area unit that is no part of it", v.Reason, "do not use this bundle's boot set: --skip "+bootName)
				}
				b.boot.units[u.Unit] = it
			}
		case !known || img.Policy != phone.PolicyDelivery:
			b.refuse(it.Member, "the boot set holds a file that is no part of a boot chain", "", "do not use this bundle's boot set: --skip "+bootName)
		default:
			b.boot.images[strings.ToLower(img.Short)] = it
		}
	}
	b.note("boot set %s, version %s; the phone has %s", config.Name, d.BootVersion(), orUnknown(installed))
}

// bundleBoot finds the files of a boot configuration among those that were checked.
func (fw *Firmware) bundleBoot(c *ftf.Configuration) ([]*Item, error) {
	var found []*Item
	var missing []string
	for _, path := range c.Files() {
		if it := fw.bootFile(path); it != nil {
			found = append(found, it)
		} else {
			missing = append(missing, path)
		}
	}
	if len(missing) > 0 {
		return nil, &ftf.Error{Reason: ftf.Missing, Offset: -1, Detail: "boot set: " + strings.Join(missing, ", ")}
	}
	return found, nil
}

// bootVersion is the version of the boot chain on the phone: what the boot stage
// calls VER. When a loader already runs, only unit 2207 tells.
func (f *Facts) bootVersion() string {
	if f.Stage != string(s1.StageLoader) {
		return f.Info["VER"]
	}
	// <delivery id>_S1_Boot_<chip>_<number>, device-rescue.md §5
	text := f.Units[unitBootVersion]
	if at := strings.Index(text, "S1_Boot"); at > 0 {
		return text[at:]
	}
	return text
}

func orUnknown(s string) string {
	if s == "" {
		return "an unknown one"
	}
	return s
}
