package restore

import (
	"fmt"
	"slices"
	"strings"

	"xflash/internal/phone"
)

// What the data do not prove is a question of the plan, answered before anything is
// written.

// knownLoader holds the known facts about the loader that will receive the images; nil when it is not
// in the data.
func (j *judge) knownLoader() *phone.Loader {
	if r := j.receiver(); r != nil {
		return r.row
	}
	return nil
}

// proof adds the questions of the plan, and says whose order it follows.
func (b *builder) proof(order phone.Order) {
	family, model := b.fw.Family, b.fw.Model
	known, _ := family.Loader(model)
	if !order.Of(model) {
		sister, _, _ := strings.Cut(order.Scripts[0], "/")
		_, m, _ := phone.Find(sister)
		b.note("the order is that of the related model %s (%s)", m.Name, sister)
	}
	if family.Proof(model) == phone.BySister {
		b.ask("Our tests never ran the loader of the %s, %s. Its tables are those of %s, which they did run. Restore this phone anyway?",
			model.Name, known.Version, known.SisterOf)
	}
	loader := b.knownLoader()
	if loader == nil {
		loader = &known
	}
	if loader.StopsUnplugged {
		b.note("when the cable is pulled, the loader switches this phone off: put it into flash mode again before --resume")
	}
	if loader.HeaderChecksum {
		b.note("the loader of this phone answers nothing more after a packet that was damaged in the cable: then switch the phone off, and put it into flash mode again before --resume")
	}
	if chain := b.bootChain(); len(chain) > 0 && loader.Verified != phone.Unproven && len(loader.Sets) == 0 {
		b.ask("The loader %s keeps no second copy of the boot chain: if it stops while it writes %s, the phone no longer starts. Write the boot chain? \"--skip %s\" leaves it out.",
			loader.Version, strings.Join(chain, ", "), b.skipChain())
	}
}

func (b *builder) ask(format string, a ...any) {
	b.plan.Questions = append(b.plan.Questions, fmt.Sprintf(format, a...))
}

// bootChain lists the partitions of the boot chain that the plan writes.
func (b *builder) bootChain() (labels []string) {
	for _, s := range b.plan.Steps {
		for _, label := range s.Partitions {
			if p, _ := b.fw.Family.Partition(label); p.Class == phone.BootChain && !slices.Contains(labels, label) {
				labels = append(labels, label)
			}
		}
	}
	return labels
}

// skipChain is the selectors that leave the boot chain out of the plan.
func (b *builder) skipChain() string {
	var names []string
	for _, c := range b.cleared {
		switch {
		case c.item.image.Send != phone.SendDelivery:
		case c.item.Boot && !slices.Contains(names, bootName):
			names = append(names, bootName)
		case !c.item.Boot:
			names = append(names, c.item.Short)
		}
	}
	return strings.Join(names, ",")
}
