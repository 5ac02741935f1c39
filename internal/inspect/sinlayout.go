package inspect

import (
	"fmt"

	"xflash/internal/text"
	"xflash/sin"
	"xflash/sin/gpt"
)

// sinLayouts shows where the parts of a version 1 to 3 lie: in the file, and in every
// partition that it writes.
func (r *Report) sinLayouts(found *sin.Report, size int64) {
	h := found.Header
	file := Layout{Of: "file", Size: size}
	file.add(RegionHeader, "", 0, int64(len(h.Raw)))
	switch {
	case found.Map != nil:
		file.add(RegionMap, "", found.Map.Offset, found.Map.DataOffset-found.Map.Offset)
		targets := make([]Layout, len(found.Map.Targets))
		for i, t := range found.Map.Targets {
			targets[i] = Layout{Of: target(t).String(), Size: partSize(found, t)}
		}
		for t := range found.Map.Tags() {
			kind := pieceKind(t.Kind)
			file.add(kind, "", t.Data, t.DataLen)
			targets[t.Target].Regions = append(targets[t.Target].Regions, Region{kind, "", t.Dest, t.DestLen})
		}
		r.Layouts = append(r.Layouts, file)
		for _, l := range targets {
			l.settle()
			r.Layouts = append(r.Layouts, l)
		}
	case found.Layout != nil:
		file.add(RegionTable, "", int64(len(h.Raw)), h.PayloadSize())
		r.Layouts = append(r.Layouts, file)
		for _, t := range found.Layout.Tables {
			r.Layouts = append(r.Layouts, tableLayout(fmt.Sprintf("storage %d, %s", t.Device, text.Size(int64(t.End()*gpt.SectorSize))), t.End(), t.Entries))
		}
	default:
		for i, b := range h.Blocks {
			kind := RegionData
			if i == 0 && h.HasPartitionInfo() {
				kind = RegionMap
			}
			file.add(kind, "", b.Offset, b.Length)
		}
		r.Layouts = append(r.Layouts, file)
		if h.HasPartitionInfo() && len(found.Parts) == 1 {
			part := Layout{Of: "partition", Size: found.Parts[0].Size}
			for _, b := range h.Blocks[1:] {
				part.Regions = append(part.Regions, Region{RegionData, "", b.Dest, b.Length})
			}
			part.settle()
			r.Layouts = append(r.Layouts, part)
		}
	}
	f := &r.Layouts[0]
	f.arrange()
	if end := h.Size(); end > size {
		f.missing(size, end)
	} else {
		f.add(RegionTrailing, "", end, size-end)
	}
}

// settle puts regions in order, joins neighbours and shows the holes.
func (l *Layout) settle() {
	l.arrange()
	l.holes()
}

// partSize is the size of what is written to a target.
func partSize(found *sin.Report, t sin.Target) int64 {
	for _, p := range found.Parts {
		if p.Target.GUID == t.GUID && p.Target.Name == t.Name {
			return p.Size
		}
	}
	return t.End
}

func pieceKind(t sin.TagKind) RegionKind {
	switch t {
	case sin.TagLZ4A:
		return RegionPacked
	case sin.TagFILL:
		return RegionFill
	}
	return RegionData
}
