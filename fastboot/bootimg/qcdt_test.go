package bootimg_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/internal/samples"
	"xflash/internal/simphone/mkimage"
)

// TestSampleTables: two real tables are read as known, and built again byte for byte.
func TestSampleTables(t *testing.T) {
	lk2nd := func(t *testing.T) []byte {
		m, err := bootimg.Parse(samples.Read(t, "boot-v0-qcdt-v3-lk2nd-msm8916.img"))
		if err != nil {
			t.Fatal(err)
		}
		return m.DT
	}
	for name, c := range map[string]struct {
		data           func(*testing.T) []byte
		version        uint32
		entries, trees int
		first          bootimg.ID
	}{
		"shinano z3": {func(t *testing.T) []byte { return samples.Read(t, "qcdt-v2-shinano-z3.img") }, 2, 8, 1, bootimg.ID{Platform: 194, Variant: 8, Rev: 0x10000}},
		"lk2nd":      {lk2nd, 3, 63, 40, bootimg.ID{Platform: 206, Variant: 8}},
	} {
		t.Run(name, func(t *testing.T) {
			data := c.data(t)
			table, err := bootimg.ParseQCDT(data)
			if err != nil {
				t.Fatal(err)
			}
			trees, err := table.Trees()
			if err != nil {
				t.Fatal(err)
			}
			if table.Version != c.version || len(table.Entries) != c.entries || len(trees) != c.trees || table.Entries[0].ID != c.first {
				t.Errorf("version %d, %d entries, %d trees, first %v", table.Version, len(table.Entries), len(trees), table.Entries[0].ID)
			}
			if !slices.IsSortedFunc(table.Entries, func(a, b bootimg.TableEntry) int { return a.ID.Compare(b.ID) }) {
				t.Error("the entries are not in the order of dtbTool")
			}
			compared := 0
			for i, tree := range trees { // what the table says must be what the trees say, where they say it
				d, err := device(t, tree.DTB)
				if err != nil {
					t.Fatalf("tree %d: %v", i, err)
				}
				if d.Form == bootimg.FormNone {
					continue
				}
				for _, id := range tree.IDs {
					compared++
					if !slices.Contains(d.IDs, id) {
						t.Errorf("tree %d (%s) is listed for %v, but has %v", i, d.Model, id, d.IDs)
					}
				}
			}
			if compared < 8 {
				t.Errorf("only %d entries could be compared", compared)
			}
			again, err := bootimg.BuildQCDT(c.version, 2048, trees)
			if err != nil || !bytes.Equal(again, data) {
				t.Errorf("built again it has %d bytes of %d and differs, %v", len(again), len(data), err)
			}
		})
	}
}

// TestQCDTLayout reads a table by the description of FORMAT.md §2.1.
func TestQCDTLayout(t *testing.T) {
	a, b := mkimage.PlainDTB("a", "a"), mkimage.PlainDTB("b", "b")
	trees := []bootimg.Tree{
		{DTB: a, IDs: []bootimg.ID{{Platform: 209, Variant: 8, Subtype: 3, Rev: 0x10000}, {Platform: 194, Variant: 8, Rev: 0x10000}}},
		{DTB: b, IDs: []bootimg.ID{{Platform: 194, Variant: 8, Rev: 0x20000}}},
	}
	got, err := bootimg.BuildQCDT(2, 2048, trees)
	if err != nil {
		t.Fatal(err)
	}
	words := []uint32{2, 3,
		194, 8, 0, 0x10000, 2048, 2048,
		194, 8, 0, 0x20000, 4096, 2048,
		209, 8, 3, 0x10000, 2048, 2048,
		0}
	want := []byte("QCDT")
	for _, w := range words {
		want = binary.LittleEndian.AppendUint32(want, w)
	}
	want = append(want, make([]byte, 2048-len(want))...)
	want = append(append(want, a...), make([]byte, 2048-len(a))...)
	want = append(append(want, b...), make([]byte, 2048-len(b))...)
	if !bytes.Equal(got, want) {
		t.Errorf("got  % x\nwant % x", got[:100], want[:100])
	}
}

func TestQCDTRoundTrip(t *testing.T) {
	for version, ids := range map[uint32][]bootimg.ID{
		1: {{Platform: 1, Variant: 2, Rev: 3}},
		2: {{Platform: 1, Variant: 2, Subtype: 3, Rev: 4}, {Platform: 1, Variant: 2, Subtype: 3, Rev: 5}},
		3: {{Platform: 1, Variant: 2, Subtype: 3, Rev: 4, PMIC: [4]uint32{5, 6, 7, 8}}},
	} {
		b, err := bootimg.BuildQCDT(version, 4096, []bootimg.Tree{{DTB: mkimage.PlainDTB("m", "c"), IDs: ids}})
		if err != nil {
			t.Fatal(err)
		}
		table, err := bootimg.ParseQCDT(append(b, "after it"...))
		if err != nil || table.Version != version || len(table.Entries) != len(ids) {
			t.Fatalf("version %d: %+v, %v", version, table, err)
		}
		for i, e := range table.Entries {
			if e.ID != ids[i] || e.Offset != 4096 || e.Size != 4096 {
				t.Errorf("version %d: entry %d is %+v", version, i, e)
			}
		}
	}
	if b, err := bootimg.BuildQCDT(2, 2048, nil); err != nil || len(b) != 2048 {
		t.Errorf("a table without entries: %d bytes, %v", len(b), err)
	}
}

