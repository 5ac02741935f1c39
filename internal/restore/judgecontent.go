package restore

import (
	"cmp"
	"fmt"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/sin"
)

// content judges a SIN file that is wanted and whole.
func (j *judge) content(it *Item) (ps Problems) {
	refuse := func(what, why, next string) { ps.refuse(it.Member, what, why, next) }
	img := it.image
	if same := j.rivals(it); len(same) > 0 && !it.table {
		refuse(fmt.Sprintf("the bundle has a second file for %s: %s", img.Short, strings.Join(same, ", ")),
			"it is unclear which of them is meant", j.leaveOut(it))
	}
	switch {
	case !it.Checked:
		refuse("it was not read to its end", "the bundle was checked for another request", "run the restore again")
		return ps
	case j.fw.command():
		return append(ps, j.contentArchive(it)...)
	case it.Type != payloadFor(img.Writes):
		refuse(fmt.Sprintf("it is called %s, but its content is of type %s", it.Short, it.Type),
			"the phone uses the content, not the name", j.skipHint(it))
		return ps
	case img.Signer != "" && it.Signer != img.Signer:
		refuse(fmt.Sprintf("it is signed by %s, but %s files are signed by %s", cmp.Or(it.Signer, "nobody"), img.Short, img.Signer),
			"the phone would refuse it", j.skipHint(it))
	case img.Writes == phone.ToPartition && len(it.Targets) == 0:
		refuse("it does not say which partition it writes", "the phone would refuse it", j.skipHint(it))
	}
	ps = append(ps, j.origin(it)...)
	for _, t := range it.Targets {
		place := j.place(t)
		switch why := place.fits(t); {
		case place.Label == "" && j.modem(it) != "":
			// It stays behind, with a better reason.
		case place.Label == "":
			refuse(fmt.Sprintf("it would write an unknown partition (%s)", t),
				"no partition layout in the bundle names it, so it is unknown what it would overwrite", j.skipHint(it))
		case why != "":
			refuse(why, "the file is not for this phone", j.skipHint(it))
		}
	}
	switch {
	case j.p.Route == RouteFastboot && len(it.Targets) > 1:
		refuse(fmt.Sprintf("it writes %d partitions, and fastboot writes one at a time", len(it.Targets)), "it is unclear which of them is meant", "leave it out: --skip "+it.Short)
	case j.p.Route == RouteFastboot && holdsFiles(img.Short) && it.holds != sin.KindExt4:
		refuse(fmt.Sprintf("it holds %s instead of an ext4 file system", it.holds), "fastboot would write it unchanged, and the phone could not use it", "leave it out: --skip "+it.Short)
	case it.form != nil && j.p.Route != RouteFastboot:
		if why := j.receiver().refuses(*it.form); why != "" {
			refuse(why, "the phone would stop in the middle of this file", "if the loader is older than the firmware, take loader.sin from a newer bundle for this model and add --loader FILE")
		}
	}
	return ps
}

// rivals are other files that are wanted for the same image.
func (j *judge) rivals(it *Item) (members []string) {
	if it.Boot && !j.boot.has(it) {
		return nil // of a boot set that is not written
	}
	for _, other := range j.fw.Items {
		if other == it || other.Kind != ftf.KindSIN || other.Boot != it.Boot || it.Boot && !j.boot.has(other) {
			continue
		}
		if it.image.Short != "" && other.image.Short == it.image.Short && j.leftOut(other) == "" {
			members = append(members, other.Member)
		}
	}
	return members
}

// payloadFor is the type of SIN that writes where an image is expected to write.
func payloadFor(to phone.Target) sin.PayloadType {
	switch to {
	case phone.ToTable:
		return sin.TypeLayout
	case phone.ToMemory:
		return sin.TypeLoader
	}
	return sin.TypeImage
}
