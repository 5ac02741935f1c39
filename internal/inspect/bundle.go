package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/firmware"
	"xflash/internal/phone"
	"xflash/internal/text"
	"xflash/sin"
)

// Firmware is what a bundle says it is.
type Firmware struct {
	Device   string   `json:"device,omitempty"`
	Version  string   `json:"version,omitempty"`
	Branding string   `json:"branding,omitempty"`
	CDA      string   `json:"cda,omitempty"`
	Revision string   `json:"revision,omitempty"`
	Cmd25    bool     `json:"cmd25,omitempty"`
	NoErase  []string `json:"no_erase,omitempty"`
	From     string   `json:"from,omitempty"` // the file these facts come from
}

func firmwareOf(m ftf.Manifest) *Firmware {
	return &Firmware{m.Device, m.Version, m.Branding, m.CDA, m.Revision, m.Cmd25, m.NoErase, m.From}
}

// bundle inspects a firmware bundle with all its members. others are files of a folder
// that belong to no bundle.
func (in *inspector) bundle(ctx context.Context, rep *Report, b *ftf.Bundle) error {
	rep.Kind, rep.Title = KindBundle, "firmware bundle"
	if in.kindOnly {
		return nil
	}
	if b.Folder {
		rep.Title = "folder of firmware"
	}
	if m := b.Manifest; m.Device != "" {
		rep.Title += ": " + strings.TrimSpace(m.Device+" "+m.Version)
	}
	rep.Firmware = firmwareOf(b.Manifest)
	if b.Manifest.Device != "" {
		rep.forModel(b.Manifest.Device, "its manifest names this model")
		if _, model, ok := phone.ByModel(b.Manifest.Device); ok {
			if question := model.QuestionVersion(b.Manifest.Version); question != "" {
				rep.Notes = append(rep.Notes, question)
			}
		}
	}
	for _, n := range b.Notes {
		rep.Notes = append(rep.Notes, n.String())
	}
	if b.Manifest.Cmd25 {
		rep.Notes = append(rep.Notes, "it asks to switch off the phone's final verification (command 25); xflash does not do that")
	}
	contents := Layout{Of: "contents"}
	reports := map[*ftf.Member]*Report{} // the walk has another order than the bundle
	err := firmware.Walk(ctx, b, firmware.Options{Roots: in.Roots, Read: func(ctx context.Context, m *ftf.Member, _ sin.CheckOptions) (*sin.Report, error) {
		child, err := in.member(ctx, m)
		reports[m] = child
		return nil, err
	}}, func(f firmware.File) error {
		child := reports[f.Member]
		if !b.Folder {
			child.inArchive()
		}
		if child.Kind == KindZip && child.checksum {
			child.unread = false // nothing uses it, and the archive vouches for its bytes
		}
		child.mayBeEmpty()
		if f.Damage != nil && !child.Damaged() {
			child.wrong("cannot be read", -1, f.Damage.Error())
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, m := range b.Members {
		child := reports[m]
		rep.Contents = append(rep.Contents, child)
		contents.Regions = append(contents.Regions, Region{RegionMember, m.Name, contents.Size, m.Size})
		contents.Size += m.Size
	}
	contents.arrange()
	rep.Layouts = append(rep.Layouts, contents)
	for _, n := range b.LeftOut {
		rep.leftOut(path.Join(b.Inside, n.Member), n.Text)
	}
	if lost := b.LostFiles(); len(lost) > 0 {
		rep.Notes = append(rep.Notes, fmt.Sprintf("boot_delivery.xml names %s that the bundle lacks: %s", text.Count(len(lost), "file"), strings.Join(lost, ", ")))
	}
	rep.together(len(b.Members))
	return nil
}

// leftOut adds a file that could not be looked at.
func (r *Report) leftOut(name, why string) {
	child := &Report{Name: name, Kind: KindUnknown, Title: "left out", unread: true}
	child.unproven("left out: " + why)
	r.Contents = append(r.Contents, child)
}

// together judges a bundle or folder by what is in it.
func (r *Report) together(members int) {
	bad := 0
	roots := map[string]bool{}
	for _, c := range r.Contents {
		if c.Damaged() {
			bad++
			for _, f := range c.Whole.Faults {
				f.Member = strings.TrimPrefix(c.Name+"/"+f.Member, "/")
				f.Member = strings.TrimSuffix(f.Member, "/")
				r.fault(f)
			}
			r.Whole.Count += c.Whole.Count - len(c.Whole.Faults)
		}
		for _, m := range c.For {
			if key := m.Because; c.SIN != nil && !roots[key] {
				roots[key] = true
				m.Because = c.Name + ": " + m.Because
				r.For = append(r.For, m)
			}
		}
	}
	if bad > 0 {
		r.Whole.Text = fmt.Sprintf("%d of %s damaged", bad, text.Count(members, "file"))
		return
	}
	r.whole(fmt.Sprintf("no fault found in any of its %s", text.Count(members, "file")))
}

// member inspects one member of a bundle.
func (in *inspector) member(ctx context.Context, m *ftf.Member) (*Report, error) {
	s := source{name: m.Name, size: m.Size, open: m.Open}
	rep, err := in.stream(ctx, s)
	var bad *ftf.Error
	if errors.As(err, &bad) && ctx.Err() == nil {
		rep = &Report{Name: m.Name, Kind: KindUnknown, Title: "unreadable", Size: m.Size}
		rep.wrong(bad.Reason.Error(), bad.Offset, bad.Error())
		err = nil
	}
	if err == nil {
		rep.named()
	}
	return rep, err
}

// Unused judges a member that is not firmware, which nothing uses: damage is an *ftf.Error.
// Errors are those of reading as well.
func Unused(ctx context.Context, m *ftf.Member) error {
	rep, err := newInspector(Options{}).member(ctx, m)
	if err != nil {
		return err
	}
	if rep.mayBeEmpty(); rep.Damaged() {
		return &ftf.Error{Member: m.Name, Reason: ftf.Corrupt, Offset: -1, Detail: rep.Whole.Text}
	}
	return nil
}

// stream inspects what can only be read from its start: small things in memory, SIN and
// sparse images as they pass, of the rest only the first bytes.
func (in *inspector) stream(ctx context.Context, s source) (*Report, error) {
	if s.size <= maxMember {
		data, err := s.all()
		if err != nil {
			return nil, err
		}
		return in.file(ctx, bytesSource(s.name, data))
	}
	rep, err := in.file(ctx, s)
	if err != nil || rep.Kind == KindSIN || rep.Kind == KindSparse {
		return rep, err
	}
	// Its checksum is that of the archive, so it must be read to its end.
	r, err := s.open()
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, &fileio.Reader{Context: ctx, R: r, Progress: in.progress(s)})
	return rep, errors.Join(err, r.Close())
}
