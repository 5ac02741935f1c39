package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"xflash/internal/phone"
	"xflash/internal/text"
	"xflash/internal/trimarea"
	"xflash/sin"
	"xflash/sin/gpt"
)

// Payload is what a SIN image carries.
type Payload struct {
	Partition     string        `json:"partition,omitempty"` // versions 4 and 5: its name
	Certificates  []Certificate `json:"certificates,omitempty"`
	Targets       []Target      `json:"targets,omitempty"`  // partitions that it writes
	MapTags       []string      `json:"map_tags,omitempty"` // that its map uses
	Product       string        `json:"product,omitempty"`  // of a loader: 1277-2052
	Roots         []Root        `json:"roots,omitempty"`    // embedded in a loader
	PartitionInfo *Info         `json:"partition_info,omitempty"`
	Tables        []LayoutTable `json:"tables,omitempty"` // of a partition layout
	Roles         []string      `json:"roles,omitempty"`  // of a hardware configuration: who may sign
	IMEIs         []string      `json:"imeis,omitempty"`  // masked unless asked for
}

// Certificate names a certificate in a version 4 or 5.
type Certificate struct {
	Subject string `json:"subject"`
	Issuer  string `json:"issuer"`
}

// Target is a partition that an image writes.
type Target struct {
	GUID  string `json:"guid,omitempty"`  // unique GUID of the partition
	Name  string `json:"name,omitempty"`  // that is in the image
	Label string `json:"label,omitempty"` // that Sony phones have for this GUID; a hint only
	End   int64  `json:"end"`             // bytes: the end of the last piece
}

func (t Target) String() string {
	for _, s := range []string{t.Name, t.Label, t.GUID} {
		if s != "" {
			return s
		}
	}
	return "image"
}

// Root is a root certificate.
type Root struct {
	Name        string `json:"name"`
	Fingerprint string `json:"sha256"`
	Offset      int64  `json:"offset"` // in the payload
	Known       bool   `json:"known"`  // the fingerprint is that of a root of Sony's
	Test        bool   `json:"test,omitempty"`
}

// Info is the partition-info block of a version 1 or 2 (sin/FORMAT.md §2.2).
type Info struct {
	ID         uint32 `json:"id"`
	Attributes uint32 `json:"attributes"`
	Start      uint32 `json:"start"` // block in the flash
	Blocks     uint32 `json:"blocks"`
}

// LayoutTable is one partition table of a layout image.
type LayoutTable struct {
	Device     uint32      `json:"device"`
	Sectors    uint64      `json:"sectors"` // that the disk must have at least, of 512 bytes
	Partitions []Partition `json:"partitions"`
}

// payload fills in Payload for versions 1 to 3; nil when there is nothing to tell.
func (in *inspector) payload(found *sin.Report) *Payload {
	p := &Payload{}
	if l := found.Loader; l != nil {
		p.Product = l.Product
		for _, r := range l.Roots {
			c := r.Certificate
			root := Root{Name: c.Subject, Fingerprint: fmt.Sprintf("%x", c.Fingerprint), Offset: r.Offset}
			if known := sin.RootOf(c); known != nil {
				root.Known, root.Test = true, known.Test
			}
			p.Roots = append(p.Roots, root)
		}
	}
	if m := found.Map; m != nil {
		for _, t := range m.Targets {
			p.Targets = append(p.Targets, target(t))
		}
		seen := map[sin.TagKind]bool{}
		for t := range m.Tags() {
			if !seen[t.Kind] {
				seen[t.Kind] = true
				p.MapTags = append(p.MapTags, string(t.Kind))
			}
		}
	}
	if i := found.Info; i != nil {
		p.PartitionInfo = &Info{i.ID, i.Attributes, i.Start, i.Blocks}
	}
	if found.Layout != nil {
		for _, t := range found.Layout.Tables {
			table := LayoutTable{Device: t.Device, Sectors: t.End()}
			table.Partitions = partitions(t.Entries, familyOf(t.Entries))
			p.Tables = append(p.Tables, table)
		}
	}
	if p.Product == "" && p.Roots == nil && p.Targets == nil && p.PartitionInfo == nil && p.Tables == nil {
		return nil
	}
	return p
}

