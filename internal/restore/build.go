package restore

import (
	"fmt"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/sin"
	"xflash/usbproto/s1"
)

// Build makes the plan. It does no input or output: the same firmware, facts and policy
// give the same plan. ph is nil when no phone was asked; then what only the phone
// can decide is left open and said in the notes, and the plan cannot be run.
//
// The error is Problems; the plan is returned next to it, as far as it can be made.
func Build(fw *Firmware, ph *Facts, p Policy) (*Plan, error) {
	b := &builder{fw: fw, ph: ph, policy: p, used: map[string]bool{}, plan: &Plan{
		Bundle: fw.Name, Identity: fw.Identity, Device: fw.Manifest.Device, Version: fw.Manifest.Version,
		Branding: fw.Manifest.Branding, Family: fw.Family.Name, Steps: []Step{}, Skipped: []Skip{}, Notes: slices.Clone(fw.Notes),
	}}
	b.build()
	return b.plan, b.problems.orNil()
}

type builder struct {
	fw     *Firmware
	ph     *Facts
	policy Policy
	plan   *Plan

	boot     *bootSet // nil when no boot delivery is flashed
	used     map[string]bool
	send     []*Item
	problems Problems
}

// bootSet is the files of the boot configuration chosen for the phone.
type bootSet struct {
	images map[string]*Item // by short name, lower case
	units  map[uint32]*Item // where units 2127 and 2301 come from
}

func (b *builder) refuse(item, what, why, next string) {
	b.problems = append(b.problems, Problem{Kind: PolicyRefusal, Item: item, What: what, Why: why, Next: next})
}

func (b *builder) note(format string, a ...any) {
	b.plan.Notes = append(b.plan.Notes, fmt.Sprintf(format, a...))
}

func (b *builder) build() {
	if ps := foreignRoots(b.fw, b.policy); len(ps) > 0 {
		b.problems = append(b.problems, ps...)
		return
	}
	model := b.fw.Model
	if b.ph == nil {
		b.plan.Evidence = []string{"no phone was asked"}
		if m, ok := b.modelGiven(); ok {
			b.plan.Evidence = []string{"--model says " + m.Code}
			if m.Code != model.Code {
				b.refuse(b.fw.Name, fmt.Sprintf("it is for a %s, and the phone is a %s", model.Code, m.Code), foreignReason(m, model), "get the bundle for a "+m.Code)
			}
		}
	} else {
		var ps Problems
		model, b.plan.Evidence, ps = matchModel(b.fw, b.ph, b.policy)
		b.problems = append(b.problems, ps...)
	}
	b.plan.Model = model.Code
	order, ok := b.fw.Family.Order(model)
	if !ok {
		b.refuse(b.fw.Name, fmt.Sprintf("the order in which a %s is flashed is not known", model.Code),
			"a wrong order can leave a phone that does not start", "nothing: this model can be recognised, but not restored yet")
		return
	}
	b.chooseBoot()
	b.loader()
	for i, group := range order.Steps {
		if i == len(order.Steps)-1 {
			b.otherUnits()
		}
		b.group(group, i == 0)
	}
	b.plan.Steps = append(b.plan.Steps, session(StepEnd))
	b.skips()
	b.wholeSet()
	b.finish(order)
}

func (b *builder) modelGiven() (phone.Model, bool) {
	_, m, ok := phone.ByModel(b.policy.Model)
	return m, ok && b.policy.Model != ""
}

// loader is the first step. Without a loader in the bundle the plan works only when one
// is already running.
func (b *builder) loader() {
	it := b.fw.image("loader")
	if it == nil || !it.Checked {
		if b.ph != nil && b.ph.Stage != string(s1.StageLoader) {
			b.refuse(b.fw.Name, "it has no loader.sin", "the phone needs this small program before it takes any other file; bundles made from XperiFirm folders often lack it",
				"take loader.sin from another bundle for a "+b.fw.Model.Code+" and add --loader FILE")
		}
		return
	}
	b.used[it.Member] = true
	b.plan.Steps = append(b.plan.Steps, b.imageStep(it))
	b.send = append(b.send, it)
}

func (b *builder) imageStep(it *Item) Step {
	c := cleared{item: it}
	c.img, _ = b.fw.Family.Image(it.Short)
	for _, t := range it.Targets {
		if l := b.fw.tables(nil, true).place(t).Label; l != "" && !slices.Contains(c.labels, l) {
			c.labels = append(c.labels, l)
		}
	}
	b.plan.Wipes = b.plan.Wipes || c.img.Policy == phone.PolicyWipe
	b.plan.Bytes += it.Bytes
	return imageStep(c)
}

