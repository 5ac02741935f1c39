package inspect

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"xflash/fastboot/bootimg"
	"xflash/ftf"
)

// BootVariant is one configuration of a boot delivery.
type BootVariant struct {
	Name       string   `json:"name"`
	Files      []string `json:"files,omitempty"`
	Attributes []string `json:"attributes,omitempty"` // what the phone must report
}

var (
	startsTA     = regexp.MustCompile(`^(?:\s|//[^\n]*\n)*0[12][ \t]*\r?\n`)
	startsScript = regexp.MustCompile(`(?im)^\s*(openTA|closeTA|uploadImage|writeTA|setFlashState|setFlashTimestamp|setLoaderConfig|End flashing)\b`)
)

// recognizeText finds the texts of firmware by what stands in them.
func (in *inspector) recognizeText(head []byte, s source) looker {
	if s.size > maxText || bytes.IndexByte(head, 0) >= 0 {
		return nil
	}
	text := bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	switch {
	case bytes.HasPrefix(bytes.ToLower(text), []byte("manifest-version:")):
		return in.manifest
	case bootimg.Sniff(head) == bootimg.KindHTML && !bytes.HasPrefix(trimmed, []byte("<!--")):
		return nil
	case bytes.HasPrefix(trimmed, []byte("<")):
		return in.xml
	case startsTA.Match(text):
		return in.ta
	case startsScript.Match(text):
		return in.script
	}
	return nil
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

func (in *inspector) manifest(_ context.Context, rep *Report, s source) error {
	rep.Kind, rep.Title = KindManifest, "manifest of a firmware bundle"
	data, err := s.all()
	if err != nil {
		return err
	}
	m, err := ftf.ParseManifest(bytes.NewReader(data))
	if err != nil {
		return rep.textFault(err)
	}
	rep.Firmware = firmwareOf(m)
	rep.forModel(m.Device, "it names this model")
	rep.unproven("it can be read; nothing proves it")
	return nil
}

func (in *inspector) ta(_ context.Context, rep *Report, s source) error {
	rep.Kind, rep.Title = KindTA, "trim-area text (.ta)"
	data, err := s.all()
	if err != nil {
		return err
	}
	f, err := ftf.ParseTA(bytes.NewReader(data))
	if err != nil {
		return rep.textFault(err)
	}
	rep.Title = fmt.Sprintf("trim-area text (.ta), %s for partition %d", count(len(f.Units), "unit"), f.Partition)
	var numbers []uint32
	var sizes []int
	for _, u := range f.Units {
		numbers, sizes = append(numbers, u.Unit), append(sizes, len(u.Data))
	}
	rep.Units = unitsOf(f.Partition, numbers, sizes)
	rep.unproven("it keeps the grammar; nothing proves it")
	return nil
}

func (in *inspector) script(_ context.Context, rep *Report, s source) error {
	rep.Kind, rep.Title = KindScript, "flash script (.fsc)"
	data, err := s.all()
	if err != nil {
		return err
	}
	script, err := ftf.ParseScript(bytes.NewReader(data))
	if err != nil {
		return rep.textFault(err)
	}
	rep.Title = fmt.Sprintf("flash script (.fsc), %s", count(len(script.Actions), "action"))
	for _, a := range script.Actions {
		rep.Actions = append(rep.Actions, a.String())
	}
	for _, n := range script.Notes {
		rep.Notes = append(rep.Notes, n.Text)
	}
	rep.unproven("it can be read; nothing proves it")
	return nil
}

// firmwareXML names the other lists of XperiFirm by their root element (sin-ftf-format.md §11.5).
var firmwareXML = map[string]string{
	"PARTITION_DELIVERY": "partition delivery: which partition layouts belong to the firmware",
	"UPDATE":             "update list: what an update leaves alone",
	"FWINFO":             "firmware facts, as XperiFirm writes them",
	"FIRMWARE":           "firmware facts, as XperiFirm writes them",
}

// xml inspects a boot delivery, or names another XML file of firmware.
func (in *inspector) xml(_ context.Context, rep *Report, s source) error {
	rep.Kind, rep.Title = KindOtherFile, "XML file"
	data, err := s.all()
	if err != nil {
		return err
	}
	root, err := rootElement(data)
	if err != nil {
		rep.wrong("malformed XML", -1, err.Error())
		return nil
	}
	if strings.EqualFold(root, "BOOT_DELIVERY") {
		return rep.delivery(data)
	}
	rep.Title = "XML file, root element " + root
	if title := firmwareXML[strings.ToUpper(root)]; title != "" {
		rep.Kind, rep.Title = KindFirmXML, title
	}
	rep.unproven("it is well-formed; nothing proves it")
	return nil
}

// rootElement reads the whole text, so that one that is cut is found out.
func rootElement(data []byte) (name string, err error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	for depth := 0; ; {
		t, err := d.Token()
		if err == io.EOF {
			if name == "" {
				return "", errors.New("it has no root element")
			}
			return name, nil
		}
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; name == "" {
				name = t.Name.Local
			}
			if depth > 1000 {
				return "", errors.New("more than 1000 elements within each other")
			}
		case xml.EndElement:
			depth--
		}
	}
}

func (r *Report) delivery(data []byte) error {
	r.Kind, r.Title = KindDelivery, "boot delivery: which boot chain is for which phone"
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
		r.Delivery = append(r.Delivery, v)
	}
	for _, n := range d.Notes {
		r.Notes = append(r.Notes, n.String())
	}
	r.unproven("it can be read; nothing proves it")
	return nil
}

// recognizeOther names what is nothing that a phone takes, but is often met among firmware.
func (in *inspector) recognizeOther(head []byte) looker {
	kind := bootimg.Sniff(head)
	if kind == bootimg.KindUnknown || kind == bootimg.KindEmpty {
		return nil
	}
	return func(_ context.Context, rep *Report, _ source) error {
		rep.Kind, rep.Title = KindOtherFile, kind.String()
		switch kind {
		case bootimg.KindHTML:
			rep.wrong("not firmware", 0, "it is a web page: the download gave an error page or a login page instead of the file")
		case bootimg.KindGzip, bootimg.KindCompressed:
			rep.unproven("it is compressed; unpack it first, then inspect what comes out")
		default:
			rep.unproven("xflash has nothing to check it with")
		}
		return nil
	}
}

// empty is for files without a byte.
func (in *inspector) empty(_ context.Context, rep *Report, _ source) error {
	rep.Kind, rep.Title = KindEmpty, "empty file"
	rep.wrong("truncated", 0, "there is not one byte in it")
	return nil
}
