package bootcheck

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/text"
)

// Repaired is a repaired image and everything that was changed.
type Repaired struct {
	Image   []byte
	Changes []string // for a person, in order
	// Diagnosis is that of the repaired image.
	Diagnosis *Diagnosis
}

// NotRepairable is the error of Repair when the image lacks what a repair needs. Findings
// are what stays in the way.
type NotRepairable struct {
	Reason   string
	Findings []Finding
}

func (e *NotRepairable) Error() string {
	text := e.Reason
	for i, f := range e.Findings {
		text += map[bool]string{true: ": ", false: "; "}[i == 0] + f.Text
	}
	return text
}

// Load addresses that all trees of 2013 and 2014 give their images (fastboot/bootimg/FORMAT.md
// §1.6).
const (
	pageSize    = 2048
	kernelAddr  = 0x00008000
	ramdiskAddr = 0x02000000
	secondAddr  = 0x00F00000
	tagsAddr    = 0x01E00000
)

// repair is one repair in progress.
type repair struct {
	d     *Diagnosis
	image *bootimg.Image
	done  []string
}

// Repair makes an image that loaders of all generations take, from the image's own parts:
// the kernel stays as it is, its device trees are put into a table too. The repaired image
// is diagnosed before it is given away; an image without need of repair, and one that
// cannot be repaired, give a *NotRepairable.
func Repair(d *Diagnosis, t Target) (*Repaired, error) {
	r := &repair{d: d}
	if err := r.container(); err != nil {
		return nil, err
	}
	if t.Foreseen() {
		if err := r.table(t); err != nil {
			return nil, err
		}
	}
	if err := r.ramdisk(); err != nil {
		return nil, err
	}
	r.header()
	if len(r.done) == 0 {
		return nil, &NotRepairable{Reason: "there is nothing to repair"}
	}
	if n := len(r.image.Trailing); n > 0 {
		r.did("left out the %s after the image", text.Count(n, "byte"))
		r.image.Trailing = nil
	}
	return repaired(r.image, t, r.done...)
}

// repaired builds the image and makes sure that the phone will not refuse it.
func repaired(m *bootimg.Image, t Target, changes ...string) (*Repaired, error) {
	m.ID = m.ComputeID()
	out, err := m.Build()
	if err != nil {
		return nil, &NotRepairable{Reason: "the parts do not fit into an image: " + err.Error()}
	}
	after, err := Diagnose(out, t)
	if err != nil {
		return nil, err
	}
	if after.Refused() {
		var left []Finding
		for _, f := range after.Findings {
			if f.Severity == Fails {
				left = append(left, f)
			}
		}
		return nil, &NotRepairable{"the image does not hold what this repair needs", left}
	}
	return &Repaired{out, changes, after}, nil
}

func (r *repair) did(format string, args ...any) {
	r.done = append(r.done, fmt.Sprintf(format, args...))
}

// container makes a version 0 Android image of whatever the file is. A Sony ELF image for a
// phone whose memory does not start at 0 brings its own addresses.
func (r *repair) container() error {
	d := r.d
	fresh := func() *bootimg.Image {
		return &bootimg.Image{PageSize: pageSize, KernelAddr: kernelAddr, RamdiskAddr: ramdiskAddr, SecondAddr: secondAddr, TagsAddr: tagsAddr}
	}
	switch {
	case d.Has("C2"):
		return &NotRepairable{Reason: "the file is truncated, and nothing can replace the missing part"}
	case d.elf != nil:
		kernel, ok := d.elf.Find(bootimg.SegmentKernel)
		if !ok {
			return &NotRepairable{Reason: "the Sony ELF image holds no kernel"}
		}
		r.image = fresh()
		r.image.Kernel, r.image.Cmdline = kernel.Data, d.elf.Cmdline()
		ramdisk, packed := d.elf.Find(bootimg.SegmentRamdisk)
		if packed {
			r.image.Ramdisk = ramdisk.Data
		}
		if kernel.Paddr > 0xFFFF {
			r.image.KernelAddr, r.image.RamdiskAddr, r.image.TagsAddr = kernel.Paddr, ramdisk.Paddr, kernel.Paddr&^0xFFFF+0x100
		}
		r.image.DT = d.dt
		r.did("made an Android image of the Sony ELF image: same kernel, ramdisk and command line")
		for _, kind := range []bootimg.SegmentKind{bootimg.SegmentIPL, bootimg.SegmentRPM, bootimg.SegmentAppsBL} {
			if _, ok := d.elf.Find(kind); ok {
				r.did("left out its %s: an Android image has no place for it, and the phone may need it to start", kind)
			}
		}
	case d.Kind == bootimg.KindZImage:
		r.image = fresh()
		r.image.Kernel = d.data
		r.did("put the kernel into an Android image")
	case d.image == nil:
		return &NotRepairable{Reason: "the header of the image makes no sense"}
	default:
		m := *d.image
		r.image = &m
		if m.Version > 0 {
			old := m.Version
			m = *fresh()
			m.Kernel, m.Ramdisk, m.Second = d.image.Kernel, d.image.Ramdisk, d.image.Second
			m.Cmdline, m.Name, m.OSVersion = d.image.Cmdline, d.image.Name, d.image.OSVersion
			r.did("converted the image from header version %d to 0", old)
		}
	}
	return nil
}