// group adds the steps of one group of the flash order. Units of a group share one
// opening of the trim area. Each image gets one of its own, where the flash scripts
// keep it open for several: what the phone notes there about an image is stored when
// it is closed, so a stopped restore need not send a finished file again.
func (b *builder) group(g phone.Step, first bool) {
	for _, short := range g.Images {
		if it := b.imageFor(short); it != nil {
			b.used[it.Member] = true
			b.send = append(b.send, it)
			b.add(g.TA, []Step{b.imageStep(it)})
		}
	}
	var steps []Step
	for _, unit := range g.Units {
		if s, ok := b.unitStep(unit, first); ok {
			steps = append(steps, s)
		}
	}
	b.add(g.TA, steps)
}

// add adds steps between opening and closing of the trim area. Of nothing nothing is added.
func (b *builder) add(ta bool, steps []Step) {
	if len(steps) == 0 {
		return
	}
	if ta {
		steps = slices.Concat([]Step{session(StepOpenTA)}, steps, []Step{session(StepCloseTA)})
	}
	b.plan.Steps = append(b.plan.Steps, steps...)
}

// imageFor finds the file to send for a name of the flash order.
func (b *builder) imageFor(short string) *Item {
	img, _ := b.fw.Family.Image(short)
	if img.Policy == phone.PolicyDelivery {
		if b.boot == nil {
			return nil
		}
		return b.boot.images[strings.ToLower(short)]
	}
	it := b.fw.image(short)
	if it == nil && img.Writes == phone.ToTable {
		it = b.fw.image("partition")
	}
	if it == nil || !it.Checked || b.policy.leavesOut(b.fw.Family, b.fw.Manifest, it) != "" {
		return nil
	}
	return it
}

func (b *builder) unitStep(unit uint32, first bool) (Step, bool) {
	switch {
	case unit == unitFlashState && first:
		return flashState(1, "a flash is in progress: the phone stays in flash mode until it is complete"), true
	case unit == unitFlashState:
		return flashState(0, "the flash is complete"), true
	case unit == unitTimestamp:
		return timestamp(), true
	case phone.UnitVerdict(unit).Verdict == phone.Delivery:
		if b.boot == nil || b.boot.units[unit] == nil {
			return Step{}, false
		}
		it := b.boot.units[unit]
		b.used[it.Member] = true
		s, ok := unitStep(cleared{item: it}, unit)
		s.Name, s.Fragile = "boot config", true
		return s, ok
	}
	if it := b.unitItem(unit); it != nil {
		b.used[it.Member] = true
		return unitStep(cleared{item: it}, unit)
	}
	return b.madeUp(unit)
}

// unitItem finds the .ta file of the bundle that sets a unit. With several the last one
// counts, as with Flashtool (s1-protocol.md §4.3 step 8).
func (b *builder) unitItem(unit uint32) (found *Item) {
	for _, it := range b.fw.Items {
		if it.Kind == ItemUnits && !it.Boot && it.Problem == nil && b.policy.excluded(it.Short, it.Member) == "" && unitData(it, unit) != nil {
			found = it
		}
	}
	return found
}

func unitData(it *Item, unit uint32) HexBytes {
	for _, u := range it.Units {
		if u.Unit == unit {
			return append(HexBytes{}, u.Data...)
		}
	}
	return nil
}

// madeUp adds a reset that the bundle lacks. Without fota-reset a phone may loop after a
// restore (device-rescue.md §0.6), and both resets are one harmless byte.
func (b *builder) madeUp(unit uint32) (Step, bool) {
	for _, name := range []string{"cust-reset", "fota-reset"} {
		f, ok := phone.TAFileByName(name)
		if !ok || f.Data == nil || !slices.Contains(f.Units, unit) {
			continue
		}
		if b.policy.excluded(name) != "" || b.inBundle(unit) {
			return Step{}, false
		}
		b.note("the bundle has no %s.ta; xflash adds it, because it %s (--skip %s leaves it out)", name, f.Reason, name)
		return resetStep(f, unit), true
	}
	return Step{}, false
}

func (b *builder) inBundle(unit uint32) bool {
	return slices.ContainsFunc(b.fw.Items, func(it *Item) bool {
		return it.Kind == ItemUnits && !it.Boot && unitData(it, unit) != nil
	})
}

