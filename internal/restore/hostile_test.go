package restore_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xflash/ftf"
	"xflash/internal/restore"
)

// outcome is how a restore must end.
type outcome int

const (
	done    outcome = iota // complete
	refused                // by policy, nothing was sent
	damaged                // a file is damaged, nothing was sent
	usage                  // wrong usage, nothing was sent
)

type hostileCase struct {
	name    string
	changes []string // by the names of bundleChanges
	edit    func(*madeBundle)
	request restore.Request
	phone   phoneKind
	want    outcome
	says    string   // the refusal, or the reason why something is left out
	sent    []string // members that must have been sent
	not     []string // members that must not
}

func only(names ...string) restore.Request { return restore.Request{Only: names} }
func skip(names ...string) restore.Request { return restore.Request{Skip: names} }

func changed(names ...string) []string { return names }

const tzFile = "boot/tz_S1_Boot.sin"

// damage flips a bit of one file.
func damage(short string) func(*madeBundle) {
	return func(b *madeBundle) {
		m := b.find(short)
		m.data = flip(m.data, len(m.data)-100)
	}
}

// cut drops what follows a place in a file; negative: counted from its end.
func cut(short string, at int) func(*madeBundle) {
	return func(b *madeBundle) {
		m := b.find(short)
		if at < 0 {
			at += len(m.data)
		}
		m.data = m.data[:at]
	}
}

func rename(short, name string) func(*madeBundle) {
	return func(b *madeBundle) { b.find(short).name = name }
}

func twin(b *madeBundle) {
	m := b.find("system")
	m.name, m.data = "system.sinb", b.imageFile(b.t, good, "S1_SW", "tz", 2)
}

func signedBy(short, root, role, label string) func(*madeBundle) {
	return func(b *madeBundle) { b.find(short).data = b.imageFile(b.t, root, role, label, 7) }
}

// otherBootSet gives the boot set of other phones its own tz.
func otherBootSet(b *madeBundle) {
	extra("boot/tz_AID_9.sin", "boot", func(b *madeBundle) []byte { return b.imageFile(b.t, good, "S1_Boot", "tz", 6) }, func(m *made) {
		m.boot, m.image, m.short = true, "tz", "tz"
	})(b, nil)
	b.otherTZ = "tz_AID_9.sin"
}

