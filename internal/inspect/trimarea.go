package inspect

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"xflash/internal/phone"
	"xflash/internal/text"
	"xflash/internal/trimarea"
)

// TrimArea is what a trim-area image holds. Contents of units are never in it: they are
// what makes a phone that one phone.
type TrimArea struct {
	Model  string `json:"model,omitempty"`  // unit 2210
	Serial string `json:"serial,omitempty"` // unit 4900, masked unless asked for
	Trim   int    `json:"trim_units"`       // units of partition 1
	Misc   int    `json:"misc_units"`       // of partition 2
	// HWConf holds the known facts about the hardware configuration in unit 2003.
	HWConf string           `json:"hwconf"`
	Blocks []trimarea.Block `json:"blocks,omitempty"` // in use
}

// Unit is a trim-area unit without its content.
type Unit struct {
	Number uint32 `json:"number"`
	Name   string `json:"name,omitempty"`
	Size   int    `json:"size"`
	Danger string `json:"danger"`
}

// trimMagic starts a block in use (internal/trimarea/FORMAT.md §1.1).
var trimMagic = []byte("\xc1\xe9\xf8\x3b")

func isTrimArea(head []byte) bool { return bytes.HasPrefix(head, trimMagic) && len(head) >= 16 }

// hasTrimBlock looks for a block that is in use: the first one need not be.
func hasTrimBlock(s source) bool {
	if s.size > trimarea.LargeImageSize || s.size%trimarea.BlockSize != 0 {
		return false
	}
	var mark [4]byte
	for at := int64(0); at < s.size; at += trimarea.BlockSize {
		if n, _ := s.at.ReadAt(mark[:], at); n == len(mark) && bytes.Equal(mark[:], trimMagic) {
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
	l := Layout{Of: "file", Size: rep.Size}
	switch {
	case s.size < trimarea.ImageSize:
		rep.wrong("truncated", rep.Size, fmt.Sprintf("it has %d bytes of %d", rep.Size, int64(trimarea.ImageSize)))
		return nil
	case s.size != trimarea.ImageSize && s.size != trimarea.LargeImageSize:
		rep.wrong("trailing data", trimarea.ImageSize, fmt.Sprintf("it has %d bytes; a trim area has exactly %d (%d on newer phones)",
			rep.Size, int64(trimarea.ImageSize), int64(trimarea.LargeImageSize)))
		return nil
	}
	data, err := s.all()
	if err != nil {
		return err
	}
	found, err := trimarea.Read(ctx, bytes.NewReader(data), int64(len(data)), in.Roots)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		rep.wrong("malformed", -1, err.Error())
		return nil
	}
	rep.TrimArea.Blocks = found.Blocks
	for _, b := range found.Blocks {
		l.add(RegionUnits, fmt.Sprintf("partition %d", b.Partition), b.Offset, int64(b.Size))
	}
	rep.Layouts = []Layout{l}
	in.trimBackup(rep, found)
	rep.whole(text.Count(len(found.Blocks), "block") + " in use, each with the right checksum")
	return nil
}

// trimFolder inspects a folder with 1.ta and 2.ta, made in flash mode.
func (in *inspector) trimFolder(ctx context.Context, name string) (*Report, error) {
	found, err := trimarea.Open(ctx, name, in.Roots)
	if err != nil {
		return nil, err
	}
	rep := &Report{Name: name, Kind: KindTrimArea, Title: "trim-area backup, " + string(found.Container), Size: int64(len(found.Data)),
		Warning: "a trim area belongs to one phone; xflash never writes one", TrimArea: &TrimArea{}}
	in.trimBackup(rep, found)
	if found.Sums {
		rep.whole("every file has the checksum recorded when the backup was made")
	} else {
		rep.unproven("its syntax is correct; it has no checksums")
	}
	return rep, nil
}

// trimBackup takes over what a backup holds and what is wrong with it.
func (in *inspector) trimBackup(rep *Report, found *trimarea.Backup) {
	for _, w := range found.Wrong {
		rep.wrong(w.Reason, w.Offset, w.Text)
	}
	rep.TrimArea.Trim, rep.TrimArea.Misc = len(found.Live(trimarea.Trim)), len(found.Live(trimarea.Misc))
	rep.TrimArea.Serial, rep.TrimArea.Model = in.masked(found.ID.Serial), found.ID.Model
	rep.forModel(found.ID.Model, "unit 2210 names this model")
	rep.TrimArea.HWConf = found.HardwareText()
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
	r.forModels("it is the public loader of these models, by its MD5", func(m phone.Model) bool { return m.LoaderMD5 == md5 })
}

// forModels adds the models that a sign of the file names, with their families.
func (r *Report) forModels(because string, names func(phone.Model) bool) {
	for _, f := range phone.Families() {
		if slices.ContainsFunc(f.Models, names) {
			r.forFamily(f, because, names)
		}
	}
}

// forFamily adds a family and its models that a sign of the file names, once for each sign. A
// board may be known whose model is not.
func (r *Report) forFamily(f *phone.Family, because string, names func(phone.Model) bool) {
	m := Match{Family: f.Name, Platform: f.SoC, Because: because}
	for _, model := range f.Models {
		if names == nil || names(model) {
			m.Models = append(m.Models, model.Code)
		}
	}
	if !slices.ContainsFunc(r.For, func(o Match) bool { return o.Family == f.Name && o.Because == because }) {
		r.For = append(r.For, m)
	}
}
