package mkbundle

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"xflash/ftf"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/testfirmware"
	"xflash/sin"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if sharedDir != "" {
		if err := os.RemoveAll(sharedDir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var sharedDir string

// theFirmware is a bundle for a simulated phone, made once.
var theFirmware = sync.OnceValues(func() (*testfirmware.Firmware, error) {
	authority, err := theAuthority()
	if err != nil {
		return nil, err
	}
	if sharedDir, err = os.MkdirTemp("", "xflash-mkbundle-test-"); err != nil {
		return nil, err
	}
	return testfirmware.Make(context.Background(), sharedDir, testfirmware.Options{
		Authority: authority, SystemSize: 10 << 20, KernelSize: 256 << 10, Disk: 4 << 30})
})

var theAuthority = sync.OnceValues(func() (*mkimage.Authority, error) { return mkimage.NewTestAuthority("S1_Root_cafe") })

func madeFirmware(t *testing.T) *testfirmware.Firmware {
	t.Helper()
	fw, err := theFirmware()
	if err != nil {
		t.Fatal(err)
	}
	return fw
}

// sameFile compares two files.
func sameFile(t *testing.T, got, want string) {
	t.Helper()
	a, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s (%d bytes) differs from %s (%d bytes)", got, len(a), want, len(b))
	}
}

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// signed makes a SIN of a payload.
func signed(t *testing.T, kind sin.PayloadType, p mkimage.Payload) []byte {
	t.Helper()
	authority, err := theAuthority()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := authority.Issue("S1_SW", 4)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := (mkimage.Builder{Type: kind, Signer: signer}).Build(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// damagedBundle is the bundle with one byte of an image changed. Checksums of the archive
// fit, so that the image itself must tell.
func damagedBundle(t *testing.T, fw string, short string) string {
	b, err := ftf.Open(fw)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dir := t.TempDir()
	for _, m := range b.Members {
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if _, err := buf.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
		if m.Short == short {
			buf.Bytes()[buf.Len()-5] ^= 1
		}
		write(t, filepath.Join(dir, m.Name), buf.Bytes())
	}
	return dir
}
