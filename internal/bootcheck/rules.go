package bootcheck

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/phone"
)

// container: is it an image at all (C1, C3).
func (d *Diagnosis) container(t Target) {
	switch {
	case d.Kind == bootimg.KindSonyELF:
		d.add("C1", d.severityOfRefusal(), true, "a Sony ELF image, Sony's own format for kernels; fastboot boot accepts only Android images", "")
	case d.Kind == bootimg.KindZImage:
		d.add("C1", d.severityOfRefusal(), true, "a bare kernel (zImage) without the Android header that a loader reads", "")
	case d.image == nil:
		d.add("C1", Fails, false, "an Android boot image with an impossible header", "download the file again, if you can from another source")
	case d.image.Version > 0:
		usable := d.kernel != nil && d.kernel.Kind == bootimg.KernelZImage
		d.add("C3", d.severityOfRefusal(), usable, fmt.Sprintf("an image with header version %d, made for phones of 2018 and later; the loader of this phone would misread its header", d.image.Version), "")
	}
}

// severityOfRefusal is Fails when a loader of any generation refuses, else a warning. To
// flash, every loader asks for the Android header (fastboot/PROTOCOL.md §3.2).
func (d *Diagnosis) severityOfRefusal() Severity {
	if d.flash && d.Kind != bootimg.KindAndroid {
		return Fails
	}
	for _, g := range Generations {
		if d.Answers[g] != "" {
			return Fails
		}
	}
	return Warning
}

// sizes: is all of it there, and does it fit (C2, C4, C5).
func (d *Diagnosis) sizes(t Target) {
	if d.image != nil && d.image.Need > d.Size {
		d.add("C2", Fails, false, fmt.Sprintf("the file is truncated: its header needs %d bytes, the file has %d", d.image.Need, d.Size),
			"download it again and compare its checksum")
	}
	if t.MaxDownload > 0 && d.Size > t.MaxDownload {
		d.add("C4", Fails, false, fmt.Sprintf("the image has %d bytes, but the phone accepts at most %d at once", d.Size, t.MaxDownload), "")
	}
	limit, name := t.Partition, "the partition"
	if limit == 0 && t.Family != nil {
		if p, ok := t.Family.Partition("boot"); ok {
			limit, name = p.Size, "the boot partition"
		}
	}
	if limit > 0 && d.Size > limit {
		severity := Warning
		if t.Flash {
			severity = Fails
		}
		d.add("C5", severity, false, fmt.Sprintf("the image has %d bytes and %s %d: you can boot it, but not flash it there", d.Size, name, limit), "")
	}
}