// table gives the image a QCDT table of version 2 when not every loader finds a tree in
// the one that it has. The trees after the kernel stay where they are.
func (r *repair) table(t Target) error {
	board := t.board()
	fits := true
	for _, g := range Generations {
		_, _, ok := matchTable(r.image.DT, g, board)
		fits = fits && ok
	}
	if fits {
		return nil
	}
	var trees []bootimg.Tree
	add := func(dtb []byte) {
		dev, ok := deviceOf(dtb)
		if n := bootimg.FDTSize(dtb); n > 0 {
			dtb = dtb[:n] // without the filling of a table
		}
		if !ok || len(dev.IDs) == 0 || slices.ContainsFunc(trees, func(t bootimg.Tree) bool { return bytes.Equal(t.DTB, dtb) }) {
			return
		}
		tree := bootimg.Tree{DTB: dtb}
		for _, id := range dev.IDs {
			id.PMIC = [4]uint32{}
			tree.IDs = append(tree.IDs, id)
		}
		trees = append(trees, tree)
	}
	if r.d.table != nil && r.d.tableBad == nil {
		old, err := r.d.table.Trees()
		if err == nil {
			for _, t := range old {
				add(t.DTB)
			}
		}
	}
	for _, list := range [][]bootimg.AppendedTree{r.d.kernel.Trees, r.d.kernel.Stray, r.d.extraTrees()} {
		for _, t := range list {
			add(t.Data)
		}
	}
	if len(trees) == 0 {
		if r.d.Refused() {
			return &NotRepairable{Reason: "no device tree in the image has ids, so no table can be made"}
		}
		return nil
	}
	table, err := bootimg.BuildQCDT(2, int(r.image.PageSize), trees)
	if err != nil {
		return &NotRepairable{Reason: "these device trees do not make a table: " + err.Error()}
	}
	r.image.DT = table
	r.did("added a table of device trees (QCDT version 2, %d bytes), made from the %s in the image; the kernel is unchanged", len(table), text.Count(len(trees), "device tree"))
	return nil
}

// ramdisk repacks the ramdisk when the kernel cannot unpack it.
func (r *repair) ramdisk() error {
	if !r.d.Has("R2") || r.d.ramBad != nil {
		return nil
	}
	old := r.d.ramdisk.Format
	if gz := r.d.payload.Supports(unpack.Gzip); gz.Known && !gz.Yes {
		return &NotRepairable{Reason: "the kernel cannot unpack gzip either, so the ramdisk cannot be packed for it"}
	}
	raw, _, err := unpack.First(r.image.Ramdisk, old, bootimg.MaxRamdisk)
	if err != nil {
		return &NotRepairable{Reason: "the ramdisk cannot be unpacked: " + err.Error()}
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(raw); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	r.image.Ramdisk = packed.Bytes()
	r.did("packed the ramdisk as gzip instead of %s, which its kernel cannot unpack", old)
	return nil
}

// header puts addresses and command line right.
func (r *repair) header() {
	m := r.image
	if r.d.Has("H1") || r.d.Has("H3") {
		m.KernelAddr, m.RamdiskAddr, m.SecondAddr, m.TagsAddr = kernelAddr, ramdiskAddr, secondAddr, tagsAddr
		r.did("set the load addresses to those of this phone's images")
	}
	if !strings.Contains(m.Cmdline, "androidboot.hardware=") {
		m.Cmdline = strings.TrimSpace("androidboot.hardware=qcom " + m.Cmdline)
		r.did("added androidboot.hardware=qcom to the command line")
	}
}