var hostileCases = []hostileCase{
	{name: "a sound bundle", want: done, sent: []string{"system.sin", "kernel.sin", tzFile, "amss_fs_1.sin"}, not: []string{"userdata.sin"}},
	{name: "a sound bundle, wiped", request: restore.Request{Wipe: true}, want: done, sent: []string{"userdata.sin", "apps_log.sin"}},

	// Selectors.
	{name: "skip fits nothing", request: skip("sytem"), want: usage, says: "did you mean system"},
	{name: "only fits nothing", request: only("kernal"), want: usage, says: "did you mean kernel"},
	{name: "skip fits two files", changes: changed("a harmless unit", "a harmless unit in a folder"), request: skip("extra.ta"), want: usage, says: "sub/extra.ta"},
	{name: "the path fits one of two", changes: changed("a harmless unit", "a harmless unit in a folder"), request: skip("sub/extra.ta"), want: done},
	{name: "only one file of the boot set", request: only("tz"), want: usage, says: "whole or not at all"},
	{name: "only boot", request: only("boot"), want: done, sent: []string{tzFile, "boot/sbl1_S1_Boot.sin"}, not: []string{"system.sin", "fota-reset.ta"}},
	{name: "only boot, which the phone has", request: only("boot"), phone: phoneKind{sameBoot: true}, want: refused, says: "already has this boot version"},
	{name: "skip one file of the boot set", request: skip("tz"), want: done, sent: []string{"system.sin"}, not: []string{tzFile, "boot/rpm_S1_Boot.sin"}},
	{name: "skip by base name", request: skip("tz_S1_Boot.sin"), want: done, not: []string{tzFile, "boot/rpm_S1_Boot.sin"}},
	{name: "skip in capitals", request: skip("SYSTEM"), want: done, not: []string{"system.sin"}},
	{name: "skip the partition by its old name", request: skip("partition"), want: done, not: []string{"partition-image.sin"}},

	// Aims.
	{name: "a protected twin, skipped by its base name", edit: twin, request: skip("system.sin"), want: done, not: []string{"system.sinb"}},
	{name: "a protected twin", edit: twin, want: refused, says: "tz"},
	{name: "a file in a folder, skipped by its base name", edit: rename("system", "sub/system.sin"), request: skip("system.sin"), want: done, not: []string{"sub/system.sin"}},
	{name: "ta.sin", changes: changed("ta.sin"), want: refused, says: "TA"},
	{name: "ta.sin with only", changes: changed("ta.sin"), request: only("kernel"), want: refused, says: "TA"},
	{name: "ta.sin skipped", changes: changed("ta.sin"), request: skip("ta"), want: done, not: []string{"ta.sin"}},
	{name: "a second copy of sbl1", changes: changed("alt_sbl1.sin"), want: refused, says: "alt_sbl1"},
	{name: "a stranger aimed at boot", changes: changed("a stranger aimed at boot"), want: refused, says: "foo"},
	{name: "a stranger for nowhere", changes: changed("a stranger for an unknown place"), want: done, not: []string{"foo.sin"}},
	{name: "boot chain beside the boot set", changes: changed("tz.sin beside the boot set"), want: refused, says: "without a boot delivery"},
	{name: "hardware configuration", changes: changed("hwconf.sin"), want: refused, says: "hardware configuration"},
	{name: "persist", changes: changed("persist.sin"), want: done, not: []string{"persist.sin"}, sent: []string{"system.sin"}},
	{name: "frp", changes: changed("frp.sin"), want: done, not: []string{"frp.sin"}},
	{name: "nvram", changes: changed("nvram.sin"), want: done, not: []string{"nvram.sin"}},
	{name: "protect_s aimed at system", edit: func(b *madeBundle) { extra("protect_s.sin", "never", aimed("system"))(b, nil) }, want: refused, says: "system"},
	{name: "proinfo", changes: changed("proinfo.sin"), want: done, not: []string{"proinfo.sin"}},
	{name: "only persist", changes: changed("persist.sin"), request: only("persist"), want: refused, says: "calibration of this one phone"},
	{name: "a kernel past the end of boot", edit: func(b *madeBundle) { b.find("kernel").data = b.imageFile(b.t, good, "S1_SW", "boot", tooLong) }, want: refused, says: "which holds"},

	// Doubt.
	{name: "two files for one image", edit: func(b *madeBundle) {
		extra("sub/system.sin", "plain", func(b *madeBundle) []byte { return b.imageFile(b.t, good, "S1_SW", "system", 3) })(b, nil)
	}, want: refused, says: "it is unclear"},
	{name: "two files for one image, one skipped", edit: func(b *madeBundle) {
		extra("sub/system.sin", "plain", func(b *madeBundle) []byte { return b.imageFile(b.t, good, "S1_SW", "system", 3) })(b, nil)
	}, request: skip("sub/system.sin"), want: done, sent: []string{"system.sin"}, not: []string{"sub/system.sin"}},
	{name: "two partition tables", changes: changed("a partition table in a folder"), want: refused, says: "it is unclear"},
	{name: "two boot files of one name", changes: changed("two boot files of one name"), want: refused, says: "which could be"},
	{name: "two boot files for one partition", changes: changed("two boot files for one partition"), want: refused, says: "a second file for sbl1"},
	{name: "two values for one unit", changes: changed("another fota-reset"), want: refused, says: "another value"},

	// Damage.
	{name: "a damaged system", edit: damage("system"), want: damaged, says: "system.sin"},
	{name: "a damaged system, skipped", edit: damage("system"), request: skip("system"), want: done, not: []string{"system.sin"}},
	{name: "a damaged system, not named by only", edit: damage("system"), request: only("kernel"), want: done, sent: []string{"kernel.sin"}, not: []string{"system.sin"}},
	{name: "a damaged tz", edit: damage("tz"), want: damaged, says: tzFile},
	{name: "a damaged tz, skipped", edit: damage("tz"), request: skip("tz"), want: done, sent: []string{"system.sin"}, not: []string{tzFile, "boot/rpm_S1_Boot.sin"}},
	{name: "damaged user data without wipe", edit: damage("userdata"), want: done},
	{name: "damaged user data with wipe", edit: damage("userdata"), request: restore.Request{Wipe: true}, want: damaged, says: "userdata"},

	{name: "a file cut in its header, not named by only", edit: cut("system", 100), request: only("kernel"), want: damaged, says: "overwrite"},
	{name: "a file cut in its header, skipped", edit: cut("system", 100), request: skip("system"), want: done, not: []string{"system.sin"}},
	{name: "a file cut after its map, not named by only", edit: cut("system", -1), request: only("kernel"), want: done, not: []string{"system.sin"}},
	{name: "a cut file aimed at tz, not named by only", edit: func(b *madeBundle) {
		m := b.find("system")
		m.data = b.imageFile(b.t, good, "S1_SW", "tz", 2)
		m.data = m.data[:len(m.data)-1]
	}, request: only("kernel"), want: refused, says: "tz"},
	{name: "units that cannot be read, not named by only", edit: func(b *madeBundle) { extra("extra.ta", "units", text("02\n0000"))(b, nil) }, request: only("kernel"), want: damaged, says: "overwrite"},

	// Origin.
	{name: "another family's root", edit: signedBy("kernel", foreign, "S1_SW", "boot"), want: refused, says: "rhine"},
	{name: "an invented root", edit: signedBy("kernel", unknown, "S1_SW", "boot"), want: refused, says: "an unknown root"},
	{name: "another signer", edit: signedBy("kernel", good, "S1_Boot", "boot"), want: refused, says: "signed by S1_Boot"},
	{name: "no loader", changes: changed("no loader"), want: refused, says: "no loader.sin"},
	{name: "no loader, while one runs", changes: changed("no loader"), phone: phoneKind{loaderRuns: true}, want: refused, says: "after every restart"},
	{name: "a loader that is an image", changes: changed("a loader that is an image"), want: refused, says: "loader"},
	{name: "a kernel that is a loader", changes: changed("a kernel that is a loader"), want: refused, says: "kernel"},

	// The boot set.
	{name: "a boot set without tz", changes: changed("no tz in the delivery"), want: refused, says: "lacks tz"},
	{name: "a boot set without the file of tz", changes: changed("no tz in the boot set's folder"), want: refused, says: "not in the bundle"},
	{name: "two boot sets with different files", edit: otherBootSet, want: done, sent: []string{tzFile}, not: []string{"boot/tz_AID_9.sin"}},
	{name: "a boot set for other fuses", phone: phoneKind{strangeFuse: true}, want: refused, says: "no boot set in this bundle"},

	// Modem reset files.
	{name: "modem files alone", request: only("amss_fs_1"), want: refused, says: "complete firmware"},
	{name: "modem files with other files named", request: only("amss_fs_1", "amss_fs_2", "amss_fsg", "kernel"), want: done, sent: []string{"kernel.sin"}, not: []string{"amss_fs_1.sin"}},
	{name: "two of three modem files", request: skip("amss_fs_2"), want: done, not: []string{"amss_fs_1.sin", "amss_fs_2.sin", "amss_fsg.sin"}},
	{name: "modem files when something else is skipped", request: skip("cache", "boot", "kernel"), want: done, sent: []string{"amss_fs_1.sin", "amss_fsg.sin"}},
	{name: "modem files without a kernel", changes: changed("no kernel"), want: done, not: []string{"amss_fs_1.sin"}},
	{name: "modem files without a delivery", changes: changed("no boot delivery"), want: done, not: []string{"amss_fs_1.sin"}},
	{name: "modem files without a layout that names their partitions", edit: func(b *madeBundle) { b.remove("partition-image") }, want: done, sent: []string{"kernel.sin"}, not: []string{"amss_fs_1.sin", "amss_fsg.sin"}},
	{name: "a modem file of another signer", edit: signedBy("amss_fs_2", good, "S1_Cust", "modemst2"), want: done, not: []string{"amss_fs_1.sin", "amss_fs_2.sin"}},

	// Trim-area units.
	{name: "simlock.ta", changes: changed("simlock.ta"), want: refused, says: "SIM"},
	{name: "unit 2003", changes: changed("unit 2003"), want: refused, says: "2003"},
	{name: "partition 1", changes: changed("a unit of partition 1"), want: refused, says: "partition 1"},
	{name: "partition 1, skipped by its base name", changes: changed("a unit of partition 1 in a folder"), request: skip("extra.ta"), want: done},
	{name: "a unit that may forbid a downgrade", changes: changed("osv-restriction.ta"), want: done},
}

