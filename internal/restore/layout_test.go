package restore

import (
	"slices"
	"strings"
	"testing"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/internal/simphone"
	"xflash/sin"
	"xflash/sin/gpt"
)

const testDisk = 16 << 30

// z3c is the table of a Z3 Compact as a simulated phone has it.
func z3c(t *testing.T, disk int64) []gpt.Entry {
	t.Helper()
	table, err := simphone.DefaultLayout(disk)
	if err != nil {
		t.Fatal(err)
	}
	return table.Entries
}

func entry(t *testing.T, table []gpt.Entry, label string) *gpt.Entry {
	t.Helper()
	i := slices.IndexFunc(table, func(e gpt.Entry) bool { return e.Name == label })
	if i < 0 {
		t.Fatal("no partition", label)
	}
	return &table[i]
}

// bundleWith is a D5803 bundle with a partition layout of these tables, a kernel that
// writes all of boot, and userdata.
func bundleWith(t *testing.T, tables ...[]gpt.Entry) *Firmware {
	t.Helper()
	family, model, ok := phone.ByModel("D5803")
	if !ok {
		t.Fatal("no D5803")
	}
	fw := &Firmware{Name: "test.ftf", Family: family, Model: model, Layout: &sin.Layout{}, Loader: &sin.Loader{Version: "MSM8974AB_22"}}
	for _, table := range tables {
		fw.Layout.Tables = append(fw.Layout.Tables, sin.LayoutTable{Entries: table})
	}
	fw.Items = append(fw.Items, &Item{Member: "partition-image.sin", Short: "partition-image", Kind: ftf.KindSIN, Type: sin.TypeLayout, Checked: true, Layout: fw.Layout},
		image(t, "kernel.sin", "boot", 20480<<10))
	return fw
}

func image(t *testing.T, member, label string, size int64) *Item {
	t.Helper()
	short, _, _ := strings.Cut(member, ".")
	return &Item{Member: member, Short: short, Kind: ftf.KindSIN, Type: sin.TypeImage, Checked: true,
		Targets: []sin.Target{{GUID: entry(t, z3c(t, testDisk), label).Unique, End: size}}}
}

// changed is the table of a Z3 Compact with one thing changed.
func changed(t *testing.T, change func(table []gpt.Entry) []gpt.Entry) []gpt.Entry {
	t.Helper()
	return change(z3c(t, testDisk))
}

func drop(t *testing.T, label string) []gpt.Entry {
	return changed(t, func(table []gpt.Entry) []gpt.Entry {
		return slices.DeleteFunc(table, func(e gpt.Entry) bool { return e.Name == label })
	})
}

func with(t *testing.T, label string, change func(*gpt.Entry)) []gpt.Entry {
	return changed(t, func(table []gpt.Entry) []gpt.Entry {
		change(entry(t, table, label))
		return table
	})
}

