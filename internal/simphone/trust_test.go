package simphone

import (
	"slices"
	"strings"
	"testing"

	"xflash/internal/samples"
	"xflash/internal/simphone/mkimage"
)

// The real loader with every single bit of its header flipped: none is accepted,
// and inside hash list, certificate contents and signature it is the signature
// that fails (internal/explain/ERRORS.md §0).
func TestRealLoaderWithAFlippedHeaderBit(t *testing.T) {
	file := samples.Read(t, "loader-D58XX.sin")
	p, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	h := connect(t, p)
	h.expectHello()
	counts := map[string]int{}
	for bit := range 0x400 * 8 {
		header := slices.Clone(file[:0x400])
		header[bit/8] ^= 1 << (bit % 8)
		if r := h.ask(5, 3, header); r.flags != 0 {
			t.Fatalf("bit %d of byte %#x flipped and accepted", bit%8, bit/8)
		}
		why := strings.TrimPrefix(h.lastError(), "MINOR 0017 ")
		counts[why]++
		// Known answers of sin/FORMAT.md §10.3: hash at 0x1C, signature at 0x300.
		if at := bit / 8; (at >= 0x1C && at < 0x3C || at >= 0x300) && why != "800A0017" {
			t.Errorf("bit %d of byte %#x: %s", bit%8, at, why)
		}
	}
	t.Log(counts)
	h.sendSIN(file, 0x10000)
	if got := h.expectHello(); got != "S1_LOADER" {
		t.Errorf("the untouched loader then starts %s", got)
	}
}

// A bit of the payload: found when the only hash chunk is complete.
func TestRealLoaderWithAFlippedPayloadBit(t *testing.T) {
	file := samples.Read(t, "loader-D58XX.sin")
	p, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	h := connect(t, p)
	h.expectHello()
	for _, at := range []int{0x400, 0x1FFFF, 0x38728 + 0x400 + 99, len(file) - 1} {
		bad := slices.Clone(file)
		bad[at] ^= 4
		if got := h.trySIN(bad, 0x10000); got != "packet 4 of 4: MINOR 0017 80080053" {
			t.Errorf("byte %#x: %q", at, got)
		}
	}
	h.sendSIN(file, 0x10000)
}

// Only a fingerprint of Sony's root is known before the payload came: a loader
// that merely names it is found out with the last packet.
func TestForgedSonyRoot(t *testing.T) {
	forger, err := mkimage.NewTestAuthority("S1_Root_9c84")
	if err != nil {
		t.Fatal(err)
	}
	h := connect(t, openPhone(t, Options{}))
	h.expectHello()
	for name, payload := range map[string][]byte{
		"without a root in it":   pattern(30000, "\x7fELF"),
		"with its own root":      append(pattern(30000, "\x7fELF"), forger.Root...),
		"with the real root too": append(pattern(30000, "\x7fELF"), samples.Read(t, "loader-D58XX.sin")[0x400:]...),
	} {
		file := sinFile{kind: 0x20, role: "S1_Loader", aid: 4, by: forger, payload: payload}.build(t)
		got := h.trySIN(file, len(file))
		if got != "packet 1 of 1: MINOR 0017 800A0017" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What else the boot stage refuses.
func TestBootStageRefuses(t *testing.T) {
	stranger, err := mkimage.NewTestAuthority("S1_Root_6732")
	if err != nil {
		t.Fatal(err)
	}
	h := connect(t, openPhone(t, Options{}))
	h.expectHello()
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"an image", sinFile{kind: 0x27, role: "S1_SW", payload: []byte("x")}.build(t), "8009001F"},
		{"a loader signed for software", sinFile{kind: 0x20, role: "S1_SW", payload: []byte("x")}.build(t), "80080023"},
		{"another platform's root", sinFile{kind: 0x20, role: "S1_Loader", by: stranger, payload: []byte("x")}.build(t), "800A0017"},
		{"the real loader of the E1", samples.Read(t, "loader-D200X.sin"), "800A0017"},
		{"the real loader of the Xperia S", samples.Read(t, "loader-LT26.sin")[:0x1000], "80060011"},
	} {
		size := 0x400
		if len(test.file) < size || test.name[0] == 'a' {
			size = len(test.file)
		}
		if r := h.ask(5, 3, test.file[:size]); r.flags != 0 {
			t.Errorf("%s was accepted", test.name)
		} else if got := h.lastError(); got != "MINOR 0017 "+test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
