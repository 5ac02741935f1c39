package restore

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// tableChoice is what was decided about the partition tables: each logical unit gets exactly
// the one made for its size, and all or none are written.
type tableChoice struct {
	files    map[*Item]int // to their logical units; nil when none is written
	why      string        // why none is
	problems Problems
	notes    []string
}

// tableName is the file name of a table: of a logical unit or of an eMMC, with the size in KiB
// it is made for, or without one.
var tableName = regexp.MustCompile(`(?i)^partition(?:-image)?(?:-LUN([0-9]))?(?:_([0-9]+))?(?:_X-.*)?\.sin$`)

// innerTable is what a table calls itself inside.
var innerTable = regexp.MustCompile(`^partitionimage_([0-9])$`)

// tableFile is the file of one table, as its name says.
type tableFile struct {
	item *Item
	lun  int
	emmc bool
	kib  int64 // 0: for any size
}

func tableOf(it *Item) (tableFile, bool) {
	m := tableName.FindStringSubmatch(it.Base)
	if m == nil {
		return tableFile{}, false
	}
	f := tableFile{item: it, emmc: m[1] == ""}
	f.lun, _ = strconv.Atoi("0" + m[1]) // one digit or none
	if m[2] != "" {
		kib, err := strconv.ParseInt(m[2], 10, 50)
		if err != nil || kib == 0 {
			return tableFile{}, false
		}
		f.kib = kib
	}
	return f, true
}

// listed reports whether partition_delivery.xml leaves a table in the choice.
func (j *judge) listed(it *Item) bool {
	return len(j.fw.Tables) == 0 || has(j.fw.Tables, it.Base)
}

// chooseTables decides which partition tables are written. One for another size leaves a phone
// that only fastboot reaches, so anything but exactly one for each unit is refused.
func (j *judge) chooseTables() (c tableChoice) {
	if c.why = j.sel.leavesOut(theTables); c.why != "" {
		return c
	}
	if why := j.partial(j.noCore()); why != "" {
		c.why = "only a complete restore writes partition tables: " + why
		return c
	}
	refuse := func(what, why string) {
		c.problems.refuse("partition tables", what, why,
			"the firmware may be for another variant of this model; if you only need the rest of it, leave the tables out: --skip "+theTables.name)
	}
	byLUN := map[int][]tableFile{}
	for _, it := range j.fw.Items {
		if !it.table || !j.listed(it) {
			continue
		}
		f, ok := tableOf(it)
		if !ok {
			refuse(fmt.Sprintf("the name of %s does not say which storage it is made for", it.Member), "with a table for another storage the phone does not start")
			continue
		}
		if why := f.contradicts(); why != "" {
			refuse(it.Base+" "+why, "with a table for another storage the phone does not start")
		}
		for _, o := range byLUN[f.lun] {
			if o.kib == f.kib && o.emmc == f.emmc {
				refuse(fmt.Sprintf("%s and %s are for the same storage", o.item.Member, it.Member), "it is unclear which of them is meant")
			}
		}
		byLUN[f.lun] = append(byLUN[f.lun], f)
	}
	if len(byLUN) == 0 && len(c.problems) == 0 {
		c.why = "the bundle has none"
		c.notes = append(c.notes, "the bundle has no partition tables: the phone keeps its own")
		return c
	}
	if j.ph == nil {
		c.why = "xflash chooses the partition tables by the size of the phone's storage when it is connected"
		return c
	}
	facts := j.ph.Command
	if facts.Storage == "" || facts.StorageError != "" {
		why := "it answers neither as UFS nor as eMMC"
		if facts.StorageError != "" {
			why = facts.StorageError
		}
		refuse("the size of the phone's storage is unknown, so xflash cannot choose a table", why)
		return c
	}
	c.files = map[*Item]int{}
	for _, lun := range slices.Sorted(maps.Keys(byLUN)) {
		size, there := facts.LUNs[lun]
		if !there {
			refuse(fmt.Sprintf("it has a table for logical unit %d, which the phone does not have", lun), "the firmware is not for this phone")
			continue
		}
		var fit []tableFile
		for _, f := range byLUN[lun] {
			if f.emmc == (facts.Storage == "emmc") && (f.kib == 0 || f.kib*1024 == size) {
				fit = append(fit, f)
			}
		}
		if len(fit) != 1 {
			refuse(fmt.Sprintf("%s fit logical unit %d of the phone, which has %d KiB", orNone(len(fit)), lun, size/1024), "the folder has "+tableNames(byLUN[lun]))
			continue
		}
		if table := fit[0].item.lun; table != nil {
			if why := table.unfit(size); why != "" {
				refuse(fit[0].item.Base+" "+why, "with a table for another storage the phone does not start")
			}
		}
		c.files[fit[0].item] = lun
	}
	if len(c.problems) > 0 {
		c.files = nil
	}
	for _, lun := range slices.Sorted(maps.Keys(facts.LUNs)) {
		if byLUN[lun] == nil && len(c.problems) == 0 {
			c.notes = append(c.notes, fmt.Sprintf("the bundle has no partition table for logical unit %d: the phone keeps its own", lun))
		}
	}
	return c
}

func orNone(n int) string {
	if n == 0 {
		return "none of its tables"
	}
	return fmt.Sprintf("%d of its tables", n)
}

func tableNames(files []tableFile) string {
	var names []string
	for _, f := range files {
		names = append(names, f.item.Base)
	}
	return strings.Join(names, ", ")
}

// leavesOut says why a table is not written.
func (c tableChoice) leavesOut(it *Item) string {
	if c.files == nil {
		return c.why
	}
	if _, ok := c.files[it]; !ok {
		return "it is made for a storage size other than this phone's"
	}
	return ""
}

// ordered are the tables in the order of their logical units.
func (c tableChoice) ordered() []*Item {
	return slices.SortedFunc(maps.Keys(c.files), func(a, b *Item) int { return c.files[a] - c.files[b] })
}

// describe says what was chosen, for the notes of a plan.
func (c tableChoice) describe() string {
	var all []string
	for _, it := range c.ordered() {
		all = append(all, it.Base)
	}
	return "the partition tables that fit this phone's storage: " + strings.Join(all, ", ")
}
