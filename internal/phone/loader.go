package phone

import (
	"regexp"
	"slices"
	"strings"
)

// Loader is one known loader: the program in a bundle's loader.sin that does the
// writing. Bundles bring their own, so a loader that is not in the data is normal.
//
// Source: usbproto/s1/PROTOCOL.md §14.1 for rows with Verified == ByLoader, each executed from
// its own bytes; PHONES.md §4 and its table for the rest. What was only seen
// in execution (Fill, PacketsPerBlock, HeaderChecksum, StopsUnplugged)
// is taken from the executed sister in rows with Verified == BySister.
type Loader struct {
	Version string   `json:"version"` // "MSM8974AB_22"; the hello's VER may wrap it, see LoaderByVersion
	ID      string   `json:"id"`      // the hello's ID, one for a whole platform: "1277-2052"
	MD5     string   `json:"md5"`     // of the public loader.sin, lower-case hex
	Folders []string `json:"folders"`

	// Sets are the groups of partitions that come into force together: the images
	// of a set go to the alternates, and the loader switches when the last of them
	// was written within one run. A boot partition in no set is written in place.
	Sets [][]string `json:"sets"`

	LZ4A bool     `json:"lz4a"` // knows compressed blocks
	Fill FillForm `json:"fill"`

	// PacketsPerBlock is how many packets of one hash block the loader keeps; it
	// waits forever for a block that needs more.
	PacketsPerBlock int `json:"packets_per_block"`

	// HeaderUnit is the partition whose image leaves its SIN header in trim-area
	// unit 66670: partition 2 must be open when that image ends. Empty: no image.
	HeaderUnit string `json:"header_unit"`

	// HeaderChecksum: a packet whose header checksum is wrong gets no answer, and
	// the loader finds no later header; only a power cycle helps. The others ignore
	// the checksum.
	HeaderChecksum bool `json:"header_checksum"`

	// StopsUnplugged: the loader switches the phone off when the cable goes.
	StopsUnplugged bool `json:"stops_unplugged"`

	Verified Verification `json:"verified"`
	// SisterOf is, with BySister, the version of the executed loader it agrees with. Fill
	// and PacketsPerBlock of such a row are inferred from that loader; a bundle whose images
	// have another form is refused before the first write.
	SisterOf string `json:"sister_of"`
}

// FillForm is the length of a FILL tag that a loader accepts.
type FillForm string

// The forms. Each stops the loaders of the others in the middle of an image.
const (
	Fill28     FillForm = "28"     // exactly 28 bytes
	Fill32     FillForm = "32"     // 32 bytes or more, and a data tag must follow
	FillErased FillForm = "erased" // 32 bytes or more, only with the word that the erased card reads
)

// Accepts reports whether a loader of this form accepts a FILL tag of length bytes,
// counted with its name and length words. It does not judge the word or what follows.
func (f FillForm) Accepts(length int) bool {
	if f == Fill28 {
		return length == 28
	}
	return length >= 32
}

// Verification says how far the behaviour of a loader is proven.
type Verification string

// The proofs, strongest first.
const (
	ByLoader Verification = "loader" // this file was executed from its own bytes
	BySister Verification = "sister" // not executed; its tables are those of one that was
	// Of phones of 2017 and later, whose models need no loader.
	Simulated Verification = "simulated" // tried on simulated phones only
	NameOnly  Verification = "name"      // as Simulated, and nothing but the model's name is known
	Unproven  Verification = "none"      // neither: nothing is written, and only its identity is known
)

var loaderVersionWrap = regexp.MustCompile(`(?i)^(LOADER_RELEASE_|loader_)?(.*?)(_AID_[0-9]+)?$`)

// LoaderByVersion finds a loader by the VER of its hello. VER may have a prefix
// (LOADER_RELEASE_, loader_) and a suffix (_AID_4).
func (f *Family) LoaderByVersion(ver string) (Loader, bool) {
	ver = loaderVersionWrap.FindStringSubmatch(strings.TrimSpace(ver))[2]
	return f.loader(func(l Loader) bool { return strings.EqualFold(l.Version, ver) })
}

// Loader finds the known loader of a model. A bundle may bring another one.
func (f *Family) Loader(m Model) (Loader, bool) {
	return f.loader(func(l Loader) bool { return slices.Contains(l.Folders, m.Folder) })
}

func (f *Family) loader(is func(Loader) bool) (Loader, bool) {
	if i := slices.IndexFunc(f.Loaders, is); i >= 0 {
		return f.Loaders[i], true
	}
	return Loader{}, false
}

// SentAgain returns the partitions whose images a resumed run sends again from the
// first: all that are in a set of any known loader of the family. A loader that is
// not in the data may have any of these sets, and sending an image once more than
// needed is harmless.
func (f *Family) SentAgain() []string {
	var all []string
	for _, l := range f.Loaders {
		for _, label := range slices.Concat(l.Sets...) {
			if !slices.Contains(all, label) {
				all = append(all, label)
			}
		}
	}
	return all
}

// MustBePresent returns the partitions without whose images the new boot chain would
// never come into force on a loader that is not in the data: those that every known
// loader of the family with sets has in one. For a loader that is in the data, its
// own Sets say it.
func (f *Family) MustBePresent() []string {
	return slices.DeleteFunc(f.SentAgain(), func(label string) bool {
		return slices.ContainsFunc(f.Loaders, func(l Loader) bool {
			return len(l.Sets) > 0 && !slices.Contains(slices.Concat(l.Sets...), label)
		})
	})
}
