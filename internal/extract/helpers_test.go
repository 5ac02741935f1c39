package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

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
	if sharedDir, err = os.MkdirTemp("", "xflash-extract-test-"); err != nil {
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

// unpackAll runs Unpack and gives the outputs it reported.
func unpackAll(path string, opt Options) ([]File, error) {
	var files []File
	opt.Done = func(f File) { files = append(files, f) }
	err := Unpack(context.Background(), path, opt)
	return files, err
}

func mustUnpack(t *testing.T, path string, opt Options) []File {
	t.Helper()
	files, err := unpackAll(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// tree lists all files below a folder.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
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
