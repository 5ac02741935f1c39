package restore

import (
	"cmp"
	"fmt"
	"strings"

	"xflash/internal/phone"
	"xflash/usbproto/s1"
)

// matchModel compares the model that the phone names, the one that --model names and the
// bundle's. said is "" when the phone names none, or was not asked; by is where it says so.
// false: neither names one.
func (b *builder) matchModel(by, said string) bool {
	given := b.p.Model
	if _, m, known := phone.ByModel(given); known {
		given = m.Code
	} else if given != "" && !strings.EqualFold(given, b.fw.Model.Code) {
		b.problems.refuse(b.fw.Name, fmt.Sprintf("--model names an unknown model, %q", given), "", "check the model printed on the phone")
		return true
	}
	switch {
	case said != "":
		b.plan.Evidence = []string{by + " " + said}
		if given != "" && !strings.EqualFold(given, said) {
			b.problems.refuse(b.fw.Name, fmt.Sprintf("--model says %s, the phone says %s", given, said), fmt.Sprintf("%s %s, and that counts", by, said), "leave --model out")
		}
	case given != "":
		b.plan.Evidence = append(b.plan.Evidence, "--model says "+given)
	default:
		return false
	}
	b.problems = append(b.problems, b.fw.isFor(cmp.Or(said, given))...)
	return true
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
	return refusal(fw.Name, fmt.Sprintf("it is for a %s, but the phone is a %s", want.Code, code), why, "get the bundle for a "+code)
}

// notAsked takes the model from --model, when no phone was asked.
func (b *builder) notAsked() {
	if !b.matchModel("", "") {
		b.plan.Evidence = []string{"no phone was asked"}
	}
}

func (b *builder) refuseNameless(why string) {
	code := b.fw.Model.Code
	b.problems.refuse(b.fw.Name, "the phone does not say which model it is", why,
		fmt.Sprintf("look at the label under the SIM-card flap; if it says %s, run this again with --model %s", code, code))
}

// flashModel decides whether the bundle is for a phone in flash mode.
//
// Unit 2210 normally holds the model name. After a custom ROM it may read "Unknown:
// <date>" (usbproto/s1/PROTOCOL.md §4.4), and those phones are exactly the ones that need
// help. Then the trust root and the boot version say which platform it is, and the
// person says the model, which is printed on the phone.
func (b *builder) flashModel() {
	ph := b.ph
	if ph == nil {
		b.notAsked()
		return
	}
	said := strings.TrimSpace(ph.Units[unitModel])
	_, named, _ := phone.ByModel(said)
	var evidence []string
	if said == "" {
		evidence = append(evidence, "trim-area unit 2210, where the model name should be, cannot be read")
	} else {
		evidence = append(evidence, fmt.Sprintf("trim-area unit 2210 reads %q instead of a model name, as it does after some custom ROMs", said))
	}
	for _, root := range s1.SplitRoots(ph.Info["S1_ROOT"]) {
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
	b.plan.Evidence = evidence
	if !b.matchModel("trim-area unit 2210 reads", named.Code) {
		b.refuseNameless(strings.Join(evidence, "; "))
	}
}

// fastbootModel decides whether the bundle is for a phone in fastboot.
func (b *builder) fastbootModel(ph *FastbootFacts) {
	if ph == nil {
		b.notAsked()
		return
	}
	said, want := ph.Product, b.fw.Model
	_, named, _ := phone.ByModel(said)
	switch {
	case b.matchModel("getvar product says", named.Code):
	case said != "" && (strings.EqualFold(said, want.CodeName) || strings.EqualFold(said, want.LinuxName)):
		b.plan.Evidence = []string{fmt.Sprintf("getvar product says %s, a name of this model", said)}
	default:
		b.refuseNameless(fmt.Sprintf("getvar product says %q", said))
	}
}

// commandModel decides whether the bundle is for a phone of 2017 or later: it says itself
// which model it is.
func (b *builder) commandModel() {
	switch {
	case b.ph == nil:
		b.notAsked()
	case b.ph.Command.Product == "":
		b.problems.refuse(b.fw.Name, "the phone does not say which model it is", "getvar product is refused or empty, so nothing proves that the firmware is for it",
			"unplug the phone, put it into flash mode again and retry")
	default:
		b.matchModel("getvar product says", b.ph.Command.Product)
	}
}
