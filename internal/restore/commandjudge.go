package restore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/usbproto/command"
)

// How the judge differs for phones of 2017 and later: a file aims at the name inside it,
// not at a GUID, and there are slots.

// target is where a cleared archive goes: a partition, with its slot if it has one, or the
// partition table of a logical unit.
func (j *judge) target(it *Item) (partition string, lun int) {
	if it.table {
		return "", j.tables.files[it]
	}
	partition = it.image.Partitions[0]
	switch {
	case !j.slotted(it.image):
	case it.image.Slot != "":
		partition += "_" + it.image.Slot
	default:
		partition += "_a" // always: firmware with super is made for slot a (usbproto/command/PROTOCOL.md §5.1)
	}
	return partition, 0
}

// slotted reports whether the partition of an image has a copy for each slot: the phone
// decides, and without one the form of the model.
func (j *judge) slotted(img phone.Image) bool {
	if j.ph == nil {
		return img.Slots && j.fw.Model.Form != phone.FormOne
	}
	return j.ph.Command.Slots == 2 && j.ph.Command.HasSlot[img.Partitions[0]] == "yes"
}

// aimArchive refuses archives that would write where nothing of a bundle may be written,
// whether or not they would be sent.
func (j *judge) aimArchive(it *Item) (ps Problems) {
	refuse := func(what, why string) { ps.refuse(it.Member, what, why, j.skipHint(it)) }
	img, known := it.image, it.image.Short != ""
	if img.Send == phone.SendRefuse {
		refuse(fmt.Sprintf("firmware never contains a file called %s", it.Short), img.Reason)
		return ps
	}
	if it.Archive == nil {
		return ps // it cannot be read, which counts if it is wanted
	}
	name := it.Archive.Name
	protected, isProtected := j.protected(name)
	switch {
	case img.Writes == phone.ToTable && innerTable.MatchString(name):
	case slices.Contains(img.Partitions, name):
	case isProtected:
		refuse(fmt.Sprintf("it would write the protected partition %s", name), protected)
	case known:
		refuse(fmt.Sprintf("it is called %s, but would write %s", it.Short, name), "the phone uses the name inside the file, not the file's own")
	}
	return ps
}

// protected says why the partition of a name is never written.
func (j *judge) protected(name string) (string, bool) {
	if img, known := j.fw.Family.Image(name); known {
		return img.Reason, img.Send == phone.SendNever || img.Send == phone.SendRefuse
	}
	part, never := phone.NeverWritten(name)
	return part.Note, never
}

// contentArchive judges an archive that is wanted and whole.
func (j *judge) contentArchive(it *Item) (ps Problems) {
	refuse := func(what, why, next string) { ps.refuse(it.Member, what, why, next) }
	again := "download the firmware for exactly this phone again"
	if it.Archive == nil {
		refuse("it is not an image for phones of 2017 and later", "the phone would refuse it", again)
		return ps
	}
	if it.Archive.Bytes == 0 {
		refuse("it is not signed", "the phone would refuse it", again)
	}
	if it.table {
		if m := innerTable.FindStringSubmatch(it.Archive.Name); len(it.Archive.Chunks) != 1 || m == nil {
			refuse("it is not a single partition table", "its format differs from every known table", again)
		} else if f, ok := tableOf(it); ok && m[1] != fmt.Sprint(f.lun) {
			refuse(fmt.Sprintf("its name says logical unit %d, its content %s", f.lun, m[1]), "it is unclear which is meant", again)
		}
	}
	if partition, _ := j.target(it); !it.table {
		if room, told := j.tableSize(partition); told && it.Archive.End > room {
			refuse(fmt.Sprintf("it writes %d bytes to %s, which holds %d", it.Archive.End, partition, room), "the file is not for this phone", again)
		}
	}
	if j.ph == nil {
		return ps
	}
	facts := j.ph.Command
	limit := cmp.Or(facts.MaxDownload, command.SmallestLimit)
	for _, c := range it.Archive.Chunks {
		if c.Size > limit {
			refuse(fmt.Sprintf("%s has %d bytes, but the phone accepts at most %d at once", c.Name, c.Size, limit), "the file is not for this phone", again)
			break
		}
	}
	if !it.table {
		ps = append(ps, j.slotProblem(it)...)
	}
	if it.avb != nil {
		if lowest, told := facts.rollback(it.avb.location); told && it.avb.index < lowest {
			refuse(fmt.Sprintf("its rollback index is %d, but the phone starts nothing below %d", it.avb.index, lowest),
				"the phone would report itself as corrupt and no longer start", "get newer firmware for this model")
		}
	}
	return ps
}