// otherUnits are allowed units of the bundle that the flash order does not know.
func (b *builder) otherUnits() {
	var steps []Step
	for _, it := range b.fw.Items {
		if it.Kind != ItemUnits || it.Boot || b.used[it.Member] || it.Problem != nil || b.policy.excluded(it.Short, it.Member) != "" {
			continue
		}
		for _, u := range it.Units {
			if phone.UnitVerdict(u.Unit).Verdict == phone.Allow && b.unitItem(u.Unit) == it {
				b.used[it.Member] = true
				if s, ok := unitStep(cleared{item: it}, u.Unit); ok {
					steps = append(steps, s)
				}
			}
		}
	}
	b.add(true, steps)
}

// skips lists what the bundle holds and the plan does not send, with the reason.
func (b *builder) skips() {
	for _, it := range b.fw.Items {
		if it.Kind == ItemOther || b.used[it.Member] {
			continue
		}
		b.plan.Skipped = append(b.plan.Skipped, Skip{Name: it.Short, Member: it.Member, Bytes: it.Bytes, Reason: b.whySkipped(it)})
	}
}

func (b *builder) whySkipped(it *Item) string {
	switch {
	case it.Boot && b.boot == nil:
		return "the boot set is left out as a whole"
	case it.Boot:
		return "it belongs to the boot set of another phone"
	case it.Kind == ItemUnits:
		if why := b.policy.excluded(it.Short, it.Member); why != "" {
			return why
		}
		for _, u := range it.Units {
			return fmt.Sprintf("unit %d: %s", u.Unit, phone.UnitVerdict(u.Unit).Reason)
		}
		return "it sets no unit"
	}
	if why := b.policy.leavesOut(b.fw.Family, b.fw.Manifest, it); why != "" {
		return why
	}
	return "the flash order of this model has no place for it"
}

// finish makes the checks that need the whole plan, and the notes.
func (b *builder) finish(order phone.Order) {
	if b.ph != nil {
		ps, notes := matchRoots(b.fw, b.ph, b.send)
		b.problems = append(b.problems, ps...)
		b.plan.Notes = append(b.plan.Notes, notes...)
		if b.ph.Flashing {
			b.note("an earlier flash of this phone was not finished; this one starts from the beginning and repairs that")
		}
	}
	compressed := slices.ContainsFunc(b.send, func(it *Item) bool { return it.Compressed })
	if l := b.fw.Loader; compressed && l != nil && !l.Supports(string(sin.TagLZ4A)) {
		b.refuse("loader", "it cannot unpack the compressed images of this bundle", "the loader is older than the firmware", "take loader.sin from a newer bundle for this model and add --loader FILE")
	}
	if len(b.send) == 0 || len(b.send) == 1 && b.send[0] == b.fw.image("loader") {
		if !slices.ContainsFunc(b.plan.Steps, func(s Step) bool {
			return s.Kind == StepUnit && s.Unit != unitFlashState
		}) {
			b.refuse(b.fw.Name, "nothing of it is left to flash", "", "look at --only, --skip and --wipe: xflash restore FILE --dry-run lists what is skipped and why")
		}
	}
	if len(b.policy.Only) == 0 {
		for _, short := range []string{"kernel", "system"} {
			if b.fw.image(short) == nil {
				b.note("the bundle has no %s.sin: this is not a complete firmware", short)
			}
		}
	}
	if b.fw.Manifest.Cmd25 {
		b.note("the bundle asks to switch off the phone's own check of what was written (cmd25); xflash leaves the check on")
	}
	for _, name := range slices.Concat(b.policy.Only, b.policy.Skip) {
		if !b.named(name) {
			b.note("nothing in the bundle is called %q", name)
		}
	}
	b.plan.Notes = append(b.plan.Notes, compareScript(b.fw.Script, order, b.fw)...)
}

func (b *builder) named(name string) bool {
	if strings.EqualFold(name, bootName) || has([]string{"cust-reset", "fota-reset"}, name) {
		return true
	}
	return slices.ContainsFunc(b.fw.Items, func(it *Item) bool { return has([]string{it.Short, it.Member, it.Base}, name) }) ||
		strings.EqualFold(name, "partition") && b.fw.image("partition-image") != nil
}

// keys is what the boot delivery asks of the phone.
func (f *Facts) keys() ftf.PhoneKeys {
	return ftf.PhoneKeys{
		OTPLockStatus: f.Info["OTP_LOCK_STATUS_1"], OTPData: f.Info["OTP_DATA_1"], IDCode: f.Info["IDCODE_1"],
		RootHash: f.Info["PLF_ROOT_1"], BootVersion: f.Units[unitBootVersion], HWRevision: f.HWRev,
	}
}
