// Package samples finds the real files that tests compare with: boot loaders, flash
// scripts, boot images. They are not part of the repository. XFLASH_SAMPLES names their
// folder; without it ../shared/samples beside the repository is used. A test that asks for
// a file that is absent is skipped, so that a fresh clone passes.
package samples

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// dir is the folder of the samples as an absolute path, whichever package asks.
func dir() string {
	if d := os.Getenv("XFLASH_SAMPLES"); d != "" {
		return d
	}
	_, here, _, _ := runtime.Caller(0) // internal/samples/samples.go
	if !filepath.IsAbs(here) {         // built with -trimpath
		return filepath.Join("..", "..", "..", "shared", "samples")
	}
	return filepath.Join(filepath.Dir(here), "..", "..", "..", "shared", "samples")
}

// Path is the absolute path of a sample, or of the folder itself for ".". It skips the test
// that t stands for when there is no such file: inside a subtest pass the subtest's t.
func Path(t testing.TB, name string) string {
	t.Helper()
	return find(t, filepath.Join(dir(), name))
}

// Read is the content of a sample.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Reference is the absolute path of one of the tables and answers in the folder
// "reference" beside the samples.
func Reference(t testing.TB, name string) string {
	t.Helper()
	return find(t, filepath.Join(dir(), "..", "reference", name))
}

func find(t testing.TB, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		t.Skipf("no sample %s (XFLASH_SAMPLES names their folder)", filepath.Base(path))
	case err != nil:
		t.Fatal(err)
	}
	return path
}