// devicetree: will the loader find a tree that it takes (D1 to D9).
func (d *Diagnosis) devicetree(t Target) {
	appended := devices(d.kernel.Trees)
	d.noteTrees(appended)
	if !t.Foreseen() {
		d.add("D0", Info, false, "it is unknown whether the loader of this phone needs a device tree, and which: this was not checked", "")
		return
	}
	board := t.board()
	hasTable := bytes.HasPrefix(d.dt, []byte(bootimg.QCDTMagic))
	tableFits := map[Generation]bool{}
	var chosen *bootimg.DeviceTree
	round := 0
	for _, g := range Generations {
		e, r, ok := matchTable(d.dt, g, board)
		if tableFits[g] = ok; !ok {
			continue
		}
		if g == LK2013 {
			round = r
		}
		if dtb, err := d.table.DTB(e); err == nil && chosen == nil {
			if dev, ok := deviceOf(dtb); ok {
				chosen = &dev
				if r == 3 || e.Subtype != 0 {
					round = 3
				}
			}
		}
	}
	hasTree := len(d.kernel.Trees) > 0
	switch {
	case d.tableBad != nil && hasTable && !errors.Is(d.tableBad, bootimg.ErrUnsupported):
		d.add("D4", Fails, hasTree || len(d.kernel.Stray) > 0, "its table of device trees is damaged: "+d.tableBad.Error(), "")
	case d.table != nil && d.table.Version != 1 && d.table.Version != 2:
		d.add("D3", d.severityOfRefusal(), true, fmt.Sprintf("its table of device trees has version %d; loaders of 2013 and 2014 know 1 and 2", d.table.Version), "")
	}
	inTable := d.table != nil && d.tableBad == nil
	switch {
	case inTable && hasTree:
		d.add("D7", Info, false, "it has a table of device trees and trees after the kernel; a loader searches the table first", "")
	case !hasTable && !hasTree && len(d.kernel.Stray) == 0 && len(d.extraTrees()) == 0:
		d.add("D1", Fails, false, "it has no device tree at all, neither in a table nor after its kernel: the kernel was built without one", "get an image made for this phone")
	}
	if len(d.kernel.Stray) > 0 && !hasTree {
		d.add("D9", d.severityOfRefusal(), true, fmt.Sprintf("a device tree is at byte %#x of the kernel, but not right after it where a loader looks", d.kernel.Stray[0].Offset), "")
	}
	if !tableFits[LK2013] && hasTree {
		d.appended(t, board, appended, &chosen)
	}
	if inTable && !tableFits[LK2013] && !tableFits[LK2014] && !tableFits[LK2015] && !hasTree {
		d.wrongDevice(t, board, d.tableDevices())
	}
	if round == 3 && tableFits[LK2013] {
		d.add("D8", Warning, false, "the loader accepts a tree of its table only as a last resort: the board subtype of the tree is not the phone's", "")
	}
	if chosen != nil {
		d.otherModel(t, *chosen)
	}
}

// appended: trees after the kernel, and no table that fits (D2a to D2d, D5).
func (d *Diagnosis) appended(t Target, board phone.Board, trees []bootimg.DeviceTree, chosen **bootimg.DeviceTree) {
	var split, fits, first, none bool
	for i, tree := range trees {
		switch {
		case tree.Form == bootimg.FormNone:
			none = true
		case appendedRev(tree, LK2014, board) >= 0 || appendedRev(tree, LK2015, board) >= 0:
			fits = true
			split = split || tree.Form != bootimg.FormOnePiece
			first = first || tree.Form == bootimg.FormOnePiece && appendedRev(tree, LK2013, board) >= 0
			if *chosen == nil {
				*chosen = &trees[i]
			}
		}
	}
	cure := "make an image with a table of device trees from it (xflash boot IMAGE --repack): it holds everything needed"
	switch {
	case first:
		d.add("D2b", Warning, true, "its device tree is after the kernel, with joined ids: every loader that looks there accepts it; a loader that does not answers \"dtb not found\"", cure)
	case split:
		severity := Fails
		if t.takesAppended() {
			severity = Warning
		}
		text := "it has no table of device trees, only trees after the kernel with split ids. Loaders from this phone's time look for a table, or read only the first three ids of a tree, and answer \"dtb not found\"; the ramdisk and its compression are not the cause"
		if severity == Warning {
			text += ". This phone's loader, " + t.Loader + ", is known to accept them"
		}
		d.add("D2a", severity, true, text, cure)
	case fits:
		d.add("D2c", Fails, true, "the ids of this phone are not the first in its device tree, and a loader of 2013 reads only the first", cure)
	case none:
		d.add("D2d", Warning, false, "its device tree has no Qualcomm ids, as in mainline kernels: loaders of 2013 and 2014 accept it as a last resort, later ones do not", "")
	default:
		d.wrongDevice(t, board, trees)
	}
}

