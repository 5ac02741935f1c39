package inspect

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"

	"xflash/internal/phone"
	"xflash/internal/trimarea"
	"xflash/sin"
)

// TrimArea is what a trim-area image holds. Contents of units are never in it: they are
// what makes a phone that one phone.
type TrimArea struct {
	Model  string `json:"model,omitempty"`  // unit 2210
	Serial string `json:"serial,omitempty"` // unit 4900, masked unless asked for
	Trim   int    `json:"trim_units"`       // units of partition 1
	Misc   int    `json:"misc_units"`       // of partition 2
	// HWConf is what is known of the hardware configuration in unit 2003.
	HWConf string      `json:"hwconf"`
	Blocks []TrimBlock `json:"blocks,omitempty"`
}

// TrimBlock is a block in use.
type TrimBlock struct {
	Offset    int64 `json:"offset"`
	Partition int   `json:"partition"`
	Part      int   `json:"part"`
	Size      int   `json:"size"` // bytes under the checksum
	Right     bool  `json:"checksum_right"`
}

// Unit is a trim-area unit without its content.
type Unit struct {
	Number uint32 `json:"number"`
	Name   string `json:"name,omitempty"`
	Size   int    `json:"size"`
	Danger string `json:"danger"`
}

// trimMagic begins a block in use (sin-ftf-format.md §12.1).
var trimMagic = []byte("\xc1\xe9\xf8\x3b")

// trimSearch is how far blocks are looked for: newer phones have 8 MiB.
const trimSearch = 8 << 20

func isTrimArea(head []byte) bool { return bytes.HasPrefix(head, trimMagic) && len(head) >= 16 }

// hasTrimBlock looks for a block that is in use: the first one need not be.
func hasTrimBlock(s source) bool {
	if s.size > trimSearch || s.size%trimarea.BlockSize != 0 {
		return false
	}
	var mark [4]byte
	for at := int64(0); at < s.size; at += trimarea.BlockSize {
		if ok, err := readAt(s, mark[:], at); ok && err == nil && bytes.Equal(mark[:], trimMagic) {
			return true
		}
	}
	return false
}

// trimArea inspects a trim-area image.
func (in *inspector) trimArea(ctx context.Context, rep *Report, s source) error {
	rep.Kind, rep.Title = KindTrimArea, "trim-area image"
	rep.Warning = "a trim area belongs to one phone; xflash never writes one"
	rep.TrimArea = &TrimArea{HWConf: "unknown"}
	s.size = min(s.size, trimSearch)
	data, err := s.all()
	if err != nil {
		return err
	}
	rep.trimBlocks(data)
	im, err := trimarea.Parse(data)
	var bad *trimarea.Error
	switch {
	case len(data) < trimarea.ImageSize:
		rep.wrong("truncated", rep.Size, fmt.Sprintf("it has %d bytes of %d", rep.Size, int64(trimarea.ImageSize)))
		return nil
	case len(data) > trimarea.ImageSize && len(data) == trimSearch:
		rep.unproven("8 MiB is the form of newer phones, whose blocks are of another size")
		return nil
	case len(data) > trimarea.ImageSize:
		rep.wrong("trailing data", trimarea.ImageSize, fmt.Sprintf("it has %d bytes, a trim area exactly %d", rep.Size, int64(trimarea.ImageSize)))
		return nil
	case errors.As(err, &bad):
		if !rep.Damaged() { // else every wrong checksum was told
			rep.wrong("malformed", bad.Offset, bad.Error())
		}
		return nil
	case err != nil:
		return err
	}
	rep.whole(count(len(rep.TrimArea.Blocks), "block") + " in use, every one with the right checksum")
	for _, p := range []int{trimarea.Trim, trimarea.Misc} {
		if !im.HasPartition(p) {
			rep.Notes = append(rep.Notes, fmt.Sprintf("partition %d is missing, which a phone's own trim area always has", p))
		}
	}
	rep.TrimArea.Trim, rep.TrimArea.Misc = len(im.Units(trimarea.Trim)), len(im.Units(trimarea.Misc))
	if u, ok := im.Unit(trimarea.Misc, 4900); ok {
		rep.TrimArea.Serial = in.masked(cstring(u.Data))
	}
	if u, ok := im.Unit(trimarea.Misc, 2210); ok {
		rep.TrimArea.Model = cstring(u.Data)
		rep.forModel(rep.TrimArea.Model, "unit 2210 names this model")
	}
	return in.trimHWConf(ctx, rep, im)
}

