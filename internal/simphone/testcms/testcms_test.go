package testcms

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"xflash/internal/simphone/mkimage"
	"xflash/sin"
)

func TestSignAndCheck(t *testing.T) {
	authority, err := mkimage.NewTestAuthority("root")
	if err != nil {
		t.Fatal(err)
	}
	other, err := mkimage.NewTestAuthority("root")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := authority.Issue(Subject(Commercial, "C93B"), 1)
	if err != nil {
		t.Fatal(err)
	}
	der, err := Sign(signer, Content{Name: "boot", Build: "47.2", Chunks: [][]byte{bytes.Repeat([]byte{7}, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	roots := func(a *mkimage.Authority) []*sin.Certificate {
		root, err := sin.ParseCertificate(a.Root)
		if err != nil {
			t.Fatal(err)
		}
		return []*sin.Certificate{root}
	}
	s, err := Read(der)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "boot" || s.Build != "47.2" || s.Role != Commercial || s.Suffix != "C93B" || len(s.Chunks) != 1 {
		t.Errorf("read %+v", s)
	}
	if !s.Check(roots(authority)) {
		t.Error("its own root does not prove it")
	}
	if s.Check(roots(other)) {
		t.Error("another root of the same name proves it")
	}
	changed, err := Read(bytes.Replace(der, []byte("47.2"), []byte("47.3"), 1))
	if err != nil {
		t.Fatal(err)
	}
	if changed.Check(roots(authority)) {
		t.Error("changed content is proven")
	}
	for n := range len(der) {
		if _, err := Read(der[:n]); err == nil {
			t.Fatalf("%d of %d bytes were read", n, len(der))
		}
	}
	if tool, err := exec.LookPath("openssl"); err == nil {
		file := filepath.Join(t.TempDir(), "cms")
		if err := os.WriteFile(file, der, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(tool, "cms", "-verify", "-noverify", "-inform", "DER", "-in", file).CombinedOutput(); err != nil {
			t.Errorf("openssl: %v\n%s", err, out)
		}
	}
}
