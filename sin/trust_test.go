package sin_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
)

// TestTrust looks at one good file with different roots at hand.
func TestTrust(t *testing.T) {
	file, roots := signedFile(t)
	other, err := NewTestAuthority("S1_Root_Test_0001")
	if err != nil {
		t.Fatal(err)
	}
	twin, err := NewTestAuthority("S1_Root_Test_0000") // same name, other key
	if err != nil {
		t.Fatal(err)
	}
	set := func(ders ...[]byte) *RootSet {
		s := &RootSet{}
		for _, der := range ders {
			if err := s.Add(der); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	right := roots.All()[0].Raw
	for _, c := range []struct {
		name  string
		roots *RootSet
		state TrustState
		err   error
	}{
		{"the right root", set(right), TrustSupplied, nil},
		{"the right one among others", set(other.Root, twin.Root, right), TrustSupplied, nil},
		{"no set", nil, TrustUnknown, nil},
		{"an empty set", &RootSet{}, TrustUnknown, nil},
		{"another root", set(other.Root), TrustUnknown, nil},
		{"another root of that name", set(twin.Root), TrustNothing, Because(ForgedRoot)},
	} {
		report, err := check(file, int64(len(file)), c.roots)
		if report.Trust.State != c.state || (c.err == nil) != (err == nil) || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, report.Trust.State, err, c.state, c.err)
		}
	}
}

// TestIssuerNameDoesNotCount is usbproto/s1/PROTOCOL.md §11.15: only the key of the root counts.
func TestIssuerNameDoesNotCount(t *testing.T) {
	a, err := testAuthority()
	if err != nil {
		t.Fatal(err)
	}
	renamed := &Authority{Name: "S1_Root_9c84", Key: a.Key, Leaf: a.Leaf}
	s, err := renamed.Issue("S1_SW", 3)
	if err != nil {
		t.Fatal(err)
	}
	_, roots := signer(t, "S1_SW", 3)
	file := build(t, Builder{Type: TypeRaw, Signer: s}, BytesPayload(pat(10)))
	report, err := check(file, -1, roots)
	if err != nil || report.Trust.State != TrustSupplied || report.Header.Issuer() != "S1_Root_9c84" {
		t.Errorf("%+v, %v", report.Trust, err)
	}
	// Without any root the name is known, and nothing is proven.
	report, err = check(file, -1, &RootSet{})
	if err != nil || report.Trust.State != TrustByName || report.Trust.Proven() {
		t.Errorf("%+v, %v", report.Trust, err)
	}
}

// TestChainOfTwo: real files have one certificate, but the format allows more.
func TestChainOfTwo(t *testing.T) {
	a, err := testAuthority()
	if err != nil {
		t.Fatal(err)
	}
	s, roots := signer(t, "S1_SW_CA", 1)
	// The second certificate belongs to the authority's leaf key, which signs the first.
	middle := &Authority{Name: "S1_SW_CA", Key: a.Leaf, Leaf: a.Leaf}
	leaf, err := middle.Issue("S1_SW", 2)
	if err != nil {
		t.Fatal(err)
	}
	chain := &Signer{Key: a.Leaf, Chain: [][]byte{leaf.Chain[0], s.Chain[0]}}
	file := build(t, Builder{Type: TypeRaw, Signer: chain}, BytesPayload(pat(10)))
	report, err := check(file, -1, roots)
	if err != nil || report.Header.Signer() != "S1_SW" || report.Header.Certificate().Serial.Int64() != 2 || !report.Trust.Proven() {
		t.Fatalf("%+v, %v", report.Trust, err)
	}
	chain.Chain[0], chain.Chain[1] = chain.Chain[1], chain.Chain[0]
	file = build(t, Builder{Type: TypeRaw, Signer: chain}, BytesPayload(pat(10)))
	if _, err := check(file, -1, roots); !errors.Is(err, Because(ForgedRoot)) {
		t.Errorf("in the wrong order: %v", err)
	}
}

// TestBorrowedName: a root that borrows a known name is never taken for Sony's.
func TestBorrowedName(t *testing.T) {
	a, err := NewTestAuthority("S1_Root_9c84")
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Issue("S1_SW", 3)
	if err != nil {
		t.Fatal(err)
	}
	// Whoever supplies it trusts it, and learns that it is not Sony's.
	supplied := &RootSet{}
	if err := supplied.Add(a.Root); err != nil {
		t.Fatal(err)
	}
	report, err := check(build(t, Builder{Type: TypeRaw, Signer: s}, BytesPayload(pat(10))), -1, supplied)
	if err != nil || report.Trust.State != TrustSupplied || report.Trust.Known != nil {
		t.Errorf("%+v, %v", report.Trust, err)
	}
	roots := &RootSet{}
	if err := roots.Add(s.Chain[0]); err == nil || !strings.Contains(err.Error(), "is not a root") {
		t.Errorf("a leaf as root: %v", err)
	}
	if err := roots.AddPEM([]byte("nothing")); err == nil {
		t.Error("no PEM, no error")
	}
	// A loader cannot vouch for itself with a root it made itself.
	loader := append([]byte("\x7fELF"), a.Root...)
	file := build(t, Builder{Type: TypeLoader, Signer: s}, BytesPayload(loader))
	report, err = check(file, -1, nil)
	if err != nil || report.Trust.State != TrustByName || len(report.Loader.Roots) != 1 {
		t.Errorf("trust %+v, %v", report.Trust, err)
	}
}

