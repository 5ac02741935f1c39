package phone

import (
	"fmt"
	"path"
	"slices"
)

// Order is the sequence of a complete flash. Groups that only read trim-area units in
// the scripts are left out, and so is what xflash does not send: loader settings
// (command 25), images and units that are never written.
type Order struct {
	Scripts []string // flash scripts it was read from: "D58XX/default.fsc"
	Source  string   // for a person: where it was found and what was changed
	Steps   []Step
}

// Step is a group of images or units that belong together. With TA, trim-area
// partition 2 is opened before the group and closed after it; it must be open for the
// image that leaves its header there (Loader.HeaderUnit). Unit 10100 is in the first
// step (value 1) and at the end of the last one (value 0, after the time stamp).
type Step struct {
	TA     bool     `json:"ta,omitempty"`
	Images []string `json:"images,omitempty"`
	Units  []uint32 `json:"units,omitempty"`
}

// Of reports whether the order is the model's own. Otherwise it is the order of a
// sister model (Scripts), and the plan says so.
func (o Order) Of(m Model) bool {
	return slices.ContainsFunc(o.Scripts, func(script string) bool { return path.Dir(script) == m.Folder })
}

// Order returns the order by which a model is flashed. false: the phone must not be
// flashed, because none is known or because no loader of the model is proven.
func (f *Family) Order(m Model) (Order, bool) {
	if f.Proof(m) == Unproven {
		return Order{}, false
	}
	return f.KnownOrder(m)
}

// KnownOrder returns the order of a model to look at, whether or not the model may be
// flashed by it.
func (f *Family) KnownOrder(m Model) (Order, bool) {
	at := slices.IndexFunc(f.orders, func(o Order) bool { return o.Of(Model{Folder: m.order}) })
	if m.order == "" || at < 0 {
		return Order{}, false
	}
	return f.orders[at], true
}

// Proof says how far it is proven that a model can be restored: that of its known
// loader when the order is known too. Nothing is restored by a script alone.
func (f *Family) Proof(m Model) Verification {
	if f.Protocol == ProtocolCommand {
		switch {
		case m.whyNot != "":
			return Unproven
		case m.ByName:
			return NameOnly
		}
		return Simulated
	}
	l, known := f.Loader(m)
	if _, ok := f.KnownOrder(m); !ok || !known {
		return Unproven
	}
	return l.Verified
}

// Sentence says in one sentence what can be done for a model: that xflash restores it
// and how that is proven, or why not and which program does.
func (f *Family) Sentence(m Model) string {
	name := fmt.Sprintf("%s (%s), %s: ", m.Name, m.Code, f.Name)
	proof := f.Proof(m)
	if proof == Unproven {
		if f.Elsewhere == "" {
			return name + "not restored by xflash, because " + m.whyNot + "; no known free program can"
		}
		return name + "not restored by xflash, because " + m.whyNot + "; " + f.Elsewhere + " can"
	}
	if f.Protocol == ProtocolCommand {
		name += "restored by xflash, tested on simulated phones only, never on a real one"
		if m.ByName {
			name += "; only the name of the model is known"
		}
		return name
	}
	done := "restored by xflash"
	if f.NoBootSet != "" {
		done += ", except for the boot chain"
	}
	if proof == BySister {
		l, _ := f.Loader(m)
		done += " after one question: our tests never ran its loader, " + l.Version + ", but it has the tables of " + l.SisterOf + ", which they did run"
	}
	return name + done
}
