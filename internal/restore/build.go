package restore

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
)

// Build makes the plan. It does no input or output: the same firmware, facts and request
// give the same plan. ph is nil when no phone was asked; then what only the phone
// can decide is left open and said in the notes, and the plan cannot be run.
//
// The error is Problems; the plan is returned next to it, as far as it can be made.
func Build(fw *Firmware, ph *Facts, p Request) (*Plan, error) {
	p.Route = ""
	b, err := newBuilder(fw, ph, p)
	if err != nil {
		return nil, err
	}
	b.build()
	return b.plan, b.problems.orNil()
}

type builder struct {
	*judge
	plan     *Plan
	verdicts map[*Item]verdict
	cleared  []*cleared // in the order of the bundle
	problems Problems
}

func newBuilder(fw *Firmware, ph *Facts, p Request) (*builder, error) {
	j, err := newJudge(fw, ph, p)
	if err != nil {
		return nil, err
	}
	return &builder{judge: j, plan: &Plan{fw: fw,
		Bundle: fw.Name, Identity: fw.Identity, Device: fw.Manifest.Device, Version: fw.Manifest.Version, Branding: fw.Manifest.Branding,
		Route: p.Route, Model: fw.Model.Code, Family: fw.Family.Name, Steps: []Step{}, Skipped: []Skip{}, Notes: slices.Concat([]string{}, fw.Notes),
	}}, nil
}

func (b *builder) note(format string, a ...any) {
	b.plan.Notes = append(b.plan.Notes, fmt.Sprintf(format, a...))
}

func (b *builder) build() {
	if b.fw.command() {
		b.buildCommand()
		return
	}
	b.flashModel()
	model := b.fw.Model
	order, ok := b.fw.Family.Order(model)
	if !ok {
		b.problems.refuse(b.fw.Name, b.fw.Family.Sentence(model), "",
			fmt.Sprintf("\"xflash devices --known %s\" shows the order in which Sony's tool flashes it, as far as it is known; inspect, verify and unpack read this bundle", model.Code))
		return
	}
	b.order = &order
	b.boot = b.chooseBoot()
	b.plan.Notes = append(b.plan.Notes, b.boot.notes...)
	b.judgeAll()
	b.problems = append(b.problems, b.boot.problems...)
	b.loader()
	for i, group := range order.Steps {
		if i == len(order.Steps)-1 {
			b.otherUnits()
		}
		b.group(group, i == 0)
	}
	b.step(session(StepEnd))
	b.proof(order)
	b.finish(order)
}

// judgeAll gives every item its verdict, once.
func (b *builder) judgeAll() {
	b.verdicts = map[*Item]verdict{}
	var unread []string
	for _, it := range b.fw.Items {
		v := b.judge.judge(it)
		b.verdicts[it] = v
		b.problems = b.problems.join(v.refused)
		if v.cleared != nil {
			b.cleared = append(b.cleared, v.cleared)
		}
		if v.leftOut != "" {
			b.plan.Skipped = append(b.plan.Skipped, Skip{Name: it.Short, Member: it.Member, Bytes: it.Bytes, Reason: v.leftOut})
			var other unfit
			switch {
			case !it.sendable():
			case errors.As(it.Problem, &other):
				b.note("%s is not sent: %s", it.Member, other)
			case it.Problem != nil:
				b.note("%s is damaged, and is not sent: %s", it.Member, describeDamage(it.Problem))
			case it.Kind == ftf.KindSIN && !it.Checked:
				unread = append(unread, it.Short)
			}
		}
	}
	if len(unread) > 0 {
		b.note("not checked to the end, because they are left out: %s", strings.Join(unread, ", "))
	}
}

// clearedImage is the cleared file for an image; nil when none is sent.
func (b *builder) clearedImage(short string) *cleared {
	return b.find(func(c *cleared) bool { return c.item.image.Short == short })
}

// clearedUnit is the cleared .ta file that sets a unit.
func (b *builder) clearedUnit(unit uint32) *cleared {
	return b.find(func(c *cleared) bool { return slices.Contains(c.units, unit) })
}

func (b *builder) find(is func(*cleared) bool) *cleared {
	if i := slices.IndexFunc(b.cleared, is); i >= 0 {
		return b.cleared[i]
	}
	return nil
}

// loader is the first step.
func (b *builder) loader() {
	if c := b.clearedImage("loader"); c != nil {
		b.step(imageStep(*c))
		return
	}
	for it, v := range b.verdicts {
		switch {
		case !it.isLoader():
		case len(v.refused) > 0:
			return // said already
		case b.sel.skips(it.thing()):
			b.problems.refuse(it.Member, "it cannot be left out", "the phone needs this small program before it accepts any other file, and again after every restart", "leave it out of --skip; --loader FILE uses another one")
			return
		}
	}
	// Also when a loader runs already: after a power cycle the restore could not be resumed.
	b.problems.refuse(b.fw.Name, "it has no loader.sin", "the phone needs this small program before it accepts any other file, and again after every restart; bundles made from XperiFirm folders often lack it",
		"take loader.sin from another bundle for a "+b.fw.Model.Code+" and add --loader FILE")
}

// step adds a step to the plan.
func (b *builder) step(s Step) {
	b.plan.Steps = append(b.plan.Steps, s)
	b.plan.Bytes += s.Bytes
	b.plan.Wipes = b.plan.Wipes || s.load.wipes
}

