package sin_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
)

// testAuthority is one authority for all tests: keys take time.
var testAuthority = sync.OnceValues(func() (*Authority, error) { return NewTestAuthority("S1_Root_Test_0000") })

// signer returns a signer of the test authority and a set with its root.
func signer(t testing.TB, subject string, revision int64) (*Signer, *RootSet) {
	t.Helper()
	a, err := testAuthority()
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Issue(subject, revision)
	if err != nil {
		t.Fatal(err)
	}
	roots := &RootSet{}
	if err := roots.AddPEM(a.RootPEM()); err != nil {
		t.Fatal(err)
	}
	return s, roots
}

// TestAuthorityLooksLikeSony lets openssl say what the certificates are.
func TestAuthorityLooksLikeSony(t *testing.T) {
	s, roots := signer(t, "S1_SW", 3)
	root, err := x509.ParseCertificate(roots.All()[0].Raw)
	if err != nil {
		t.Fatal(err)
	}
	if root.Version != 3 || len(root.Extensions) != 0 || root.SerialNumber.Sign() != 0 {
		t.Errorf("root: version %d, %d extensions, serial %v", root.Version, len(root.Extensions), root.SerialNumber)
	}
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	der := filepath.Join(t.TempDir(), "leaf.der")
	if err := os.WriteFile(der, s.Chain[0], 0o600); err != nil {
		t.Fatal(err)
	}
	dump, err := exec.Command(openssl, "asn1parse", "-inform", "der", "-in", der).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, dump)
	}
	for _, want := range []string{"T61STRING         :S1_SW", "T61STRING         :S1_Root_Test_0000", "INTEGER           :03", "UTCTIME           :130723133343Z", "[HEX DUMP]:3000"} {
		if !strings.Contains(string(dump), want) {
			t.Errorf("no %q in\n%s", want, dump)
		}
	}
	// openssl and this package read the same certificate, and agree on the chain.
	c, err := ParseCertificate(s.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != "S1_SW" || c.Issuer != "S1_Root_Test_0000" || c.Serial.Int64() != 3 || c.NotBefore != "130723133343Z" || c.NotAfter != "330725133343Z" {
		t.Errorf("read as %+v", c)
	}
	leaf, err := x509.ParseCertificate(s.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := root.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature); err != nil || c.SignedBy(roots.All()[0].Key) != SigGood {
		t.Errorf("crypto/x509 says %v, signedBy %v", err, c.SignedBy(roots.All()[0].Key))
	}
}

// TestSignedImage builds a signed image and checks everything about it.
func TestSignedImage(t *testing.T) {
	s, roots := signer(t, "S1_SW", 3)
	file := build(t, Builder{Type: TypeImage, Signer: s}, mmcfVector(t, true))
	report, err := Check(context.Background(), bytes.NewReader(file), int64(len(file)), CheckOptions{Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	h := report.Header
	if h.Signer() != "S1_SW" || h.Issuer() != "S1_Root_Test_0000" || h.Certificate().Serial.Int64() != 3 {
		t.Errorf("%s, %s, %d", h.Signer(), h.Issuer(), h.Certificate().Serial)
	}
	if report.Trust.State != TrustSupplied || report.Trust.Root != "S1_Root_Test_0000" {
		t.Errorf("trust %+v", report.Trust)
	}
	if p := report.Parts; len(p) != 1 || p[0].Size != 0x5000 || p[0].Kind != KindRaw || !bytes.Equal(p[0].Head, pat(HeadSize)) {
		t.Errorf("parts %+v", p)
	}
}
