package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestMemoryOfAFolderOfManyFiles: 100,000 files beside firmware cost no memory.
func TestMemoryOfAFolderOfManyFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 100,000 files")
	}
	if _, err := os.Stat("/usr/bin/time"); err != nil {
		t.Skip("the program that measures memory is missing (Debian package time)")
	}
	s, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	g := &inputs{t: t, dir: t.TempDir()}
	folder := g.folder(readZip(t, s.fw.Bundle))
	for i := range 100_000 {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("picture %d.jpg", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	for _, args := range [][]string{
		{"inspect", "--json", folder}, {"verify", folder}, {"unpack", folder, "-o", filepath.Join(dir, "out")},
		{"bundle", folder, "-o", filepath.Join(dir, "new.ftf")}, {"restore", folder, "--dry-run", "--model", "D5803", "--root", s.root},
	} {
		if n, _ := peak(t, dir, args...); n > mostMemory {
			t.Errorf("%s: %d bytes", args[0], n)
		}
	}
}
