package restore

import (
	"fmt"
	"strings"

	"xflash/ftf"
)

// chooseCommandBoot decides about the boot set of a phone of 2017 or later. Exactly one
// configuration may be for it, and none that is older than the one in the phone: other programs
// have left the boot loader out without a word, or flashed two of them (ftf/FORMAT.md §5.3).
func (j *judge) chooseCommandBoot() (c bootChoice) {
	if c.why = j.sel.leavesOut(theBootSet); c.why != "" {
		return c
	}
	refuse := func(what, why string) bootChoice {
		c.problems.refuse("boot_delivery.xml", what, why,
			"get the complete firmware for this phone; if you only need the rest of it, leave the boot loader out: --skip "+j.fw.bootName())
		return c
	}
	d := j.fw.Delivery
	if d == nil {
		return refuse("the bundle has none, so xflash cannot choose the boot loader for this phone",
			"new firmware on an old boot loader may not start; downloads have it in boot/ or boot.zip")
	}
	if j.ph == nil {
		c.why = "xflash chooses the boot loader for this phone when it is connected"
		c.problems = j.anyBootSet()
		return c
	}
	facts := j.ph.Command
	config, verdicts, err := d.MatchCommand(facts.keys())
	if err != nil {
		what := "no boot loader in this bundle is certain to fit the phone"
		if e, ok := err.(*ftf.MatchError); ok && len(e.Ambiguous) > 0 {
			what = "several boot loaders in this bundle fit the phone: " + strings.Join(e.Ambiguous, ", ")
		}
		return refuse(what, sentences(verdicts))
	}
	if len(config.Images) == 0 {
		return refuse(fmt.Sprintf("configuration %s has no boot loader", config.Name), "")
	}
	relation := d.CompareCommand(facts.BootVersion)
	switch {
	case relation == ftf.Same && (facts.Slots == 0 || facts.Slot == "a"):
		c.why = fmt.Sprintf("the phone already has this boot loader (%s)", facts.BootVersion)
		return c
	case relation == ftf.Older || relation == ftf.Unrelated:
		what := fmt.Sprintf("its boot loader %s is older than the phone's, %s", d.Version, facts.BootVersion)
		if relation == ftf.Unrelated {
			what = "it is unknown whether " + what
		}
		return refuse(what, "it is unknown what a phone does with an older boot loader")
	}
	c.files, _, c.problems = j.bootFiles(config)
	c.notes = append(c.notes, fmt.Sprintf("boot loader: configuration %s, version %s; the phone has %s", config.Name, d.Version, facts.BootVersion))
	return c
}

// keys is what the boot delivery asks of the phone.
func (c *CommandFacts) keys() ftf.CommandKeys {
	return ftf.CommandKeys{DefaultSecurity: c.DefaultSecurity, PlatformID: c.PlatformID, RootHash: c.RootHash, BootVersion: c.BootVersion}
}