// TestHostileBundles runs every case against a phone that agrees to everything. Layer: make
// check.
func TestHostileBundles(t *testing.T) {
	t.Parallel()
	for _, h := range hostileCases {
		t.Run(h.name, func(t *testing.T) {
			c := &propertyCase{bundle: newMadeBundle(t), request: h.request, phone: h.phone}
			for _, name := range h.changes {
				i := slices.IndexFunc(bundleChanges, func(b bundleChange) bool { return b.name == name })
				bundleChanges[i].make(c.bundle, nil)
			}
			if h.edit != nil {
				h.edit(c.bundle)
			}
			wire, err := c.flash(t)
			var sent []string
			for _, data := range wire.images {
				sent = append(sent, c.bundle.nameOf(data))
			}
			if got := outcomeOf(err); got != h.want {
				t.Fatalf("outcome %d, want %d: %v", got, h.want, err)
			}
			if h.want != done && (len(wire.images) > 0 || len(wire.written) > 0 || len(wire.offered) > 0) {
				t.Errorf("refused, but %q were sent and %d units written", sent, len(wire.written))
			}
			if h.says != "" && !strings.Contains(fullText(err), h.says) {
				t.Errorf("%q does not say %q", fullText(err), h.says)
			}
			for _, name := range h.sent {
				if !slices.Contains(sent, name) {
					t.Errorf("%s was not sent: %q", name, sent)
				}
			}
			for _, name := range h.not {
				if slices.Contains(sent, name) {
					t.Errorf("%s was sent", name)
				}
			}
		})
	}
}

