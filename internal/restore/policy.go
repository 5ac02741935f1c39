package restore

import (
	"fmt"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/sin"
)

// Policy is what the person asked for.
type Policy struct {
	Only  []string `json:"only,omitempty"` // short names; empty means everything that is safe
	Skip  []string `json:"skip,omitempty"`
	Wipe  bool     `json:"wipe,omitempty"`  // flash userdata and the other wipe items too
	Model string   `json:"model,omitempty"` // what is printed on the phone
}

// bootName stands for the whole boot delivery in --only and --skip.
const bootName = "boot"

func has(list []string, names ...string) bool {
	return slices.ContainsFunc(list, func(s string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(s, n) })
	})
}

// skipped says whether --skip names the item, by short name or file name.
func (p Policy) skipped(it *Item) bool {
	return has(p.Skip, it.Short, it.Member, it.Base) || it.Boot && has(p.Skip, bootName)
}

// excluded says why --only or --skip leave a name out, "" when they do not.
func (p Policy) excluded(names ...string) string {
	switch {
	case has(p.Skip, names...):
		return "left out by --skip"
	case len(p.Only) > 0 && !has(p.Only, names...):
		return "not named by --only"
	}
	return ""
}

// leavesOut says why an image of the bundle proper is not sent; "" when it is.
func (p Policy) leavesOut(family *phone.Family, manifest ftf.Manifest, it *Item) string {
	img, known := family.Image(it.Short)
	if !known {
		return fmt.Sprintf("no image of this name is known for %s phones", family.Name)
	}
	if img.Policy == phone.PolicyLoader {
		if p.skipped(it) {
			return "left out by --skip"
		}
		return "" // whatever else is flashed needs it
	}
	// "partition" and "partition-image" are the same thing to a person.
	if why := p.excluded(it.Short, img.Short, it.Member); why != "" {
		return why
	}
	switch img.Policy {
	case phone.PolicyNever:
		return img.Reason
	case phone.PolicyDelivery:
		return img.Reason
	case phone.PolicyWipe:
		if !p.Wipe {
			return img.Reason + " (--wipe)"
		}
		return ""
	}
	if !p.Wipe && manifest.NoErase != nil && has(manifest.NoErase, it.Short) {
		return "the bundle asks to keep it unless data are wiped (--wipe)"
	}
	return ""
}

// safeList looks at where the SIN files of a bundle would write, whether or not they
// would be sent: a bundle that aims at a protected partition is not to be trusted.
// Only --skip, by name, takes a file out of this judgement.
func (p Policy) safeList(fw *Firmware) Problems {
	var ps Problems
	for _, it := range fw.Items {
		if p.skipped(it) {
			continue
		}
		switch it.Kind {
		case ItemSIN:
			ps = append(ps, p.safeImage(fw, it)...)
		case ItemUnits:
			ps = append(ps, p.safeUnits(it)...)
		}
	}
	return ps
}

func (p Policy) safeImage(fw *Firmware, it *Item) (ps Problems) {
	refuse := func(what, why string) {
		ps = append(ps, Problem{Kind: PolicyRefusal, Item: it.Member, What: what, Why: why,
			Next: fmt.Sprintf("if the rest of the bundle is from a source you trust, leave this file out: --skip %s", it.Short)})
	}
	img, known := fw.Family.Image(it.Short)
	switch {
	case it.Type == sin.TypeHWConf:
		refuse("it would replace the phone's hardware configuration", phone.UnitVerdict(unitHWConf).Reason)
		return ps
	case known && img.Policy == phone.PolicyDelivery && !it.Boot:
		refuse("it would write the boot chain without a boot delivery",
			"only the set that Sony's boot delivery chooses for this phone may be written there; a wrong one leaves a phone that does not start at all")
		return ps
	case known && it.Checked && it.Type != payloadFor(img.Writes):
		refuse(fmt.Sprintf("it is called %s, but its content is of type %s", it.Short, it.Type),
			"the phone goes by the content, not by the name")
		return ps
	}
	for _, t := range it.Targets {
		place := fw.tables(nil, true).place(t)
		label := place.Label
		part, listed := fw.Family.Partition(label)
		switch {
		case label == "" && (it.Boot && p.excluded(bootName, it.Short) == "" || known && !it.Boot && p.leavesOut(fw.Family, fw.Manifest, it) == ""):
			refuse(fmt.Sprintf("it would write a partition that is not known (%s)", t),
				"the bundle has no partition layout that names it, so nobody can say what would be overwritten")
		case label == "":
			// An unknown image for an unknown place is never sent; the plan tells it as skipped.
		case known && slices.Contains(img.Partitions, label) && part.Verdict != phone.Never:
			if why := place.fits(t); why != "" {
				refuse(why, "the file is not made for this phone")
			}
		case !listed, part.Verdict == phone.Never, part.Class == phone.BootChain, part.Class == phone.Modem:
			why := part.Note
			if why == "" {
				why = "it is not on the list of partitions that a rescue may write"
			}
			refuse(fmt.Sprintf("it would write the protected partition %s", label), why)
		default:
			refuse(fmt.Sprintf("it is called %s, but would write the partition %s", it.Short, label),
				"the phone goes by the identifier inside the file, not by its name")
		}
	}
	return ps
}

// payloadFor is the type of SIN that writes where an image is expected to write.
func payloadFor(to phone.Target) sin.PayloadType {
	switch to {
	case phone.ToTable:
		return sin.TypeLayout
	case phone.ToMemory:
		return sin.TypeLoader
	}
	return sin.TypeImage
}

func (p Policy) safeUnits(it *Item) (ps Problems) {
	next := fmt.Sprintf("leave this file out: --skip %s", it.Short)
	meaning, known := phone.TAFileByName(it.Short)
	if known && meaning.Never {
		return Problems{{Kind: PolicyRefusal, Item: it.Member, What: "it is a SIM-lock file", Why: meaning.Reason, Next: next}}
	}
	if it.TAPartition != 2 && len(it.Units) > 0 {
		return Problems{{Kind: PolicyRefusal, Item: it.Member, Next: next,
			What: fmt.Sprintf("it would write trim-area partition %d", it.TAPartition),
			Why:  "that partition holds calibration of this one phone"}}
	}
	for _, u := range it.Units {
		if rule := phone.UnitVerdict(u.Unit); rule.Verdict == phone.Never && rule.Known {
			ps = append(ps, Problem{Kind: PolicyRefusal, Item: it.Member, Next: next,
				What: fmt.Sprintf("line %d would write trim-area unit %d", u.Line, u.Unit), Why: rule.Reason})
		}
	}
	return ps
}
