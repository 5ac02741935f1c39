package sin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"xflash/internal/samples"
	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
)

// signedFile12 is a small partition image of version 1 or 2 with a partition info and
// three data blocks.
func signedFile12(t testing.TB, version int) ([]byte, *RootSet) {
	s, roots := signer(t, "S1_SW", 1)
	old := Signer{Key: s.Key, Chain: s.Chain, Hash: Hash12(byte(version))}
	p := BytesPayload(pat(250))
	p.Head = encodeInfo(PartitionInfo{ID: 3, Attributes: 0x22, Start: 0x275, Blocks: 3})
	return build(t, Builder{Version: version, Type: TypeFlash12, BlockSize: 96, Signer: &old}, p), roots
}

// damageFiles is a small signed file of each version with a header, and its root.
func damageFiles(t *testing.T, run func(t *testing.T, file []byte, roots *RootSet)) {
	for version := 1; version <= 3; version++ {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			if version == 3 {
				file, roots := signedFile(t)
				run(t, file, roots)
				return
			}
			file, roots := signedFile12(t, version)
			run(t, file, roots)
		})
	}
}

// signedFile is a small image with every kind of piece, four blocks, and the set with
// the root that signed it.
func signedFile(t testing.TB) ([]byte, *RootSet) {
	s, roots := signer(t, "S1_SW", 3)
	m := MapBuilder{HashType: SHA256}
	m.Select(systemGUID)
	m.Addr(bytes.NewReader(pat(200)), 0, 0, 200)
	m.LZ4(bytes.NewReader(make([]byte, 4000)), 0, 0x1000, 4000)
	m.Fill(0x4000, 0x1000, [4]byte{1, 2, 3, 4})
	p, err := m.Payload()
	if err != nil {
		t.Fatal(err)
	}
	return build(t, Builder{Type: TypeImage, Signer: s, BlockSize: 96}, p), roots
}

func check(file []byte, size int64, roots *RootSet) (*Report, error) {
	return Check(context.Background(), bytes.NewReader(file), size, CheckOptions{Roots: roots, Workers: 1})
}

// region says what a byte of a signed file belongs to, by §2.1, §3.1 and §5.1.
func region(h *Header, at int) string {
	list, magic := listStart(h.Version), 4
	if h.Version < 3 {
		magic = 1
	}
	sig := int(h.Signature.Offset)
	switch {
	case at < magic:
		return "magic"
	case at < list || (at >= h.CertOffset-4 && at < h.CertOffset):
		return "words"
	case at < h.CertOffset:
		return "hash list"
	case at < sig-2:
		return "certificate"
	case at < len(h.Raw):
		return "signature"
	}
	return "payload"
}

// TestEveryFlippedBit changes each bit of a file in turn, in the old versions one bit of
// each byte. None is accepted, and the reason is that of the part it lies in.
func TestEveryFlippedBit(t *testing.T) { damageFiles(t, everyFlippedBit) }

func everyFlippedBit(t *testing.T, file []byte, roots *RootSet) {
	good, err := check(file, int64(len(file)), roots)
	if err != nil {
		t.Fatal(err)
	}
	h := good.Header
	allowed := map[string][]Reason{
		"magic":       {NotSIN},
		"words":       {Malformed, HeaderChanged}, // lengths are caught before the signature is reached
		"hash list":   {HeaderChanged},
		"certificate": {CertificateDamaged},
		"signature":   {SignatureDamaged},
		"payload":     {CorruptBlock},
	}
	seen := map[string]int{}
	for at := range file {
		for bit := range 8 {
			if h.Version < 3 && bit != at%8 {
				continue
			}
			bad := bytes.Clone(file)
			bad[at] ^= 1 << bit
			where := region(h, at)
			seen[where]++
			_, err := check(bad, int64(len(bad)), roots)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("bit %d of byte %#x (%s): %v", bit, at, where, err)
			}
			ok := false
			for _, r := range allowed[where] {
				ok = ok || r == e.Reason
			}
			if !ok {
				t.Errorf("bit %d of byte %#x (%s): %v", bit, at, where, err)
			}
			if where == "payload" && (e.Block != h.BlockAt(int64(at)) || e.Offset != h.Blocks[e.Block].Offset || e.Block < 0) {
				t.Errorf("byte %#x lies in block %d: %v", at, h.BlockAt(int64(at)), err)
			}
			// Without the root's certificate the reason can be less exact, but nothing passes.
			if where != "payload" && bit == at%8 {
				if _, err := check(bad, int64(len(bad)), nil); !errors.As(err, &e) || e.Reason > SignatureDamaged {
					t.Errorf("byte %#x (%s) without roots: %v", at, where, err)
				}
			}
		}
	}
	for where := range allowed {
		if seen[where] == 0 {
			t.Errorf("no byte in %s", where)
		}
	}
}

