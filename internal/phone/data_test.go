package phone

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// oneOf reports words that are not in the vocabulary of a field.
func oneOf[T ~string](t *testing.T, what string, got T, allowed ...T) {
	t.Helper()
	if !slices.Contains(allowed, got) {
		t.Errorf("%s is %q, not one of %q", what, got, allowed)
	}
}

func TestNothingTwice(t *testing.T) {
	seen := map[string]string{}
	once := func(kind, name, where string) {
		t.Helper()
		key := kind + " " + strings.ToLower(name)
		if name == "" {
			t.Errorf("%s of %s has no name", kind, where)
		}
		if before, ok := seen[key]; ok {
			t.Errorf("%s is in %s and in %s", key, before, where)
		}
		seen[key] = where
	}
	for _, f := range Families() {
		once("family", f.Name, f.Name)
		for _, m := range f.Models {
			once("model", m.Code, f.Name)
		}
		for _, r := range f.Roots {
			once("root of "+f.Name, r, f.Name)
		}
		for _, b := range f.Boards {
			once("board", b.CodeName, f.Name)
		}
		for _, p := range f.Partitions {
			once("partition of "+f.Name, p.Label, f.Name)
			if !p.GUID.IsZero() {
				once("GUID of "+f.Name, p.GUID.String(), p.Label)
			}
		}
		for _, o := range f.orders {
			for _, script := range o.Scripts {
				once("script", script, f.Name)
			}
		}
	}
	for _, i := range loaded().images {
		once("image", i.Short, "images.json")
		for _, a := range i.Aliases {
			once("image", a, "images.json")
		}
	}
	for _, f := range loaded().files {
		once("ta file", f.Name, "units.json")
	}
}

func TestVocabulary(t *testing.T) {
	for _, f := range Families() {
		if len(f.Models) == 0 || f.SoC == "" || f.Years == "" || f.Note == "" {
			t.Errorf("family %s lacks models, years, SoC or note", f.Name)
		}
		oneOf(t, f.Name+" protocol", f.Protocol, ProtocolS1, ProtocolCommand)
		for _, r := range f.Roots {
			if !regexp.MustCompile(`^S1_((Loader|SW)_)?Root_[0-9a-f]{4}$`).MatchString(r) {
				t.Errorf("%s: root %q", f.Name, r)
			}
		}
		for _, m := range f.Models {
			if m.Name == "" || m.Folder == "" {
				t.Errorf("%s: model %s lacks name or folder", f.Name, m.Code)
			}
			if !regexp.MustCompile(`^([0-9a-f]{32})?$`).MatchString(m.LoaderMD5) {
				t.Errorf("%s: loader MD5 %q", m.Code, m.LoaderMD5)
			}
		}
		for _, p := range f.Partitions {
			oneOf(t, p.Label+" class", p.Class, Identity, BootChain, System, Rescue, UserData, Modem, Untouched)
			oneOf(t, p.Label+" verdict", p.Verdict, Allow, Wipe, Bundle, Delivery, Never)
			if p.Note == "" || p.Size < 0 || p.Size%512 != 0 {
				t.Errorf("%s: partition %+v", f.Name, p)
			}
		}
	}
	for _, i := range loaded().images {
		oneOf(t, i.Short+" target", i.Writes, ToPartition, ToTable, ToMemory)
		oneOf(t, i.Short+" policy", i.Send, SendAlways, SendWipe, SendDelivery, SendLoader, SendNever, SendRefuse)
		oneOf(t, i.Short+" signer", i.Signer, "", "S1_SW", "S1_Boot", "S1_Loader")
		if i.Group == "" || i.Reason == "" || i.Short != strings.ToLower(i.Short) {
			t.Errorf("image %+v", i)
		}
		if dangerous := i.Send == SendDelivery || i.Writes == ToTable && i.Send != SendNever; i.Danger != dangerous {
			t.Errorf("%s: danger is %v; the window is the boot chain and the partition table", i.Short, i.Danger)
		}
	}
	for _, u := range loaded().units {
		oneOf(t, "unit verdict", u.Verdict, Allow, Delivery, Session, Request, Never)
		if u.Reason == "" {
			t.Errorf("unit %d has no reason", u.Unit)
		}
	}
	for _, f := range loaded().files {
		if f.Reason == "" || f.Name != strings.ToLower(f.Name) || f.Never == (len(f.Units) > 0) {
			t.Errorf("ta file %+v", f)
		}
		for _, u := range f.Units {
			if UnitVerdict(u).Verdict == Never {
				t.Errorf("%s.ta is wanted but its unit %d is never written", f.Name, u)
			}
		}
	}
}

