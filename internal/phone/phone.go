// Package phone holds the known facts about each model, as data: which family a
// model belongs to, which partitions it has and what may be written to them,
// which image of a firmware bundle writes which partition, in which order a
// bundle is flashed, and which trim-area units may be written.
//
// The data are the embedded files families/*.json (one per family), images.json
// and units.json (the same for all families up to 2016) and command.json (those of 2017
// and later). A new model is one row in its family's
// file, a new family is one file. A model up to 2016 is restored only with a flash order and a
// known loader that was executed or agrees with one that was; all others are
// recognised, and Sentence says why nothing is written to them.
//
// Facts, sources and how sure they are: PHONES.md; what executed loaders do:
// usbproto/s1/PROTOCOL.md §11, §13, §14. Model codes, loader MD5 and scripts come from the
// data files of Androxyde/devices.
package phone

import (
	"slices"
	"strconv"
	"strings"

	"xflash/sin/gpt"
)

// Protocol is the flash protocol of a family.
type Protocol string

// The protocols.
const (
	ProtocolS1      Protocol = "s1"      // 2010 to 2018
	ProtocolCommand Protocol = "command" // 2017 and later
)

// Family is a group of models with one platform: same trust root, same loader
// generation, same partition names.
type Family struct {
	Name       string      `json:"name"` // lower case, as Sony's sources have it: "shinano"
	Protocol   Protocol    `json:"protocol"`
	Years      string      `json:"years"`
	SoC        string      `json:"soc"`
	Roots      []string    `json:"roots"`       // names of the roots its firmware is signed by; empty: not known
	Recovery   string      `json:"recovery"`    // label of the partition that fastboot calls recovery; empty: none is known
	Note       string      `json:"note"`        // what is not certain about these data
	Elsewhere  string      `json:"elsewhere"`   // a program that restores these models, where xflash does not; may be empty
	Storage    string      `json:"storage"`     // of families of 2017 and later: "ufs" or "emmc"
	NoBootSet  string      `json:"no_boot_set"` // why the boot chain is never sent to these models; empty: it is
	Models     []Model     `json:"-"`
	Boards     []Board     `json:"boards"`
	Partitions []Partition `json:"partitions"`
	Loaders    []Loader    `json:"loaders"`

	targets  map[string][]string // image short name → labels
	topLevel []string
	orders   []Order
	proven   []provenGUID
}

// Model is one model code as it is printed on the phone and kept in unit 2210.
type Model struct {
	Code      string   `json:"-"`          // "D5803"
	Name      string   `json:"name"`       // "Xperia Z3 Compact"
	CodeName  string   `json:"code_name"`  // Sony's name, lower case: "aries"; may be empty
	LinuxName string   `json:"linux_name"` // name in LineageOS where it is another: "z3c"; may be empty
	Aliases   []string `json:"aliases"`    // further code names in the device database
	Folder    string   `json:"folder"`     // folder in the device database: "D58XX"
	LoaderMD5 string   `json:"-"`          // of the public loader, lower-case hex; may be empty
	// USB holds the low 12 bits of the USB product id in Android; the high four
	// tell the mode (usbproto/s1/PROTOCOL.md §1.1). 0: not known.
	USB uint16 `json:"-"`
	// OperatorBound: firmware of sister models must not be offered for it
	// (PHONES.md §9.3).
	OperatorBound bool `json:"-"`

	// Firmware is the first and the last release for it, each by the first two numbers of its
	// version ("23.0", "23.5"); empty: not known.
	Firmware []string `json:"firmware"`

	// Of models of 2017 and later: the form of the protocol, the ids at the end of the names
	// of firmware files that are made for the model, and whether nothing but its name is known.
	Form   Form     `json:"-"`
	Keys   []string `json:"keys"`
	ByName bool     `json:"-"`

	order, whyNot string
}

// Board holds the ids by which a boot loader chooses a device tree. They do not
// tell all models apart: compare Model and Compatible too (fastboot/bootimg/FORMAT.md §2.7).
type Board struct {
	CodeName   string      `json:"code_name"`
	BoardIDs   [][2]uint32 `json:"board"`      // qcom,board-id: variant, subtype
	MSM        []uint32    `json:"msm"`        // platform part of qcom,msm-id
	SoCRev     Hex         `json:"soc_rev"`    // revision part of qcom,msm-id
	Model      string      `json:"model"`      // root property; may be empty
	Compatible string      `json:"compatible"` // first string; may be empty
	Note       string      `json:"note"`
}

// Hex is a word that the data files give in hexadecimal.
type Hex uint32

// UnmarshalText reads the word.
func (h *Hex) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 0, 32)
	*h = Hex(n)
	return err
}

