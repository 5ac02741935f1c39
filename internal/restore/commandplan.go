package restore

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/sin"
	"xflash/usbproto/command"
)

// buildCommand makes the plan for a phone of 2017 or later, in the order of Sony's tool
// (usbproto/command/PROTOCOL.md §5.1): tables, boot loader, images, units; slot a last, whatever
// slot the phone starts from.
func (b *builder) buildCommand() {
	if !b.commandModel() {
		return
	}
	b.boot = b.chooseCommandBoot()
	b.tables = b.chooseTables()
	b.plan.Notes = slices.Concat(b.plan.Notes, b.boot.notes, b.tables.notes)
	b.judgeAll()
	b.problems = b.problems.join(b.boot.problems).join(b.tables.problems)

	b.step(flashState(1, "a flash is in progress: the phone should not start until it is complete"))
	images, last := b.fw.Family.CommandOrder(b.fw.Model)
	b.tableSteps()
	b.commandImages(images)
	b.commandUnits(false)
	b.commandImages(last)
	if b.hasSlots() {
		b.step(session(StepSlot))
	}
	b.step(timestamp())
	b.step(flashState(0, "the flash is complete"))
	b.step(session(StepSync))
	b.step(session(StepEnd))
	b.finishCommand()
}

func (b *builder) step(s Step) { b.plan.Steps = append(b.plan.Steps, s) }

// hasSlots reports whether the phone starts from one of two slots.
func (b *builder) hasSlots() bool {
	if b.ph == nil {
		return b.fw.Model.Form != phone.FormOne
	}
	return b.ph.Command.Slots == 2
}

// commandModel decides whether the bundle is for the phone: it says itself which one it is.
func (b *builder) commandModel() bool {
	want := b.fw.Model
	b.plan.Untried = "tested on simulated phones only, never on a real phone. The phone judges the signature of each image before it erases anything for it."
	if want.ByName {
		b.plan.Untried += " Only the name of this model is known."
	}
	if b.fw.Family.Proof(want) == phone.Unproven {
		b.refuse(b.fw.Name, b.fw.Family.Sentence(want), "", "inspect, verify and unpack read this bundle")
		return false
	}
	is := b.p.Model
	switch {
	case b.ph != nil:
		is = b.ph.Command.Product
		b.plan.Evidence = []string{"getvar product says " + is}
		if is == "" {
			b.plan.Evidence = nil
			b.refuse(b.fw.Name, "the phone does not say which model it is", "getvar product is refused or empty, so nothing proves that the firmware is for it", "unplug the phone, put it into flash mode again and retry")
			return true
		}
		if b.p.Model != "" && !strings.EqualFold(is, b.p.Model) {
			b.refuse(b.fw.Name, fmt.Sprintf("--model says %s, the phone says %s", b.p.Model, is), "", "leave --model out")
		}
	case is == "":
		b.plan.Evidence = []string{"no phone was asked"}
		return true
	default:
		b.plan.Evidence = []string{"--model says " + is}
	}
	b.problems = append(b.problems, b.fw.isFor(is)...)
	return true
}

// tableSteps writes the partition tables, one for each logical unit.
func (b *builder) tableSteps() {
	for _, it := range slices.SortedFunc(maps.Keys(b.tables.files), func(x, y *Item) int { return b.tables.files[x] - b.tables.files[y] }) {
		if c := b.verdicts[it].cleared; c != nil {
			b.step(b.count(tableStep(*c)))
		}
	}
}

// count counts a step in the plan.
func (b *builder) count(s Step) Step {
	b.plan.Bytes += s.Bytes
	return s
}

// commandImages adds the images in an order; what is cleared and has no place in it comes
// before the images that verify the others, which are the last ones.
func (b *builder) commandImages(order []string) {
	for _, short := range order {
		if strings.HasPrefix(short, "vbmeta") {
			b.unordered()
		}
		for _, it := range b.fw.Items {
			if c := b.verdicts[it].cleared; c != nil && it.Kind == ItemSIN && !it.table && c.img.Short == short {
				b.archiveStep(*c)
			}
		}
		if short == "bootloader" {
			b.commandUnits(true)
		}
	}
	b.unordered()
}

// unordered adds the images that the order of this form of phones does not name.
func (b *builder) unordered() {
	images, last := b.fw.Family.CommandOrder(b.fw.Model)
	for _, it := range b.fw.Items {
		c := b.verdicts[it].cleared
		if c != nil && it.Kind == ItemSIN && !it.table && !slices.Contains(images, c.img.Short) && !slices.Contains(last, c.img.Short) {
			b.archiveStep(*c)
		}
	}
}

// archiveStep adds the step for an image, once.
func (b *builder) archiveStep(c cleared) {
	if slices.ContainsFunc(b.plan.Steps, func(s Step) bool { return s.load.item == c.item }) {
		return
	}
	b.plan.Wipes = b.plan.Wipes || c.img.Send == phone.SendWipe
	b.step(b.count(archiveStep(c)))
}