// An image may only reach partitions whose verdict fits its policy.
func TestImagesReachOnlyWhatTheyMay(t *testing.T) {
	fits := map[SendRule][]Verdict{
		SendAlways:   {Allow, Bundle},
		SendWipe:     {Wipe},
		SendDelivery: {Delivery},
	}
	for _, f := range Families() {
		for short, labels := range f.targets {
			img, ok := f.Image(short)
			if !ok || img.Short != short || img.Writes != ToPartition || len(labels) == 0 {
				t.Errorf("%s: target of %s: image is %+v", f.Name, short, img)
			}
			for _, label := range labels {
				if img.Send == SendNever {
					continue // its labels only say where it would go
				}
				p, ok := f.Partition(label)
				if !ok {
					t.Errorf("%s: %s writes %s, which does not exist", f.Name, short, label)
					continue
				}
				if !slices.Contains(fits[img.Send], p.Verdict) {
					t.Errorf("%s: %s (%s) writes %s (%s)", f.Name, short, img.Send, label, p.Verdict)
				}
				if p.Class == Identity || p.Class == Untouched {
					t.Errorf("%s: %s reaches %s of class %s", f.Name, short, label, p.Class)
				}
			}
		}
		for _, p := range f.Partitions {
			if (p.Class == Identity || p.Class == Untouched || strings.HasPrefix(p.Label, "alt_")) && p.Verdict != Never {
				t.Errorf("%s: %s must never be written", f.Name, p.Label)
			}
		}
	}
}

// Every image that a family can write has its place in an order, once, and an order by
// which a phone is flashed names nothing that is not written.
func TestOrdersAreComplete(t *testing.T) {
	for _, f := range Families() {
		placed := map[string]bool{}
		for _, m := range f.Models {
			o, ok := f.KnownOrder(m)
			if !ok && m.order != "" {
				t.Errorf("%s: order %q does not exist", m.Code, m.order)
			}
			if _, flashed := f.Order(m); flashed {
				checkOrder(t, f, o, placed)
			}
		}
		if len(placed) == 0 {
			continue
		}
		for short := range f.targets {
			// A modem file under a name that the family's scripts do not have is left out.
			if img, _ := f.Image(short); img.Send != SendNever && img.Group != "modem" && !placed[short] {
				t.Errorf("%s: %s has a target and is in no order", f.Name, short)
			}
		}
	}
}

func checkOrder(t *testing.T, f *Family, o Order, placed map[string]bool) {
	t.Helper()
	images, units := map[string]int{}, map[uint32]int{}
	for i, s := range o.Steps {
		if (len(s.Images) == 0) == (len(s.Units) == 0) {
			t.Errorf("%s %v: step %d holds not exactly one of images and units", f.Name, o.Scripts, i)
		}
		if !s.TA && !slices.Equal(s.Images, []string{"partition-image"}) {
			t.Errorf("%s %v: step %d without open trim area", f.Name, o.Scripts, i)
		}
		for _, short := range s.Images {
			img, ok := f.Image(short)
			if images[short]++; !ok || img.Short != short || img.Send == SendNever || images[short] > 1 {
				t.Errorf("%s %v: %s occurs %d times and is %+v", f.Name, o.Scripts, short, images[short], img)
			}
			placed[short] = true
		}
		for _, u := range s.Units {
			if units[u]++; !slices.Contains([]Verdict{Session, Delivery, Allow}, UnitVerdict(u).Verdict) {
				t.Errorf("%s %v: unit %d is %+v", f.Name, o.Scripts, u, UnitVerdict(u))
			}
		}
	}
	for u, n := range map[uint32]int{10100: 2, 10021: 1} {
		if units[u] != n {
			t.Errorf("%s %v: unit %d occurs %d times, not %d", f.Name, o.Scripts, u, units[u], n)
		}
	}
	if images["partition-image"] != 1 || !slices.Equal(o.Steps[1].Images, []string{"partition-image"}) {
		t.Errorf("%s %v: the partition table does not come first", f.Name, o.Scripts)
	}
	first, last := o.Steps[0], o.Steps[len(o.Steps)-1]
	if !slices.Equal(first.Units, []uint32{10100}) || !slices.Equal(last.Units, []uint32{10021, 10100}) {
		t.Errorf("%s %v: flash state is not set first and cleared last", f.Name, o.Scripts)
	}
}

func TestLoadRefusesMistakes(t *testing.T) {
	good := func() fstest.MapFS {
		return fstest.MapFS{
			"images.json":     {Data: []byte(`{"images":[]}`)},
			"units.json":      {Data: []byte(`{"units":[],"files":[]}`)},
			"guids.json":      {Data: []byte(`{"partitions":[]}`)},
			"command.json":    {Data: []byte(`{"images":[]}`)},
			"families/x.json": {Data: []byte(`{"name":"x"}`)},
		}
	}
	if k, err := load(good()); err != nil || len(k.families) != 1 {
		t.Fatalf("%+v, %v", k, err)
	}
	for file, text := range map[string]string{
		"images.json":     `{"images":[{"shrot":"kernel"}]}`,
		"command.json":    `{"images":[{"slot":true}]}`,
		"units.json":      `{"files":[{"name":"a","data":"0"}]}`,
		"families/x.json": `{"devices":[{"usb":"fffff"}]}`,
		"families/y.json": `{"boards":[{"soc_rev":"v2"}]}`,
		"families/z.json": `{"partitions":[{"guid":"F9CDF7BA"}]}`,
	} {
		files := good()
		files[file] = &fstest.MapFile{Data: []byte(text)}
		if _, err := load(files); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s with %s: %v", file, text, err)
		}
	}
}