func outcomeOf(err error) outcome {
	var ps restore.Problems
	var wrong *restore.SelectorError
	switch {
	case err == nil:
		return done
	case errors.As(err, &wrong):
		return usage
	case errors.As(err, &ps) && ps.Kind() == restore.FileInvalid:
		return damaged
	case errors.As(err, &ps):
		return refused
	}
	return -1
}

func fullText(err error) string {
	var ps restore.Problems
	if errors.As(err, &ps) {
		return whole(ps)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// The same refusals through fastboot, where the phone checks nothing.
func TestHostileBundlesThroughFastboot(t *testing.T) {
	for _, h := range hostileCases {
		switch h.name {
		case "a protected twin", "ta.sin", "a stranger aimed at boot", "hardware configuration", "two files for one image", "a damaged system",
			"another family's root", "an invented root", "another signer", "a kernel past the end of boot", "skip fits nothing":
		default:
			continue
		}
		t.Run(h.name, func(t *testing.T) {
			b := newMadeBundle(t)
			for _, name := range h.changes {
				i := slices.IndexFunc(bundleChanges, func(b bundleChange) bool { return b.name == name })
				bundleChanges[i].make(b, nil)
			}
			if h.edit != nil {
				h.edit(b)
			}
			p := h.request
			p.Route, p.Model = restore.RouteFastboot, "D5803"
			fw, err := checkMade(t, b, restore.CheckOptions{Request: p})
			if err == nil {
				_, err = restore.BuildFastboot(fw, nil, nil, p)
			}
			if got := outcomeOf(err); got != h.want {
				t.Errorf("outcome %d, want %d: %v", got, h.want, err)
			}
		})
	}
}

func checkMade(t *testing.T, b *madeBundle, opt restore.CheckOptions) (*restore.Firmware, error) {
	t.Helper()
	bundle, err := ftf.Open(b.write(t))
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { bundle.Close() })
	opt.Roots = trusted(t)
	return restore.Check(t.Context(), bundle, opt)
}

// What --loader names is judged like a loader of the bundle.
func TestLoaderFromElsewhere(t *testing.T) {
	made := kitOf(t, "z3c")
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"an image":           {made.imageFile(t, good, "S1_SW", "system", 1), "would write the partition system"},
		"a damaged loader":   {flip(made.loaderFile(t), 3000), ""},
		"an image as loader": {made.imageFile(t, good, "S1_Loader", "system", 5), "loader"},
		"a good one":         {made.loaderFile(t), "fine"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "system.sin")
			if err := os.WriteFile(path, c.file, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, own := range []bool{true, false} {
				b := newMadeBundle(t)
				if !own {
					b.remove("loader")
				}
				fw, err := checkMade(t, b, restore.CheckOptions{Loader: path})
				if err != nil {
					t.Fatal(err)
				}
				_, err = restore.Build(fw, nil, restore.Request{})
				if c.says == "fine" != (err == nil) || err != nil && !strings.Contains(fullText(err), c.says) {
					t.Errorf("own loader %v: %v", own, fullText(err))
				}
			}
		})
	}
}

// TestStepsAreMadeFromClearedItems keeps the promise that the types cannot: inside the
// package, steps with a load are made in step.go and items are cleared by the judge, and
// nowhere else. Layer: make check.
func TestStepsAreMadeFromClearedItems(t *testing.T) {
	may := map[string][]string{"Step": {"step.go"}, "load": {"step.go"}, "cleared": {"judge.go", "judgeunits.go"}}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				id, ok := n.Type.(*ast.Ident)
				if !ok || may[id.Name] == nil || len(n.Elts) == 0 {
					return true
				}
				found[id.Name]++
				if !slices.Contains(may[id.Name], name) {
					t.Errorf("%s makes a %s; only %q may", name, id.Name, may[id.Name])
				}
			case *ast.AssignStmt:
				for _, left := range n.Lhs {
					if sel, ok := left.(*ast.SelectorExpr); ok && sel.Sel.Name == "load" && name != "step.go" {
						t.Errorf("%s sets the load of a step", name)
					}
				}
			}
			return true
		})
	}
	for kind := range may {
		if found[kind] == 0 {
			t.Errorf("no %s is made anywhere: this test looks for the wrong name", kind)
		}
	}
}
