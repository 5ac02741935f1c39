package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/phone"
	"xflash/internal/text"
)

// Boot is what is in an image that a phone starts.
type Boot struct {
	HeaderVersion int    `json:"header_version"`
	PageSize      uint32 `json:"page_size,omitempty"`
	OSVersion     string `json:"os_version,omitempty"`
	// Addresses are where the header wants the parts in memory, by the name of the part;
	// absent where the header has none (versions 3 and 4).
	Addresses    map[string]uint64 `json:"addresses,omitempty"`
	Name         string            `json:"name,omitempty"`
	Cmdline      string            `json:"cmdline,omitempty"`
	ID           string            `json:"id,omitempty"` // right, without-dt, other, none
	Kernel       string            `json:"kernel,omitempty"`
	Banner       string            `json:"banner,omitempty"`        // Linux version …
	Config       bool              `json:"kernel_config,omitempty"` // the kernel carries its configuration
	Ramdisk      string            `json:"ramdisk,omitempty"`
	RamdiskFiles int               `json:"ramdisk_files,omitempty"`
	Init         bool              `json:"init,omitempty"` // the ramdisk has one
}

// Tree is a device tree and the devices that it is for.
type Tree struct {
	Model      string   `json:"model,omitempty"`
	Compatible []string `json:"compatible,omitempty"`
	IDs        []string `json:"ids,omitempty"`
	Where      string   `json:"where"` // "table", "appended to the kernel", …
}

// maxTrees bounds the trees that are listed.
const maxTrees = 256

// recognizeBoot finds what boot loaders start, by its magic.
func (in *inspector) recognizeBoot(head []byte) looker {
	switch bootimg.Sniff(head) {
	case bootimg.KindAndroid:
		return inMemory(in.android)
	case bootimg.KindVendorBoot:
		return inMemory(in.vendorBoot)
	case bootimg.KindSonyELF:
		return in.sonyELF
	case bootimg.KindELF:
		return in.elf
	case bootimg.KindQCDT:
		return inMemory((*Report).qcdt)
	case bootimg.KindFDT:
		return inMemory((*Report).tree)
	case bootimg.KindZImage, bootimg.KindARM64, bootimg.KindUImage:
		return inMemory((*Report).bareKernel)
	}
	switch {
	case bytes.HasPrefix(head, []byte("AVB0")):
		return ofHead((*Report).vbmeta)
	case bytes.HasPrefix(head, dtboMagic):
		return inMemory((*Report).dtbo)
	}
	return nil
}

// cmdline hides the identity of a phone in a command line: an image that was made on a phone
// may hold what its loader had put there.
func (in *inspector) cmdline(line string) string {
	return identity.ReplaceAllStringFunc(line, func(word string) string {
		key, value, _ := strings.Cut(word, "=")
		return key + "=" + in.masked(value)
	})
}

var identity = regexp.MustCompile(`(?i)[\w.]*(serialno|serial|imei|meid|cid|bdaddr|macaddr|btmac|wifimac)\d?=[^\s"]+`)

// android inspects an Android boot image.
func (in *inspector) android(rep *Report, data []byte) {
	rep.Kind, rep.Title = KindAndroid, "Android boot image"
	m, err := bootimg.Parse(data)
	if m == nil {
		rep.failed(err)
		return
	}
	rep.Title = fmt.Sprintf("Android boot image, header version %d", m.Version)
	rep.Boot = &Boot{HeaderVersion: m.Version, PageSize: m.PageSize, OSVersion: m.OSVersion.String(), Name: m.Name, Cmdline: in.cmdline(m.Cmdline)}
	rep.Boot.Addresses = addresses(m)
	l := Layout{Of: "file", Size: rep.Size}
	page := int64(m.PageSize)
	l.add(RegionHeader, "", 0, page)
	at := page
	for _, part := range []struct {
		name string
		data []byte
	}{{"kernel", m.Kernel}, {"ramdisk", m.Ramdisk}, {"second stage", m.Second}, {"device tree table", m.DT},
		{"recovery dtbo", m.RecoveryDTBO}, {"device tree", m.DTB}, {"signature", m.Signature}} {
		l.add(RegionSection, part.name, at, int64(len(part.data)))
		at += (int64(len(part.data)) + page - 1) / page * page
	}
	rep.Layouts = []Layout{l}
	switch {
	case err != nil && m.Need <= maxBoot:
		rep.truncated(m.Need, err.Error())
	case m.Need > rep.Size: // also when only the filling of the last page is missing: loaders refuse that
		rep.truncated(m.Need, fmt.Sprintf("its header needs %d bytes, the file ends after %d", m.Need, rep.Size))
	}
	if m.Need > maxBoot {
		rep.unproven("it is larger than any boot partition that xflash knows, so only its header was checked")
		return
	}
	rep.Layouts[0].add(RegionTrailing, "", m.Need, rep.Size-m.Need)
	rep.trailing(m.Trailing, m.Need)
	proven := m.CheckID() == bootimg.IDRight
	rep.kernel(m.Kernel, proven)
	rep.ramdisk(m.Ramdisk, proven)
	if len(m.DT) > 0 {
		rep.table(m.DT, "device tree table")
	}
	if len(m.DTB) > 0 {
		rep.addTree(m.DTB, "device tree section")
	}
	rep.bootPhones()
	rep.bootID(m)
}

