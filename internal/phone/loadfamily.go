package phone

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// familyData is the form of families/*.json. Without a protocol it is ProtocolS1.
type familyData struct {
	Family
	WhyNot   string   `json:"why_not"`
	Form     Form     `json:"form"`
	TopLevel []string `json:"top_level"`
	Devices  []struct {
		Model
		Codes         []string `json:"codes"`
		OperatorCodes []string `json:"operator_codes"` // those of Codes that are bound
		USB           string   `json:"usb"`            // hex
		Order         string   `json:"order"`          // folder of the script
		WhyNot        string   `json:"why_not"`        // in place of the family's
		NamesOnly     []string `json:"names_only"`     // those of Codes of which nothing but the name is known
	} `json:"devices"`
	Targets map[string][]string `json:"targets"`
	Orders  []struct {
		Scripts []string `json:"scripts"`
		Note    string   `json:"note"`
		Steps   []Step   `json:"steps"`
	} `json:"orders"`
}

func loadFamily(files fs.FS, name string) (*Family, error) {
	var data familyData
	if err := decode(files, name, &data); err != nil {
		return nil, err
	}
	f := &data.Family
	f.Protocol, f.targets, f.topLevel = cmp.Or(f.Protocol, ProtocolS1), data.Targets, data.TopLevel
	for _, d := range data.Orders {
		o := Order{Scripts: d.Scripts, Steps: d.Steps, Source: "Androxyde/devices:" + strings.Join(d.Scripts, ", ")}
		if d.Note != "" {
			o.Source += "; " + d.Note
		}
		f.orders = append(f.orders, o)
	}
	for i := range f.Partitions {
		p := &f.Partitions[i]
		p.Kernel = p.Label == "boot" || p.Label == f.Recovery
	}
	for _, d := range data.Devices {
		m := d.Model
		m.Form, m.order, m.whyNot = data.Form, d.Order, cmp.Or(d.WhyNot, data.WhyNot)
		if len(m.Firmware) != 0 && len(m.Firmware) != 2 {
			return nil, fmt.Errorf("%s: device %s: firmware wants the first and the last release", name, d.Folder)
		}
		if d.USB != "" {
			usb, err := strconv.ParseUint(d.USB, 16, 12)
			if err != nil {
				return nil, fmt.Errorf("%s: device %s: %w", name, d.Folder, err)
			}
			m.USB = uint16(usb)
		}
		if l, ok := f.Loader(m); ok {
			m.LoaderMD5 = l.MD5
		}
		for _, code := range d.Codes {
			m.Code, m.OperatorBound = code, slices.Contains(d.OperatorCodes, code)
			m.ByName = slices.Contains(d.NamesOnly, code)
			f.Models = append(f.Models, m)
		}
	}
	return f, nil
}
