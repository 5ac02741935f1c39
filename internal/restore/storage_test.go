package restore_test

import (
	"errors"
	"strings"
	"testing"

	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
)

// TestLayoutAgainstThePhonesTable: a layout that swaps the places of the two modem
// settings passes without the phone, which alone knows where they are, and is refused when
// its loader runs, before anything is written.
func TestLayoutAgainstThePhonesTable(t *testing.T) {
	manifest, all := members(t)
	table, err := simphone.DefaultLayout(disk)
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, e := range table.Entries {
		at[e.Name] = i
	}
	a, b := &table.Entries[at["modemst1"]], &table.Entries[at["modemst2"]]
	a.First, a.Last, b.First, b.Last = b.First, b.Last, a.First, a.Last
	payload, err := mkimage.LayoutPayload(&sin.Layout{Tables: []sin.LayoutTable{{Entries: table.Entries}}})
	if err != nil {
		t.Fatal(err)
	}
	all["partition-image.sin"] = signed(t, authority(), "S1_SW", sin.TypeLayout, mkimage.BytesPayload(payload))
	bench := newBench(t, simphone.Options{})
	if bench.fw, err = check(t, rebundle(t, manifest, all), restore.Request{}); err != nil {
		t.Fatal(err)
	}
	if _, err := restore.Build(bench.fw, nil, restore.Request{}); err != nil {
		t.Fatalf("without the phone: %v", err)
	}
	err = bench.attempt(restore.Request{}, false, restore.RunOptions{})
	var ps restore.Problems
	if !errors.As(err, &ps) || !strings.Contains(ps.Error(), "modemst1") {
		t.Fatalf("with the phone: %v", err)
	}
	if state := bench.unit(10100); len(state) > 0 && state[0] != 0 {
		t.Error("the flash state was written")
	}
}
