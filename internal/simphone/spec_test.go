package simphone

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestParseSpec(t *testing.T) {
	for text, want := range map[string]Options{
		"z3c": {},
		"z3c,model=D5833,serial=AB,boot-ver=X,disk=8G,hwconf=missing,2210=unknown": {
			Model: "D5833", Serial: "AB", BootVersion: "X", Disk: 8 << 30, HWConf: "missing", Unknown2210: true},
		"z3c,otp=UNLOCKED,aid=0x10,hello=none,maxpkt=0x10000": {
			OTPLock: "UNLOCKED", FuseAID: 16, Hello: "none", BootMaxPacket: 0x10000, LoaderMaxPacket: 0x10000},
		"z3c,otp=LOCKED:01000500,maxpkt=4096:0x80000,disk=4096M": {
			OTPLock: "LOCKED", OTPData: "01000500", BootMaxPacket: 4096, LoaderMaxPacket: 0x80000, Disk: 4 << 30},
		"z3c,root=a.pem,root=b.pem,trust=any": {RootFiles: []string{"a.pem", "b.pem"}, TrustAny: true},
		"z3c,fault=silence@3,fault=split@*":   {Faults: []Fault{{Name: "silence", At: 3}, {Name: "split", At: -1}}},
	} {
		got, err := ParseSpec(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v\n%v", text, got, want, err)
		}
	}
	o, err := ParseSpec("z3c,fault=refuse=0017/80080021@7")
	if err != nil || len(o.Faults) != 1 || o.Faults[0].At != 7 || *o.Faults[0].refusal != (refusal{severity: sevMinor, code: 0x17, dynamic: 0x80080021}) {
		t.Errorf("%+v, %v", o, err)
	}
}

// Errors name the setting and what is wrong with it.
func TestParseSpecErrors(t *testing.T) {
	for text, word := range map[string]string{
		"":                         "z3c",
		"z5":                       `"z5"`,
		"z3c,model":                `"model"`,
		"z3c,model=":               "key=value",
		"z3c,color=red":            "color",
		"z3c,hwconf=half":          "no-live-bit",
		"z3c,2210=D5803":           "unknown",
		"z3c,trust=me":             "any",
		"z3c,disk=big":             `"big"`,
		"z3c,disk=99999999G":       "size",
		"z3c,maxpkt=1":             "512",
		"z3c,maxpkt=4096:x":        `"x"`,
		"z3c,aid=-1":               "aid",
		"z3c,otp=BROKEN":           "LOCKED",
		"z3c,otp=LOCKED:12":        "8 hexadecimal",
		"z3c,hello=loud":           "no-boot",
		"z3c,fault=silence":        "@N",
		`z3c,serial=a"b`:           "cannot be written",
		"z3c,fault=explode@1":      "explode",
		"z3c,root=x,,root=y":       "key=value",
		"z3c,fault=late=x@1":       "late=x@1",
		"z3c,fault=refuse=1@1":     "CODE/DYNAMIC",
		"z3c,fault=corrupt=tail@1": "tail",
	} {
		_, err := ParseSpec(text)
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q: %v, want something about %s", text, err, word)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	f.Add("z3c,model=D5833,disk=8G,fault=refuse=MAJOR/0017/80080021@7,maxpkt=4096:0x80000")
	f.Add("z3c,otp=LOCKED:01000500,hello=none,fault=late=2s@*")
	f.Fuzz(func(t *testing.T, text string) {
		if o, err := ParseSpec(text); err == nil {
			if err := o.check(); err != nil {
				t.Errorf("%q was accepted: %v", text, err)
			}
		}
	})
}

// A missing or wrong root file is named.
func TestRootFileErrors(t *testing.T) {
	for _, name := range []string{"nowhere.pem", "spec_test.go"} {
		if p, err := Open(Options{RootFiles: []string{name}}); err == nil || !strings.Contains(err.Error(), name) {
			p.Close()
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Keys lists every setting that ParseSpec reads, and none that it does not.
func TestKeysAreSettings(t *testing.T) {
	source, err := os.ReadFile("spec.go")
	if err != nil {
		t.Fatal(err)
	}
	_, set, _ := strings.Cut(string(source), ") set(key, value string)")
	set, _, _ = strings.Cut(set, "\n}\n")
	var cases []string
	for _, m := range regexp.MustCompile(`(?m)^\tcase "([^"]+)":`).FindAllStringSubmatch(set, -1) {
		cases = append(cases, m[1])
	}
	keys := Keys()
	slices.Sort(cases)
	slices.Sort(keys)
	if len(cases) == 0 || !slices.Equal(cases, keys) {
		t.Errorf("ParseSpec reads %v, Keys lists %v", cases, keys)
	}
}