// TestLayoutKeepsWhatBelongsToThePhone: a layout that drops, moves, shrinks, renames or
// renumbers a protected partition, seen without the phone where the family's data tell it,
// and with the phone always.
func TestLayoutKeepsWhatBelongsToThePhone(t *testing.T) {
	own := &Storage{Sectors: testDisk / 512, Entries: z3c(t, testDisk)}
	last := func(e *gpt.Entry) { e.Last-- }
	rename := func(to string) func(*gpt.Entry) { return func(e *gpt.Entry) { e.Name = to } }
	other := func(e *gpt.Entry) { e.Unique = gpt.GUID{1, 2, 3} }
	move := func(label string) []gpt.Entry { // to the end of userdata, which ends where it starts
		return changed(t, func(table []gpt.Entry) []gpt.Entry {
			e, u := entry(t, table, label), entry(t, table, "userdata")
			n := e.Last - e.First
			e.Last = u.Last
			e.First = u.Last - n
			u.Last = e.First - 1
			return table
		})
	}
	type form struct {
		name    string
		table   []gpt.Entry
		offline bool // refused without the phone
	}
	var forms []form
	for _, label := range []string{"TA", "DDR", "modemst1", "fsg", "aboot", "alt_tz", "rpm"} {
		chain, ta := label == "aboot" || label == "alt_tz" || label == "rpm", label == "TA"
		forms = append(forms,
			form{label + " dropped", drop(t, label), true},
			form{label + " renamed", with(t, label, rename("spare")), true},
			form{label + " renumbered", with(t, label, other), chain || ta},
			form{label + " moved", move(label), ta},
			form{label + " shrunk", with(t, label, last), ta || label == "aboot"})
	}
	forms = append(forms,
		form{"TA and another exchange names", changed(t, func(table []gpt.Entry) []gpt.Entry {
			a, b := entry(t, table, "TA"), entry(t, table, "userdata")
			a.Name, b.Name = b.Name, a.Name
			return table
		}), true},
		form{"modemst1 and userdata exchange names", changed(t, func(table []gpt.Entry) []gpt.Entry {
			a, b := entry(t, table, "modemst1"), entry(t, table, "userdata")
			a.Name, b.Name = b.Name, a.Name
			return table
		}), true},
		form{"two partitions called boot", with(t, "apps_log", rename("boot")), true},
		form{"a partition inside the table", changed(t, func(table []gpt.Entry) []gpt.Entry {
			return append(table, gpt.Entry{Type: gpt.GUID{1}, Unique: gpt.GUID{9}, First: 2, Last: 33, Name: "spare"})
		}), true},
		form{"a frp that the phone does not have", changed(t, func(table []gpt.Entry) []gpt.Entry {
			return append(table, gpt.Entry{Type: gpt.GUID{1}, Unique: gpt.GUID{9}, First: 34, Last: 99, Name: "frp"})
		}), true}) // not the first partition
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			// The changed table is one of two, and not the one that the phone would take.
			for _, fw := range []*Firmware{bundleWith(t, f.table), bundleWith(t, f.table, z3c(t, testDisk))} {
				ps, _ := fw.judgeStorage(nil, fw.Items)
				if (len(ps) > 0) != f.offline {
					t.Errorf("without the phone: %v", ps)
				}
				for _, on := range []*Storage{own, {Entries: own.Entries}} {
					if ps, _ := fw.judgeStorage(on, fw.Items); len(ps) == 0 {
						t.Error("accepted with the phone")
					} else if ps[0].Kind != PolicyRefusal || !strings.Contains(ps[0].Item, "partition-image") {
						t.Errorf("%+v", ps[0])
					}
				}
			}
		})
	}
}

// TestLayoutOfThisPhone: the layout of the phone passes with and without it, also one for
// storages of several sizes, and what could not be compared is reported.
func TestLayoutOfThisPhone(t *testing.T) {
	fw := bundleWith(t, z3c(t, 8<<30), z3c(t, testDisk), z3c(t, 32<<30))
	for _, c := range []struct {
		name string
		on   *Storage
		says string
	}{
		{"no phone", nil, "before it writes anything, xflash checks"},
		{"phone", &Storage{Sectors: testDisk / 512, Entries: z3c(t, testDisk)}, ""},
		{"phone without a readable table", &Storage{Sectors: testDisk / 512}, "does not tell its partition table"},
		{"phone that does not tell its size", &Storage{Entries: z3c(t, testDisk)}, "every table"},
	} {
		ps, notes := fw.judgeStorage(c.on, fw.Items)
		said := strings.Join(notes, "\n")
		if len(ps) > 0 || c.says == "" && said != "" || !strings.Contains(said, c.says) {
			t.Errorf("%s: %v, %q", c.name, ps, said)
		}
	}
}

