package inspect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"xflash/fastboot/bootimg"
	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/internal/text"
	"xflash/internal/trimarea"
)

// BootVariant is one configuration of a boot delivery.
type BootVariant struct {
	Name       string   `json:"name"`
	Files      []string `json:"files,omitempty"`
	Attributes []string `json:"attributes,omitempty"` // what the phone must report
	// Certificate signs the hardware configuration of the phones that it is for, and so names
	// their root.
	Certificate string `json:"certificate,omitempty"`
}

// recognizeText finds the texts of firmware by what is in them.
func (in *inspector) recognizeText(head []byte, s source) looker {
	if s.size > maxText || bytes.IndexByte(head, 0) >= 0 {
		return nil
	}
	line := bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimLeft(line, " \t\r\n")
	switch {
	case bytes.HasPrefix(bytes.ToLower(line), []byte("manifest-version:")):
		return inMemory(in.manifest)
	case bootimg.Sniff(head) == bootimg.KindHTML && !bytes.HasPrefix(trimmed, []byte("<!--")):
		return nil
	case bytes.HasPrefix(trimmed, []byte("<")):
		return inMemory(in.xml)
	case ftf.IsTA(line):
		return inMemory(in.ta)
	case ftf.IsScript(line):
		return inMemory(in.script)
	case bytes.HasPrefix(trimmed, []byte("{")):
		return inMemory(in.json)
	}
	return nil
}

// inMemory makes a looker of what looks at the whole content.
func inMemory(look func(ctx context.Context, rep *Report, data []byte) error) looker {
	return func(ctx context.Context, rep *Report, s source) error {
		s.size = min(s.size, maxBoot)
		data, err := s.all()
		if err != nil {
			return err
		}
		return look(ctx, rep, data)
	}
}

// textFault records what is wrong with a text.
func (r *Report) textFault(err error) error {
	var e *ftf.Error
	if !errors.As(err, &e) {
		return err
	}
	r.wrong(e.Reason.Error(), e.Offset, e.Error())
	return nil
}

func (in *inspector) manifest(_ context.Context, rep *Report, data []byte) error {
	rep.Kind, rep.Title = KindManifest, "manifest of a firmware bundle"
	m, err := ftf.ParseManifest(bytes.NewReader(data))
	if err != nil {
		return rep.textFault(err)
	}
	rep.Firmware = firmwareOf(m)
	rep.forModel(m.Device, "it names this model")
	rep.unproven("it is readable; it has no checksum")
	return nil
}

func (in *inspector) ta(ctx context.Context, rep *Report, data []byte) error {
	rep.Kind, rep.Title = KindTA, "trim-area text (.ta)"
	f, err := ftf.ParseTA(bytes.NewReader(data))
	if err != nil {
		return rep.textFault(err)
	}
	backup, err := trimarea.Read(ctx, bytes.NewReader(data), int64(len(data)), in.Roots)
	if err != nil {
		return err
	}
	for _, w := range backup.Wrong {
		rep.wrong(w.Reason, w.Offset, w.Text)
	}
	rep.Title = fmt.Sprintf("trim-area text (.ta), %s for partition %d", text.Count(len(f.Units), "unit"), f.Partition)
	for _, u := range f.Units {
		m, _ := trimarea.Describe(f.Partition, u.Unit)
		rep.Units = append(rep.Units, Unit{u.Unit, m.Name, len(u.Data), string(m.Danger)})
	}
	rep.unproven("its syntax is correct; it has no checksum")
	return nil
}

func (in *inspector) script(_ context.Context, rep *Report, data []byte) error {
	rep.Kind, rep.Title = KindScript, "flash script (.fsc)"
	script, err := ftf.ParseScript(bytes.NewReader(data))
	if err != nil {
		return rep.textFault(err)
	}
	rep.Title = fmt.Sprintf("flash script (.fsc), %s", text.Count(len(script.Actions), "action"))
	for _, a := range script.Actions {
		rep.Actions = append(rep.Actions, a.String())
	}
	for _, n := range script.Notes {
		rep.Notes = append(rep.Notes, n.Text)
	}
	rep.unproven("it is readable; it has no checksum")
	return nil
}

// firmwareXML names the other lists of XperiFirm by their root element (ftf/FORMAT.md §7).
var firmwareXML = map[string]string{
	"PARTITION_DELIVERY": "partition delivery: lists the partition layouts of the firmware",
	"UPDATE":             "update list: names the files that an update leaves alone",
	"FWINFO":             "firmware facts, written by XperiFirm",
	"FIRMWARE":           "firmware facts, written by XperiFirm",
}

