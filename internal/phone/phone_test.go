package phone

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"xflash/sin/gpt"
)

func mustFamily(t *testing.T, code string) (*Family, Model) {
	t.Helper()
	f, m, ok := ByModel(code)
	if !ok {
		t.Fatalf("model %s is unknown", code)
	}
	return f, m
}

func TestByModel(t *testing.T) {
	for _, c := range []struct{ code, family, name, folder string }{
		{"D5803", "shinano", "Xperia Z3 Compact", "D58XX"},
		{"d5833", "shinano", "Xperia Z3 Compact", "D58XX"},
		{"m55W", "shinano", "Xperia Z3 Compact", "D58XX"},
		{"SO-02G", "shinano", "Xperia Z3 Compact", "D58XX"},
		{"D6603", "shinano", "Xperia Z3", "D66XX"},
		{"D6503", "shinano", "Xperia Z2", "D65XX"},
		{"SGP621", "shinano", "Xperia Z3 Tablet Compact", "SGP6XX"},
		{"D5503", "rhine", "Xperia Z1 Compact", "D550X"},
		{"C6903", "rhine", "Xperia Z1", "C69XX"},
		{"C6603", "fusion3", "Xperia Z", "C660X"},
		{"D2303", "yukon", "Xperia M2", "D230X"},
		{"C1905", "viskan", "Xperia M", "C190X"},
		{"E5823", "kitakami", "Xperia Z5 Compact", "E58XX"},
	} {
		f, m := mustFamily(t, c.code)
		if f.Name != c.family || m.Name != c.name || m.Folder != c.folder || !strings.EqualFold(m.Code, c.code) {
			t.Errorf("%s: %s, %+v", c.code, f.Name, m)
		}
	}
	for _, code := range []string{"", "D580", "D58033", "Unknown: Jan 23 2014/09:43:25"} {
		if _, m, ok := ByModel(code); ok {
			t.Errorf("%q is taken for %s", code, m.Code)
		}
	}
}

func TestZ3Compact(t *testing.T) {
	f, m := mustFamily(t, "D5803")
	if m.CodeName != "aries" || m.LinuxName != "z3c" || m.USB != 0x1BB || m.OperatorBound {
		t.Errorf("%+v", m)
	}
	if m.LoaderMD5 != "b0d2e98567587314e5b83b66b0f61232" { // PHONES.md §11.1
		t.Errorf("loader MD5 %s", m.LoaderMD5)
	}
	if _, docomo := mustFamily(t, "SO-02G"); !docomo.OperatorBound {
		t.Error("SO-02G is not operator-bound")
	}
	if models := ByUSB(0x51BB); len(models) != 4 || models[0].Code != "D5803" {
		t.Errorf("USB 51bb: %+v", models)
	}
	if models := ByUSB(0xADDE); models != nil {
		t.Errorf("flash mode names a model: %+v", models)
	}
	b, ok := f.Board(m.CodeName)
	if !ok || b.SoCRev != 0x10000 || !slices.Equal(b.BoardIDs, [][2]uint32{{8, 0}}) || !slices.Contains(b.MSM, 194) ||
		b.Compatible != "somc,aries-row" {
		t.Errorf("board %+v", b)
	}
	// Numbers 1 to 25 in the listing of PHONES.md §3.4.
	if len(f.Partitions) != 25 || f.Partitions[0].Label != "TA" || f.Partitions[13].Label != "boot" ||
		f.Partitions[15].Label != "FOTAKernel" || f.Partitions[24].Label != "userdata" {
		t.Errorf("partitions %+v", f.Partitions)
	}
	g, err := gpt.ParseGUID("DBE0B276-4DB9-4A0D-ACA7-00684DE9C467")
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := f.Partition(f.LabelOf(g)); !ok || p.Label != "FOTAKernel" || p.Size != 16<<20 {
		t.Errorf("%+v", p)
	}
	if p, ok := f.Partition(f.LabelOf(gpt.GUID{})); ok {
		t.Errorf("the zero GUID is taken for %s", p.Label)
	}
	if _, ok := f.Partition("fotakernel"); ok {
		t.Error("labels are compared without case")
	}
}