// slotProblem refuses an image when it is not certain which partition it belongs to.
func (j *judge) slotProblem(it *Item) Problems {
	facts, img := j.ph.Command, it.image
	what := ""
	switch answer := facts.HasSlot[img.Partitions[0]]; {
	case facts.Slots != 0 && facts.Slots != 2:
		what = fmt.Sprintf("the phone says it has %d slots, but every known phone with slots has two", facts.Slots)
	case facts.Slots == 0 && img.Slots && j.fw.Model.Form != phone.FormOne:
		what = "the phone does not say that it has two slots, but its model has two"
	case facts.Slots == 2 && answer != "yes" && answer != "no":
		what = fmt.Sprintf("the phone does not say whether %s has two slots", img.Partitions[0])
	case facts.Slots == 2 && answer == "no" && img.Slot != "":
		what = fmt.Sprintf("it is for the other slot of %s, which has no slots", img.Partitions[0])
	case facts.Slots == 2 && j.otherSlots(img, answer):
		what = fmt.Sprintf("asked whether %[2]s has two slots, the phone answers %[1]q, which contradicts the partition tables of the bundle", answer, img.Partitions[0])
	default:
		return nil
	}
	return refusal(it.Member, what, "with an image in the wrong slot the phone does not start", "unplug the phone, put it into flash mode again and retry")
}

// otherSlots reports whether the bundle's tables have the partition of an image only in the form
// that the phone does not tell: with slots, or without.
func (j *judge) otherSlots(img phone.Image, answer string) bool {
	_, bare := j.tableSize(img.Partitions[0])
	_, slotted := j.tableSize(img.Partitions[0] + "_a")
	return answer == "yes" && bare && !slotted || answer == "no" && slotted && !bare
}

// staysBehindArchive says why a sound archive is not sent anyway.
func (j *judge) staysBehindArchive(it *Item) string {
	switch img := it.image; {
	case it.table && !j.listed(it):
		return "partition_delivery.xml does not list it"
	case it.table:
		return j.tables.leavesOut(it)
	case img.Send == phone.SendComplete:
		if why := j.partial(j.noCore()); why != "" {
			return img.Reason + " (" + why + ")"
		}
	case img.Short == "metadata" && !j.wants("userdata"):
		return "it holds the keys of the user data, but the bundle does not replace userdata"
	}
	return ""
}

// wants reports whether the bundle has an image that the request does not leave out.
func (j *judge) wants(short string) bool {
	return slices.ContainsFunc(j.fw.Items, func(it *Item) bool {
		return j.fw.isImage(it, short) && j.leftOut(it) == ""
	})
}

// keepsUnits says why a .ta file stays behind by its name.
func (j *judge) keepsUnits(it *Item) string {
	if !j.fw.command() {
		return ""
	}
	switch meaning, known := phone.TAFileByName(it.Short); {
	case known && meaning.Never:
		return meaning.Reason
	case !j.p.Wipe && slices.ContainsFunc(meaning.Units, func(u uint32) bool { return j.fw.Family.Unit(u).Verdict == phone.Wipe }):
		return meaning.Reason + " (--wipe)"
	case !j.p.Wipe && has(j.fw.Manifest.NoErase, it.Short):
		return "the bundle asks to keep it unless you wipe data (--wipe)"
	}
	return ""
}

// unitRule holds the known facts about a unit of a file, in this restore.
func (j *judge) unitRule(it *Item, u ftf.TAUnit) phone.Unit {
	rule := j.fw.Family.Unit(u.Unit)
	switch {
	case rule.Verdict == phone.Wipe && j.p.Wipe:
		rule.Verdict = phone.Allow
	case u.Unit == unitCustomer && rule.Verdict == phone.Allow && !isCustomer(it.Short, u.Data):
		rule.Verdict, rule.Reason = phone.Never, "a customization id is a short text in a file called CustomerID_..."
	}
	return rule
}

// unitCustomer is the id of the customization on phones of 2017 and later.
const unitCustomer = 2171

func isCustomer(short string, data []byte) bool {
	const prefix = "customerid_"
	text := strings.TrimRight(string(data), "\x00")
	return len(short) > len(prefix) && strings.EqualFold(short[:len(prefix)], prefix) && len(text) > 0 && len(data) <= 32 &&
		!strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