// TestLayoutOfASister: the genuine layout of a sister model in a D5803 bundle. Its own
// partitions have other sizes, so everything after them lies elsewhere.
func TestLayoutOfASister(t *testing.T) {
	sister := z3c(t, testDisk)
	grow := entry(t, sister, "boot").Last
	for i := range sister {
		if e := &sister[i]; e.First > grow {
			e.First += 4096
			if e.Name != "userdata" {
				e.Last += 4096
			}
		}
	}
	entry(t, sister, "boot").Last += 4096
	fw := bundleWith(t, sister)
	if ps, notes := fw.judgeStorage(nil, fw.Items); len(ps) > 0 || len(notes) == 0 {
		t.Errorf("without the phone the two cannot be told apart: %v, %v", ps, notes)
	}
	ps, _ := fw.judgeStorage(&Storage{Sectors: testDisk / 512, Entries: z3c(t, testDisk)}, fw.Items)
	if !strings.Contains(ps.Error(), "modemst1") {
		t.Errorf("with the phone: %v", ps)
	}
	// Only system and userdata differ: nothing of the phone is lost but user data.
	sister = z3c(t, testDisk)
	s, c, u := entry(t, sister, "system"), entry(t, sister, "cache"), entry(t, sister, "userdata")
	s.Last, c.First, c.Last, u.First = s.Last-4096, c.First-4096, c.Last-4096, u.First-4096
	fw = bundleWith(t, sister)
	fw.Items = append(fw.Items, image(t, "system.sin", "system", 1<<20), image(t, "cache.sin", "cache", 1<<20))
	on := &Storage{Sectors: testDisk / 512, Entries: z3c(t, testDisk)}
	if ps, _ := fw.judgeStorage(on, fw.Items); !strings.Contains(ps.Error(), "userdata") {
		t.Errorf("userdata moves: %v", ps)
	}
	fw.Items = append(fw.Items, image(t, "userdata.sin", "userdata", 1<<20)) // --wipe
	if ps, _ := fw.judgeStorage(on, fw.Items); len(ps) > 0 {
		t.Errorf("userdata is written again: %v", ps)
	}
	// Left out, the layout changes nothing; then the phone's own table counts.
	if ps, _ := fw.judgeStorage(on, fw.Items[1:]); len(ps) > 0 {
		t.Errorf("layout left out: %v", ps)
	}
}

// TestLayoutThatIsNotSent: it names the partitions of the images anyway, so where the
// phone's own table is unknown it is judged, and where it is, the two must agree.
func TestLayoutThatIsNotSent(t *testing.T) {
	swapped := changed(t, func(table []gpt.Entry) []gpt.Entry {
		a, b := entry(t, table, "modemst1"), entry(t, table, "fsg")
		a.Name, b.Name = b.Name, a.Name
		return table
	})
	fw := bundleWith(t, swapped)
	fw.Items = append(fw.Items, image(t, "amss_fsg.sin", "modemst1", 1024)) // named fsg by the layout
	on := &Storage{Sectors: testDisk / 512, Entries: z3c(t, testDisk)}
	if ps, _ := fw.judgeStorage(on, fw.Items[1:]); !strings.Contains(ps.Error(), "amss_fsg.sin") || !strings.Contains(ps.Error(), "modemst1") {
		t.Errorf("with the phone's table: %v", ps)
	}
	fw = bundleWith(t, drop(t, "TA"))
	if ps, _ := fw.judgeStorage(nil, fw.Items[1:]); !strings.Contains(ps.Error(), "TA") {
		t.Errorf("without: %v", ps)
	}
	if ps, _ := fw.judgeStorage(on, fw.Items[1:]); len(ps) > 0 {
		t.Errorf("the phone's table counts: %v", ps)
	}
}

// TestTwoLayoutFiles: one would be sent, the other would judge.
func TestTwoLayoutFiles(t *testing.T) {
	fw := bundleWith(t, z3c(t, testDisk))
	fw.Items = append(fw.Items, &Item{Member: "sub/partition.sin", Short: "partition", Kind: ftf.KindSIN, Type: sin.TypeLayout, Checked: true})
	ps, _ := fw.judgeStorage(nil, fw.Items)
	if len(ps) != 1 || ps[0].Item != "sub/partition.sin" || !strings.Contains(ps[0].What, "partition-image.sin") {
		t.Errorf("%v", ps)
	}
}