// target names a partition as well as it can be done.
func target(t sin.Target) Target {
	out := Target{Name: t.Name, End: t.End}
	if !t.GUID.IsZero() {
		out.GUID = t.GUID.String()
		out.Label = labelOf(t.GUID)
	}
	return out
}

// labelOf is the label that phones of Sony's have for a unique GUID, empty when none is known.
func labelOf(g gpt.GUID) string {
	for _, f := range phone.Families() {
		if label := f.LabelOf(g); label != "" {
			return label
		}
	}
	return ""
}

// parts examines what the image writes: boot images as a whole, of all else the first bytes.
func (in *inspector) parts(ctx context.Context, rep *Report, s source, found *sin.Report) error {
	if found.Loader != nil && rep.SIN.PayloadKind == string(sin.KindRaw) {
		return nil // code of a version 1 or 2
	}
	if in.depth >= maxDepth {
		return nil
	}
	for _, p := range found.Parts {
		name := target(p.Target).String()
		if p.Target == (sin.Target{}) {
			name = "payload"
		}
		inside := fileSource(name, headReader(p.Head), p.Size)
		hwconf := found.Header.Version == 3 && found.Header.Type == sin.TypeHWConf
		boots := p.Kind == sin.KindELF || p.Kind == sin.KindBoot || strings.HasPrefix(string(p.Head), "QCDT")
		if (boots || hwconf) && p.Size <= maxBoot && !rep.Damaged() {
			data, err := unpackPart(ctx, s, p)
			if err != nil {
				return err
			}
			if hwconf {
				in.hwconf(rep, data)
				continue
			}
			inside = bytesSource(name, data)
		} else if p.Kind == sin.KindRaw || p.Kind == sin.KindLayout || boots || p.Kind == sin.KindSparse {
			continue
		}
		inner := &inspector{Options: Options{Roots: in.Roots, ShowIDs: in.ShowIDs}, depth: in.depth}
		child, err := inner.file(ctx, inside)
		if err != nil {
			return err
		}
		if child.Kind == KindUnknown {
			continue
		}
		// The image proves the bytes; a part that looks wrong was made so.
		if child.Damaged() {
			for _, f := range child.Whole.Faults {
				rep.Notes = append(rep.Notes, name+" is signed as it is, but: "+f.Text)
			}
		}
		child.Whole = nil
		rep.Contents = append(rep.Contents, child)
		rep.For = append(rep.For, child.For...)
	}
	return nil
}

// headReader reads as if zeros followed the head: nothing beyond it is known.
type headReader []byte

func (h headReader) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(h)) {
		copy(p, h[off:])
	}
	return len(p), nil
}

// unpackPart returns the bytes of one part of a SIN. The file was checked a moment ago.
func unpackPart(ctx context.Context, s source, part sin.Part) ([]byte, error) {
	r, err := s.open()
	if err != nil {
		return nil, err
	}
	out := make(memory, part.Size)
	_, err = sin.Unpack(ctx, r, s.size, out, sin.UnpackOptions{Open: func(t sin.Target) (io.WriterAt, error) {
		if t.GUID == part.Target.GUID && t.Name == part.Target.Name {
			return out, nil
		}
		return nil, nil
	}})
	return out, errors.Join(err, r.Close())
}

// memory is a buffer of a fixed size.
type memory []byte

func (m memory) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(m)) || int64(len(p)) > int64(len(m))-off {
		return 0, io.ErrShortWrite
	}
	return copy(m[off:], p), nil
}

// hwconf tells what a hardware configuration allows.
func (in *inspector) hwconf(rep *Report, payload []byte) {
	conf, err := trimarea.ParseHWConf(payload)
	if err != nil {
		rep.Notes = append(rep.Notes, "the hardware configuration is signed, but cannot be read: "+err.Error())
		return
	}
	p := &Payload{}
	for _, r := range conf.Roles {
		p.Roles = append(p.Roles, r.Name)
	}
	for _, imei := range conf.IMEIs() {
		p.IMEIs = append(p.IMEIs, in.masked(imei))
	}
	rep.Payload = p
	rep.Warning = "a hardware configuration belongs to one phone; no other phone accepts it"
}

// masked hides what identifies a phone, unless it was asked for.
func (in *inspector) masked(id string) string {
	if in.ShowIDs {
		return id
	}
	return text.Mask(id)
}