// TestKnownRoots: the table has no name twice, and whole fingerprints.
func TestKnownRoots(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range KnownRoots {
		if seen[k.Name] || k.Fingerprint != "" && (len(k.Fingerprint) != 64 || seen[k.Fingerprint]) || k.Platform == "" {
			t.Errorf("%+v", k)
		}
		seen[k.Name], seen[k.Fingerprint] = true, true
	}
	if k := RootByName("S1_Root_9c84"); k == nil || !strings.Contains(k.Platform, "Z3 Compact") || k.Test {
		t.Errorf("%+v", k)
	}
	if k := RootByName("S1_Root_Test_b316"); k == nil || !k.Test {
		t.Errorf("%+v", k)
	}
	if k := RootByName("S1_Loader_test_Root_8e89"); k == nil || !k.Test || k.Name != "S1_Loader_test_Root_8e89" {
		t.Errorf("%+v", k)
	}
	if RootByName("S1_Root_0000") != nil || RootByName("") != nil {
		t.Error("a name that nobody has is known")
	}
}

// oddExponent makes a self-signed certificate like the test certificates of Sony:
// exponent 3, written with leading zeros, SHA-1.
func oddExponent(t testing.TB, bits int) (*rsa.PrivateKey, []byte) {
	t.Helper()
	three := big.NewInt(3)
	var key *rsa.PrivateKey
	for key == nil {
		p, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			t.Fatal(err)
		}
		q, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			t.Fatal(err)
		}
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		n := new(big.Int).Mul(p, q)
		if d := new(big.Int).ModInverse(three, phi); d != nil && n.BitLen() == bits && p.Cmp(q) != 0 {
			key = &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: 3}, D: d, Primes: []*big.Int{p, q}}
			key.Precompute()
		}
	}
	name, err := T61Name("S1_Loader_test_Root_0000")
	if err != nil {
		t.Fatal(err)
	}
	der := func(tag byte, parts ...[]byte) []byte {
		body := bytes.Join(parts, nil)
		out, err := asn1.Marshal(asn1.RawValue{Tag: int(tag & 0x1F), Class: int(tag >> 6), IsCompound: tag&0x20 != 0, Bytes: body})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	alg := der(TagSequence, der(TagOID, OIDSHA1RSA), []byte{5, 0})
	pub := der(TagSequence, der(TagInteger, []byte{0}, key.N.Bytes()), []byte{TagInteger, 3, 0, 0, 3})
	date := der(TagSequence, der(0x17, []byte("101021173610Z")), der(0x17, []byte("201021173610Z")))
	tbs := der(TagSequence, der(TagVersion, []byte{2, 1, 2}), []byte{TagInteger, 1, 0}, alg, name, date, name,
		der(TagSequence, der(TagSequence, der(TagOID, OIDRSA), []byte{5, 0}), der(TagBitString, []byte{0}, pub)))
	sum := sha1.Sum(tbs)
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA1, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return key, der(TagSequence, tbs, alg, der(TagBitString, []byte{0}, sig))
}

// TestOddExponent signs with such a certificate, which crypto/x509 would refuse.
func TestOddExponent(t *testing.T) {
	for _, bits := range []int{1024, 2048} {
		key, cert := oddExponent(t, bits)
		roots := &RootSet{}
		if err := roots.Add(cert); err != nil {
			t.Fatal(err)
		}
		s := &Signer{Key: key, Chain: [][]byte{cert}, Hash: SHA1}
		file := build(t, Builder{Type: TypeRaw, Signer: s}, BytesPayload(pat(10)))
		report, err := check(file, -1, roots)
		if err != nil || report.Trust.State != TrustSupplied || report.Header.Certificate().Key.E != 3 {
			t.Fatalf("%d bits: %v", bits, err)
		}
		file[len(report.Header.Raw)-1] ^= 1
		if _, err := check(file, -1, roots); !errors.Is(err, Because(SignatureDamaged)) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

// TestCheckRSAAgrees compares CheckRSA with crypto/rsa on signatures that are nearly right.
func TestCheckRSAAgrees(t *testing.T) {
	s, _ := signer(t, "S1_SW", 1)
	digest := sha256.Sum256([]byte("signed"))
	good, err := rsa.SignPKCS1v15(nil, s.Key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	raw := func(block []byte) []byte {
		m := new(big.Int).SetBytes(block)
		return m.Exp(m, s.Key.D, s.Key.N).FillBytes(make([]byte, 256))
	}
	padded := func(pad int, tail ...byte) []byte {
		block := append([]byte{0, 1}, bytes.Repeat([]byte{0xFF}, pad)...)
		return append(append(append(append(block, 0), DigestInfo[SHA256]...), digest[:]...), tail...)
	}
	other := sha256.Sum256([]byte("something else"))
	for _, c := range []struct {
		name   string
		sig    []byte
		digest []byte
		want   SigState
	}{
		{"right", good, digest[:], SigGood},
		{"right, by hand", raw(padded(202)), digest[:], SigGood},
		{"other content", good, other[:], SigOther},
		{"short padding and rubbish after the hash", raw(padded(102, make([]byte, 100)...)), digest[:], SigBroken},
		{"number above the modulus", s.Key.N.Bytes(), digest[:], SigBroken},
		{"too short", good[:255], digest[:], SigBroken},
		{"too long", append([]byte{0}, good...), digest[:], SigBroken},
		{"zero", make([]byte, 256), digest[:], SigBroken},
	} {
		got := CheckRSA(&s.Key.PublicKey, SHA256, c.digest, c.sig)
		std := rsa.VerifyPKCS1v15(&s.Key.PublicKey, crypto.SHA256, c.digest, c.sig)
		if got != c.want || (std == nil) != (c.want == SigGood) {
			t.Errorf("%s: %v, want %v; crypto/rsa says %v", c.name, got, c.want, std)
		}
	}
}