// Class tells what a partition is to its owner.
type Class string

// The classes of partitions.
const (
	Identity  Class = "identity"  // belongs to this one phone and cannot be had again
	BootChain Class = "bootchain" // a wrong byte leaves a phone that does not start at all
	System    Class = "system"
	Rescue    Class = "rescue" // kernels, cache, label: can always be written again
	UserData  Class = "userdata"
	Modem     Class = "modem"
	Untouched Class = "never" // nothing of ours
)

// Verdict is the answer of the safe list for a partition or a unit. No flag of
// the program turns Never into anything else.
type Verdict string

// The verdicts.
const (
	Allow    Verdict = "allow"
	Wipe     Verdict = "wipe"     // destroys user data: only when a wipe is asked for
	Bundle   Verdict = "bundle"   // only as part of a complete signed bundle in flash mode
	Delivery Verdict = "delivery" // only from the boot delivery chosen for this phone
	Session  Verdict = "session"  // units the flash session itself keeps
	Request  Verdict = "request"  // units that are written only when asked for by number
	Never    Verdict = "never"
)

// Partition is one GPT partition of a family.
//
// Its GUID is proven by loaders (guids.json) or from public lists (its family's file).
// The alternate of a boot partition is the partition alt_ plus its label.
type Partition struct {
	Label   string   `json:"label"` // exactly as in the GPT
	Size    int64    `json:"size"`  // bytes; 0: not known or differs by model
	GUID    gpt.GUID `json:"guid"`
	Class   Class    `json:"class"`
	Verdict Verdict  `json:"verdict"`
	Note    string   `json:"note"` // for a person
	Kernel  bool     `json:"-"`    // holds a boot image: boot, and the partition that fastboot calls recovery
}

// Families returns all families, in order of their names. The caller must not
// change them.
func Families() []*Family { return loaded().families }

// ByModel finds a model by its code, in any case.
func ByModel(code string) (*Family, Model, bool) {
	return find(func(m Model) bool { return strings.EqualFold(m.Code, code) })
}

func find(is func(Model) bool) (*Family, Model, bool) {
	for _, f := range Families() {
		if i := slices.IndexFunc(f.Models, is); i >= 0 {
			return f, f.Models[i], true
		}
	}
	return nil, Model{}, false
}

// Find finds a model by anything that names it: its code, a code name, its folder in
// the device database, in any case. Where a name has several codes the first counts.
func Find(name string) (*Family, Model, bool) {
	if f, m, ok := ByModel(name); ok {
		return f, m, true
	}
	return find(func(m Model) bool {
		return slices.ContainsFunc(append([]string{m.CodeName, m.LinuxName, m.Folder}, m.Aliases...), func(own string) bool {
			return own != "" && strings.EqualFold(own, name)
		})
	})
}

// ByRoot finds the families whose firmware is signed by the root of this name, for
// example "S1_Root_9c84". S1_Root_7054 has two, so a root alone does not prove the
// family.
func ByRoot(name string) (families []*Family) {
	for _, f := range Families() {
		if slices.Contains(f.Roots, name) {
			families = append(families, f)
		}
	}
	return families
}

// ByUSB finds the models whose USB product id in Android is pid, in any mode:
// the low 12 bits decide. None when the id is unknown.
func ByUSB(pid uint16) []Model {
	var models []Model
	for _, f := range Families() {
		for _, m := range f.Models {
			if m.USB != 0 && m.USB == pid&0xFFF {
				models = append(models, m)
			}
		}
	}
	return models
}

// Partition finds a partition by its label, compared exactly. A partition that
// is not found here may not be written. Labels that are never written on any phone
// are found in any case, on every family.
func (f *Family) Partition(label string) (Partition, bool) {
	never, ok := NeverWritten(label)
	for _, p := range f.Partitions {
		if p.Label == label || ok && strings.EqualFold(p.Label, label) {
			return p, true
		}
	}
	return never, ok
}

// FastbootPartition finds a partition by the name that fastboot has for it: its label,
// or recovery.
func (f *Family) FastbootPartition(name string) (Partition, bool) {
	if name == "recovery" && f.Recovery != "" {
		name = f.Recovery
	}
	return f.Partition(name)
}

// NeverWritten finds a partition that is never written on any phone, by its label in
// any case: what belongs to one phone and cannot be had again.
func NeverWritten(label string) (Partition, bool) {
	for _, p := range loaded().never {
		if strings.EqualFold(p.Label, label) {
			return p, true
		}
	}
	return Partition{}, false
}

// Board finds the board ids of a code name.
func (f *Family) Board(codeName string) (Board, bool) {
	for _, b := range f.Boards {
		if b.CodeName == codeName {
			return b, true
		}
	}
	return Board{}, false
}
