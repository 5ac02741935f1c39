package inspect

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"xflash/ftf"
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
	if b.Folder {
		rep.Title = "folder of firmware"
	}
	if m := b.Manifest; m.Device != "" {
		rep.Title += ": " + strings.TrimSpace(m.Device+" "+m.Version)
	}
	rep.Firmware = firmwareOf(b.Manifest)
	if b.Manifest.Device != "" {
		rep.forModel(b.Manifest.Device, "its manifest names this model")
	}
	for _, n := range b.Notes {
		rep.Notes = append(rep.Notes, n.String())
	}
	if b.Manifest.Cmd25 {
		rep.Notes = append(rep.Notes, "whoever packed it wishes the phone's final verification off (command 25); xflash does not do that")
	}
	contents := Layout{Of: "contents"}
	// Reports stand in the order of the bundle, but the loader is looked at first: its
	// root proves who signed the others.
	reports := map[*ftf.Member]*Report{}
	for _, m := range loaderFirst(b.Members) {
		child, err := in.member(ctx, m)
		if err != nil {
			return err
		}
		reports[m] = child
	}
	for _, m := range b.Members {
		child := reports[m]
		rep.Contents = append(rep.Contents, child)
		contents.Regions = append(contents.Regions, Region{RegionMember, m.Name, contents.Size, m.Size})
		contents.Size += m.Size
	}
	contents.arrange()
	rep.Layouts = append(rep.Layouts, contents)
	rep.together(len(b.Members))
	return nil
}

// loaderFirst is the members in the order in which they are looked at.
func loaderFirst(members []*ftf.Member) []*ftf.Member {
	order := slices.Clone(members)
	slices.SortStableFunc(order, func(a, b *ftf.Member) int {
		rank := func(m *ftf.Member) int {
			if strings.EqualFold(m.Short, "loader") {
				return 0
			}
			return 1
		}
		return rank(a) - rank(b)
	})
	return order
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
		r.Whole.Text = fmt.Sprintf("%d of %s damaged", bad, count(members, "file"))
		return
	}
	r.whole(fmt.Sprintf("nothing is wrong with any of its %s", count(members, "file")))
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
	return rep, err
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
	_, err = io.Copy(io.Discard, &watched{ctx: ctx, r: r, seen: in.progress(s)})
	return rep, errors.Join(err, r.Close())
}

// archiveEnd is the place where a zip archive ends, behind the last end record with its
// comment, and where its directory begins. The end is -1 when there is no such record.
func archiveEnd(r io.ReaderAt, size int64) (end, directory int64, err error) {
	const record, longest = 22, 22 + 65535
	tail := make([]byte, min(size, longest))
	if n, err := r.ReadAt(tail, size-int64(len(tail))); n < len(tail) && err != io.EOF {
		return 0, 0, err
	}
	for at := len(tail) - record; at >= 0; at-- {
		if !bytes.HasPrefix(tail[at:], []byte("PK\x05\x06")) {
			continue
		}
		comment := int(binary.LittleEndian.Uint16(tail[at+20:]))
		if at+record+comment <= len(tail) {
			directory = int64(binary.LittleEndian.Uint32(tail[at+16:]))
			return size - int64(len(tail)) + int64(at+record+comment), directory, nil
		}
	}
	return -1, 0, nil
}
