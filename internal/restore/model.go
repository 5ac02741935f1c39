package restore

import (
	"fmt"
	"strings"

	"xflash/internal/phone"
)

// matchModel decides which model the phone is and whether the bundle is for it.
//
// Unit 2210 normally holds the model name. After a custom ROM it may read "Unknown:
// <date>" (usbproto/s1/PROTOCOL.md §4.4), and those phones are exactly the ones that need
// help. Then the trust root and the boot version say which platform it is, and the
// person says the model, which is printed on the phone.
func matchModel(fw *Firmware, ph *Facts, p Request) (model phone.Model, evidence []string, ps Problems) {
	want := fw.Model
	said := strings.TrimSpace(ph.Units[unitModel])
	_, named, known := phone.ByModel(said)
	refuse := func(what, why, next string) {
		ps = append(ps, Problem{Kind: PolicyRefusal, Item: fw.Name, What: what, Why: why, Next: next})
	}
	if p.Model != "" {
		if _, m, ok := phone.ByModel(p.Model); !ok {
			return want, nil, fw.unknownModel(p.Model)
		} else if known && m.Code != named.Code {
			refuse(fmt.Sprintf("--model says %s, the phone says %s", m.Code, named.Code),
				"trim-area unit 2210 can be read and names a real model, so it counts", "leave --model out, and get the bundle for a "+named.Code)
			return want, nil, ps
		} else if ps := fw.isFor(m.Code); ps != nil {
			return want, nil, ps
		}
	}
	if known {
		if ps := fw.isFor(named.Code); ps != nil {
			return want, nil, ps
		}
		return named, []string{"trim-area unit 2210 reads " + named.Code}, nil
	}

	switch said {
	case "":
		evidence = append(evidence, "trim-area unit 2210, where the model name should be, cannot be read")
	default:
		evidence = append(evidence, fmt.Sprintf("trim-area unit 2210 reads %q instead of a model name, as it does after some custom ROMs", said))
	}
	for _, root := range splitList(ph.Info["S1_ROOT"]) {
		for _, f := range phone.ByRoot(root) {
			evidence = append(evidence, fmt.Sprintf("the phone trusts the root %s, the root of %s phones", root, f.Name))
		}
	}
	if v := ph.Units[unitBootVersion]; v != "" {
		evidence = append(evidence, "its boot version is "+v)
	} else if v := ph.Info["VER"]; v != "" {
		evidence = append(evidence, "its version is "+v)
	}
	for _, unit := range []uint32{unitSoftware, unitCustom} {
		if v := ph.Units[unit]; v != "" && !strings.HasPrefix(v, "Unknown") {
			evidence = append(evidence, fmt.Sprintf("trim-area unit %d reads %s", unit, v))
		}
	}
	if p.Model == "" {
		refuse("the phone does not say which model it is", strings.Join(evidence, "; "),
			fmt.Sprintf("look at the label under the SIM-card flap; if it says %s, run this again with --model %s", want.Code, want.Code))
		return want, evidence, ps
	}
	return want, append(evidence, "--model says "+want.Code), nil
}

// isFor refuses the bundle when the phone is of another model.
func (fw *Firmware) isFor(code string) Problems {
	want := fw.Model
	if strings.EqualFold(code, want.Code) {
		return nil
	}
	why := "another model's firmware does not start on this phone, and may leave it without radio"
	if _, is, _ := phone.ByModel(code); is.Folder == want.Folder && is.Folder != "" {
		why = "the two are closely related, but radio and customization differ"
	}
	return Problems{{Kind: PolicyRefusal, Item: fw.Name, What: fmt.Sprintf("it is for a %s, but the phone is a %s", want.Code, code),
		Why: why, Next: "get the bundle for a " + code}}
}

// unknownModel refuses what --model names.
func (fw *Firmware) unknownModel(code string) Problems {
	return Problems{{Kind: PolicyRefusal, Item: fw.Name, What: fmt.Sprintf("--model names an unknown model, %q", code), Next: "check the model printed on the phone"}}
}
