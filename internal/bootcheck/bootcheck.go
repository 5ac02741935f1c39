// Package bootcheck says before anything is sent whether a phone's boot loader will accept
// a boot image, what it will answer if not, and what happens after that; and it repairs
// what can be repaired from the image's own parts.
//
// The loaders of 2013, of early 2014 and of 2015 are simulated step by step, because
// nobody has read the one of a Sony phone and each of its answers fits one of them. The
// rules have stable ids, those of fastboot/bootimg/FORMAT.md §8; the loaders follow its
// §2.3 and §2.4, and fastboot/PROTOCOL.md §3.1. Nothing here talks to a phone.
package bootcheck

import (
	"errors"
	"slices"
	"strings"

	"xflash/fastboot/bootimg"
	"xflash/internal/phone"
)

// Generation is a generation of boot loaders, by the public sources that they come from.
type Generation int

// The generations (fastboot/bootimg/FORMAT.md §2.3, §2.4).
const (
	LK2013 Generation = iota // summer of 2013: of an appended tree only the first three words count
	LK2014                   // from September 2013 on: all ids of an appended tree count
	LK2015                   // another way of matching, stricter checks
)

// Generations lists them, oldest first.
var Generations = []Generation{LK2013, LK2014, LK2015}

func (g Generation) String() string { return [...]string{"2013", "2014", "2015"}[g] }

// Severity is how bad a finding is.
type Severity string

// The severities, worst first.
const (
	Fails   Severity = "fails"   // the phone will say no, surely or likely
	Useless Severity = "useless" // the phone accepts it, and it will probably not run
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Target is the phone that the image is for. Zero values are unknown.
type Target struct {
	Family *phone.Family
	Model  phone.Model
	// Loader is what getvar version-bootloader says.
	Loader string
	Locked bool
	// MaxDownload and Partition are limits in bytes: of a download, and of the partition
	// that the image is to be flashed to, if it is.
	MaxDownload, Partition int64
	Flash                  bool // it is to be flashed, not only booted
}

// TargetFor is the phone with a model code.
func TargetFor(model string) (Target, bool) {
	f, m, ok := phone.ByModel(model)
	return Target{Family: f, Model: m}, ok
}

// Foreseen reports whether this package knows how the phone's loader looks for a device
// tree: that was read for the families whose board ids are known. Phones before 2013 have
// no device trees at all.
func (t Target) Foreseen() bool { return t.Family == nil || len(t.Family.Boards) > 0 }

// board returns the ids that the phone's loader looks for, those of a Z3 Compact where they
// are unknown.
func (t Target) board() phone.Board {
	if t.Family != nil {
		if b, ok := t.Family.Board(t.Model.CodeName); ok {
			return b
		}
	}
	return phone.Board{CodeName: "aries", BoardIDs: [][2]uint32{{8, 0}}, MSM: []uint32{194}, SoCRev: 0x10000}
}

// takesAppended tells whether the phone's loader is known to take appended trees in every form
// (fastboot/bootimg/FORMAT.md §2.6).
func (t Target) takesAppended() bool { return strings.Contains(t.Loader, "LA3.0_M_2") }

// Finding is a rule that applies to the image.
type Finding struct {
	Rule     string   `json:"rule"` // id in fastboot/bootimg/FORMAT.md §8
	Severity Severity `json:"severity"`
	Text     string   `json:"text"` // what was found, and what it means
	Next     string   `json:"next,omitempty"`
	Cure     bool     `json:"repairable,omitempty"` // Repair does away with it
}

// Diagnosis holds the known facts about an image and of what phones will do with it.
type Diagnosis struct {
	Kind     bootimg.Kind
	Size     int64
	Findings []Finding
	// Answers is what a loader of each generation answers to boot; empty for OKAY.
	Answers map[Generation]string
	// Trees names the device trees in the image and their form, for a person.
	Trees []TreeNote

	flash bool // it is to be flashed
	parts
}

// TreeNote is a device tree of the image.
type TreeNote struct {
	Where string `json:"where"` // "table" or "appended"
	Model string `json:"model,omitempty"`
	Form  string `json:"form,omitempty"` // of the ids of an appended tree
	IDs   int    `json:"ids"`
}

// parts is the image taken apart, as far as it goes.
type parts struct {
	data     []byte
	image    *bootimg.Image
	elf      *bootimg.ELF
	kernel   *bootimg.Kernel
	payload  *bootimg.Payload
	packBad  error // of the payload
	ramdisk  *bootimg.Ramdisk
	dt       []byte // the table of device trees
	table    *bootimg.Table
	tableBad error
	ramBad   error
}

// NotAnImage is the error of Diagnose for a file that is nothing a phone boots.
type NotAnImage struct {
	Is string // what it is instead, in words
}

func (e *NotAnImage) Error() string { return "not a boot image, but " + e.Is }

// Has tells whether a rule applies.
func (d *Diagnosis) Has(rule string) bool {
	return slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Rule == rule })
}