// addresses are those of the sections that are there, and of the tags, which every header
// of version 0 to 2 has.
func addresses(m *bootimg.Image) map[string]uint64 {
	if m.Version > 2 {
		return nil
	}
	a := map[string]uint64{"kernel": uint64(m.KernelAddr), "tags": uint64(m.TagsAddr)}
	if len(m.Ramdisk) > 0 {
		a["ramdisk"] = uint64(m.RamdiskAddr)
	}
	if len(m.Second) > 0 {
		a["second stage"] = uint64(m.SecondAddr)
	}
	if len(m.DTB) > 0 {
		a["device tree"] = m.DTBAddr
	}
	return a
}

// bootID judges the image by the id that the packer left in it.
func (r *Report) bootID(m *bootimg.Image) {
	switch m.CheckID() {
	case bootimg.IDRight:
		r.Boot.ID = "right"
		r.whole("the id in its header matches its sections")
	case bootimg.IDWithoutDT:
		r.Boot.ID = "without-dt"
		r.unproven("the id in its header matches kernel and ramdisk, and does not cover the device tree table")
	case bootimg.IDOther:
		r.Boot.ID = "other"
		// Loaders ignore the id, and packers of the time left wrong ones
		// (fastboot/bootimg/FORMAT.md §1.5).
		r.unproven("the id in its header does not match its sections: it was changed later, or the tool that made it wrote a wrong id")
	default:
		r.Boot.ID = "none"
		r.unproven("all sections are there; its header has no id to check them with")
	}
}

const avbFooterSize = 64

// trailing tells of bytes after an image that are more than the rest of a partition.
func (r *Report) trailing(b []byte, at int64) {
	if len(bytes.Trim(b, "\x00")) == 0 {
		return
	}
	if footer, ok := bootimg.FindAVBFooter(b); ok {
		r.Notes = append(r.Notes, fmt.Sprintf("it ends with a footer of Android verified boot for %d bytes, which phones of the S1 era ignore", footer.OriginalSize))
		if size := uint64(len(b)); footer.VBMetaOffset < uint64(at) || footer.VBMetaOffset-uint64(at) > size || footer.VBMetaSize > size ||
			!bytes.HasPrefix(b[footer.VBMetaOffset-uint64(at):], []byte("AVB0")) {
			r.wrong("malformed", at+int64(len(b))-avbFooterSize, fmt.Sprintf("its footer of Android verified boot points to a vbmeta at %#x, where there is none", footer.VBMetaOffset))
		}
		return
	}
	r.Notes = append(r.Notes, fmt.Sprintf("%d other bytes follow the image at %#x", len(b), at))
}

// corrupt tells of a section that cannot be unpacked to its end. That is damage, as it is for
// a loader (rules K2 and R3 of internal/bootcheck), unless the id proves that its maker packed
// it so.
func (r *Report) corrupt(what string, err error, proven bool) {
	if !proven && (errors.Is(err, unpack.ErrCorrupt) || errors.Is(err, unpack.ErrTruncated)) {
		r.wrong("corrupt contents", -1, what+" is damaged: "+err.Error())
		return
	}
	r.Notes = append(r.Notes, what+" cannot be read to its end: "+err.Error())
}

// kernel examines a kernel section.
func (r *Report) kernel(data []byte, proven bool) {
	if len(data) == 0 {
		return
	}
	k := bootimg.ParseKernel(data)
	r.Boot.Kernel = k.Kind.String()
	p, err := k.Payload()
	if p != nil {
		r.Boot.Banner, r.Boot.Config = p.Banner, !p.Config.Empty()
		if p.Format != unpack.None {
			r.Boot.Kernel += ", " + p.Format.String()
		}
	}
	if err != nil && !errors.Is(err, unpack.ErrUnsupported) {
		r.corrupt("the kernel", err, proven)
	}
	for _, t := range k.Trees {
		r.addTree(t.Data, "appended to the kernel")
	}
	for _, t := range k.Stray {
		r.addTree(t.Data, "after the kernel, where no loader looks")
	}
}

// ramdisk examines a ramdisk section.
func (r *Report) ramdisk(data []byte, proven bool) {
	if len(data) == 0 {
		return
	}
	d, err := bootimg.ParseRamdisk(data)
	if d != nil {
		r.Boot.Ramdisk = "unknown"
		if d.Format != unpack.None {
			r.Boot.Ramdisk = d.Format.String()
		} else if d.CPIO {
			r.Boot.Ramdisk = "cpio"
		}
		r.Boot.RamdiskFiles, r.Boot.Init = d.Files, d.Init
	}
	if err != nil {
		r.corrupt("the ramdisk", err, proven)
	}
}

