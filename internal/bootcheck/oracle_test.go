package bootcheck

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
)

// tool runs a program of the system in dir, or skips the test.
func tool(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// repairedFile is a repaired image of the story as a file, and what it was made from.
func repairedFile(t *testing.T) (dir string, before, after *bootimg.Image) {
	t.Helper()
	d, err := Diagnose(image(t, appending(ariesSplit())), z3c(t))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Repair(d, z3c(t))
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fixed.img"), r.Image, 0o644); err != nil {
		t.Fatal(err)
	}
	if after, err = bootimg.Parse(r.Image); err != nil {
		t.Fatal(err)
	}
	return dir, d.image, after
}

func sameFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, want %d", filepath.Base(path), len(got), len(want))
	}
}

// Two programs that are not ours find the parts of the repaired image where they belong.
func TestRepairedPartsAgreeWithAbootimg(t *testing.T) {
	dir, before, _ := repairedFile(t)
	tool(t, dir, "abootimg", "-x", "fixed.img")
	sameFile(t, filepath.Join(dir, "zImage"), before.Kernel)
	sameFile(t, filepath.Join(dir, "initrd.img"), before.Ramdisk)
	cfg, err := os.ReadFile(filepath.Join(dir, "bootimg.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pagesize = 0x800", "kerneladdr = 0x8000", "ramdiskaddr = 0x2000000", "tagsaddr = 0x1e00000", "cmdline = " + cmdline} {
		if !strings.Contains(string(cfg), want) {
			t.Errorf("%q is not in\n%s", want, cfg)
		}
	}
}

// The trees of the table are those that dtc reads, with the ids they had.
func TestRepairedTreesAgreeWithDtc(t *testing.T) {
	dir, _, after := repairedFile(t)
	table, err := bootimg.ParseQCDT(after.DT)
	if err != nil || table.Version != 2 || len(table.Entries) != 8 {
		t.Fatalf("%+v, %v", table, err)
	}
	for _, e := range table.Entries {
		dtb, err := table.DTB(e)
		if err != nil || e.Variant != 8 || e.Subtype != 0 || e.Rev != 0x10000 {
			t.Fatalf("%+v, %v", e, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "a.dtb"), dtb, 0o644); err != nil {
			t.Fatal(err)
		}
		source := tool(t, dir, "dtc", "-q", "-I", "dtb", "-O", "dts", "a.dtb")
		if !strings.Contains(source, "SoMC Aries ROW") || !strings.Contains(source, "qcom,board-id = <0x08 0x00>") {
			t.Errorf("dtc reads\n%s", source)
		}
	}
}
