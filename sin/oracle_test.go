package sin_test

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xflash/internal/samples"
	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
)

// TestOpensslVerifies lets openssl verify the signatures of real files and of our own,
// over the digest of §5.2.
func TestOpensslVerifies(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	for version := 1; version <= 3; version++ {
		t.Run(fmt.Sprintf("built v%d", version), func(t *testing.T) {
			file, _ := signedFile(t)
			if version < 3 {
				file, _ = signedFile12(t, version)
			}
			opensslVerifies(t, openssl, file)
		})
	}
	for _, model := range []string{"D58XX", "D200X", "LT26", "X10"} {
		t.Run(model, func(t *testing.T) {
			file, err := os.ReadFile(samples.Path(t, "loader-"+model+".sin"))
			if err != nil {
				t.Skip(err)
			}
			opensslVerifies(t, openssl, file)
		})
	}
}

func opensslVerifies(t *testing.T, openssl string, file []byte) {
	h, err := ReadHeader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := x509.MarshalPKIXPublicKey(h.Certificate().Key)
	if err != nil {
		t.Fatal(err)
	}
	pub := put("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: key}))
	digest, sig := put("digest", h.Signature.Digest()), put("sig", h.Signature.Value)
	kind := strings.ToLower(strings.ReplaceAll(h.Signature.Hash.String(), "-", ""))
	verify := func() ([]byte, error) {
		return exec.Command(openssl, "pkeyutl", "-verify", "-pubin", "-inkey", pub, "-in", digest, "-sigfile", sig, "-pkeyopt", "digest:"+kind).CombinedOutput()
	}
	if out, err := verify(); err != nil {
		t.Errorf("openssl says %v: %s", err, out)
	}
	put("digest", h.Signature.Hash.Sum([]byte("something else")))
	if out, err := verify(); err == nil {
		t.Errorf("openssl accepts any digest: %s", out)
	}
	// The certificate as openssl reads it.
	cert := put("cert.der", h.Certificate().Raw)
	out, err := exec.Command(openssl, "x509", "-inform", "der", "-in", cert, "-noout", "-subject", "-issuer", "-serial", "-fingerprint", "-sha256").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text := strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(string(out)))
	c := h.Certificate()
	for _, want := range []string{"subject=cn=" + c.Subject, "issuer=cn=" + c.Issuer, "serial=0" + c.Serial.String(), "fingerprint=" + hex.EncodeToString(c.Fingerprint[:])} {
		if !strings.Contains(text, strings.ToLower(want)) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

// TestLZ4Unpacks lets the lz4 program unpack the blocks of an image that we built. Its
// legacy frame is a magic number, and for each block of 8 MiB a length and the block.
func TestLZ4Unpacks(t *testing.T) {
	lz4, err := exec.LookPath("lz4")
	if err != nil {
		t.Skip("lz4 is not installed")
	}
	image := randomImage(rand.New(rand.NewPCG(1, 2)), 700000)
	m := MapBuilder{}
	m.Select(systemGUID)
	m.LZ4(bytes.NewReader(image), 0, 0, int64(len(image)))
	p, err := m.Payload()
	if err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	if err := p.Body(&block); err != nil {
		t.Fatal(err)
	}
	frame := binary.LittleEndian.AppendUint32([]byte{0x02, 0x21, 0x4C, 0x18}, uint32(block.Len()))
	cmd := exec.Command(lz4, "-d", "-c")
	cmd.Stdin = bytes.NewReader(append(frame, block.Bytes()...))
	out, err := cmd.Output()
	if err != nil || !bytes.Equal(out, image) {
		t.Errorf("%d bytes, want %d: %v", len(out), len(image), err)
	}
}