// wrongDevice: trees are there, and none is for this phone (D5).
func (d *Diagnosis) wrongDevice(t Target, board phone.Board, trees []bootimg.DeviceTree) {
	var names []string
	for _, tree := range trees {
		if name := treeName(tree); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	text := "none of its device trees is for this phone"
	if len(names) > 0 {
		text += "; they are for " + strings.Join(names, ", ")
	}
	platform, variant, _, rev := hardware(board)
	d.add("D5", Fails, false, fmt.Sprintf("%s (a loader looks for chip %d, board %d, revision up to %#x)", text, platform, variant, rev),
		"get an image made for this phone")
}

// otherModel: the ids fit, and the tree is that of a sister model (D6). Ids do not tell a
// Z3 from a Z3 Compact (fastboot/bootimg/FORMAT.md §2.7).
func (d *Diagnosis) otherModel(t Target, tree bootimg.DeviceTree) {
	own := t.Model.CodeName
	if own == "" {
		return
	}
	text := strings.ToLower(strings.Join(append(slices.Clone(tree.Compatible), tree.Model), " "))
	words := strings.FieldsFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	for _, f := range phone.Families() {
		for _, m := range f.Models {
			if m.CodeName == "" || m.CodeName == own || !slices.Contains(words, m.CodeName) || slices.Contains(words, own) {
				continue
			}
			d.add("D6", Useless, false, fmt.Sprintf("the loader will accept it, because the ids are the same, but its device tree is for the %s (%s): expect a dark screen or no touch", m.Name, treeName(tree)),
				"get the image for "+t.Model.Code)
			return
		}
	}
}

// kernelRules: can this loader start the kernel (K1 to K3).
func (d *Diagnosis) kernelRules(t Target) {
	if d.kernel.Kind != bootimg.KernelZImage {
		d.add("K1", Useless, false, "its kernel is "+kernelIs(d.kernel.Kind)+"; the loader of this phone starts only a zImage and would hang", "get an image made for this phone")
		return
	}
	p, err := d.payload, d.packBad
	switch {
	case errors.Is(err, unpack.ErrCorrupt), errors.Is(err, unpack.ErrTruncated):
		d.add("K2", Useless, false, "its kernel is damaged ("+err.Error()+"): the phone would hang at the black screen", "download the image again")
	case err != nil:
		d.add("K4", Info, false, "xflash cannot read its kernel ("+err.Error()+"); that does not mean it is bad", "")
	}
	if p == nil || p.Config.Empty() || t.Family == nil {
		return
	}
	if strings.Contains(t.Family.SoC, "MSM8974") && p.Config.Value("ARCH_MSM8974") == "" {
		d.add("K3", Warning, false, "its kernel was not built for this phone's chip: CONFIG_ARCH_MSM8974 is not set", "")
	}
}

// ramdiskRules: will the kernel take the ramdisk (R1 to R5).
func (d *Diagnosis) ramdiskRules() {
	if d.ramdisk == nil {
		d.add("R1", Useless, false, "it has no ramdisk: the kernel will find nothing to start", "")
		return
	}
	r := d.ramdisk
	known := bootimg.Support{}
	if d.payload != nil {
		known = d.payload.Supports(r.Format)
	}
	switch {
	case d.ramBad != nil && !errors.Is(d.ramBad, unpack.ErrUnsupported):
		d.add("R3", Useless, false, "its ramdisk cannot be read to its end: "+d.ramBad.Error(), "download the image again")
	case d.ramBad == nil && (!r.CPIO || !r.Init):
		d.add("R3", Useless, false, "its ramdisk is not a cpio archive with an /init: the kernel will find nothing to start", "")
	}
	switch {
	case known.Known && !known.Yes:
		cure := d.ramBad == nil
		d.add("R2", Useless, cure, fmt.Sprintf("its ramdisk is packed as %s, which its kernel cannot unpack (by its %s): the phone stays at the logo and restarts after 5 seconds", r.Format, known.From),
			"repack the ramdisk (xflash boot IMAGE --repack)")
	case r.Format == unpack.LZMA:
		d.add("R4", Info, false, "its ramdisk is packed as LZMA. That never causes \"dtb not found\", whatever people say: no loader reads the ramdisk", "")
	}
	if slices.ContainsFunc(r.Names, func(n string) bool {
		return n == "sbin/recovery" || n == "twres" || strings.HasPrefix(n, "twres/") || n == "system/bin/recovery"
	}) {
		d.add("R5", Warning, false, "it is a recovery: unless it was built to blank the screen when it starts, fastboot boots it to a dark screen, but it runs", "press the power key twice; \"adb devices\" shows whether it runs")
	}
}

// header: addresses, command line, odds and ends (H1 to H3, I1).
func (d *Diagnosis) header(t Target) {
	m := d.image
	if m.Version <= 2 {
		d.addresses(m)
	}
	if !strings.Contains(m.Cmdline, "androidboot.hardware=") {
		d.add("H2", Warning, true, "its command line has no androidboot.hardware=: the system will not find its start files", "")
	}
	if m.Version <= 2 {
		switch m.CheckID() {
		case bootimg.IDWithoutDT:
			d.add("I1", Info, false, "its id does not cover the device tree table: the tool that packed it does not know the table", "")
		case bootimg.IDOther:
			d.add("I1", Info, false, "its id does not match its parts; loaders do not check it", "")
		}
	}
	if _, avb := bootimg.FindAVBFooter(d.data); avb || len(m.Trailing) > 0 {
		d.add("I1", Info, false, fmt.Sprintf("%d bytes follow the image; that is normal in copies of a partition", len(m.Trailing)), "")
	}
}

// addresses: H1 and H3. Most loaders put their own instead of them
// (fastboot/bootimg/FORMAT.md §1.6).
func (d *Diagnosis) addresses(m *bootimg.Image) {
	type place struct {
		what     string
		from, to uint64
	}
	at := func(what string, addr uint32, size int64) place {
		return place{what, uint64(addr), uint64(addr) + uint64(size)}
	}
	kernel := int64(len(m.Kernel))
	if d.payload != nil {
		kernel = max(kernel, d.payload.Size)
	}
	all := []place{
		at("the kernel", m.KernelAddr, kernel), at("the ramdisk", m.RamdiskAddr, int64(len(m.Ramdisk))),
		at("the second stage", m.SecondAddr, int64(len(m.Second))), at("the device tree", m.TagsAddr, d.largestTree()),
		at("the loader itself", 0x0F800000, 2<<20),
	}
	for i, p := range all {
		for _, q := range all[i+1:] {
			if p.from < q.to && q.from < p.to && p.from < p.to && q.from < q.to {
				d.add("H1", Warning, true, fmt.Sprintf("its load addresses put %s (%#x to %#x) over %s (%#x to %#x); a loader that used them would hang, but most use their own",
					p.what, p.from, p.to, q.what, q.from, q.to), "")
				break
			}
		}
	}
	if m.KernelAddr == 0x10008000 {
		d.add("H3", Warning, true, "its addresses start at 0x10000000, the default of tools that do not know this phone; most loaders use their own", "")
	}
}

// phoneRules: what the phone itself says (L1).
func (d *Diagnosis) phoneRules(t Target) {
	if t.Locked {
		d.add("L1", Fails, false, "the boot loader of the phone is locked: it boots only what Sony signed", "unlock it with the code from Sony, which erases the phone; \"xflash restore\" works on a locked phone")
	}
}

// add adds a finding. What a loader refuses on boot for its device trees or its header it
// writes on flash, where it looks at the magic and the size alone (fastboot/PROTOCOL.md §3.2);
// the phone then does not start, and says nothing.
func (d *Diagnosis) add(rule string, s Severity, cure bool, text, next string) {
	if d.flash && s == Fails && (rule == "C3" || rule[0] == 'D') {
		s = Useless
	}
	d.Findings = append(d.Findings, Finding{Rule: rule, Severity: s, Text: text, Next: next, Cure: cure})
}