// xml inspects a boot delivery, or names another XML file of firmware.
func (in *inspector) xml(_ context.Context, rep *Report, data []byte) error {
	rep.Kind, rep.Title = KindOtherFile, "XML file"
	root, err := ftf.RootElement(bytes.NewReader(data))
	if err != nil {
		return rep.textFault(err)
	}
	switch {
	case strings.EqualFold(root, "BOOT_DELIVERY"):
		return rep.delivery(data)
	case slices.Contains([]string{"error", "html", "response", "errorresponse"}, strings.ToLower(root)):
		rep.wrong("not firmware", 0, "it is the answer of a server: the download gave an error instead of the file")
		return nil
	}
	rep.Title = "XML file, root element " + root
	if title := firmwareXML[strings.ToUpper(root)]; title != "" {
		rep.Kind, rep.Title = KindFirmXML, title
	}
	if strings.EqualFold(root, "UPDATE") {
		names, err := ftf.ParseUpdate(bytes.NewReader(data))
		if err != nil {
			return rep.textFault(err)
		}
		rep.Firmware = &Firmware{NoErase: names}
		rep.Title = "update list: leaves nothing alone"
		if len(names) > 0 {
			rep.Title = "update list: leaves " + strings.Join(names, ", ") + " alone"
		}
	}
	rep.unproven("it is well-formed; it has no checksum")
	return nil
}

func (r *Report) delivery(data []byte) error {
	r.Kind, r.Title = KindDelivery, "boot delivery: assigns boot chains to phones"
	d, err := ftf.ParseBootDelivery(bytes.NewReader(data))
	if err != nil {
		return r.textFault(err)
	}
	if v := d.BootVersion(); v != "" {
		r.Title += ", version " + v
	}
	for _, c := range d.Configurations {
		v := BootVariant{Name: c.Name, Files: c.Files()}
		for _, a := range c.Attributes {
			v.Attributes = append(v.Attributes, a.Name+"="+a.Value)
		}
		if h := c.HWConfig; h != nil {
			v.Certificate = h.Certificate
			r.forDelivery(d.Product, h.Certificate)
		}
		r.Delivery = append(r.Delivery, v)
	}
	for _, n := range d.Notes {
		r.Notes = append(r.Notes, n.String())
	}
	r.unproven("it is readable; it has no checksum")
	return nil
}

// forDelivery adds the phones that a boot delivery is for: those with its root, and its
// product, which is the code name of a model or of a platform.
func (r *Report) forDelivery(product, certificate string) {
	add := func(m Match) {
		if !slices.ContainsFunc(r.For, func(o Match) bool { return o.Because == m.Because }) {
			r.For = append(r.For, m)
		}
	}
	for _, f := range phone.Families() {
		m := Match{Family: f.Name, Platform: f.SoC, Because: "its product is " + product}
		for _, model := range f.Models {
			if product != "" && strings.EqualFold(model.CodeName, product) {
				m.Models = append(m.Models, model.Code)
			}
		}
		if m.Models != nil {
			add(m)
		}
	}
	if part := strings.Split(certificate, "_"); len(part) > 2 {
		root := "S1_Root_" + strings.ToLower(part[2])
		for _, f := range phone.ByRoot(root) {
			add(Match{Family: f.Name, Platform: f.SoC, Models: codes(f.Models), Because: "its certificate " + certificate + " belongs to the root " + root})
		}
	}
}

// recognizeOther names what is nothing that a phone accepts, but is often met among firmware.
func (in *inspector) recognizeOther(head []byte) looker {
	if name := ftf.OtherArchive(head); name != "" {
		return func(_ context.Context, rep *Report, _ source) error {
			rep.Kind, rep.Title, rep.unread = KindOtherFile, name, true
			rep.unproven("xflash cannot read its content: unpack it first")
			return nil
		}
	}
	kind := bootimg.Sniff(head)
	if kind == bootimg.KindUnknown || kind == bootimg.KindEmpty {
		return nil
	}
	return func(_ context.Context, rep *Report, _ source) error {
		rep.Kind, rep.Title = KindOtherFile, kind.String()
		switch kind {
		case bootimg.KindHTML:
			rep.wrong("not firmware", 0, "it is a web page: the download gave an error page or a login page instead of the file")
		default:
			rep.unproven("xflash cannot check this kind of file")
		}
		return nil
	}
}

// empty is for files without a byte.
func (in *inspector) empty(_ context.Context, rep *Report, _ source) error {
	rep.Kind, rep.Title = KindEmpty, "empty file"
	rep.wrong("truncated", 0, "it has no content")
	return nil
}
