package restore

import (
	"fmt"
	"strings"

	"xflash/internal/phone"
)

// matchModel decides which model the phone is and whether the bundle is for it.
//
// Unit 2210 normally holds the model name. After a custom ROM it may read "Unknown:
// <date>" (s1-protocol.md §4.4), and those phones are exactly the ones that need
// help. Then the trust root and the boot version say which platform it is, and the
// person says the model, which is printed on the phone.
func matchModel(fw *Firmware, ph *Facts, p Policy) (model phone.Model, evidence []string, ps Problems) {
	want := fw.Model
	said := strings.TrimSpace(ph.Units[unitModel])
	_, named, known := phone.ByModel(said)
	refuse := func(what, why, next string) {
		ps = append(ps, Problem{Kind: PolicyRefusal, Item: fw.Name, What: what, Why: why, Next: next})
	}
	if p.Model != "" {
		if _, m, ok := phone.ByModel(p.Model); !ok {
			refuse(fmt.Sprintf("nothing is known of the model %q given with --model", p.Model), "", "check the name printed on the phone")
			return want, nil, ps
		} else if known && m.Code != named.Code {
			refuse(fmt.Sprintf("--model says %s, the phone says %s", m.Code, named.Code),
				"trim-area unit 2210 can be read and names a real model, so it counts", "leave --model out, and get the bundle for a "+named.Code)
			return want, nil, ps
		} else if m.Code != want.Code {
			refuse(fmt.Sprintf("it is for a %s, and the phone is a %s", want.Code, m.Code), foreignReason(m, want),
				"get the bundle for a "+m.Code)
			return want, nil, ps
		}
	}
	if known {
		if named.Code != want.Code {
			refuse(fmt.Sprintf("it is for a %s, and the phone is a %s", want.Code, named.Code), foreignReason(named, want), "get the bundle for a "+named.Code)
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
			evidence = append(evidence, fmt.Sprintf("the phone trusts the root %s, which is that of %s phones", root, f.Name))
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

func foreignReason(is, want phone.Model) string {
	if is.Folder == want.Folder && is.Folder != "" {
		return "they are sisters, but radio and customization differ"
	}
	return "another model's firmware does not start on it, and may leave it without radio"
}

// matchRoots compares the roots of the files that would be sent with those the phone
// trusts. A file of another root would be refused by the phone; a refusal in the
// middle of a flash is worse than one before it.
func matchRoots(fw *Firmware, ph *Facts, send []*Item) (ps Problems, notes []string) {
	trusted := splitList(ph.Info["S1_ROOT"])
	unproven := map[string]bool{}
	var test []string
	for _, it := range send {
		switch {
		case strings.HasPrefix(it.Issuer, testRoot):
			test = append(test, it.Short)
		case len(trusted) == 0, fw.AnyRoot:
		case !has(trusted, it.Issuer):
			ps = append(ps, Problem{Kind: PolicyRefusal, Item: it.Member,
				What: fmt.Sprintf("it is signed by %s, and the phone trusts %s", it.Issuer, strings.Join(trusted, ", ")),
				Why:  "the phone would refuse it", Next: "get the bundle for a " + fw.Model.Code})
		}
		if !it.Proven && !unproven[it.Issuer] {
			unproven[it.Issuer] = true
			notes = append(notes, fmt.Sprintf("the certificate of the root %s is not at hand, so only the phone can say whether its files are genuine", it.Issuer))
		}
	}
	if len(test) > 0 {
		notes = append(notes, "signed with Sony's internal test root, which a phone from a shop refuses: "+strings.Join(test, ", "))
	}
	return ps, notes
}

// testRoot is how the names of Sony's internal roots begin (error-codes.md, main result).
const testRoot = "S1_Root_Test"

// foreignRoots refuses, before the phone is asked, files that are signed for another
// family of phones.
func foreignRoots(fw *Firmware, p Policy) (ps Problems) {
	if fw.AnyRoot {
		return nil
	}
	for _, it := range fw.Items {
		if it.Kind != ItemSIN || it.Issuer == "" || p.skipped(it) || has(fw.Family.Roots, it.Issuer) {
			continue
		}
		if families := phone.ByRoot(it.Issuer); len(families) > 0 {
			f := families[0]
			ps = append(ps, Problem{Kind: PolicyRefusal, Item: it.Member,
				What: fmt.Sprintf("it is signed by %s, the root of %s phones (%s)", it.Issuer, f.Name, f.SoC),
				Why:  fmt.Sprintf("a %s accepts files of %s only", fw.Model.Code, strings.Join(fw.Family.Roots, ", ")),
				Next: "get the bundle for a " + fw.Model.Code})
		}
	}
	return ps
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
