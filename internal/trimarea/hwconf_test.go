package trimarea

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"xflash/sin/gpt"
)

// recordHex is a record spelled out by hand from FORMAT.md §4 with the
// order of usbproto/s1/PROTOCOL.md §11.2.
var recordHex = strings.Join([]string{
	"0006",                 // version
	"0102",                 // unknown
	"0304",                 // PROD_ID
	"0005", "09 0002 AABB", // list A
	"000E", "00 0007 35824005111111", // list B: IMEI
	/*   */ "01 0001 77", // and MEID
	"4000",               // flags
	"0031",               // list C
	/**/ "0001", "0005", "53315F5357", // S1_SW
	/**/ "0003", "0013", // minimum AID, flags
	/**/ "0011", "10 C8DB502F14FCE4934A9D496FBA338B45", // boot
	/**/ "0000", "0007", "53315F426F6F74", // S1_Boot
	/**/ "0001", "0003", "0000", // no partitions
	"0006", "0004 DEADBEEF", // list D
	"0009", hex.EncodeToString([]byte(`OP_ID="1"`)),
}, "")

func recordBytes(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(recordHex, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func recordValue(t testing.TB) *HWConf {
	t.Helper()
	boot, err := gpt.ParseGUID("2F50DBC8-FC14-93E4-4A9D-496FBA338B45")
	if err != nil {
		t.Fatal(err)
	}
	return &HWConf{
		Word1:     0x0102,
		ProductID: 0x0304,
		ListA:     []HWConfItem{{9, []byte{0xAA, 0xBB}}},
		IDs: []HWConfItem{
			{IDTypeIMEI, []byte{0x35, 0x82, 0x40, 0x05, 0x11, 0x11, 0x11}},
			{IDTypeMEID, []byte{0x77}},
		},
		Flags: 0x4000,
		Roles: []HWConfRole{
			{Word: 1, Name: "S1_SW", MinAID: 3, Flags: 0x13, Partitions: []gpt.GUID{boot}},
			{Name: "S1_Boot", MinAID: 1, Flags: 3},
		},
		DeviceIDs:  [][]byte{{0xDE, 0xAD, 0xBE, 0xEF}},
		Attributes: `OP_ID="1"`,
	}
}

func TestHWConf(t *testing.T) {
	h, err := ParseHWConf(recordBytes(t))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(h, recordValue(t)) {
		t.Errorf("parsed %+v", h)
	}
	if got := h.IMEIs(); len(got) != 1 || got[0] != "35824005111111" {
		t.Errorf("IMEI %v", got)
	}
}

func TestHWConfRefuses(t *testing.T) {
	whole := recordBytes(t)
	for n := range whole {
		var at *HWConfError
		if _, err := ParseHWConf(whole[:n]); !errors.Is(err, ErrHWConfShort) || !errors.As(err, &at) || at.Offset > n {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
	if _, err := ParseHWConf(append(bytes.Clone(whole), 0)); !errors.Is(err, ErrHWConfTail) {
		t.Errorf("one byte more: %v", err)
	}
	old := bytes.Clone(whole)
	old[1] = 5
	if _, err := ParseHWConf(old); !errors.Is(err, ErrHWConfVersion) {
		t.Errorf("version 5: %v", err)
	}
	guid := bytes.Clone(whole)
	i := bytes.Index(guid, []byte{0x00, 0x11, 0x10, 0xC8})
	guid[i+2] = 15 // leaves one byte, read as a length that does not fit
	var at *HWConfError
	if _, err := ParseHWConf(guid); !errors.Is(err, ErrHWConfGUID) || !errors.As(err, &at) || at.Offset != i+3 {
		t.Errorf("partition id of 15 bytes: %v", err)
	}
	// An inner length must not reach beyond its list, even if the record continues.
	inner := bytes.Clone(whole)
	inner[10] = 3 // list A, item of 3 bytes in a list with room for 2
	if _, err := ParseHWConf(inner); !errors.Is(err, ErrHWConfShort) {
		t.Errorf("item longer than its list: %v", err)
	}
}

func FuzzHWConf(f *testing.F) {
	f.Add(recordBytes(f))
	f.Add(append([]byte{0, 6}, make([]byte, 18)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := ParseHWConf(b); err == nil && len(h.IMEIs()) > len(h.IDs) {
			t.Errorf("%x: %+v", b, h)
		}
	})
}
