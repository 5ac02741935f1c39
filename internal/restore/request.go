package restore

import (
	"fmt"
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
type SelectorError struct {
	Flag, Selector string
	Fits           []string // members it fits; empty: none
	Near           []string // names that look alike
	Part           string   // the selector for the boot set, of which it names one file
}

func (e *SelectorError) Error() string {
	switch {
	case e.Part != "":
		return fmt.Sprintf("%s %s names one file of the boot set, which is written whole or not at all; use %s %s", e.Flag, e.Selector, e.Flag, e.Part)
	case len(e.Fits) > 0:
		return fmt.Sprintf("%s %s matches several files in the bundle: %s; give the path of one", e.Flag, e.Selector, strings.Join(e.Fits, ", "))
	case len(e.Near) > 0:
		return fmt.Sprintf("%s %s matches nothing in the bundle; did you mean %s?", e.Flag, e.Selector, strings.Join(e.Near, " or "))
	}
	return fmt.Sprintf("%s %s matches nothing in the bundle; \"xflash restore FILE --dry-run\" lists its content", e.Flag, e.Selector)
}

// selects finds what the selectors of a request mean.
func (fw *Firmware) selects(p Request) (sel selection, err error) {
	if sel.only, err = fw.things("--only", p.Only, p.Route); err != nil {
		return sel, err
	}
	sel.skip, err = fw.things("--skip", p.Skip, p.Route)
	sel.all = len(p.Only) == 0
	for _, s := range p.Skip {
		if _, part := fw.meant(s, p.Route); part {
			sel.part = s
		}
	}
	return sel, err
}

func (fw *Firmware) things(flag string, selectors []string, route string) (all []thing, err error) {
	for _, s := range selectors {
		found, part := fw.meant(s, route)
		switch {
		case part && flag == "--only":
			return nil, &SelectorError{Flag: flag, Selector: s, Part: fw.bootName()}
		case len(found) == 1:
			all = append(all, found[0])
		case len(found) == 0:
			return nil, &SelectorError{Flag: flag, Selector: s, Near: fw.near(s, route)}
		default:
			e := &SelectorError{Flag: flag, Selector: s}
			for _, t := range found {
				e.Fits = append(e.Fits, t.title())
			}
			return nil, e
		}
	}
	return all, nil
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
	if it.Kind == ItemOther || it.Replaced {
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
		if it.Kind != ItemOther && !it.Boot && !it.Replaced {
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
