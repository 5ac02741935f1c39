package restore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/sin"
	"xflash/usbproto/s1"
)

// verdict is the answer to one question: may this item be sent to this phone? Exactly one
// of the three is set, except for files that are only read here (scripts, XML).
type verdict struct {
	cleared *cleared // yes
	leftOut string   // no, though nothing is wrong with it
	refused Problems // no, and nothing else of the bundle either
}

// judge gives every item of a bundle its verdict. It does no input or output.
type judge struct {
	fw  *Firmware
	ph  *Facts // nil: no phone was asked
	p   Request
	sel selection

	order  *phone.Order // nil: not known yet, or fastboot
	boot   bootChoice
	tables tableChoice // of phones of 2017 and later
}

func newJudge(fw *Firmware, ph *Facts, p Request) (*judge, error) {
	sel, err := fw.selects(p)
	if err != nil {
		return nil, err
	}
	return &judge{fw: fw, ph: ph, p: p, sel: sel}, nil
}

// judge returns the verdict on one item. The order of the questions matters: what a file aims
// at counts even when it would not be sent, because a bundle that aims at a protected
// partition is not to be trusted; only --skip, by name, takes a file out of that.
func (j *judge) judge(it *Item) verdict {
	if !it.sendable() {
		return verdict{refused: damage(it)}
	}
	if it.Replaced || j.sel.skips(it.thing()) {
		return verdict{leftOut: j.leftOut(it)}
	}
	if ps := j.aim(it); len(ps) > 0 {
		return verdict{refused: ps}
	}
	if it.blind {
		ps := damage(it)
		ps[0].Why = "it is unknown what this file would overwrite, so do not trust the bundle"
		ps[0].Next += "; or " + j.leaveOut(it)
		return verdict{refused: ps}
	}
	if why := j.leftOut(it); why != "" {
		return verdict{leftOut: why}
	}
	if ps := damage(it); ps != nil {
		return verdict{refused: ps}
	}
	if it.Kind == ftf.KindTA {
		return j.units(it)
	}
	if ps := j.content(it); len(ps) > 0 {
		return verdict{refused: ps}
	}
	if why := j.staysBehind(it); why != "" {
		return verdict{leftOut: why}
	}
	c := &cleared{item: it}
	if j.fw.command() {
		c.partition, c.lun = j.target(it)
		return verdict{cleared: c}
	}
	for _, t := range it.Targets {
		if l := j.place(t).Label; !slices.Contains(c.labels, l) {
			c.labels = append(c.labels, l)
		}
	}
	return verdict{cleared: c}
}

// leftOut says why an item stays behind, as far as its name, the bundle and the request
// tell; "" when it is wanted. Check asks this before it reads a file, and reads to the last
// byte what is wanted.
func (j *judge) leftOut(it *Item) string {
	switch {
	case !it.sendable():
		return "it is not a firmware image"
	case it.Replaced:
		return "--loader names another loader"
	case it.Kind == ftf.KindTA && j.p.Route == RouteFastboot:
		return "fastboot cannot write the trim area"
	case it.Boot && j.p.Route == RouteFastboot:
		return "fastboot does not write the boot chain"
	case it.Boot || it.Kind == ftf.KindTA:
		why, none := j.sel.leavesOut(it.thing()), j.fw.Family.NoBootSet
		switch {
		case why != "":
			return why
		case !it.Boot:
			return j.keepsUnits(it)
		case none != "":
			return "boot chain: " + none
		case j.fw.Delivery == nil:
			return "no boot_delivery.xml says which phone it is for"
		}
		return ""
	}
	img := it.image
	switch {
	case img.Short == "":
		return fmt.Sprintf("unknown image name for %s phones", j.fw.Family.Name)
	case img.Send == phone.SendNever:
		return img.Reason
	case j.p.Route == RouteFastboot && !slices.ContainsFunc(fastbootOrder, func(o fastbootTarget) bool { return o.short == img.Short }):
		return "fastboot does not write it: it stays unchanged on the phone"
	case img.Send == phone.SendLoader:
		if j.sel.skips(it.thing()) {
			return "left out by --skip"
		}
		return "" // whatever else is flashed needs it
	}
	if why := j.sel.leavesOut(it.thing()); why != "" {
		return why
	}
	switch {
	case img.Send == phone.SendDelivery && !img.TopLevel:
		return img.Reason
	case img.Send == phone.SendWipe && !j.p.Wipe:
		return img.Reason + " (--wipe)"
	case img.Send != phone.SendWipe && !j.p.Wipe && has(j.fw.Manifest.NoErase, it.Short):
		return "the bundle asks to keep it unless you wipe data (--wipe)"
	case j.order != nil && img.Writes != phone.ToMemory && !inOrder(*j.order, img.Short):
		return "the flash order of this model does not include it"
	}
	return ""
}