// commandUnits adds the units of the boot set, or all others.
func (b *builder) commandUnits(boot bool) {
	for _, it := range b.fw.Items {
		c := b.verdicts[it].cleared
		if c == nil || it.Kind != ItemUnits || it.Boot != boot {
			continue
		}
		for _, unit := range c.units {
			s, ok := unitStep(*c, unit)
			if !ok {
				continue
			}
			if boot {
				s.Name, s.Fragile = "boot config", true
			}
			b.plan.Wipes = b.plan.Wipes || b.fw.Family.Unit(unit).Verdict == phone.Wipe
			b.step(s)
		}
	}
}

// bootConfiguration is the steps of the boot set, which count as one: a run that stopped
// within them starts again at the first.
func (p *Plan) bootConfiguration() span {
	set := span{0, -1}
	for i, s := range p.Steps {
		if !s.Fragile || s.Kind == StepTable {
			continue
		}
		if set.last < 0 {
			set.first = i
		}
		set.last = i
	}
	return set
}

// finishCommand makes the checks that need the whole plan, and the notes.
func (b *builder) finishCommand() {
	b.mixedKeys()
	sends := slices.ContainsFunc(b.plan.Steps, func(s Step) bool {
		return s.Kind == StepImage || s.Kind == StepTable || s.Kind == StepUnit && s.Unit != unitFlashState
	})
	if len(b.problems) == 0 && !sends && (b.ph != nil || b.sel.leavesOut(theBootSet) != "") {
		b.refuse(b.fw.Name, "nothing in it is left to flash", b.whyNothing(), "check --only, --skip and --wipe: xflash restore FILE --dry-run lists what is left out and why")
	}
	if why := b.partial(b.noCore()); b.sel.all && why != "" {
		b.note("this is not complete firmware: %s", why)
	}
	if b.tables.files != nil {
		b.note("%s", b.tables.describe())
	}
	b.noteSignatures()
	if b.ph == nil {
		return
	}
	facts := b.ph.Command
	if b.ph.Flashing {
		b.note("an earlier flash of this phone was not finished; this one starts from the beginning and repairs that")
	}
	if facts.Slots == 2 && facts.Slot != "a" {
		b.note("the phone now starts from %s; its firmware is made for slot a, which is written and starts afterwards", orUnknownSlot(facts.Slot))
		if !b.sel.all {
			b.ask("The phone starts from %s, but this writes only parts of slot a, which starts afterwards. Only a complete restore is certain to start. Continue anyway?", orUnknownSlot(facts.Slot))
		}
	}
	switch battery, told := command.ParseBattery(facts.Battery); {
	case told && battery.Low():
		b.ask("The battery is at %s. If the phone switches off during the flash, it does not start until you restore it. Continue anyway?", battery)
	case facts.Battery == "":
		b.note("this phone does not tell its battery level in flash mode: charge it to at least half first")
	}
	for location := range maps.Keys(facts.Rollback) {
		if _, told := facts.rollback(location); !told {
			b.note("the phone does not tell which firmware is too old for it (rollback index %d); firmware older than the phone's may not start", location)
		}
	}
}

func orUnknownSlot(slot string) string {
	if slot == "" {
		return "a slot that it does not tell"
	}
	return "slot " + slot
}

// mixedKeys refuses files that are signed with different keys, by their names: the phone would
// refuse some of them, in the middle of the flash.
func (b *builder) mixedKeys() {
	byKey := map[string][]string{}
	for _, it := range b.fw.Items {
		if c := b.verdicts[it].cleared; c != nil && it.Kind == ItemSIN {
			if key := ftf.KeyID(it.Base); key != "" {
				byKey[key] = append(byKey[key], it.Short)
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(byKey), func(x, y string) int {
		if n := len(byKey[y]) - len(byKey[x]); n != 0 {
			return n
		}
		return strings.Compare(x, y)
	})
	if len(keys) > 1 {
		var rest []string
		for _, key := range keys[1:] {
			rest = append(rest, fmt.Sprintf("%s (key %s)", strings.Join(byKey[key], ", "), key))
		}
		b.refuse(b.fw.Name, fmt.Sprintf("most files are made with key %s, but these are not: %s", keys[0], strings.Join(rest, "; ")),
			"they come from firmware for another phone or operator, and the phone would refuse them in the middle of the flash", "download the firmware for exactly this phone again")
		return
	}
	if own := b.fw.Model.Keys; len(keys) == 1 && len(own) > 0 && !slices.Contains(own, keys[0]) {
		b.note("the files are made with key %s, but known firmware for a %s uses %s: the phone will probably refuse the first of them, before it erases anything", keys[0], b.fw.Model.Code, strings.Join(own, " or "))
	}
}

// noteSignatures says once what is proven about who made the files.
func (b *builder) noteSignatures() {
	listed, all := 0, 0
	for _, it := range b.fw.Items {
		if b.verdicts[it].cleared != nil && it.Archive != nil {
			all++
			if it.Archive.Signed == sin.SignedListed {
				listed++
			}
		}
	}
	switch {
	case all == 0:
	case listed == all:
		b.note("signatures: the content of each file agrees with the digests in its signature. xflash does not verify the signatures themselves; the phone judges them.")
	case listed > 0:
		b.note("signatures: the content of %d of %d files agrees with the digests in their signature. xflash does not verify the signatures themselves; the phone judges them.", listed, all)
	default:
		b.note("xflash does not verify signatures; the phone judges them")
	}
}
