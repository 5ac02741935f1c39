package bootcheck

import (
	"strings"

	"xflash/fastboot/bootimg"
	"xflash/internal/text"
)

// extraTrees is the tree of a version 2 header, which no loader of this time looks at.
func (d *Diagnosis) extraTrees() []bootimg.AppendedTree {
	if d.image == nil || len(d.image.DTB) == 0 {
		return nil
	}
	n := bootimg.FDTSize(d.image.DTB)
	if n == 0 {
		return nil
	}
	return []bootimg.AppendedTree{{Data: d.image.DTB[:n]}}
}

// tableDevices reads the trees of the table.
func (d *Diagnosis) tableDevices() []bootimg.DeviceTree {
	if d.table == nil || d.tableBad != nil {
		return nil
	}
	trees, err := d.table.Trees()
	if err != nil {
		return nil
	}
	var out []bootimg.DeviceTree
	for _, t := range trees {
		if dev, ok := deviceOf(t.DTB); ok {
			out = append(out, dev)
		}
	}
	return out
}

// largestTree is the size of the largest device tree that a loader could copy to the place
// of the tags, bytes.
func (d *Diagnosis) largestTree() (most int64) {
	if d.table != nil && d.tableBad == nil {
		for _, e := range d.table.Entries {
			most = max(most, int64(e.Size))
		}
	}
	if d.kernel != nil {
		for _, t := range d.kernel.Trees {
			most = max(most, int64(len(t.Data)))
		}
	}
	return most
}

// noteTrees fills Trees.
func (d *Diagnosis) noteTrees(appended []bootimg.DeviceTree) {
	for _, t := range d.tableDevices() {
		d.Trees = append(d.Trees, TreeNote{Where: "table", Model: treeName(t), Form: t.Form.String(), IDs: len(t.IDs)})
	}
	for _, t := range appended {
		d.Trees = append(d.Trees, TreeNote{Where: "appended", Model: treeName(t), Form: t.Form.String(), IDs: len(t.IDs)})
	}
}

// treeName is what a device tree calls its device.
func treeName(t bootimg.DeviceTree) string {
	if t.Model != "" {
		return t.Model
	}
	return strings.Join(t.Compatible, " ")
}

// whatItIs names a kind of file for somebody who holds one by mistake.
func whatItIs(k bootimg.Kind) string {
	if k == bootimg.KindHTML {
		return "a web page: the download gave a page instead of the file"
	}
	return text.WithArticle(k.String())
}

// kernelIs names a kernel that a 32-bit loader does not start.
func kernelIs(k bootimg.KernelKind) string {
	switch k {
	case bootimg.KernelARM64:
		return "one for 64-bit processors"
	case bootimg.KernelUnknown:
		return "in an unknown format"
	}
	return "of the form " + k.String()
}