// Rules lists the ids of the rules that apply, in the order of the findings.
func (d *Diagnosis) Rules() []string {
	var ids []string
	for _, f := range d.Findings {
		ids = append(ids, f.Rule)
	}
	return ids
}

// Refused tells whether the phone will say no, surely or likely.
func (d *Diagnosis) Refused() bool {
	return slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Severity == Fails })
}

// Curable tells whether everything that makes the phone say no can be repaired.
func (d *Diagnosis) Curable() bool {
	return d.Refused() && !slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Severity == Fails && !f.Cure })
}

// Doubtful tells whether the phone accepts the image and will probably not run it.
func (d *Diagnosis) Doubtful() bool {
	return !d.Refused() && slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Severity == Useless })
}

// Improvable tells whether Repair does away with something that makes the image doubtful, or
// with everything that makes the phone say no.
func (d *Diagnosis) Improvable() bool {
	return d.Curable() || d.Doubtful() && slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Severity == Useless && f.Cure })
}

// MaxImage is the largest file that is looked at, bytes: three times the largest boot
// partition of the S1 era.
const MaxImage = 64 << 20

// Diagnose looks at an image. The only error is a *NotAnImage: what a phone can be sent
// at all gets a diagnosis.
func Diagnose(data []byte, t Target) (*Diagnosis, error) {
	d := &Diagnosis{Kind: bootimg.Sniff(data), Size: int64(len(data)), Answers: map[Generation]string{}}
	d.data, d.flash = data, t.Flash
	switch d.Kind {
	case bootimg.KindAndroid, bootimg.KindSonyELF, bootimg.KindZImage:
	default:
		return nil, &NotAnImage{whatItIs(d.Kind)}
	}
	d.takeApart()
	if t.Foreseen() {
		for _, g := range Generations {
			d.Answers[g] = simulate(data, g, t)
		}
	}
	d.container(t)
	d.sizes(t)
	cut := d.Has("C2") // what is missing would only be reported again and again
	if d.kernel != nil && !cut {
		d.devicetree(t)
		d.kernelRules(t)
		d.ramdiskRules()
	}
	if d.image != nil && !cut {
		d.header(t)
	}
	d.phoneRules(t)
	return d, nil
}

// takeApart parses what can be parsed.
func (d *Diagnosis) takeApart() {
	var kernel, ramdisk []byte
	switch d.Kind {
	case bootimg.KindAndroid:
		d.image, _ = bootimg.Parse(d.data) // a cut one comes with its error; rule C2 tells it
		if d.image == nil {
			return
		}
		kernel, ramdisk, d.dt = d.image.Kernel, d.image.Ramdisk, d.image.DT
	case bootimg.KindSonyELF:
		elf, err := bootimg.ParseELF(d.data)
		if err != nil {
			return
		}
		d.elf = elf
		for kind, part := range map[bootimg.SegmentKind]*[]byte{bootimg.SegmentKernel: &kernel, bootimg.SegmentRamdisk: &ramdisk, bootimg.SegmentQCDT: &d.dt} {
			if s, ok := elf.Find(kind); ok {
				*part = s.Data
			}
		}
	case bootimg.KindZImage:
		kernel = d.data
	}
	d.kernel = bootimg.ParseKernel(kernel)
	if len(kernel) > 0 {
		d.payload, d.packBad = d.kernel.Payload()
	}
	if len(ramdisk) > 0 {
		d.ramdisk, d.ramBad = bootimg.ParseRamdisk(ramdisk)
	}
	if len(d.dt) > 0 {
		d.table, d.tableBad = bootimg.ParseQCDT(d.dt)
		if d.tableBad == nil && len(d.table.Entries) == 0 {
			d.tableBad = errNoEntries
		}
		for i := 0; d.tableBad == nil && i < len(d.table.Entries); i++ {
			_, d.tableBad = d.table.DTB(d.table.Entries[i])
		}
	}
}

var errNoEntries = errors.New("it has no entries")