// trimBlocks lists the blocks in use and reports every wrong checksum.
func (r *Report) trimBlocks(data []byte) {
	l := Layout{Of: "file", Size: r.Size}
	for at := 0; at+12 <= len(data); at += trimarea.BlockSize {
		if !bytes.HasPrefix(data[at:], trimMagic) {
			continue
		}
		b := TrimBlock{Offset: int64(at), Part: int(data[at+9]), Partition: int(data[at+10])}
		b.Size = min((int(data[at+11])+1)*0x800, trimarea.BlockSize)
		if at+b.Size <= len(data) {
			b.Right = adler32.Checksum(data[at+8:at+b.Size]) == binary.LittleEndian.Uint32(data[at+4:])
			if !b.Right && len(data) == trimarea.ImageSize {
				r.wrong("wrong checksum", b.Offset, fmt.Sprintf("the checksum of the block at %#x is wrong", at))
			}
		}
		r.TrimArea.Blocks = append(r.TrimArea.Blocks, b)
		l.add(RegionUnits, fmt.Sprintf("partition %d", b.Partition), b.Offset, int64(b.Size))
	}
	r.Layouts = []Layout{l}
}

// trimHWConf judges the hardware configuration in unit 2003, which is a SIN.
func (in *inspector) trimHWConf(ctx context.Context, rep *Report, im *trimarea.Image) error {
	u, ok := im.Unit(trimarea.Misc, 2003)
	if !ok {
		rep.TrimArea.HWConf = "missing"
		return nil
	}
	found, err := sin.Check(ctx, bytes.NewReader(u.Data), int64(len(u.Data)), sin.CheckOptions{Roots: in.Roots})
	if err := outside(ctx, err); err != nil {
		return err
	}
	rep.TrimArea.HWConf = "whole, " + found.Trust.State.String()
	// A phone never gets such a record from a flash program, so that alone is no fault.
	if err != nil && !errors.Is(err, sin.Because(sin.Unsendable)) && !errors.Is(err, sin.Because(sin.UnknownRoot)) {
		rep.TrimArea.HWConf = "damaged: " + err.Error()
	}
	return nil
}

// unitsOf lists units without their contents.
func unitsOf(partition int, numbers []uint32, sizes []int) []Unit {
	var units []Unit
	for i, n := range numbers {
		unit := Unit{Number: n, Size: sizes[i], Danger: string(trimarea.DangerNever)}
		if m, ok := trimarea.Describe(partition, n); ok {
			unit.Name, unit.Danger = m.Name, string(m.Danger)
		}
		units = append(units, unit)
	}
	return units
}

// forModel adds the phones of one model.
func (r *Report) forModel(code, because string) {
	if f, m, ok := phone.ByModel(code); ok {
		r.For = append(r.For, Match{Family: f.Name, Platform: f.SoC, Models: []string{m.Code}, Because: because})
	} else if code != "" {
		r.For = append(r.For, Match{Models: []string{code}, Because: because})
	}
}

// forLoader adds the models whose public loader has this MD5.
func (r *Report) forLoader(md5 string) {
	for _, f := range phone.Families() {
		m := Match{Family: f.Name, Platform: f.SoC, Because: "it is the public loader of these models, by its MD5"}
		for _, model := range f.Models {
			if model.LoaderMD5 == md5 {
				m.Models = append(m.Models, model.Code)
			}
		}
		if m.Models != nil {
			r.For = append(r.For, m)
		}
	}
}

func codes(models []phone.Model) []string {
	var out []string
	for _, m := range models {
		out = append(out, m.Code)
	}
	return out
}