// group adds the steps of one group of the flash order. Units of a group share one
// opening of the trim area. Each image gets one of its own, where the flash scripts
// keep it open for several: what the phone notes there about an image is stored when
// it is closed, so a stopped restore need not send a finished file again.
func (b *builder) group(g phone.Step, first bool) {
	for _, short := range g.Images {
		if c := b.clearedImage(short); c != nil {
			b.add(g.TA, []Step{imageStep(*c)})
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

// add adds steps between opening and closing of the trim area. An empty group adds nothing.
func (b *builder) add(ta bool, steps []Step) {
	if len(steps) == 0 {
		return
	}
	if ta {
		steps = slices.Concat([]Step{session(StepOpenTA)}, steps, []Step{session(StepCloseTA)})
	}
	for _, s := range steps {
		b.step(s)
	}
}

func (b *builder) unitStep(unit uint32, first bool) (Step, bool) {
	switch {
	case unit == unitFlashState && first:
		return flashState(1, "a flash is in progress: the phone stays in flash mode until the flash is complete"), true
	case unit == unitFlashState:
		return flashState(0, "the flash is complete"), true
	case unit == unitTimestamp:
		return timestamp(), true
	}
	if c := b.clearedUnit(unit); c != nil {
		return unitStep(*c, unit)
	}
	return b.addedReset(unit)
}

// addedReset adds a reset that the bundle lacks.
func (b *builder) addedReset(unit uint32) (Step, bool) {
	for _, name := range addedResets {
		f, ok := phone.TAFileByName(name)
		if !ok || f.Data == nil || !slices.Contains(f.Units, unit) {
			continue
		}
		inBundle := slices.ContainsFunc(b.fw.Items, func(it *Item) bool {
			return it.Kind == ftf.KindTA && !it.Boot && unitData(it, unit) != nil
		})
		if b.sel.leavesOut(thing{name: name}) != "" || inBundle {
			return Step{}, false
		}
		b.note("the bundle has no %s.ta; xflash adds it, because it %s (--skip %s leaves it out)", name, f.Reason, name)
		return resetStep(f, unit), true
	}
	return Step{}, false
}

// otherUnits are cleared units that the flash order does not know.
func (b *builder) otherUnits() {
	var steps []Step
	for _, c := range b.cleared {
		for _, unit := range c.units {
			if c.item.Boot || slices.ContainsFunc(b.order.Steps, func(s phone.Step) bool { return slices.Contains(s.Units, unit) }) {
				continue
			}
			if s, ok := unitStep(*c, unit); ok {
				steps = append(steps, s)
			}
		}
	}
	b.add(true, steps)
}

// judgeStorage judges what is sent by the phone's storage, and by the partition layout of the
// bundle that it becomes or stays.
func (b *builder) judgeStorage() {
	var send []*Item
	for _, c := range b.cleared {
		if c.item.Kind == ftf.KindSIN {
			send = append(send, c.item)
		}
	}
	ps, notes := b.fw.judgeStorage(b.storage(), send)
	b.problems = append(b.problems, ps...)
	b.plan.Notes = append(b.plan.Notes, notes...)
}

// finish makes the checks that need the whole plan, and the notes.
func (b *builder) finish(order phone.Order) {
	b.noteFlashing()
	b.judgeStorage()
	b.noteTestRoot()
	b.refuseNothing()
	if b.sel.all {
		for _, short := range []string{"kernel", "system"} {
			if b.fw.image(short) == nil {
				b.note("the bundle has no %s.sin: it is not complete firmware", short)
			}
		}
	}
	if b.fw.Manifest.Cmd25 {
		b.note("the bundle asks to switch off the phone's own check of the written data (cmd25); xflash leaves the check on")
	}
	b.plan.Notes = append(b.plan.Notes, compareScript(b.fw.Script, order, b.fw)...)
}

func (b *builder) noteFlashing() {
	if b.ph != nil && b.ph.Flashing {
		b.note("an earlier flash of this phone was not finished; this one starts from the beginning and repairs that")
	}
}

// refuseNothing refuses a plan that sends nothing, and says why what --only names stays behind.
func (b *builder) refuseNothing() {
	phoneDecides := b.ph == nil && b.boot.why != "" && b.sel.leavesOut(theBootSet) == ""
	if len(b.problems) > 0 || phoneDecides || slices.ContainsFunc(b.plan.Steps, func(s Step) bool {
		return s.Kind == StepImage || s.Kind == StepTable || s.Kind == StepUnit && s.Unit != unitFlashState
	}) {
		return
	}
	var why []string
	for _, it := range b.fw.Items {
		reason := b.verdicts[it].leftOut
		if reason != "" && slices.Contains(b.sel.only, it.thing()) && !slices.Contains(why, reason) {
			why = append(why, reason)
		}
	}
	b.problems.refuse(b.fw.Name, "nothing in it is left to flash", strings.Join(why, "; "), "check --only, --skip and --wipe: xflash restore FILE --dry-run lists what is left out and why")
}

// noteTestRoot says what only a development phone accepts.
func (b *builder) noteTestRoot() {
	var names []string
	for _, c := range b.cleared {
		if c.item.testRoot() {
			names = append(names, c.item.Short)
		}
	}
	if len(names) > 0 {
		b.note("signed with Sony's internal test root, which a phone from a shop refuses: %s", strings.Join(names, ", "))
	}
}
