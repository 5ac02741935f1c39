package inspect

import (
	"cmp"
	"fmt"
	"slices"

	"xflash/internal/text"
	"xflash/sin"
	"xflash/sin/gpt"
)

// Layout is where the parts of something lie: of the file, or of a partition that it
// writes. Regions do not overlap and are in order; what lies between them is not used.
type Layout struct {
	Of      string   `json:"of"`
	Size    int64    `json:"size"` // bytes
	Regions []Region `json:"regions,omitempty"`
	// Coarse is the size in bytes below which parts were joined with their neighbours,
	// because there are too many; 0 when all are there.
	Coarse int64 `json:"coarse,omitempty"`
}

// Region is one part.
type Region struct {
	Kind   RegionKind `json:"kind"`
	Name   string     `json:"name,omitempty"`
	Offset int64      `json:"offset"`
	Size   int64      `json:"size"`
}

// RegionKind is what a region holds.
type RegionKind string

// Kinds of regions.
const (
	RegionHeader    RegionKind = "header"
	RegionMap       RegionKind = "map"
	RegionTable     RegionKind = "table" // partition table
	RegionData      RegionKind = "data"
	RegionPacked    RegionKind = "packed" // compressed
	RegionFill      RegionKind = "fill"   // a repeated pattern
	RegionHole      RegionKind = "hole"   // nothing is written here
	RegionSection   RegionKind = "section"
	RegionMember    RegionKind = "member"
	RegionPartition RegionKind = "partition"
	RegionUnits     RegionKind = "units" // block of a trim area
	RegionTrailing  RegionKind = "trailing"
	RegionMissing   RegionKind = "missing" // should be there, the file is cut
)

// maxRegions bounds a layout; a picture can show far fewer.
const maxRegions = 4096

// add appends a region. A neighbour of the same kind and name grows instead.
func (l *Layout) add(kind RegionKind, name string, offset, size int64) {
	if size <= 0 {
		return
	}
	if n := len(l.Regions); n > 0 {
		last := &l.Regions[n-1]
		if last.Kind == kind && last.Name == name && last.Offset+last.Size == offset {
			last.Size += size
			return
		}
	}
	l.Regions = append(l.Regions, Region{kind, name, offset, size})
	for len(l.Regions) > maxRegions {
		l.Coarse = max(2*l.Coarse, l.Size/(16*maxRegions), 1)
		l.Regions = coarser(l.Regions, l.Coarse)
	}
}

// coarser lets regions below a size be part of the one before them.
func coarser(regions []Region, grain int64) []Region {
	out := regions[:1]
	for _, r := range regions[1:] {
		last := &out[len(out)-1]
		if r.Size < grain || last.Kind == r.Kind && last.Name == r.Name && r.Offset-last.Offset-last.Size < grain {
			last.Size = r.Offset + r.Size - last.Offset
			continue
		}
		out = append(out, r)
	}
	return out
}

// arrange sorts the regions and cuts what overlaps or leaves the layout.
func (l *Layout) arrange() {
	slices.SortStableFunc(l.Regions, func(a, b Region) int { return cmp.Compare(a.Offset, b.Offset) })
	kept, at := l.Regions[:0], int64(0)
	for _, r := range l.Regions {
		end := min(r.Offset+r.Size, l.Size)
		if r.Offset = max(r.Offset, at); r.Offset < end {
			r.Size = end - r.Offset
			kept, at = append(kept, r), end
		}
	}
	l.Regions = kept
}

// holes fills what is not used with regions.
func (l *Layout) holes() {
	old := l.Regions
	l.Regions = nil
	at := int64(0)
	for _, r := range old {
		l.add(RegionHole, "", at, r.Offset-at)
		l.add(r.Kind, r.Name, r.Offset, r.Size)
		at = r.Offset + r.Size
	}
	l.add(RegionHole, "", at, l.Size-at)
}

// missing shows that a file ends at have and should reach want.
func (l *Layout) missing(have, want int64) {
	if want <= have {
		return
	}
	l.Size = have
	l.arrange()
	l.Size = want
	l.add(RegionMissing, "", have, want-have)
}

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
