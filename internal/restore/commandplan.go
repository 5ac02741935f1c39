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
	want := b.fw.Model
	b.plan.Untried = "tested on simulated phones only, never on a real phone. The phone judges the signature of each image before it erases anything for it."
	if want.ByName {
		b.plan.Untried += " Only the name of this model is known."
	}
	if b.fw.Family.Proof(want) == phone.Unproven {
		b.problems.refuse(b.fw.Name, b.fw.Family.Sentence(want), "", "inspect, verify and unpack read this bundle")
		return
	}
	b.commandModel()
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

// hasSlots reports whether the phone starts from one of two slots.
func (b *builder) hasSlots() bool {
	if b.ph == nil {
		return b.fw.Model.Form != phone.FormOne
	}
	return b.ph.Command.Slots == 2
}

// tableSteps writes the partition tables, one for each logical unit.
func (b *builder) tableSteps() {
	for _, it := range b.tables.ordered() {
		if c := b.verdicts[it].cleared; c != nil {
			b.step(tableStep(*c))
		}
	}
}

// commandImages adds the images in an order; what is cleared and has no place in it comes
// before the images that verify the others, which are the last ones.
func (b *builder) commandImages(order []string) {
	for _, short := range order {
		if strings.HasPrefix(short, "vbmeta") {
			b.unordered()
		}
		b.archives(func(c *cleared) bool { return c.item.image.Short == short })
		if short == "bootloader" {
			b.commandUnits(true)
		}
	}
	b.unordered()
}

// unordered adds the images that the order of this form of phones does not name.
func (b *builder) unordered() {
	images, last := b.fw.Family.CommandOrder(b.fw.Model)
	b.archives(func(c *cleared) bool {
		return !slices.Contains(images, c.item.image.Short) && !slices.Contains(last, c.item.image.Short)
	})
}

// archives adds the steps for images, each once.
func (b *builder) archives(which func(*cleared) bool) {
	for _, c := range b.cleared {
		sent := slices.ContainsFunc(b.plan.Steps, func(s Step) bool { return s.load.item == c.item })
		if c.item.Kind == ftf.KindSIN && !c.item.table && !sent && which(c) {
			b.step(archiveStep(*c))
		}
	}
}

// commandUnits adds the units of the boot set, or all others.
func (b *builder) commandUnits(boot bool) {
	for _, c := range b.cleared {
		for _, unit := range c.units {
			if s, ok := unitStep(*c, unit); ok && c.item.Boot == boot {
				s.load.wipes = b.fw.Family.Unit(unit).Verdict == phone.Wipe
				b.step(s)
			}
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
	b.refuseNothing()
	if why := b.partial(b.noCore()); b.sel.all && why != "" {
		b.note("this is not complete firmware: %s", why)
	}
	if b.tables.files != nil {
		b.note("%s", b.tables.describe())
	}
	b.noteSignatures()
	b.noteFlashing()
	if b.ph == nil {
		return
	}
	facts := b.ph.Command
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
	for _, c := range b.cleared {
		if key := ftf.KeyID(c.item.Base); key != "" && c.item.Kind == ftf.KindSIN {
			byKey[key] = append(byKey[key], c.item.Short)
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
		b.problems.refuse(b.fw.Name, fmt.Sprintf("most files are made with key %s, but these are not: %s", keys[0], strings.Join(rest, "; ")),
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
	for _, c := range b.cleared {
		if c.item.Archive != nil {
			all++
			if c.item.Archive.Signed == sin.SignedListed {
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