// TestTableThatIsTaken: of two tables the judged one is the one that the loader accepts, the
// largest that fits.
func TestTableThatIsTaken(t *testing.T) {
	const full, small = 20480 << 10, 4096 << 10
	// In the table for the larger storage boot is smaller than the kernel.
	large := z3c(t, 32<<30)
	entry(t, large, "boot").Last = entry(t, large, "boot").First + small/512 - 1
	fw := bundleWith(t, z3c(t, testDisk), large)
	on := func(disk int64) *Storage { return &Storage{Sectors: uint64(disk / 512)} }
	for _, c := range []struct {
		name string
		on   *Storage
		want string
	}{
		{"no phone: one table has room", nil, ""},
		{"phone that accepts the one with room", on(testDisk), ""},
		{"phone that accepts the other", on(32 << 30), "which holds 4194304"},
		{"phone that does not say", &Storage{}, "which holds 4194304"},
		{"phone that is too small for both", on(8 << 30), "801C003D"},
		{"phone with no room for the second table", on(testDisk + 512 - 33*512), "second copy of the table"},
	} {
		ps, _ := fw.judgeStorage(c.on, fw.Items)
		if c.want == "" && len(ps) > 0 || c.want != "" && !strings.Contains(ps.Error()+why(ps), c.want) {
			t.Errorf("%s: %v", c.name, ps)
		}
	}
	// Neither has room: said without the phone.
	fw = bundleWith(t, large, large)
	if ps, _ := fw.judgeStorage(nil, fw.Items); !strings.Contains(ps.Error(), "which holds 4194304") {
		t.Errorf("no table has room: %v", ps)
	}
	// Two tables of one size that differ: it is unclear which one is taken.
	twin := z3c(t, testDisk)
	entry(t, twin, "boot").Last--
	fw = bundleWith(t, z3c(t, testDisk), twin)
	if ps, _ := fw.judgeStorage(on(testDisk), fw.Items); !strings.Contains(ps.Error(), "differ") {
		t.Errorf("twins: %v", ps)
	}
	// A table for another device.
	fw = bundleWith(t, z3c(t, testDisk), z3c(t, testDisk))
	fw.Layout.Tables[1].Device = 1
	if ps, _ := fw.judgeStorage(nil, fw.Items); !strings.Contains(ps.Error(), "device 1") {
		t.Errorf("device 1: %v", ps)
	}
}

func why(ps Problems) (all string) {
	for _, p := range ps {
		all += p.Why
	}
	return all
}

// TestRoomIsExact: the last byte of the partition, and one more. The loader of the Xperia
// ZR writes that one into the next partition.
func TestRoomIsExact(t *testing.T) {
	table := z3c(t, testDisk)
	size := entry(t, table, "boot").Size()
	for _, on := range []*Storage{nil, {Sectors: testDisk / 512, Entries: table}} {
		for end, fits := range map[int64]bool{1: true, size: true, size + 1: false, 1<<63 - 1: false} {
			fw := bundleWith(t, table)
			fw.Items[1] = image(t, "kernel.sin", "boot", end)
			for _, send := range [][]*Item{fw.Items, fw.Items[1:]} { // with the layout, and without it
				if ps, _ := fw.judgeStorage(on, send); (len(ps) == 0) != fits {
					t.Errorf("%d of %d bytes: %v", end, size, ps)
				}
			}
		}
	}
	// A partition that no table has.
	fw := bundleWith(t, table)
	fw.Items[1].Targets[0].GUID = gpt.GUID{7}
	if ps, _ := fw.judgeStorage(nil, fw.Items); !strings.Contains(ps.Error(), "not in the partition table") {
		t.Errorf("%v", ps)
	}
}

// TestTargetsByGUID: the identifier counts, whatever a layout calls the partition.
func TestTargetsByGUID(t *testing.T) {
	fw := bundleWith(t, with(t, "TA", func(e *gpt.Entry) { e.Name = "boot2" }))
	ta := sin.Target{GUID: entry(t, z3c(t, testDisk), "TA").Unique}
	if p := fw.tables(nil, true).place(ta); p.Label != "TA" || p.Size != 2<<20 {
		t.Errorf("%+v", p)
	}
	if p := fw.tables(nil, true).place(sin.Target{GUID: entry(t, z3c(t, testDisk), "modemst1").Unique}); p.Label != "modemst1" {
		t.Errorf("%+v", p)
	}
}