// table examines a QCDT table that is a part of something.
func (r *Report) table(data []byte, where string) {
	t, err := bootimg.ParseQCDT(data)
	if err == nil {
		var trees []bootimg.Tree
		if trees, err = t.Trees(); err == nil {
			for _, tree := range trees {
				r.addTree(tree.DTB, where, tree.IDs...)
			}
			return
		}
	}
	r.Notes = append(r.Notes, fmt.Sprintf("the %s: %v", where, err))
}

// addTree adds what a device tree says of itself. In a table its entries say for which ids
// it is, and that is what a loader compares (fastboot/bootimg/FORMAT.md §2.1).
func (r *Report) addTree(data []byte, where string, ids ...bootimg.ID) {
	if len(r.Trees) >= maxTrees {
		return
	}
	tree := Tree{Where: where}
	f, err := bootimg.ParseFDT(data)
	if err == nil {
		var d bootimg.DeviceTree
		d, err = f.Device()
		tree.Model, tree.Compatible = d.Model, d.Compatible
		if ids == nil {
			ids = d.IDs
		}
	}
	for _, id := range ids[:min(len(ids), maxTrees)] {
		tree.IDs = append(tree.IDs, id.String())
	}
	if err != nil {
		r.Notes = append(r.Notes, fmt.Sprintf("a device tree, %s: %v", where, err))
	}
	r.Trees = append(r.Trees, tree)
}

// bootPhones tells for which phones the device trees are.
func (r *Report) bootPhones() {
	for _, f := range phone.Families() {
		for _, b := range f.Boards {
			named := func(t Tree) bool {
				return b.Model != "" && t.Model == b.Model || b.Compatible != "" && slices.Contains(t.Compatible, b.Compatible)
			}
			if slices.ContainsFunc(r.Trees, named) {
				r.forFamily(f, "it has the device tree of "+b.CodeName, func(m phone.Model) bool { return m.CodeName == b.CodeName })
			}
		}
	}
}

// vendorBoot inspects the vendor half of a boot image.
func (in *inspector) vendorBoot(rep *Report, data []byte) {
	rep.Kind, rep.Title = KindVendor, "vendor_boot image, for phones after the S1 era"
	v, err := bootimg.ParseVendorBoot(data)
	if rep.failed(err) {
		return
	}
	rep.Boot = &Boot{HeaderVersion: v.Version, PageSize: v.PageSize, Name: v.Name, Cmdline: in.cmdline(v.Cmdline)}
	rep.ramdisk(v.Ramdisk, false)
	if len(v.DTB) > 0 {
		rep.addTree(v.DTB, "device tree section")
	}
	rep.unproven("all sections are there; the format has no checksum for them")
}

// qcdt inspects a table of device trees.
func (r *Report) qcdt(data []byte) {
	r.Kind, r.Title = KindQCDT, "QCDT table of device trees"
	t, err := bootimg.ParseQCDT(data)
	if r.failed(err) {
		return
	}
	r.Title = fmt.Sprintf("QCDT table of device trees, version %d, %s", t.Version, text.Count(len(t.Entries), "entry"))
	l := Layout{Of: "file", Size: r.Size}
	for _, e := range t.Entries {
		_, err := t.DTB(e)
		r.failed(err)
		l.Regions = append(l.Regions, Region{RegionSection, "device tree", int64(e.Offset), int64(e.Size)})
	}
	l.Regions = append(l.Regions, Region{RegionHeader, "", 0, firstTree(t, r.Size)})
	l.arrange()
	r.Layouts = []Layout{l}
	trees, err := t.Trees()
	for _, tree := range trees {
		r.addTree(tree.DTB, "table", tree.IDs...)
	}
	if !r.Damaged() {
		r.failed(err)
	}
	r.bootPhones()
	r.unproven("every tree is there and starts correctly; the format has no checksum for them")
}

func firstTree(t *bootimg.Table, end int64) int64 {
	for _, e := range t.Entries {
		end = min(end, int64(e.Offset))
	}
	return end
}

// tree inspects a device tree on its own.
func (r *Report) tree(data []byte) {
	r.Kind, r.Title = KindTree, "device tree"
	f, err := bootimg.ParseFDT(data)
	if r.failed(err) {
		return
	}
	for trees := 0; ; trees++ {
		r.addTree(f.Bytes(), "file")
		if data = data[len(f.Bytes()):]; !bytes.HasPrefix(data, []byte(bootimg.FDTMagic)) {
			break
		}
		if f, err = bootimg.ParseFDT(data); r.failed(err) { // a chain, as kernels have appended
			return
		}
		r.Title = fmt.Sprintf("chain of %d device trees", trees+2)
	}
	r.bootPhones()
	if rest := len(data); rest > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d bytes follow the last tree", rest))
	}
	r.unproven("the file is complete; the format has no checksum")
}

// readerAt is the file at any place, for what must be found in it.
func (s source) readerAt() (io.ReaderAt, error) {
	if s.at != nil {
		return s.at, nil
	}
	s.size = min(s.size, maxBoot)
	data, err := s.all()
	return bytes.NewReader(data), err
}
