package bootcheck

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/simphone/mkimage"
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

// storyForms are the images of the story that a loader of 2013 refuses
// (fastboot/bootimg/FORMAT.md §4.1): with and without an LZMA ramdisk, and with the addresses
// of z3c-pie's tree.
var storyForms = map[string]func(*bootimg.Image){
	"split": appending(ariesSplit()),
	"split, LZMA": func(m *bootimg.Image) {
		m.Kernel = zimage(config34+"CONFIG_RD_LZMA=y\n", ariesSplit())
		m.Ramdisk = mkimage.Pack(mkimage.Ramdisk("init.rc"), unpack.LZMA)
	},
	"z3c-pie head": func(m *bootimg.Image) {
		m.Kernel = zimage(config34+"CONFIG_RD_LZMA=y\n", ariesSplit())
		m.Ramdisk = mkimage.Pack(mkimage.Ramdisk("init.rc"), unpack.LZMA)
		m.RamdiskAddr, m.TagsAddr = 0x01000000, 0x00000100
	},
}

// repairedFile is a repaired image of the story as a file, and what it was made from.
func repairedFile(t *testing.T, form func(*bootimg.Image)) (dir string, before, after *bootimg.Image) {
	t.Helper()
	d, err := Diagnose(image(t, form), z3c(t))
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

func hex(n uint32) string { return fmt.Sprintf("0x%x", n) }

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

// Programs that are not ours find the parts of the repaired images where they belong.
func TestRepairedPartsAgreeWithOthers(t *testing.T) {
	for name, form := range storyForms {
		t.Run(name, func(t *testing.T) {
			dir, before, after := repairedFile(t, form)
			tool(t, dir, "abootimg", "-x", "fixed.img")
			sameFile(t, filepath.Join(dir, "zImage"), before.Kernel)
			sameFile(t, filepath.Join(dir, "initrd.img"), before.Ramdisk)
			cfg, err := os.ReadFile(filepath.Join(dir, "bootimg.cfg"))
			if err != nil {
				t.Fatal(err)
			}
			wanted := []string{"pagesize = 0x800", "kerneladdr = 0x8000", "cmdline = " + cmdline}
			if name != "z3c-pie head" { // whose addresses may stay: these loaders accept their own
				wanted = append(wanted, "ramdiskaddr = 0x2000000", "tagsaddr = 0x1e00000")
			}
			for _, want := range wanted {
				if !strings.Contains(string(cfg), want) {
					t.Errorf("%q is not in\n%s", want, cfg)
				}
			}
			// Android's own packer makes the same image of these parts, but for the table, of
			// which it knows nothing: its size in the header, the id, and what follows; and for the
			// address of a second stage, which it leaves out where there is none.
			tool(t, dir, "mkbootimg", "--kernel", "zImage", "--ramdisk", "initrd.img", "--base", "0", "--kernel_offset", "0x8000",
				"--ramdisk_offset", hex(after.RamdiskAddr), "--second_offset", hex(after.SecondAddr), "--tags_offset", hex(after.TagsAddr),
				"--pagesize", "2048", "--cmdline", after.Cmdline, "-o", "theirs.img")
			theirs, err := os.ReadFile(filepath.Join(dir, "theirs.img"))
			if err != nil {
				t.Fatal(err)
			}
			ours, err := os.ReadFile(filepath.Join(dir, "fixed.img"))
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range [][2]int{{0, 28}, {32, 40}, {44, 48}, {64, 576}, {608, len(theirs)}} {
				if from, to := part[0], part[1]; !bytes.Equal(ours[from:to], theirs[from:to]) {
					t.Errorf("mkbootimg has other bytes at %d to %d", from, to)
				}
			}
		})
	}
}

// The trees of the table are those that dtc reads, with the ids they had.
func TestRepairedTreesAgreeWithDtc(t *testing.T) {
	for name, form := range storyForms {
		t.Run(name, func(t *testing.T) { treesAgree(t, form) })
	}
}

func treesAgree(t *testing.T, form func(*bootimg.Image)) {
	t.Helper()
	dir, _, after := repairedFile(t, form)
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
