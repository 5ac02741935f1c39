package restore

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"testing"

	"xflash/internal/phone"
	"xflash/internal/samples"
	"xflash/sin"
)

// The kinds of loaders of usbproto/s1/PROTOCOL.md §14.3, as their payloads show them.
func loaders(t *testing.T) map[string]*receiver {
	t.Helper()
	family := func(model string) *phone.Family {
		f, _, ok := phone.ByModel(model)
		if !ok {
			t.Fatal(model)
		}
		return f
	}
	old, recent := []string{"GPTP", "ADDR", "FILL"}, []string{"GPTP", "MTKP", "ADDR", "LZ4A", "FILL", "MTKM"}
	return map[string]*receiver{
		"z3":      receiverOf(family("D5803"), &sin.Loader{Version: "MSM8974AB_22", Tags: recent, IgnoresCRC: true}),
		"rhine":   receiverOf(family("C6903"), &sin.Loader{Version: "MSM8974_23", Tags: old, IgnoresCRC: true}),
		"z":       receiverOf(family("C6603"), &sin.Loader{Version: "APQ8064_30", Tags: old}),
		"unknown": nil,
	}
}

func withFill(length int, word uint32, last bool) sin.Needs {
	n := sin.Needs{Tags: []sin.TagKind{sin.TagGPTP, sin.TagADDR, sin.TagFILL}, LastFill: last, FillWord: word != 0}
	n.ShortFill, n.MidFill, n.LongFill = length == 28, length > 28 && length < 32, length >= 32
	return n
}

// TestFillForms: each form of a FILL tag with each kind of loader.
func TestFillForms(t *testing.T) {
	const data, last = false, true
	for _, c := range []struct {
		name     string
		needs    sin.Needs
		accepted string // by these
	}{
		{"28, zeros", withFill(28, 0, data), "z3 unknown"},
		{"28, a word", withFill(28, 0x11223344, data), "z3 unknown"},
		{"28, last", withFill(28, 0, last), "z3 unknown"},
		{"30", withFill(30, 0, data), ""},
		{"32, zeros", withFill(32, 0, data), "rhine z unknown"},
		{"32, a word", withFill(32, 0x11223344, data), "rhine unknown"},
		{"36, zeros", withFill(36, 0, data), "rhine z unknown"},
		{"32, last", withFill(32, 0, last), "unknown"},
		{"no FILL", sin.Needs{Tags: []sin.TagKind{sin.TagGPTP, sin.TagADDR}}, "z3 rhine z unknown"},
		{"LZ4A", sin.Needs{Tags: []sin.TagKind{sin.TagGPTP, sin.TagLZ4A}}, "z3 unknown"},
		{"MTKP", sin.Needs{Tags: []sin.TagKind{sin.TagMTKP, sin.TagADDR}}, "z3 unknown"},
	} {
		for name, r := range loaders(t) {
			why := r.refuses(imageForm{needs: c.needs})
			if want := bytes.Contains([]byte(" "+c.accepted+" "), []byte(" "+name+" ")); (why == "") != want {
				t.Errorf("%s by %s: %q", c.name, name, why)
			}
		}
	}
	both := withFill(28, 0, data)
	both.LongFill = true
	for name, r := range loaders(t) {
		if r.refuses(imageForm{needs: both}) == "" {
			t.Errorf("28 and 32 bytes in one image: accepted by %s", name)
		}
	}
}

// TestBlocksOfAnImage: the map in the first block, and blocks that a loader can keep.
func TestBlocksOfAnImage(t *testing.T) {
	plain := sin.Needs{Tags: []sin.TagKind{sin.TagGPTP, sin.TagADDR}}
	for _, c := range []struct {
		loader   string
		form     imageForm
		accepted bool
	}{
		{"z3", imageForm{needs: plain, mapSplit: true}, true},
		{"rhine", imageForm{needs: plain, mapSplit: true}, false},
		{"rhine", imageForm{needs: plain, largest: 29 * 0x80000}, true},
		{"rhine", imageForm{needs: plain, largest: 30 * 0x80000}, false},
		{"z3", imageForm{needs: plain, largest: 2 << 20}, true},
		{"z3", imageForm{needs: plain, largest: 1 << 32}, false},
		{"z3", imageForm{needs: plain, unsendable: "it crashes"}, false},
		{"unknown", imageForm{needs: plain, unsendable: "it crashes"}, false},
	} {
		if why := loaders(t)[c.loader].refuses(c.form); (why == "") != c.accepted {
			t.Errorf("%s, %+v: %q", c.loader, c.form, why)
		}
	}
}

// TestRealLoaders: what the payloads of the samples show is what their runs showed.
func TestRealLoaders(t *testing.T) {
	for _, c := range []struct {
		sample, model string
		fill          phone.FillForm
	}{
		{"loader-D58XX.sin", "D5803", phone.Fill28},
		{"loader-D200X.sin", "D2203", phone.Fill32},
	} {
		t.Run(c.sample, func(t *testing.T) {
			file := samples.Read(t, c.sample)
			l := sin.InspectLoader(file[binary.BigEndian.Uint32(file[4:]):])
			f, _, _ := phone.ByModel(c.model)
			if r := receiverOf(f, l); r.fill != c.fill || r.lz4a != (c.fill == phone.Fill28) || !l.IgnoresCRC {
				t.Errorf("%+v of %s, %v", r, l.Version, l.Tags)
			}
		})
	}
}

// TestRunningLoader: a loader that already runs is known by its version only.
func TestRunningLoader(t *testing.T) {
	f, _, _ := phone.ByModel("D5803")
	for version, want := range map[string]uint{"MSM8974AB_22": 0b01, "MSM8974AB_7": 0b10, "MSM8974AB_99": 0b11} {
		var got uint
		for i, n := range []sin.Needs{withFill(28, 1, false), withFill(32, 1, false)} {
			if runningReceiver(f, version).refuses(imageForm{needs: n}) == "" {
				got |= 1 << i
			}
		}
		if got != want {
			t.Errorf("%s accepts %0*b, want %b", version, bits.Len(want), got, want)
		}
	}
}
