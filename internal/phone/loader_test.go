package phone

import (
	"regexp"
	"slices"
	"testing"
)

func TestLoaderRows(t *testing.T) {
	seen := map[string]string{}
	for _, f := range Families() {
		for _, l := range f.Loaders {
			for _, key := range append([]string{l.Version + " " + l.ID, l.MD5}, l.Folders...) {
				if before := seen[key]; before != "" {
					t.Errorf("%s: %s is already a key of %s", l.Version, key, before)
				}
				seen[key] = l.Version
			}
			if !regexp.MustCompile(`^[A-Z0-9]+(_[0-9]+)?$`).MatchString(l.Version) ||
				!regexp.MustCompile(`^[0-9]{4}-[0-9]{4}$`).MatchString(l.ID) ||
				!regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(l.MD5) || len(l.Folders) == 0 {
				t.Errorf("%s: %+v", f.Name, l)
			}
			for _, folder := range l.Folders {
				if !slices.ContainsFunc(f.Models, func(m Model) bool { return m.Folder == folder }) {
					t.Errorf("%s: %s is not a folder of %s", l.Version, folder, f.Name)
				}
			}
			oneOf(t, l.Version+" verified", l.Verified, ByLoader, BySister, Unproven)
			if l.Verified != Unproven {
				oneOf(t, l.Version+" fill", l.Fill, Fill28, Fill32, FillErased)
				if l.PacketsPerBlock < 15 {
					t.Errorf("%s: %d packets per block", l.Version, l.PacketsPerBlock)
				}
			}
			if sister, ok := f.LoaderByVersion(l.SisterOf); (l.Verified == BySister) != (ok && sister.Verified == ByLoader) {
				t.Errorf("%s is proven by %q and its sister is %q", l.Version, l.Verified, l.SisterOf)
			} else if ok && (!slices.EqualFunc(sister.Sets, l.Sets, slices.Equal) || sister.LZ4A != l.LZ4A || sister.HeaderUnit != l.HeaderUnit) {
				t.Errorf("%s does not agree with %s", l.Version, l.SisterOf)
			}
			for _, label := range append(slices.Concat(l.Sets...), l.HeaderUnit) {
				p, ok := f.Partition(label)
				switch {
				case label == "" && l.HeaderUnit == "":
				case !ok:
					t.Errorf("%s: %s is not a partition of %s", l.Version, label, f.Name)
				case label != l.HeaderUnit && p.Class != BootChain:
					t.Errorf("%s: %s is in a boot set and of class %s", l.Version, label, p.Class)
				}
			}
		}
	}
}

// The table of usbproto/s1/PROTOCOL.md §14.1 and the table of PHONES.md §4.
func TestLoaderByVersion(t *testing.T) {
	for _, c := range []struct {
		family, ver, md5 string
		sets             [][]string
		lz4a             bool
		unit             string
		verified         Verification
	}{
		{"shinano", "MSM8974AB_22", "b0d2e98567587314e5b83b66b0f61232", [][]string{{"sbl1", "s1sbl", "aboot", "tz", "rpm", "dbi"}}, true, "boot", ByLoader},
		{"shinano", "LOADER_RELEASE_MSM8974AB_12_AID_4", "6c2ba3d3d38d65c7ac752d1423904193", [][]string{{"sbl1", "s1sbl", "aboot", "tz", "rpm", "dbi"}}, true, "system", ByLoader},
		{"shinano", "MSM8974AB_7", "dce52b3642602ed592bfb2c7b5c8dbd1", [][]string{{"sbl1", "s1sbl", "aboot", "tz"}, {"rpm"}}, false, "", ByLoader},
		{"shinano", "MSM8974AB_27", "02ed8434e6b38079e8ed6f8cc5cd4542", [][]string{{"sbl1", "s1sbl", "aboot", "tz", "rpm", "dbi"}}, true, "boot", BySister},
		{"rhine", "loader_MSM8974_23", "c6ad01a6a2a187b240908b1d2105b467", [][]string{{"sbl1", "s1sbl", "aboot", "tz"}, {"rpm"}}, false, "", ByLoader},
		{"yukon", "LOADER_RELEASE_MSM8X26_31_AID_4", "e33ff4f8166b121a37f0c54ba3774824", [][]string{{"sbl1", "s1sbl", "aboot", "tz"}, {"rpm"}}, false, "", ByLoader},
		{"fusion3", "APQ8064_39", "cde6867aaa94834b70b4245263b3468e", [][]string{{"sbl1", "sbl2", "s1sbl", "sbl3", "aboot", "tz"}, {"rpm"}}, false, "", ByLoader},
		{"fusion3", "APQ8064_30", "d8840f4d5da969dfe357ddbcfd69a41e", nil, false, "", ByLoader},
		{"viskan", "loader_MSM8X30_10", "dc796ea448e164dfdaa7b294d1aeee53", nil, false, "", ByLoader},
		{"kanuti", "MSM8936_14", "1cda7c6434b4fc3dfb51fa7f6a61d111", [][]string{{"sbl1", "s1sbl", "aboot", "tz", "rpm", "hyp"}}, true, "boot", ByLoader},
		{"kitakami", "MSM8994_41", "5e06ef5078da4b9998bec1a9e1faa08c", [][]string{{"sbl1", "s1sbl", "aboot", "tz", "rpm", "hyp", "pmic"}}, true, "boot", ByLoader},
		{"rhine", "MSM8974_32", "0164d342f02a97f782b34f463473c464", [][]string{{"sbl1", "s1sbl", "aboot", "tz"}, {"rpm"}}, false, "", BySister},
	} {
		f := familyNamed(t, c.family)
		l, ok := f.LoaderByVersion(c.ver)
		if !ok || l.MD5 != c.md5 || !slices.EqualFunc(l.Sets, c.sets, slices.Equal) || l.LZ4A != c.lz4a || l.HeaderUnit != c.unit || l.Verified != c.verified {
			t.Errorf("%s: %+v", c.ver, l)
		}
	}
	f := familyNamed(t, "shinano")
	for _, ver := range []string{"", "MSM8974AB_2", "MSM8974AB_26", "MSM8974_23", "S1_Boot_MSM8974AC_11"} {
		if l, ok := f.LoaderByVersion(ver); ok {
			t.Errorf("%q is taken for %s", ver, l.Version)
		}
	}
}

func TestBootSetsOfAFamily(t *testing.T) {
	for _, c := range []struct {
		family      string
		again, must []string
	}{
		{"shinano", []string{"sbl1", "s1sbl", "aboot", "tz", "rpm", "dbi"}, []string{"sbl1", "s1sbl", "aboot", "tz", "rpm"}},
		{"rhine", []string{"sbl1", "s1sbl", "aboot", "tz", "rpm"}, []string{"sbl1", "s1sbl", "aboot", "tz", "rpm"}},
		{"fusion3", []string{"sbl1", "sbl2", "s1sbl", "sbl3", "aboot", "tz", "rpm"}, []string{"sbl1", "sbl2", "s1sbl", "sbl3", "aboot", "tz", "rpm"}},
		{"viskan", nil, nil},
		{"loire", nil, nil},
	} {
		f := familyNamed(t, c.family)
		if got := f.SentAgain(); !slices.Equal(got, c.again) {
			t.Errorf("%s: sent again %v", c.family, got)
		}
		if got := f.MustBePresent(); !slices.Equal(got, c.must) {
			t.Errorf("%s: must be present %v", c.family, got)
		}
	}
}

func familyNamed(t *testing.T, name string) *Family {
	t.Helper()
	for _, f := range Families() {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no family %s", name)
	return nil
}