func TestByRoot(t *testing.T) {
	for root, want := range map[string]string{
		"S1_Root_9c84": "shinano", "S1_Root_6732": "rhine", "S1_Root_5ca3": "fusion3", "S1_Root_f82d": "yukon",
		"S1_Root_7054": "blue viskan-v2", "": "", "S1_Root_Test_b316": "", "s1_root_9c84": "",
	} {
		var got []string
		for _, f := range ByRoot(root) {
			got = append(got, f.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q belongs to %q, not %q", root, got, want)
		}
	}
}

func TestImagePolicy(t *testing.T) {
	f, _ := mustFamily(t, "D5803")
	for _, c := range []struct {
		short     string
		send      SendRule
		signer    string
		partition string
	}{
		{"kernel", SendAlways, "S1_SW", "boot"},
		{"KERNEL", SendAlways, "S1_SW", "boot"},
		{"fotakernel", SendAlways, "", "FOTAKernel"},
		{"system", SendAlways, "S1_SW", "system"},
		{"amss_fs_1", SendAlways, "", "modemst1"},
		{"elabel", SendAlways, "", "LTALabel"},
		{"userdata", SendWipe, "", "userdata"},
		{"apps_log", SendWipe, "", "apps_log"},
		{"emmc_appsboot", SendDelivery, "S1_Boot", "aboot"},
		{"tz", SendDelivery, "S1_Boot", "tz"},
		{"partition", SendAlways, "S1_SW", ""},
		{"partition-image", SendAlways, "S1_SW", ""},
		{"loader", SendLoader, "S1_Loader", ""},
		{"ssd", SendNever, "", ""},
		{"TA", SendRefuse, "", ""},
		{"recovery", SendNever, "", ""},
	} {
		img, ok := f.Image(c.short)
		if !ok || img.Send != c.send || img.Signer != c.signer || strings.Join(img.Partitions, ",") != c.partition || img.Reason == "" {
			t.Errorf("%s: %+v", c.short, img)
		}
	}
	for _, short := range []string{"", "modemst1", "alt_sbl1", "simlock", "hwconf"} {
		if img, ok := f.Image(short); ok {
			t.Errorf("%q is taken for an image: %+v", short, img)
		}
	}
	recognised, m := mustFamily(t, "F5121")
	if img, ok := recognised.Image("system"); !ok || img.Send != SendNever {
		t.Errorf("an image can be written to a phone that is only recognised: %+v", img)
	}
	if _, ok := recognised.Order(m); ok {
		t.Error("there is an order for a phone that is only recognised")
	}
}

// What the sister models do differently, as ftf/FORMAT.md §4 tells it.
func TestSisterOrders(t *testing.T) {
	step := func(o Order, what string) int {
		return slices.IndexFunc(o.Steps, func(s Step) bool {
			n, _ := strconv.ParseUint(what, 10, 32)
			return slices.Contains(s.Images, what) || slices.Contains(s.Units, uint32(n))
		})
	}
	unit := func(o Order, n uint32) int {
		var units []uint32
		for _, s := range o.Steps {
			units = append(units, s.Units...)
		}
		return slices.Index(units, n)
	}
	for _, code := range []string{"D6503", "D6603", "C6903", "C6833"} {
		f, m := mustFamily(t, code)
		o, ok := f.Order(m)
		if !ok {
			t.Fatalf("%s: no order", code)
		}
		boot, units, rest := step(o, "dbi"), step(o, "2127"), step(o, "tz")
		if step(o, "emmc_appsboot") != boot || step(o, "sbl1") != rest || step(o, "s1sbl") != rest || boot+1 != units || units+1 != rest {
			t.Errorf("%s: dbi %d, 2127 %d, tz %d", code, boot, units, rest)
		}
		z1 := f.Name == "rhine"
		if with := map[bool]string{true: "kernel", false: "tz"}[z1]; step(o, "rpm") != step(o, with) {
			t.Errorf("%s: rpm is not together with %s", code, with)
		}
		if (unit(o, 2404) < unit(o, 2212)) != z1 {
			t.Errorf("%s: 2404 at %d, 2212 at %d", code, unit(o, 2404), unit(o, 2212))
		}
	}
}

func TestUnitVerdict(t *testing.T) {
	want := map[Verdict][]uint32{
		// The allow-list recommended in internal/trimarea/FORMAT.md §3.
		Session:  {10021, 10100},
		Delivery: {2127, 2301},
		Allow:    {2212, 2402, 2404},
		Request:  {2311, 2330, 2473, 2486, 2550, 2553},
		// DESIGN: these and everything from 0x10000 on, and what nobody knows.
		Never: {2003, 2010, 2129, 2210, 4900, 66667, 0x10000, 0xFFFFFFFF, 0, 1, 2226, 2022, 2036, 2560, 2568, 2050, 9999, 65535},
	}
	for verdict, units := range want {
		for _, u := range units {
			if got := UnitVerdict(u); got.Verdict != verdict || got.Number != u || got.Reason == "" {
				t.Errorf("unit %d: %+v, want %s", u, got, verdict)
			}
		}
	}
	writable := 0
	for u := range uint32(0x10000) {
		if UnitVerdict(u).Verdict != Never {
			writable++
		}
	}
	if writable != 13 {
		t.Errorf("%d units can be written, the list has 13", writable)
	}
}

func TestTAFileByName(t *testing.T) {
	for _, c := range []struct {
		base  string
		unit  uint32
		data  string
		never bool
	}{
		{"cust-reset", 2212, "\x00", false},
		{"Fota-Reset", 2404, "\x00", false},
		{"auto-boot", 2311, "", false},
		{"Aries_S1BootConfig_MiscTA", 2127, "", false},
		{"simlock", 0, "", true},
		{"D5803_SIMLOCK_generic", 0, "", true},
		{"SIM_MiscTA", 0, "", true},
	} {
		f, ok := TAFileByName(c.base)
		if !ok || f.Never != c.never || string(f.Data) != c.data || (c.unit != 0) != slices.Contains(f.Units, c.unit) {
			t.Errorf("%s: %+v %v", c.base, f, ok)
		}
	}
	if f, ok := TAFileByName("something"); ok {
		t.Errorf("an unknown file is taken for %+v", f)
	}
}
