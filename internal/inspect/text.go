package inspect

import (
	"bytes"
	"context"
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
		return inMemory((*Report).manifest)
	case bootimg.Sniff(head) == bootimg.KindHTML && !bytes.HasPrefix(trimmed, []byte("<!--")):
		return nil
	case bytes.HasPrefix(trimmed, []byte("<")):
		return inMemory((*Report).xml)
	case ftf.IsTA(line):
		return in.ta
	case ftf.IsScript(line):
		return inMemory((*Report).script)
	case bytes.HasPrefix(trimmed, []byte("{")):
		return inMemory((*Report).json)
	}
	return nil
}

// inMemory makes a looker of what looks at the whole content.
func inMemory(look func(*Report, []byte)) looker {
	return func(_ context.Context, rep *Report, s source) error {
		s.size = min(s.size, maxBoot)
		data, err := s.all()
		if err == nil {
			look(rep, data)
		}
		return err
	}
}

// ofHead makes a looker of what needs the first bytes only.
func ofHead(look func(r *Report, head []byte)) looker {
	return func(_ context.Context, rep *Report, s source) error {
		head, err := s.head()
		if err == nil {
			look(rep, head)
		}
		return err
	}
}

func (r *Report) manifest(data []byte) {
	r.Kind, r.Title = KindManifest, "manifest of a firmware bundle"
	m, err := ftf.ParseManifest(bytes.NewReader(data))
	if r.failed(err) {
		return
	}
	r.Firmware = firmwareOf(m)
	r.forModel(m.Device, "it names this model")
	r.unproven("it is readable; it has no checksum")
}

func (in *inspector) ta(ctx context.Context, rep *Report, s source) error {
	rep.Kind, rep.Title = KindTA, "trim-area text (.ta)"
	data, err := s.all()
	if err != nil {
		return err
	}
	f, err := ftf.ParseTA(bytes.NewReader(data))
	if rep.failed(err) {
		return nil
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

func (r *Report) script(data []byte) {
	r.Kind, r.Title = KindScript, "flash script (.fsc)"
	script, err := ftf.ParseScript(bytes.NewReader(data))
	if r.failed(err) {
		return
	}
	r.Title = fmt.Sprintf("flash script (.fsc), %s", text.Count(len(script.Actions), "action"))
	for _, a := range script.Actions {
		r.Actions = append(r.Actions, a.String())
	}
	for _, n := range script.Notes {
		r.Notes = append(r.Notes, n.Text)
	}
	r.unproven("it is readable; it has no checksum")
}

// firmwareXML names the other lists of XperiFirm by their root element (ftf/FORMAT.md §7).
var firmwareXML = map[string]string{
	"PARTITION_DELIVERY": "partition delivery: lists the partition layouts of the firmware",
	"UPDATE":             "update list: names the files that an update leaves alone",
	"FWINFO":             "firmware facts, written by XperiFirm",
	"FIRMWARE":           "firmware facts, written by XperiFirm",
}

// xml inspects a boot delivery, or names another XML file of firmware.
func (r *Report) xml(data []byte) {
	r.Kind, r.Title = KindOtherFile, "XML file"
	root, err := ftf.RootElement(bytes.NewReader(data))
	if r.failed(err) {
		return
	}
	switch {
	case strings.EqualFold(root, "BOOT_DELIVERY"):
		r.delivery(data)
		return
	case slices.Contains([]string{"error", "html", "response", "errorresponse"}, strings.ToLower(root)):
		r.wrong("not firmware", 0, "it is the answer of a server: the download gave an error instead of the file")
		return
	}
	r.Title = "XML file, root element " + root
	if title := firmwareXML[strings.ToUpper(root)]; title != "" {
		r.Kind, r.Title = KindFirmXML, title
	}
	if strings.EqualFold(root, "UPDATE") {
		names, err := ftf.ParseUpdate(bytes.NewReader(data))
		if r.failed(err) {
			return
		}
		r.Firmware = &Firmware{NoErase: names}
		r.Title = "update list: leaves nothing alone"
		if len(names) > 0 {
			r.Title = "update list: leaves " + strings.Join(names, ", ") + " alone"
		}
	}
	r.unproven("it is well-formed; it has no checksum")
}

func (r *Report) delivery(data []byte) {
	r.Kind, r.Title = KindDelivery, "boot delivery: assigns boot chains to phones"
	d, err := ftf.ParseBootDelivery(bytes.NewReader(data))
	if r.failed(err) {
		return
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
}

// forDelivery adds the phones that a boot delivery is for: those with its root, and its
// product, which is the code name of a model or of a platform.
func (r *Report) forDelivery(product, certificate string) {
	r.forModels("its product is "+product, func(m phone.Model) bool { return product != "" && strings.EqualFold(m.CodeName, product) })
	if part := strings.Split(certificate, "_"); len(part) > 2 {
		root := "S1_Root_" + strings.ToLower(part[2])
		for _, f := range phone.ByRoot(root) {
			r.forFamily(f, "its certificate "+certificate+" belongs to the root "+root, nil)
		}
	}
}

// recognizeOther names what is nothing that a phone accepts, but is often met among firmware.
func recognizeOther(head []byte) looker {
	archive, kind := ftf.OtherArchive(head), bootimg.Sniff(head)
	if archive == "" && (kind == bootimg.KindUnknown || kind == bootimg.KindEmpty) {
		return nil
	}
	return ofHead(func(r *Report, _ []byte) {
		r.Kind, r.Title = KindOtherFile, kind.String()
		switch {
		case archive != "":
			r.Title, r.unread = archive, true
			r.unproven("xflash cannot read its content: unpack it first")
		case kind == bootimg.KindHTML:
			r.wrong("not firmware", 0, "it is a web page: the download gave an error page or a login page instead of the file")
		default:
			r.unproven("xflash cannot check this kind of file")
		}
	})
}

// empty is for files without a byte.
func (r *Report) empty([]byte) {
	r.Kind, r.Title = KindEmpty, "empty file"
	r.wrong("truncated", 0, "it has no content")
}
