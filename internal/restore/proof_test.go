package restore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"xflash/internal/phone"
	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/internal/simphone/testfirmware"
	"xflash/usbproto/s1"
)

// bundleOf is a small bundle of one kind of phone.
func bundleOf(t *testing.T, name string) *testfirmware.Firmware {
	t.Helper()
	fw, err := testfirmware.Make(context.Background(), t.TempDir(), testfirmware.Options{Phone: name, Authority: authority(),
		SystemSize: 8 << 20, SystemFill: 2 << 20, KernelSize: 256 << 10, Disk: disk})
	if err != nil {
		t.Fatal(err)
	}
	return fw
}

// familyBench is a phone of a kind and a bundle in the form of its family.
func familyBench(t *testing.T, name string, o simphone.Options) (*bench, *testfirmware.Firmware) {
	t.Helper()
	fw := bundleOf(t, name)
	checked, err := check(t, fw.Bundle, restore.Request{})
	if err != nil {
		t.Fatal(err)
	}
	o.Name, o.Dir = name, t.TempDir()
	return &bench{t: t, phone: newPhone(t, o), fw: checked, store: restore.Store{Dir: quickDir(t)}, opt: s1.Options{Hello: 300 * time.Millisecond}}, fw
}

// A bundle of one phone is refused for a sister in the same family.
func TestSisterBundleRefused(t *testing.T) {
	t.Parallel()
	fw := bundleOf(t, "z2")
	checked, err := check(t, fw.Bundle, restore.Request{})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, simphone.Options{})
	b.fw = checked
	err = b.attempt(restore.Request{}, false, restore.RunOptions{})
	if err == nil || !strings.Contains(err.Error(), "D6503") || !strings.Contains(err.Error(), "D5803") {
		t.Errorf("a Z2 bundle on a Z3 Compact: %v", err)
	}
}

// A cable that goes twice, inside the boot set (where there is one) and outside, and the
// phone switched off in between: after the second --resume all of the new chain is in force.
func TestResumeEveryFamily(t *testing.T) {
	if testing.Short() {
		t.Skip("three runs on each of ten phones")
	}
	for _, name := range simphone.LoaderNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, fw := familyBench(t, name, simphone.Options{})
			for i, cut := range []string{"tz", "system", ""} {
				pulled := false
				err := b.attempt(restore.Request{}, i > 0, restore.RunOptions{Emit: func(e restore.Event) {
					if s, ok := e.(restore.Sending); ok && s.Step.Name == cut && !pulled {
						pulled = true
						b.phone.Unplug()
					}
				}})
				switch {
				case pulled && err == nil:
					t.Fatalf("the cable was pulled in %s, and the restore says that it is done", cut)
				case !pulled && err != nil:
					t.Fatalf("run %d: %v", i, err)
				case !pulled && b.fw.Family.NoBootSet == "" && cut != "":
					t.Fatalf("%s was not sent", cut)
				}
				if pulled {
					b.phone.FlashMode()
				} else {
					break // without a boot set the first run is the whole one
				}
			}
			for label := range fw.Images {
				if p, _ := b.fw.Family.Partition(label); p.Class != phone.BootChain {
					continue
				}
				want, err := os.ReadFile(fw.Images[label])
				if err != nil {
					t.Fatal(err)
				}
				part, err := b.phone.InForce(label)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, label, bytes.NewReader(want), io.NewSectionReader(part, 0, part.Size()))
			}
			b.restored(fw, "boot", "system", "FOTAKernel")
			if got := b.unit(10100); !bytes.Equal(got, []byte{0}) {
				t.Errorf("unit 10100 is %X at the end", got)
			}
		})
	}
}

