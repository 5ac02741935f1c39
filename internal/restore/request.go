package restore

import (
	"slices"
	"strings"
)

// Request is what the person asked for.
type Request struct {
	Only  []string `json:"only,omitempty"` // selectors; empty means everything that is safe
	Skip  []string `json:"skip,omitempty"`
	Wipe  bool     `json:"wipe,omitempty"`  // flash userdata and the other wipe items too
	Model string   `json:"model,omitempty"` // what is printed on the phone
	Route string   `json:"route,omitempty"` // RouteFastboot, or "" for flash mode
}

// bootName stands for the whole boot set in --only and --skip, on phones of 2017 and later
// bootloaderName: their firmware has an image called boot.
const bootName, bootloaderName = "boot", "bootloader"

func (fw *Firmware) bootName() string {
	if fw.command() {
		return bootloaderName
	}
	return bootName
}

// thing is what a selector can name: a file, or by its name the boot set, a reset that
// xflash adds, or a partition that fastboot erases.
type thing struct {
	item *Item
	name string
}

var (
	theBootSet = thing{name: bootName}
	theTables  = thing{name: "partition-image"} // of phones of 2017 and later, where there are several
)

// selection is what --only and --skip name in one bundle.
type selection struct {
	only, skip []thing
	all        bool   // no --only
	part       string // what of the boot set --skip names, when it is not all of it
}

// SelectorError is a selector that does not name exactly one thing: wrong usage.
type SelectorError struct{ Selector, Reason string }

func (e *SelectorError) Error() string { return e.Selector + " " + e.Reason }

// selects finds what the selectors of a request mean.
func (fw *Firmware) selects(p Request) (sel selection, err error) {
	sel.all = len(p.Only) == 0
	for _, s := range p.Only {
		t, part, err := fw.oneThing("--only "+s, s, p.Route)
		if part && err == nil {
			err = &SelectorError{"--only " + s, "names one file of the boot set, which is written whole or not at all; use --only " + fw.bootName()}
		}
		if err != nil {
			return sel, err
		}
		sel.only = append(sel.only, t)
	}
	for _, s := range p.Skip {
		t, part, err := fw.oneThing("--skip "+s, s, p.Route)
		if err != nil {
			return sel, err
		}
		if part {
			sel.part = s
		}
		sel.skip = append(sel.skip, t)
	}
	return sel, nil
}

// oneThing is the only thing that a selector fits. part: see meant.
func (fw *Firmware) oneThing(flag, selector, route string) (t thing, part bool, err error) {
	found, part := fw.meant(selector, route)
	if len(found) == 1 {
		return found[0], part, nil
	}
	reason := `matches nothing in the bundle; "xflash restore FILE --dry-run" lists its content`
	if len(found) > 1 {
		var titles []string
		for _, t := range found {
			titles = append(titles, t.title())
		}
		reason = "matches several files in the bundle: " + strings.Join(titles, ", ") + "; give the path of one"
	} else if near := fw.near(selector, route); len(near) > 0 {
		reason = "matches nothing in the bundle; did you mean " + strings.Join(near, " or ") + "?"
	}
	return t, false, &SelectorError{flag, reason}
}

func (t thing) title() string {
	switch {
	case t == theBootSet:
		return "the boot set"
	case t.item != nil:
		return t.item.Member
	}
	return t.name
}

// meant finds the things that a selector fits. part: it is the name of a file in the boot
// set, which stands for the set.
func (fw *Firmware) meant(selector, route string) (found []thing, part bool) {
	if strings.EqualFold(selector, fw.bootName()) && (fw.hasBootSet() || fw.command()) {
		return []thing{theBootSet}, false
	}
	for _, it := range fw.Items {
		if !fw.fits(selector, it) {
			continue
		}
		t := it.thing()
		part = part || it.Boot
		if !slices.Contains(found, t) {
			found = append(found, t)
		}
	}
	for _, name := range fw.fileless(route) {
		if len(found) == 0 && strings.EqualFold(selector, name) {
			found = append(found, thing{name: name})
		}
	}
	return found, part && len(found) == 1
}

// fits is the one place where a selector is compared with a file: with its short name, its
// path in the bundle and its base name, in any case. The names of one image count as one.
func (fw *Firmware) fits(selector string, it *Item) bool {
	if !it.sendable() || it.Replaced {
		return false
	}
	for _, name := range []string{it.Short, it.Member, it.Base} {
		if strings.EqualFold(selector, name) {
			return true
		}
	}
	named, ok := fw.Family.Image(selector)
	return ok && named.Short == it.image.Short
}

func (fw *Firmware) hasBootSet() bool {
	return fw.Delivery != nil || slices.ContainsFunc(fw.Items, func(it *Item) bool { return it.Boot })
}

// fileless are names that mean something without a file in the bundle: the resets that
// xflash adds, and what fastboot erases when the bundle has no image for it.
func (fw *Firmware) fileless(route string) []string {
	switch {
	case fw.command():
		return nil
	case route == RouteFastboot:
		return []string{"cache", "userdata"}
	}
	return addedResets
}

// near lists up to three names that differ from a selector by a slip of the keys.
func (fw *Firmware) near(selector, route string) (names []string) {
	all := slices.Clone(fw.fileless(route))
	if fw.hasBootSet() || fw.command() {
		all = append([]string{fw.bootName()}, all...)
	}
	for _, it := range fw.Items {
		if it.sendable() && !it.Boot && !it.Replaced {
			all = append(all, it.Short, it.Base, it.Member)
		}
	}
	selector = strings.ToLower(selector)
	for _, name := range all {
		low := strings.ToLower(name)
		if (distance(selector, low) <= 1+len(selector)/6 || len(selector) > 2 && strings.HasPrefix(low, selector)) &&
			!slices.Contains(names, name) && len(names) < 3 {
			names = append(names, name)
		}
	}
	return names
}

// distance counts the letters to add, drop, replace or swap to turn a into b.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for i := range last {
		last[i] = i
	}
	for i := range x {
		row[0] = i + 1
		for k := range y {
			cost := 1
			if x[i] == y[k] {
				cost = 0
			}
			row[k+1] = min(last[k+1]+1, row[k]+1, last[k]+cost)
			if i > 0 && k > 0 && x[i] == y[k-1] && x[i-1] == y[k] {
				row[k+1] = min(row[k+1], before[k-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}

// thing is what an item counts as in a selection.
func (it *Item) thing() thing {
	switch {
	case it.Boot:
		return theBootSet
	case it.table:
		return theTables
	}
	return thing{item: it}
}

func (s selection) skips(t thing) bool { return slices.Contains(s.skip, t) }

// leavesOut says why --only or --skip leave a thing out, "" when they do not.
func (s selection) leavesOut(t thing) string {
	switch {
	case s.skips(t) && t == theBootSet && s.part != "":
		return "the boot set is written whole or not at all, and --skip names " + s.part
	case s.skips(t):
		return "left out by --skip"
	case !s.all && !slices.Contains(s.only, t):
		return "not named by --only"
	}
	return ""
}
