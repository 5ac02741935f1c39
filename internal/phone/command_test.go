package phone

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xflash/fastboot"
)

// The list of images of 2017 and later is an allow list in a closed vocabulary; what belongs
// to one phone is on it only to be refused or left out.
func TestCommandImages(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range loaded().command.images {
		oneOf(t, i.Short+" policy", i.Send, SendAlways, SendWipe, SendDelivery, SendComplete, SendNever, SendRefuse)
		oneOf(t, i.Short+" slot", i.Slot, "", "b")
		if i.Group == "" || i.Reason == "" {
			t.Errorf("image %+v", i)
		}
		if (i.Send == SendDelivery || i.Writes == ToTable) != i.Danger {
			t.Errorf("%s: danger is %v; the window is the boot chain and the partition tables", i.Short, i.Danger)
		}
		for _, name := range append([]string{i.Short}, i.Aliases...) {
			if low := strings.ToLower(name); seen[low] {
				t.Errorf("%s is given twice", name)
			} else {
				seen[low] = true
			}
		}
		for _, label := range i.Partitions {
			never, protected := NeverWritten(label)
			if protected && label != "misc" && i.Send != SendNever && i.Send != SendRefuse {
				t.Errorf("%s would be written, and it is %s", label, never.Note)
			}
		}
	}
	for _, name := range []string{"persist", "TA", "devinfo", "keystore", "frp"} {
		if img, ok := commandImage(name); !ok || img.Send != SendNever && img.Send != SendRefuse {
			t.Errorf("%s: %+v", name, img)
		}
	}
}

// The last guard of fastboot holds back what this package calls never written, in any case and
// slot; and a family's own words for such a partition are found under every spelling.
func TestFastbootGuardKnowsWhatIsNeverWritten(t *testing.T) {
	for _, p := range loaded().never {
		for _, name := range []string{p.Label, strings.ToLower(p.Label), strings.ToUpper(p.Label), p.Label + "_a"} {
			for _, word := range []string{"flash:", "erase:"} {
				var no *fastboot.Forbidden
				if err := fastboot.Judge(word + name); !errors.As(err, &no) {
					t.Errorf("%s%s: %v", word, name, err)
				}
			}
		}
		for _, f := range Families() {
			want, _ := f.Partition(p.Label)
			for _, name := range []string{strings.ToLower(p.Label), strings.ToUpper(p.Label)} {
				if got, ok := f.Partition(name); !ok || got.Note != want.Note || got.Label != want.Label {
					t.Errorf("%s: %s is %q, %s is %q", f.Name, name, got.Note, p.Label, want.Note)
				}
			}
		}
	}
}

// Each image that may be written has its place in the order of some form, or after the units.
func TestCommandOrders(t *testing.T) {
	k := loaded().command
	placed := slices.Clone(k.last)
	for _, o := range k.orders {
		if !slices.Equal(o.Images[:2], []string{"partition-image", "bootloader"}) {
			t.Errorf("%v starts with %v", o.Forms, o.Images[:2])
		}
		for i, name := range o.Images {
			if img, ok := commandImage(name); !ok || img.Short != name || img.Send == SendNever || slices.Contains(o.Images[:i], name) {
				t.Errorf("%v: %s is %+v", o.Forms, name, img)
			}
		}
		placed = append(placed, o.Images...)
	}
	for _, i := range k.images {
		if i.Send != SendNever && i.Send != SendRefuse && !slices.Contains(placed, i.Short) {
			t.Errorf("%s is in no order", i.Short)
		}
	}
	for _, form := range []Form{"", FormOne, FormSlots, FormSuper, FormLater} {
		f := &Family{Protocol: ProtocolCommand}
		images, last := f.CommandOrder(Model{Form: form})
		if len(images) < 15 || !slices.Equal(last, []string{"LTALabel"}) {
			t.Errorf("form %q: %v, %v", form, images, last)
		}
	}
}

// The units are those that a complete set of Sony's holds, and nothing else; the same number
// may have another verdict on older phones.
func TestCommandUnits(t *testing.T) {
	f := &Family{Protocol: ProtocolCommand}
	allowed := map[Verdict][]uint32{
		Session:  {10021, 10100},
		Delivery: {2127, 2301},
		Allow:    {2171, 2212, 2311, 2316, 2330, 2404, 2473, 2486, 2553, 2590},
		Wipe:     {2550},
	}
	for n := uint32(0); n < 70000; n++ {
		want := Never
		for v, units := range allowed {
			if slices.Contains(units, n) {
				want = v
			}
		}
		if u := f.Unit(n); u.Verdict != want || u.Reason == "" {
			t.Errorf("unit %d: %+v, want %s", n, u, want)
		}
	}
}

func TestCommandModels(t *testing.T) {
	key := regexp.MustCompile(`^[0-9A-F]{4}$`)
	for _, f := range Families() {
		for _, m := range f.Models {
			if f.Protocol != ProtocolCommand {
				if m.Form != "" || m.Keys != nil || m.ByName || f.Storage != "" {
					t.Errorf("%s: %+v", m.Code, m)
				}
				continue
			}
			if f.Name == "mt6762" {
				if m.Form != "" || m.whyNot == "" {
					t.Errorf("%s is a MediaTek phone: %+v", m.Code, m)
				}
				continue
			}
			oneOf(t, m.Code+" form", m.Form, FormOne, FormSlots, FormSuper, FormLater)
			oneOf(t, m.Code+" storage", f.Storage, "ufs", "emmc")
			for _, k := range m.Keys {
				if !key.MatchString(k) {
					t.Errorf("%s: key %q", m.Code, k)
				}
			}
		}
	}
	for code, want := range map[string]string{"G8341": "C93B", "H3113": "18AE", "J9110": "A2CD", "XQ-AU52": "E9C8", "XQ-BC72": "4BA8", "SO-52B": "F007", "XQ-BT52": "8A63", "A301SO": "25B1", "XQ-EC72": "88DF"} {
		if _, m, ok := ByModel(code); !ok || !slices.Equal(m.Keys, []string{want}) {
			t.Errorf("%s: %+v", code, m)
		}
	}
}