// What a plan asks and says, family by family.
func TestPlanSaysWhatIsNotProven(t *testing.T) {
	for _, c := range []struct {
		phone, device string // device: the model that the bundle is for
		question      string // "" for none
		note          string
	}{
		{"z3c", "D5803", "", ""},
		{"z3c", "SGP621", "MSM8974AB_27. Its tables are those of MSM8974AB_22, which they did run", "the order is that of the related model Xperia Z2 (D65XX)"},
		{"z2", "D6563", "never ran the loader of the Xperia Z2a, MSM8974AB_17", "related model Xperia Z2"},
		{"z1", "D5503", "", "the order is that of the related model Xperia Z1 (C69XX)"},
		{"z5c", "E5823", "", "the order is that of the related model Xperia Z3+ (E65XX)"},
		{"z5c", "E6853", "never ran the loader of the Xperia Z5 Premium, MSM8994_50", ""},
		{"z", "C6603", "keeps no second copy of the boot chain", "related model Xperia ZL (C650X)"},
		{"zr", "C5503", "", "related model Xperia ZL (C650X)"},
		{"m4", "E2303", "", "the loader switches this phone off"},
		{"m", "C1905", "if it stops while it writes rpm,", "answers nothing more after a packet that was damaged"},
	} {
		t.Run(c.phone+" "+c.device, func(t *testing.T) {
			t.Parallel()
			b, _ := familyBench(t, c.phone, simphone.Options{Model: c.device})
			family, model, _ := phone.ByModel(c.device)
			b.fw.Family, b.fw.Model, b.fw.Manifest.Device = family, model, c.device
			plan, err := b.plan(restore.Request{})
			if err != nil {
				t.Fatal(err)
			}
			if len(plan.Questions) != map[bool]int{true: 1, false: 0}[c.question != ""] || !strings.Contains(strings.Join(plan.Questions, "\n"), c.question) {
				t.Errorf("questions %q, want %q", plan.Questions, c.question)
			}
			if !strings.Contains(strings.Join(plan.Notes, "\n"), c.note) || c.note == "" && strings.Contains(strings.Join(plan.Notes, "\n"), "the related model X") && c.device == "D5803" {
				t.Errorf("notes %q, want %q", plan.Notes, c.note)
			}
			if c.question != "" && !strings.Contains(plan.Text(), "Not proven:") {
				t.Errorf("the text of the plan does not ask:\n%s", plan.Text())
			}
		})
	}
}

// plan is the plan of a restore of this phone with this bundle.
func (b *bench) plan(p restore.Request) (plan *restore.Plan, err error) {
	ctx := context.Background()
	s, err := s1.Open(ctx, b.phone.Conn(), b.opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	facts, err := restore.ReadFacts(ctx, s)
	if err != nil {
		return nil, err
	}
	return restore.Build(b.fw, facts, p)
}

// A bundle for a phone that is only recognised is refused with the true sentence, and
// nothing is written by its script alone.
func TestRecognisedOnly(t *testing.T) {
	t.Parallel()
	fw := bundleOf(t, "z5c")
	checked, err := check(t, fw.Bundle, restore.Request{})
	if err != nil {
		t.Fatal(err)
	}
	for code, says := range map[string]string{
		"F5121": "Xperia X (F5121), loire: not restored by xflash, because these phones have no loader to send",
		"F8331": "tone: not restored by xflash",
		"E2003": "Xperia E4g (E2003), mt6732: not restored by xflash",
		"D2005": "falconss: not restored by xflash, because no flash order",
		"LT26i": "Xperia S (LT26i), fuji: not restored by xflash",
		"I3312": "Xperia L3 (I3312), mt6762: not restored by xflash, because they are MediaTek phones",
	} {
		checked.Family, checked.Model, _ = phone.ByModel(code)
		plan, err := restore.Build(checked, nil, restore.Request{})
		if err == nil || !strings.Contains(err.Error(), says) || len(plan.Steps) != 0 {
			t.Errorf("%s: %v, %d steps", code, err, len(plan.Steps))
		}
	}
}

// Phones of viskan get no boot set, even from a bundle that has one: their loader writes
// the boot chain in place.
func TestNoBootSetForViskan(t *testing.T) {
	t.Parallel()
	b, _ := familyBench(t, "m", simphone.Options{})
	checked, err := check(t, bundleOf(t, "z3c").Bundle, restore.Request{})
	if err != nil {
		t.Fatal(err)
	}
	checked.Family, checked.Model, checked.Manifest.Device = b.fw.Family, b.fw.Model, b.fw.Manifest.Device
	checked.Layout, checked.Loader = b.fw.Layout, b.fw.Loader
	b.fw = checked
	plan, err := b.plan(restore.Request{})
	if plan == nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(plan.Notes, "\n"), "the boot set of the bundle is left out: its loader knows no second copies") {
		t.Errorf("notes %q", plan.Notes)
	}
	left := 0
	for _, s := range plan.Skipped {
		if strings.HasPrefix(s.Member, "boot/") {
			left++
			if !strings.Contains(s.Reason, "in place") {
				t.Errorf("%s is left out because %s", s.Member, s.Reason)
			}
		}
	}
	for _, s := range plan.Steps {
		if strings.HasPrefix(s.Member, "boot/") || slices.Contains(s.Partitions, "aboot") {
			t.Errorf("step %s %s", s.Name, s.Member)
		}
	}
	if left < 6 {
		t.Errorf("%d files of the boot set are left out", left)
	}
}
