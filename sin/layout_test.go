package sin_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
	"xflash/sin/gpt"
)

// partition makes an entry that is used.
func partition(n byte, name string, first, last uint64) gpt.Entry {
	return gpt.Entry{Type: gpt.GUID{0xA2}, Unique: gpt.GUID{n}, First: first, Last: last, Name: name}
}

// TestLayoutBytes reads a layout written down by hand from §4.4.
func TestLayoutBytes(t *testing.T) {
	le := binary.LittleEndian
	entry := make([]byte, 128)
	entry[0] = 0xA2
	copy(entry[16:], mustHex("BAF7CDF934B82AA7F1C9D6E0C0983896"))
	le.PutUint64(entry[32:], 0x1000)
	le.PutUint64(entry[40:], 0x1FFF)
	copy(entry[56:], "s\x00y\x00s\x00t\x00e\x00m\x00")
	payload := bytes.Join([][]byte{{2, 0xEE, 1, 0xEE, 1, 0, 0, 0}, {3, 0, 0, 0, 1, 0, 0, 0}, entry}, nil)
	l, err := ParseLayout(payload, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Tables) != 1 || l.Tables[0].Device != 3 || len(l.Tables[0].Entries) != 1 {
		t.Fatalf("%+v", l)
	}
	e := l.Tables[0].Entries[0]
	if e.Unique != systemGUID || e.Name != "system" || e.First != 0x1000 || e.Last != 0x1FFF || l.Tables[0].End() != 0x2000 {
		t.Errorf("entry %+v, end %#x", e, l.Tables[0].End())
	}
	if e.Unique.String() != "F9CDF7BA-B834-A72A-F1C9-D6E0C0983896" {
		t.Errorf("GUID %s", e.Unique)
	}
	payload[1], payload[3] = 0, 0 // the two bytes that the phone ignores
	if out, err := LayoutPayload(l); err != nil || !bytes.Equal(out, payload) {
		t.Errorf("encoded to %s, %v", hex.EncodeToString(out), err)
	}
}

// TestLayoutRules breaks each rule, above all the bounds that the phone does not check.
func TestLayoutRules(t *testing.T) {
	good, err := LayoutPayload(&Layout{Tables: []LayoutTable{
		{Device: 0, Entries: []gpt.Entry{partition(1, "TA", 34, 99), partition(2, "boot", 100, 199)}},
		{Device: 1, Entries: []gpt.Entry{partition(3, "rpmb", 34, 99)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseLayout(good, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := ParseLayout(append(bytes.Clone(good), 0, 0), 0); err != nil {
		t.Errorf("bytes after the layouts: %v", err)
	}
	for n := range good {
		if _, err := ParseLayout(good[:n], 0); !errors.Is(err, Because(BadLayout)) {
			t.Errorf("cut at %d of %d: %v", n, len(good), err)
		}
	}
	set32 := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) }
	}
	set64 := func(at int, v uint64) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], v) }
	}
	for _, c := range []struct {
		name   string
		change func([]byte)
		at     int64
		want   string
	}{
		{"first byte 1", func(b []byte) { b[0] = 1 }, 0, "format is 1/1"},
		{"older form", func(b []byte) { b[0], b[2] = 1, 2 }, 0, "format is 1/2"},
		{"no table", set32(4, 0), 4, "no partition table"},
		{"one table more", set32(4, 3), int64(len(good)), "ends before partition table 3"},
		{"very many tables", set32(4, 0xFFFFFFFF), int64(len(good)), "ends before partition table 3"},
		{"one entry more", set32(12, 4), 12, "run past the payload"},
		{"very many entries", set32(12, 0xFFFFFFFF), 12, "run past the payload"},
		{"empty table", set32(12, 0), 12, "is empty"},
		{"size 0", set64(16+32, 100), 16, "are not a range"},
		{"backwards", set64(16+40, 10), 16, "are not a range"},
		{"overlap", set64(16+40, 100), 16, "shares sectors"},
		{"past the last byte", set64(16+128+40, 1<<63), 16, "are not a range"},
		{"same GUID twice", func(b []byte) { b[16+128+16] = 1 }, 16, "unique GUID of another"},
	} {
		bad := bytes.Clone(good)
		c.change(bad)
		_, err := ParseLayout(bad, 1000)
		if !errors.Is(err, &Error{Reason: BadLayout, Offset: 1000 + c.at, Block: -1}) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q at %d", c.name, err, c.want, c.at)
		}
	}
}

// TestPick chooses the largest table that fits, for each device.
func TestPick(t *testing.T) {
	table := func(device uint32, end uint64) LayoutTable {
		return LayoutTable{Device: device, Entries: []gpt.Entry{partition(1, "all", 34, end-1)}}
	}
	l := &Layout{Tables: []LayoutTable{table(0, 1000), table(0, 4000), table(0, 2000), table(1, 3000)}}
	for _, c := range []struct {
		device  uint32
		sectors uint64
		want    uint64 // end of the table, 0 for none
	}{
		{0, 999, 0}, {0, 1000, 1000}, {0, 1999, 1000}, {0, 2000, 2000}, {0, 3999, 2000}, {0, 4000, 4000}, {0, 1 << 40, 4000},
		{1, 2999, 0}, {1, 3000, 3000}, {2, 1 << 40, 0},
	} {
		got := l.Pick(c.device, c.sectors)
		if (got == nil) != (c.want == 0) || got != nil && (got.End() != c.want || got.Device != c.device) {
			t.Errorf("device %d with %d sectors: %+v, want end %d", c.device, c.sectors, got, c.want)
		}
	}
}

// TestLayoutFile checks a layout inside a signed file.
func TestLayoutFile(t *testing.T) {
	s, roots := signer(t, "S1_SW", 3)
	payload, err := LayoutPayload(&Layout{Tables: []LayoutTable{{Entries: []gpt.Entry{partition(1, "TA", 34, 99)}}}})
	if err != nil {
		t.Fatal(err)
	}
	file := build(t, Builder{Type: TypeLayout, Signer: s}, BytesPayload(payload))
	report, err := check(file, int64(len(file)), roots)
	if err != nil || report.Layout == nil || report.Layout.Tables[0].Entries[0].Name != "TA" || report.Parts[0].Kind != KindLayout {
		t.Fatalf("%+v, %v", report, err)
	}
	payload[0] = 1
	file = build(t, Builder{Type: TypeLayout, Signer: s}, BytesPayload(payload))
	report, err = check(file, int64(len(file)), roots)
	if !errors.Is(err, &Error{Reason: BadLayout, Offset: int64(len(report.Header.Raw)), Block: -1}) {
		t.Error(err)
	}
}