func TestQCDTTenThousand(t *testing.T) {
	var ids []bootimg.ID
	for i := range uint32(10000) {
		ids = append(ids, bootimg.ID{Platform: 10000 - i, Variant: 8})
	}
	b, err := bootimg.BuildQCDT(2, 2048, []bootimg.Tree{{DTB: mkimage.PlainDTB("m", "c"), IDs: ids}})
	if err != nil {
		t.Fatal(err)
	}
	table, err := bootimg.ParseQCDT(b)
	if err != nil || len(table.Entries) != 10000 || table.Entries[0].Platform != 1 || table.Entries[9999].Platform != 10000 {
		t.Errorf("%d entries, %v", len(table.Entries), err)
	}
	for i, b := range [][]byte{put32(b, 8, 0xFFFFFFFF), put32(b, 8, 0x0AAAAAAB)} { // the second × 24 is 2³²+8
		if spent := allocated(func() { _, err = bootimg.ParseQCDT(b) }); spent > 1<<20 {
			t.Errorf("%d: %d bytes allocated", i, spent)
		}
		wantError(t, "count", err, bootimg.ErrTruncated, "entries end at")
	}
}

func TestQCDTRefuses(t *testing.T) {
	dtb := mkimage.PlainDTB("m", "c")
	good, err := bootimg.BuildQCDT(2, 2048, []bootimg.Tree{{DTB: dtb, IDs: []bootimg.ID{{Platform: 194}}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b      []byte
		reason error
	}{
		"magic":     {[]byte("QCDX\x02\x00\x00\x00"), bootimg.ErrWrongKind},
		"cut":       {good[:11], bootimg.ErrTruncated},
		"version 0": {put32(good, 4, 0), bootimg.ErrUnsupported},
		"version 4": {put32(good, 4, 4), bootimg.ErrUnsupported},
	} {
		_, err := bootimg.ParseQCDT(c.b)
		wantError(t, name, err, c.reason, "")
	}
	const offset, size = 12 + 16, 12 + 20
	for name, c := range map[string]struct {
		b      []byte
		reason error
	}{
		"tree past the end":   {put32(good, offset, 2049), bootimg.ErrTruncated},
		"offset near 2³²":     {put32(good, offset, 0xFFFFF800), bootimg.ErrTruncated},
		"size near 2³²":       {put32(good, size, 0xFFFFF801), bootimg.ErrTruncated},
		"no tree there":       {put32(good, offset, 16), bootimg.ErrMalformed},
		"size below a tree":   {put32(good, size, 39), bootimg.ErrMalformed},
		"size of no bytes":    {put32(good, size, 0), bootimg.ErrMalformed},
		"tree larger than it": {be(good, 2048+4, 2049), bootimg.ErrMalformed},
	} {
		table, err := bootimg.ParseQCDT(c.b)
		if err != nil {
			t.Fatal(name, err)
		}
		_, err = table.DTB(table.Entries[0])
		wantError(t, name, err, c.reason, "194")
		if _, err := table.Trees(); err == nil {
			t.Errorf("%s: Trees does not mind", name)
		}
	}
	for name, build := range map[string]func() ([]byte, error){
		"version":   func() ([]byte, error) { return bootimg.BuildQCDT(4, 2048, nil) },
		"page size": func() ([]byte, error) { return bootimg.BuildQCDT(2, 1000, nil) },
		"no tree":   func() ([]byte, error) { return bootimg.BuildQCDT(2, 2048, []bootimg.Tree{{DTB: []byte("QCDT")}}) },
		"subtype in version 1": func() ([]byte, error) {
			return bootimg.BuildQCDT(1, 2048, []bootimg.Tree{{DTB: dtb, IDs: []bootimg.ID{{Subtype: 1}}}})
		},
		"pmic in version 2": func() ([]byte, error) {
			return bootimg.BuildQCDT(2, 2048, []bootimg.Tree{{DTB: dtb, IDs: []bootimg.ID{{PMIC: [4]uint32{1}}}}})
		},
	} {
		if b, err := build(); err == nil {
			t.Errorf("%s: %d bytes and no error", name, len(b))
		}
	}
}