// aim refuses files that would write where nothing of a bundle may be written, whether or
// not they would be sent.
func (j *judge) aim(it *Item) (ps Problems) {
	refuse := func(what, why string) { ps.refuse(it.Member, what, why, j.skipHint(it)) }
	if it.Kind == ftf.KindTA {
		return j.aimUnits(it)
	}
	if j.fw.command() {
		return j.aimArchive(it)
	}
	img := it.image
	switch {
	case it.Type == sin.TypeHWConf:
		refuse("it would replace the phone's hardware configuration", phone.UnitVerdict(unitHWConf).Reason)
		return ps
	case img.Send == phone.SendRefuse:
		refuse(fmt.Sprintf("firmware never contains a file called %s", it.Short), img.Reason)
	case img.Send == phone.SendDelivery && !it.Boot && !img.TopLevel:
		refuse("it would write the boot chain without a boot delivery",
			"only the set that Sony's boot delivery selects for this phone may be written there; with a wrong one the phone does not start at all")
		return ps
	}
	for _, t := range it.Targets {
		label := j.place(t).Label
		part, listed := j.fw.Family.Partition(label)
		switch {
		case label == "":
			// A file for an unknown place is refused if it is wanted (content).
		case slices.Contains(img.Partitions, label) && part.Verdict != phone.Never:
		case img.Send == phone.SendNever && j.fw.Family.SameImage(img.Short, label):
			// It says what it is, and it stays behind.
		case !listed, part.Verdict == phone.Never, part.Class == phone.BootChain, part.Class == phone.Modem:
			refuse(fmt.Sprintf("it would write the protected partition %s", label),
				cmp.Or(part.Note, "its partition is not on the list that a rescue may write"))
		default:
			refuse(fmt.Sprintf("it is called %s, but would write the partition %s", it.Short, label),
				"the phone uses the identifier inside the file, not the file's name")
		}
	}
	return ps
}

// place is where a target lies on the phone.
func (j *judge) place(t sin.Target) Place {
	layout := j.chosen("partition-image")
	return j.fw.tables(j.storage(), layout != nil && j.leftOut(layout) == "").place(t)
}

// storage is what the phone told of its storage, nil when no loader was asked.
func (j *judge) storage() *Storage {
	if j.ph == nil {
		return nil
	}
	return j.ph.Storage
}

// receiver is the loader that will get the images: one that already runs is not replaced.
func (j *judge) receiver() *receiver {
	if j.ph != nil && j.ph.Stage == string(s1.StageLoader) {
		return runningReceiver(j.fw.Family, j.ph.Info["VER"])
	}
	return receiverOf(j.fw.Family, j.fw.Loader)
}

// skipHint tells how to continue without one file.
func (j *judge) skipHint(it *Item) string {
	if it.member == nil {
		return "name another file with --loader: the loader.sin of a bundle for this model"
	}
	return "if the rest of the bundle is from a source you trust, " + j.leaveOut(it)
}

func (j *judge) leaveOut(it *Item) string {
	names := []string{it.Short, it.Member}
	if it.Boot {
		names = []string{j.fw.bootName()}
	}
	for _, name := range names {
		if found, _ := j.fw.meant(name, j.p.Route); len(found) == 1 {
			return "leave this file out: --skip " + name
		}
	}
	return "take this file out of the bundle: --skip cannot name it alone"
}

// chosen is the one file for an image that is wanted, or the only one there is; nil when
// that leaves a doubt.
func (j *judge) chosen(short string) (found *Item) {
	for _, it := range j.fw.Items {
		if !j.fw.isImage(it, short) || j.leftOut(it) != "" {
			continue
		}
		if found != nil {
			return nil
		}
		found = it
	}
	if found == nil {
		return j.fw.image(short)
	}
	return found
}

func inOrder(o phone.Order, short string) bool {
	return slices.ContainsFunc(o.Steps, func(s phone.Step) bool { return slices.Contains(s.Images, short) })
}

// staysBehind says why a sound file is not sent anyway.
func (j *judge) staysBehind(it *Item) string {
	switch {
	case it.Boot:
		return j.boot.leavesOut(it)
	case j.fw.command():
		return j.staysBehindArchive(it)
	}
	if why := j.topLevel(it); why != "" {
		return why
	}
	return j.modem(it)
}

func has(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}
