package restore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/usbproto/s1"
)

// bootChoice is what was decided about the boot set: the boot chain in several
// configurations, of which a phone gets exactly one (ftf/FORMAT.md §5).
type bootChoice struct {
	files    []*Item // of the configuration chosen for this phone; nil when none is written
	why      string  // why none is
	problems Problems
	notes    []string
}

func (c bootChoice) has(it *Item) bool { return slices.Contains(c.files, it) }

func (c bootChoice) leavesOut(it *Item) string {
	switch {
	case c.has(it):
		return ""
	case len(c.problems) > 0:
		return "no boot set of the bundle is certain to fit this phone"
	case c.files == nil:
		return c.why
	}
	return "it belongs to the boot set of another phone"
}

// chooseBoot decides about the boot set. A wrong one leaves a phone that does not start at
// all, so anything short of one clear match is refused.
func (j *judge) chooseBoot() (c bootChoice) {
	d := j.fw.Delivery
	if d == nil {
		return c
	}
	if c.why = j.sel.leavesOut(theBootSet); c.why != "" {
		return c
	}
	if why := j.fw.Family.NoBootSet; why != "" {
		c.why = "boot chain: " + why
		c.notes = append(c.notes, "the boot set of the bundle is left out: "+why)
		return c
	}
	if j.ph == nil {
		c.why = "xflash chooses the boot set for this phone when it is connected"
		c.problems = j.anyBootSet()
		return c
	}
	installed := j.ph.bootVersion()
	if d.Compare(installed) == ftf.Same {
		c.why = fmt.Sprintf("the phone already has this boot version (%s)", installed)
		return c
	}
	config, verdicts, err := d.Match(j.ph.keys())
	if err != nil {
		c.problems.refuse("boot_delivery.xml", "no boot set in this bundle is certain to fit the phone", sentences(verdicts),
			"the bundle may be for another phone; if you only need the rest of it, leave the boot set out: --skip "+j.fw.bootName())
		return c
	}
	var absent []string
	c.files, absent, c.problems = j.bootFiles(config)
	if len(absent) > 0 {
		c.notes = append(c.notes, "the boot set has no "+strings.Join(absent, ", ")+": the phone keeps its own")
	}
	c.notes = append(c.notes, fmt.Sprintf("boot set %s, version %s; the phone has %s", config.Name, d.BootVersion(), cmp.Or(installed, "an unknown set")))
	return c
}

func sentences(verdicts []ftf.Verdict) string {
	var all []string
	for _, v := range verdicts {
		all = append(all, v.String())
	}
	return strings.Join(all, "; ")
}

// topLevel says why a file of the boot chain beside the boot set stays behind, as the
// bundles of some families have one (internal/phone/PHONES.md §2.1 10).
func (j *judge) topLevel(it *Item) string {
	if !it.image.TopLevel || it.image.Send != phone.SendDelivery {
		return ""
	}
	switch why := j.partial(j.noCore()); {
	case why != "":
		return "xflash writes it only as part of complete firmware: " + why
	case slices.ContainsFunc(j.boot.files, func(o *Item) bool { return o.image.Short == it.image.Short }):
		return "the boot set brings its own"
	}
	return ""
}

// anyBootSet refuses a bundle none of whose boot sets could be written to any phone.
func (j *judge) anyBootSet() (first Problems) {
	for _, config := range j.fw.Delivery.Configurations {
		if config.Development() {
			continue
		}
		_, _, ps := j.bootFiles(config)
		if len(ps) == 0 {
			return nil
		}
		if first == nil {
			first = ps
		}
	}
	return first
}

// noWholeBootSet says why the bundle has no boot set that is complete for this phone.
func (j *judge) noWholeBootSet() string {
	switch {
	case j.fw.Family.NoBootSet != "":
		return "" // these phones get none
	case j.fw.Delivery == nil:
		return "no boot_delivery.xml"
	case j.boot.files != nil:
		return ""
	}
	if ps := j.anyBootSet(); len(ps) > 0 {
		return ps[0].What
	}
	return ""
}

// bootFiles finds the files of a boot configuration. Each must be there once, be part of a
// boot chain, and have no rival for its partition; together they must be what the loader
// puts into force. absent are partitions that only other loaders put into force with them.
func (j *judge) bootFiles(c *ftf.Configuration) (files []*Item, absent []string, ps Problems) {
	next := "get the bundle again, or leave the boot set out: --skip " + j.fw.bootName()
	refuse := func(item, what, why string) { ps.refuse(item, what, why, next) }
	shorts := map[string]string{}
	for _, path := range c.Files() {
		found := j.fw.bootFile(path)
		switch len(found) {
		case 0:
			refuse("boot_delivery.xml", fmt.Sprintf("boot set %s names %s, which is not in the bundle", c.Name, path), "the boot set is written whole or not at all")
			continue
		case 1:
		default:
			refuse(found[0].Member, fmt.Sprintf("boot set %s names %s, which could be %s or %s", c.Name, path, found[0].Member, found[1].Member), "it is unclear which of them is meant")
			continue
		}
		it := found[0]
		img := it.image
		if it.Kind == ftf.KindSIN && img.Send != phone.SendDelivery {
			refuse(it.Member, "the boot set holds a file that is not part of a boot chain", "")
			continue
		}
		if other, twice := shorts[img.Short]; twice && it.Kind == ftf.KindSIN {
			refuse(it.Member, fmt.Sprintf("boot set %s has a second file for %s: %s", c.Name, img.Short, other), "it is unclear which of them is meant")
		}
		shorts[img.Short] = it.Member
		files = append(files, it)
	}
	missing, absent := notInForce(j.fw.Family, j.knownLoader(), func(label string) bool {
		return slices.ContainsFunc(files, func(it *Item) bool {
			return slices.Contains(it.image.Partitions, label)
		})
	})
	if len(missing) > 0 && len(ps) == 0 {
		ps = notInForceProblem("boot_delivery.xml", j.knownLoader(), missing)
	}
	return files, absent, ps
}

// bootVersion is the version of the boot chain on the phone: what the boot stage
// calls VER. When a loader already runs, only unit 2207 tells.
func (f *Facts) bootVersion() string {
	if f.Stage != string(s1.StageLoader) {
		return f.Info["VER"]
	}
	// <delivery id>_S1_Boot_<chip>_<number>, internal/phone/PHONES.md §10
	text := f.Units[unitBootVersion]
	if at := strings.Index(text, "S1_Boot"); at > 0 {
		return text[at:]
	}
	return text
}

// keys is what the boot delivery asks of the phone.
func (f *Facts) keys() ftf.PhoneKeys {
	return ftf.PhoneKeys{
		OTPLockStatus: f.Info["OTP_LOCK_STATUS_1"], OTPData: f.Info["OTP_DATA_1"], IDCode: f.Info["IDCODE_1"],
		RootHash: cmp.Or(f.Info["PLF_ROOT_1"], f.Info["PLF_ROOT"]), BootVersion: f.Units[unitBootVersion], HWRevision: f.HWRev,
	}
}
