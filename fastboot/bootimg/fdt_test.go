package bootimg_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/internal/samples"
	"xflash/internal/simphone/mkimage"
)

func fdtTree() mkimage.Node {
	return mkimage.Node{
		Props: []bootimg.Property{mkimage.Text("model", "SoMC Aries ROW"), mkimage.Text("compatible", "somc,aries-row", "qcom,msm8974"),
			mkimage.Words("qcom,board-id", 8, 0), mkimage.Words("qcom,msm-id", 194, 0x10000, 209, 0x10000),
			{Name: "empty"}, {Name: "odd", Value: []byte{1, 2, 3}}},
		Children: []mkimage.Node{
			{Name: "memory@0", Props: []bootimg.Property{mkimage.Words("reg", 0, 0x80000000)}},
			{Name: "soc", Children: []mkimage.Node{{Name: "deep", Props: []bootimg.Property{mkimage.Text("model", "inner")}}}},
		},
	}
}

// walk writes down every property of a tree.
func walk(t *testing.T, f *bootimg.FDT) string {
	t.Helper()
	var b strings.Builder
	if err := f.Walk(func(path []string, p bootimg.Property) error {
		fmt.Fprintf(&b, "%s: %s = %x\n", strings.Join(path, "/"), p.Name, p.Value)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFDT(t *testing.T) {
	f, err := bootimg.ParseFDT(fdtTree().Build())
	if err != nil {
		t.Fatal(err)
	}
	got := walk(t, f)
	for _, line := range []string{": odd = 010203\n", ": empty = \n", "/memory@0: reg = 0000000080000000\n", "/soc/deep: model = 696e6e657200\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("%q is missing in\n%s", line, got)
		}
	}
	root, err := f.Root()
	if err != nil || len(root) != 6 || root[1].Name != "compatible" {
		t.Errorf("the root has %d properties, %v", len(root), err)
	}
	if s := root[1].Strings(); len(s) != 2 || s[0] != "somc,aries-row" || s[1] != "qcom,msm8974" {
		t.Errorf("compatible is %q", s)
	}
	if w := root[3].Words(); fmt.Sprint(w) != "[194 65536 209 65536]" {
		t.Errorf("msm-id is %v", w)
	}
	stop := errors.New("enough")
	if err := f.Walk(func([]string, bootimg.Property) error { return stop }); err != stop {
		t.Errorf("the error of visit became %v", err)
	}
}

// TestSampleTree reads the device tree of a real Z3.
func TestSampleTree(t *testing.T) {
	f, err := bootimg.ParseFDT(samples.Read(t, "qcdt-v2-shinano-z3.img")[0x800:])
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.Device()
	if err != nil || d.Model != "SoMC Leo ROW" || d.Compatible[0] != "somc,leo-row" || d.Form != bootimg.FormSplit {
		t.Errorf("%+v, %v", d, err)
	}
	var chips []uint32
	for _, id := range d.IDs {
		chips = append(chips, id.Platform)
		if id.Variant != 8 || id.Subtype != 0 || id.Rev != 0x10000 {
			t.Errorf("%v", id)
		}
	}
	if fmt.Sprint(chips) != "[194 210 213 216 209 212 215 218]" && fmt.Sprint(chips) != "[194 209 210 212 213 215 216 218]" {
		t.Errorf("the chips are %v", chips)
	}
	if len(f.Bytes()) != 264806 {
		t.Errorf("%d bytes", len(f.Bytes()))
	}
	walk(t, f) // to its end without an error
}

// be puts a big-endian word into a copy of b.
func be(b []byte, at int, v uint32) []byte {
	b = bytes.Clone(b)
	binary.BigEndian.PutUint32(b[at:], v)
	return b
}

func TestFDTRefuses(t *testing.T) {
	good := mkimage.PlainDTB("m", "c")
	total := uint32(len(good))
	structAt := int(binary.BigEndian.Uint32(good[8:]))
	last := int(binary.BigEndian.Uint32(good[12:])) - 4 // the end mark
	for name, c := range map[string]struct {
		b      []byte
		reason error
		text   string
	}{
		"other magic":             {[]byte("QCDT"), bootimg.ErrWrongKind, ""},
		"header cut":              {good[:39], bootimg.ErrTruncated, "40 bytes"},
		"cut":                     {good[:total-1], bootimg.ErrTruncated, "total size"},
		"total 0":                 {be(good, 4, 0), bootimg.ErrMalformed, "total size of 0"},
		"total 39":                {be(good, 4, 39), bootimg.ErrMalformed, ""},
		"total 0x7fffffff":        {be(good, 4, 0x7fffffff), bootimg.ErrTruncated, "2147483647"},
		"strings 0x7fffffff":      {be(good, 32, 0x7fffffff), bootimg.ErrMalformed, "strings block"},
		"strings offset":          {be(good, 12, 0xffffffff), bootimg.ErrMalformed, "strings block"},
		"structure 0x7fffffff":    {be(good, 36, 0x7fffffff), bootimg.ErrMalformed, "structure block"},
		"structure offset":        {be(good, 8, 0xfffffffc), bootimg.ErrMalformed, "structure block"},
		"structure not aligned":   {be(good, 8, 58), bootimg.ErrMalformed, "structure block"},
		"structure in the header": {be(good, 8, 8), bootimg.ErrMalformed, "structure block"},
		"version 15":              {be(good, 20, 15), bootimg.ErrUnsupported, "version 15"},
		"compatible 18":           {be(good, 24, 18), bootimg.ErrUnsupported, "18"},
		"unknown token":           {be(good, last, 5), bootimg.ErrMalformed, "token 0x5"},
		"no end mark":             {be(good, last, 4), bootimg.ErrTruncated, "no end mark"},
		"second root":             {be(good, last, 1), bootimg.ErrMalformed, "outside the root"},
		"property first":          {be(good, structAt, 3), bootimg.ErrMalformed, "outside the root"},
		"end within the root":     {be(good, last-4, 9), bootimg.ErrMalformed, "within a node"},
		"property 0xffffffff":     {be(good, structAt+12, 0xffffffff), bootimg.ErrTruncated, "property of 4294967295"},
		"property name":           {be(good, structAt+16, 0xffffffff), bootimg.ErrMalformed, "name of a property"},
	} {
		var err error
		spent := allocated(func() {
			var f *bootimg.FDT
			if f, err = bootimg.ParseFDT(c.b); err == nil {
				err = f.Walk(func([]string, bootimg.Property) error { return nil })
			}
		})
		wantError(t, name, err, c.reason, c.text)
		if spent > 1<<20 {
			t.Errorf("%s: %d bytes allocated", name, spent)
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestFDTDepth: deep nesting ends, and so does a tree of many properties that share a long name.
func TestFDTDepth(t *testing.T) {
	deep := mkimage.Node{Name: "n"}
	for range 63 {
		deep = mkimage.Node{Name: "n", Children: []mkimage.Node{deep}}
	}
	walkErr := func(n mkimage.Node) error {
		f, err := bootimg.ParseFDT(n.Build())
		if err != nil {
			t.Fatal(err)
		}
		return f.Walk(func([]string, bootimg.Property) error { return nil })
	}
	if err := walkErr(deep); err != nil {
		t.Errorf("64 levels: %v", err)
	}
	wantError(t, "65 levels", walkErr(mkimage.Node{Children: []mkimage.Node{deep}}), bootimg.ErrMalformed, "deeper than 64")
	long := mkimage.Node{Props: []bootimg.Property{{Name: strings.Repeat("x", 256)}}}
	wantError(t, "long name", walkErr(long), bootimg.ErrMalformed, "too long")
}

// TestFDTNops: a loader or a tool may blank properties with NOPs.
func TestFDTNops(t *testing.T) {
	b := mkimage.OnePieceDTB("m", "c", 194, 8, 0x10000)
	f, err := bootimg.ParseFDT(b)
	if err != nil {
		t.Fatal(err)
	}
	root, err := f.Root()
	if err != nil || len(root) != 3 {
		t.Fatal(root, err)
	}
	at := bytes.Index(b, root[2].Value) - 12
	for i := at; i < at+24; i += 4 {
		binary.BigEndian.PutUint32(b[i:], 4)
	}
	if f, err = bootimg.ParseFDT(b); err != nil {
		t.Fatal(err)
	}
	if d, err := f.Device(); err != nil || d.Form != bootimg.FormNone || d.Model != "m" {
		t.Errorf("%+v, %v", d, err)
	}
}