// TestEveryCut ends a file after each number of bytes, with and without the size known
// (test 3 of docs/contributing.md §5).
func TestEveryCut(t *testing.T) { damageFiles(t, everyCut) }

func everyCut(t *testing.T, file []byte, roots *RootSet) {
	for n := range file {
		for _, size := range []int64{int64(n), -1} {
			_, err := check(file[:n], size, roots)
			if !errors.Is(err, &Error{Reason: Truncated, Offset: int64(n), Block: -1}) {
				t.Errorf("%d of %d bytes, size %d: %v", n, len(file), size, err)
			}
		}
		// The size is known from elsewhere, and the stream ends early.
		if _, err := check(file[:n], int64(len(file)), roots); !errors.Is(err, &Error{Reason: Truncated, Offset: int64(n), Block: -1}) {
			t.Errorf("%d of %d bytes: %v", n, len(file), err)
		}
	}
}

func TestOneByteTooMany(t *testing.T) { damageFiles(t, oneByteTooMany) }

func oneByteTooMany(t *testing.T, file []byte, roots *RootSet) {
	long := append(bytes.Clone(file), 0)
	for _, size := range []int64{int64(len(long)), -1, int64(len(file))} {
		_, err := check(long, size, roots)
		if !errors.Is(err, &Error{Reason: Trailing, Offset: int64(len(file)), Block: -1}) {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

// TestRealLoaderDamage cuts and changes a real file at 1000 places.
func TestRealLoaderDamage(t *testing.T) {
	file, err := os.ReadFile(samples.Path(t, "loader-D58XX.sin"))
	if err != nil {
		t.Skip(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		n := 0x400 + rnd.IntN(len(file)-0x400)
		if _, err := check(file[:n], int64(n), nil); !errors.Is(err, &Error{Reason: Truncated, Offset: int64(n), Block: 0}) {
			t.Fatalf("cut at %#x: %v", n, err)
		}
	}
	for range 50 {
		bad := bytes.Clone(file)
		bad[0x400+rnd.IntN(len(file)-0x400)] ^= 1 << rnd.IntN(8)
		if _, err := check(bad, int64(len(bad)), nil); !errors.Is(err, &Error{Reason: CorruptBlock, Offset: 0x400, Block: 0}) {
			t.Fatalf("changed payload: %v", err)
		}
	}
	// The loader's own root, pinned by fingerprint, tells the other three apart.
	l := InspectLoader(file[0x400:])
	roots := &RootSet{}
	roots.AddLoader(l)
	for _, c := range []struct {
		at     int
		reason Reason
	}{{0x1C, HeaderChanged}, {0x60, CertificateDamaged}, {0x2F0, CertificateDamaged}, {0x310, SignatureDamaged}} {
		bad := bytes.Clone(file)
		bad[c.at] ^= 0x10
		if _, err := check(bad, int64(len(bad)), roots); !errors.Is(err, Because(c.reason)) {
			t.Errorf("byte %#x: %v, want %v", c.at, err, c.reason)
		}
	}
}

// TestAllDamagedBlocks finds every damaged block of a file, not just the first.
func TestAllDamagedBlocks(t *testing.T) {
	file, roots := signedFile(t)
	h, err := ReadHeader(bytes.NewReader(file), -1)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(file)
	for _, b := range h.Blocks[1:] {
		bad[b.Offset]++
	}
	report, err := Check(context.Background(), bytes.NewReader(bad), -1, CheckOptions{Roots: roots, Name: "system.sin"})
	if want := len(h.Blocks) - 1; report.DamagedCount != want || len(report.Damaged) != want {
		t.Fatalf("%d damaged, %d listed, want %d", report.DamagedCount, len(report.Damaged), want)
	}
	for i, e := range report.Damaged {
		if e.Block != i+1 || e.Offset != h.Blocks[i+1].Offset || e.File != "system.sin" {
			t.Errorf("damage %d: %+v", i, e)
		}
	}
	if err != error(report.Damaged[0]) {
		t.Errorf("the error is %v", err)
	}
}
