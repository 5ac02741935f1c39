package restore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"xflash/internal/phone"
	"xflash/internal/restore"
	"xflash/internal/simphone"
)

// Files of what belongs to one phone are left out with the reason, in both ways and on
// phones of every family here, and the rest of the bundle is not refused for them.
// Layer: make check.
func TestIdentityFilesAreLeftOutWithTheReason(t *testing.T) {
	t.Parallel()
	reasons := map[string]string{
		"persist": "calibration", "frp": "Google account", "config": "Google account", "nvram": "IMEI", "proinfo": "serial number",
		"protect_f": "SIM lock", "protect_s": "SIM lock", "protect1": "SIM lock", "protect2": "SIM lock",
	}
	for _, name := range []string{"z3c", "z1", "zr", "z5c", "e3"} {
		for _, route := range []string{"", restore.RouteFastboot} {
			t.Run(name+" "+route, func(t *testing.T) {
				b := newMadeBundleFor(t, name)
				for short := range reasons {
					extra(short+".sin", "never", aimed(short))(b, nil)
				}
				fw, err := checkMade(t, b, restore.CheckOptions{Request: restore.Request{Route: route}})
				if err != nil {
					t.Fatal(err)
				}
				plan, err := planFor(fw, route)
				if err != nil {
					t.Fatal(fullText(err))
				}
				for short, reason := range reasons {
					i := slices.IndexFunc(plan.Skipped, func(s restore.Skip) bool { return s.Member == short+".sin" })
					if i < 0 || !strings.Contains(plan.Skipped[i].Reason, reason) {
						t.Errorf("%s is not left out because of %q: %+v", short, reason, plan.Skipped)
					}
					if slices.ContainsFunc(plan.Steps, func(s restore.Step) bool { return s.Member == short+".sin" }) {
						t.Errorf("%s would be sent", short)
					}
				}
			})
		}
	}
}

func planFor(fw *restore.Firmware, route string) (*restore.Plan, error) {
	if route == restore.RouteFastboot {
		return restore.BuildFastboot(fw, nil, nil, restore.Request{Route: route})
	}
	return restore.Build(fw, nil, restore.Request{})
}

// A bundle for a model of one family is refused by the phones of all others, whatever --model
// says, and nothing is sent. Layer: make check.
func TestBundleOfAnotherFamilyIsRefused(t *testing.T) {
	t.Parallel()
	makers := []string{"z3c", "z1", "zr", "z5c", "e3"}
	for _, name := range simphone.LoaderNames() {
		own := kitOf(t, name)
		family, _, ok := phone.ByModel(own.facts.Model)
		if !ok {
			t.Fatalf("%s is unknown", own.facts.Model)
		}
		for _, maker := range makers {
			b := newMadeBundleFor(t, maker)
			if other, _, _ := phone.ByModel(b.facts.Model); other == family {
				continue
			}
			for _, model := range []string{"", b.facts.Model, own.facts.Model} {
				t.Run(b.facts.Model+" for "+own.facts.Model+" with --model "+model, func(t *testing.T) {
					c := &propertyCase{bundle: b, request: restore.Request{Model: model}}
					wire := newRecorder(own, phoneKind{})
					err := c.flashTo(t, wire)
					if got := outcomeOf(err); got != refused || !strings.Contains(fullText(err), b.facts.Model) || !strings.Contains(fullText(err), own.facts.Model) {
						t.Errorf("outcome %d: %v", got, fullText(err))
					}
					if len(wire.images)+len(wire.offered)+len(wire.written) > 0 {
						t.Error("something was sent")
					}
				})
			}
		}
	}
}

// TestHostileResume is what can happen to a bundle between a run and --resume. Layer: make check.
func TestHostileResume(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"z3c", "z1", "zr", "z5c", "e3"} {
		for what, change := range map[string]func(b *madeBundle){
			"nothing":              func(*madeBundle) {},
			"damaged":              func(b *madeBundle) { damage("system")(b) },
			"another image":        func(b *madeBundle) { b.find("system").data = b.imageFile(t, good, "S1_SW", "system", 3) },
			"aimed at tz":          func(b *madeBundle) { b.find("system").data = b.imageFile(t, good, "S1_SW", "tz", 3) },
			"signed by a stranger": func(b *madeBundle) { b.find("kernel").data = b.imageFile(t, unknown, "S1_SW", "boot", 3) },
			"a file more":          func(b *madeBundle) { extra("ta.sin", "never", aimed("TA"))(b, nil) },
			"another loader":       func(b *madeBundle) { b.find("loader").data = b.imageFile(t, good, "S1_Loader", "system", 5) },
			"a file less":          func(b *madeBundle) { b.remove("cache") },
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				b := newMadeBundleFor(t, name)
				store := restore.Store{Dir: quickDir(t)}
				c := &propertyCase{bundle: b, store: &store}
				first := newRecorder(b.kit, phoneKind{})
				first.dies = 4 // images
				if err := c.flashTo(t, first); err == nil {
					t.Fatal("the first run was not stopped")
				}
				change(b)
				second := newRecorder(b.kit, phoneKind{})
				second.units[10100] = []byte{1}
				c.resume = true
				err := c.flashTo(t, second)
				if what == "nothing" {
					if err != nil || !slices.ContainsFunc(second.images, func(d []byte) bool { return b.nameOf(d) == "system.sin" }) {
						t.Errorf("not resumed: %v", fullText(err))
					}
					return
				}
				var wrong *restore.JournalError
				if err == nil || outcomeOf(err) == done || !errors.As(err, &wrong) && outcomeOf(err) < refused {
					t.Errorf("it ended with: %v", fullText(err))
				}
				if len(second.images)+len(second.written)+len(second.offered) > 0 {
					t.Errorf("%d images, %d units were sent", len(second.images), len(second.written))
				}
			})
		}
	}
}
