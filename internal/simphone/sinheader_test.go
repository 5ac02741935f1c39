package simphone

import (
	"encoding/binary"
	"slices"
	"testing"

	"xflash/internal/simphone/mkimage"
)

// sin/FORMAT.md §3.2 and internal/explain/ERRORS.md §0: what a header gets.
func TestHeaderNumbers(t *testing.T) {
	p := openPhone(t, Options{})
	good := imageFor(t, p, "cache", pattern(3000, "x"))
	size := binary.BigEndian.Uint32(good[4:])
	change := func(f func(b []byte) []byte) []byte { return f(slices.Clone(good[:size])) }
	set := func(at int, v uint32) []byte {
		return change(func(b []byte) []byte { binary.BigEndian.PutUint32(b[at:], v); return b })
	}
	flip := func(at int) []byte {
		return change(func(b []byte) []byte { b[at] ^= 0x10; return b })
	}
	blob := 28 + 36 // one hash entry
	for name, test := range map[string]struct {
		header []byte
		want   string
	}{
		"27 bytes":                   {good[:27], "80060002"},
		"version 2":                  {set(0, 0x0253494E), "80060011"},
		"no SIN word":                {set(0, 0x0353494F), "8006000C"},
		"header cut":                 {good[:size-1], "8006000E"},
		"type 1F":                    {set(8, 0x1F), "8006000B"},
		"type 2B":                    {set(8, 0x2B), "8006000B"},
		"hash type 3":                {set(12, 3), "8006000D"},
		"hash list of 35":            {set(20, 35), "80060010"},
		"hash list too long":         {set(20, 36*1000), "80060010"},
		"certificate too long":       {set(24+36, 0x7FFFFFFF), "80060010"},
		"header length 0":            {set(4, 0), "8006000F"},
		"hash list huge":             {set(20, 0xFFFFFFE0), "80060001"},
		"no container":               {set(24+36, 0), "80130002"},
		"certificate too long in it": {change(func(b []byte) []byte { b[blob+4] = 0xFF; return b }), "800F0003"},
		"signature hash 3":           {change(func(b []byte) []byte { b[int(size)-256-3] = 3; return b }), "80130003"},
		"signature length 0":         {change(func(b []byte) []byte { b[int(size)-256-2] = 0; return b }), "800A0018"},
		"container version 2":        {change(func(b []byte) []byte { b[blob+1] = 2; return b }), "80130025"},
		"container cut":              {change(func(b []byte) []byte { b[blob+2] = 0xFF; return b }), "80130003"},
		"no certificate":             {change(func(b []byte) []byte { b[blob+6] = 0; return b }), "800F0003"},
		"bit in the hash list":       {flip(30), "800A0017"},
		"bit in the signature":       {flip(int(size) - 100), "800A0017"},
		"bit in the reserved":        {flip(17), "800A0017"},
		"upper type byte":            {flip(9), "800A0017"},
	} {
		t.Run(name, func(t *testing.T) {
			restart(t, p).refused("MINOR 0017 "+test.want, 5, 3, test.header...)
		})
	}
}

// Types that parse but that the running loader does not accept, and who may write a
// layout (internal/explain/ERRORS.md §1.5, step 8).
func TestPayloadTypes(t *testing.T) {
	_, h := openLoader(t, Options{})
	for _, test := range []struct {
		kind int
		role string
		want string
	}{
		{0x20, "S1_Loader", "8009001F"}, {0x21, "S1_SW", "8009001F"}, {0x23, "S1_SW", "8009001F"}, {0x26, "S1_SW", "8009001F"},
		{0x24, "S1_Loader", "80080028"}, {0x27, "S1_Nobody", "80080021"},
	} {
		file := sinFile{kind: test.kind, role: test.role, payload: []byte("x")}.build(t)
		if got := h.trySIN(file, 100); got != "header: MINOR 0017 "+test.want {
			t.Errorf("type %02X by %s: %q, want %s", test.kind, test.role, got, test.want)
		}
	}
}

// usbproto/s1/PROTOCOL.md §11.15: another issuer name on a root key that the
// phone has is accepted, a strange key is not, and test roots need their bit.
func TestWhoseKey(t *testing.T) {
	mine := authority(t)
	renamed := *mine
	renamed.Name = "S1_Root_abcd"
	stranger, err := mkimage.NewTestAuthority(mine.Name)
	if err != nil {
		t.Fatal(err)
	}
	testRoot, err := mkimage.NewTestAuthority("S1_Root_Test_0000")
	if err != nil {
		t.Fatal(err)
	}
	asTest := *mine
	asTest.Name = "S1_Root_Test_1111"
	p := openPhone(t, Options{RootFiles: []string{rootFile(t, testRoot)}})
	h := connect(t, p)
	h.startLoader(testLoader(t, 4, "GPTP ADDR"))
	data := pattern(100, "x")
	for _, test := range []struct {
		name string
		by   *mkimage.Authority
		want string
	}{
		{"the root", mine, ""},
		{"its key under another name", &renamed, ""},
		{"its key under the name of a test root", &asTest, "header: MINOR 0017 800A0017"},
		{"its name with another key", stranger, "header: MINOR 0017 800A0017"},
		{"a test root", testRoot, "header: MINOR 0017 80080021"},
	} {
		file := sinFile{kind: 0x27, role: "S1_SW", by: test.by,
			payload: mmcf(data, tagGPTP(guidOf(t, p, "cache")), tagADDR(0, 100, 0, data))}.build(t)
		if got := h.trySIN(file, 1000); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// internal/explain/ERRORS.md: 80170030 for a certificate that names itself as issuer.
func TestSelfSigned(t *testing.T) {
	a := *authority(t)
	a.Name = "S1_SW"
	_, h := openLoader(t, Options{})
	file := sinFile{kind: 0x27, role: "S1_SW", by: &a, payload: []byte("x")}.build(t)
	if got := h.trySIN(file, 100); got != "header: MINOR 0017 80170030" {
		t.Error(got)
	}
}

// trust=any skips the result of the signature check and nothing else.
func TestTrustAny(t *testing.T) {
	stranger, err := mkimage.NewTestAuthority("S1_Root_stranger")
	if err != nil {
		t.Fatal(err)
	}
	p, h := openLoader(t, Options{TrustAny: true})
	data := pattern(100, "x")
	file := sinFile{kind: 0x27, role: "S1_SW", by: stranger,
		payload: mmcf(data, tagGPTP(guidOf(t, p, "cache")), tagADDR(0, 100, 0, data))}.build(t)
	h.sendSIN(file, 1000)
	bad := slices.Clone(file)
	bad[len(bad)-1] ^= 1
	if got := h.trySIN(bad, 1000); got != "packet 1 of 1: MINOR 0017 80080053" {
		t.Errorf("damaged: %q", got)
	}
	file = sinFile{kind: 0x27, role: "S1_Nobody", by: stranger, payload: []byte("x")}.build(t)
	if got := h.trySIN(file, 1000); got != "header: MINOR 0017 80080021" {
		t.Errorf("unknown role: %q", got)
	}
}
