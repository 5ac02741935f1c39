package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/simphone/mkimage"
)

// storyImage is a recovery image in one of the forms of fastboot/bootimg/FORMAT.md §1, §4.
func storyImage(t *testing.T, table bool, tree []byte, ramdisk unpack.Format, ramdiskAt, tagsAt uint32) string {
	t.Helper()
	code := mkimage.Kernel{Banner: "Linux version 3.4.0", Config: "CONFIG_ARCH_MSM8974=y\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\nCONFIG_RD_LZMA=y\n"}.Bytes()
	m := &bootimg.Image{PageSize: 2048, KernelAddr: 0x8000, RamdiskAddr: ramdiskAt, SecondAddr: 0xF00000, TagsAddr: tagsAt,
		Cmdline: "androidboot.hardware=qcom user_debug=31",
		Kernel:  mkimage.ZImage(mkimage.Pack(code, unpack.Gzip), unpack.Gzip, len(code)),
		Ramdisk: mkimage.Pack(mkimage.Ramdisk("init.rc"), ramdisk)}
	if table {
		var err error
		if m.DT, err = bootimg.BuildQCDT(2, 2048, []bootimg.Tree{{DTB: tree, IDs: []bootimg.ID{{Platform: 194, Variant: 8, Rev: 0x10000}}}}); err != nil {
			t.Fatal(err)
		}
	} else {
		m.Kernel = append(m.Kernel, tree...)
	}
	m.ID = m.ComputeID()
	data, err := m.Build()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "twrp.img")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestStory is what happens to the owner of a Z3 Compact with four recovery images: what is
// said of each before, what the loader of 2013 answers, and what cures it. Expected are the
// answers of fastboot/bootimg/FORMAT.md §2.6 and fastboot/PROTOCOL.md §3.2.
func TestStory(t *testing.T) {
	split := mkimage.SplitDTB("SoMC Aries ROW", "somc,aries-row", mkimage.AriesChips, mkimage.AriesBoard)
	onePiece := mkimage.OnePieceDTB("SoMC Aries ROW", "somc,aries-row", 194, 8, 0x10000)
	for _, tt := range []struct {
		name  string
		image string
		taken bool // by a loader of 2013, as it is
	}{
		{"QCDT", storyImage(t, true, split, unpack.Gzip, 0x02000000, 0x01E00000), true},
		{"appended, split ids, LZMA", storyImage(t, false, split, unpack.LZMA, 0x02000000, 0x01E00000), false},
		{"one piece", storyImage(t, false, onePiece, unpack.Gzip, 0x02000000, 0x01E00000), true},
		{"z3c-pie head", storyImage(t, false, split, unpack.LZMA, 0x01000000, 0x00000100), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			run := func(code int, words ...string) string {
				t.Helper()
				cmd := program(t, dir, append(words, "--sim-state", filepath.Join(dir, "phone"))...)
				out, _ := cmd.CombinedOutput() // the code tells
				if got := cmd.ProcessState.ExitCode(); got != code {
					t.Fatalf("%v: exit code %d, want %d\n%s", words, got, code, out)
				}
				return string(out)
			}
			phone := func(year string) string { return "sim:z3c,disk=4G,mode=fastboot,aboot=" + year }
			if tt.taken {
				run(0, "boot", tt.image, "--check", "--model", "D5803")
				for _, year := range []string{"2013", "2014", "2015"} {
					if out := run(0, "boot", tt.image, "--device", phone(year)); !strings.Contains(out, "It runs") {
						t.Errorf("%s: %s", year, out)
					}
				}
				return
			}
			if out := run(8, "boot", tt.image, "--check", "--model", "D5803"); !strings.Contains(out, "D2a") || !strings.Contains(out, "--repack") {
				t.Errorf("the diagnosis is\n%s", out)
			}
			// Sent anyway, it is refused in the words of the story, and explained.
			out := strings.Join(strings.Fields(run(8, "boot", tt.image, "--force", "--device", phone("2013"))), " ")
			for _, want := range []string{"dtb not found", "The check predicted this: by rule D2a", "2013"} {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing in: %s", want, out)
				}
			}
			fixed := filepath.Join(dir, "fixed.img")
			if out := run(0, "boot", tt.image, "--repack", "--model", "D5803", "-o", fixed); !strings.Contains(out, "QCDT") {
				t.Errorf("the repair is\n%s", out)
			}
			run(0, "boot", fixed, "--check", "--model", "D5803")
			for _, year := range []string{"2013", "2014", "2015"} {
				if out := run(0, "boot", fixed, "--device", phone(year)); !strings.Contains(out, "It runs") {
					t.Errorf("%s: %s", year, out)
				}
			}
		})
	}
}

// Whether a loader accepts it and whether it will run are written only when somebody says so, and the
// image of another model not at all; starting it once is harmless.
func TestFlashOfDoubtfulImages(t *testing.T) {
	aries := mkimage.SplitDTB("SoMC Aries ROW", "somc,aries-row", mkimage.AriesChips, mkimage.AriesBoard)
	leo := mkimage.SplitDTB("SoMC Leo ROW", "somc,leo-row", mkimage.AriesChips, mkimage.AriesBoard)
	dir := t.TempDir()
	for _, tt := range []struct {
		name, image, words string
		exit               int
		says               string
	}{
		{"another model", storyImage(t, true, leo, unpack.Gzip, 0x02000000, 0x01E00000), "flash boot", exitPolicy, "get the image for D5803"},
		{"another model, --yes", storyImage(t, true, leo, unpack.Gzip, 0x02000000, 0x01E00000), "flash recovery --yes", exitPolicy, "another model"},
		{"another model, started once", storyImage(t, true, leo, unpack.Gzip, 0x02000000, 0x01E00000), "boot", exitOK, "D6"},
		{"LZ4", storyImage(t, true, aries, unpack.LZ4Legacy, 0x02000000, 0x01E00000), "flash boot", exitPolicy, "--yes writes it"},
		{"LZ4, --yes", storyImage(t, true, aries, unpack.LZ4Legacy, 0x02000000, 0x01E00000), "flash boot --yes", exitOK, "boot is written"},
		{"good", storyImage(t, true, aries, unpack.Gzip, 0x02000000, 0x01E00000), "flash recovery", exitOK, "recovery is written"},
	} {
		cmd := program(t, dir, append(strings.Fields(tt.words), tt.image, "--device", "sim:z3c,disk=4G,mode=fastboot", "--sim-state", filepath.Join(dir, "phone"))...)
		out, _ := cmd.CombinedOutput() // the exit code says it
		if code := cmd.ProcessState.ExitCode(); code != tt.exit || !strings.Contains(strings.Join(strings.Fields(string(out)), " "), tt.says) {
			t.Errorf("%s: exit code %d, want %d:\n%s", tt.name, code, tt.exit, out)
		}
	}
}

// TestFlashRaw makes an image of a kernel and a ramdisk on the way, with the addresses that
// are asked for, and looks for them on the phone's disk, where fastboot/bootimg/FORMAT.md §1.1
// has them.
func TestFlashRaw(t *testing.T) {
	dir := t.TempDir()
	code := mkimage.Kernel{Banner: "Linux version 3.4.0", Config: "CONFIG_ARCH_MSM8974=y\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\n"}.Bytes()
	kernel := append(mkimage.ZImage(mkimage.Pack(code, unpack.Gzip), unpack.Gzip, len(code)),
		mkimage.OnePieceDTB("SoMC Aries ROW", "somc,aries-row", 194, 8, 0x10000)...)
	ramdisk := mkimage.Pack(mkimage.Ramdisk("init.rc"), unpack.Gzip)
	for name, data := range map[string][]byte{"zImage": kernel, "ramdisk": ramdisk} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	phone := filepath.Join(dir, "phone")
	out, err := program(t, dir, "fastboot", "-s", "sim:z3c,disk=4G,mode=fastboot,aboot=2014", "--sim-state", phone,
		"--ramdisk-offset", "0x01000000", "--cmdline", "androidboot.hardware=qcom quiet",
		"flash:raw", "boot", filepath.Join(dir, "zImage"), filepath.Join(dir, "ramdisk")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err = program(t, dir, "unpack", filepath.Join(phone, "emmc.img"), "-o", dir, "--partition", "boot").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(dir, "boot.img"))
	if err != nil {
		t.Fatal(err)
	}
	word := func(at int) int { return int(binary.LittleEndian.Uint32(got[at:])) }
	if string(got[:8]) != "ANDROID!" || word(8) != len(kernel) || word(16) != len(ramdisk) || word(20) != 0x01000000 {
		t.Errorf("the header is % x", got[:48])
	}
	if !bytes.Equal(got[2048:2048+len(kernel)], kernel) || !bytes.HasPrefix(got[64:], []byte("androidboot.hardware=qcom quiet\x00")) {
		t.Error("kernel or command line are not where they belong")
	}

	// "boot" of the parts; of the image, whose command line can be replaced; and what is refused.
	for _, c := range []struct {
		words string
		exit  int
		says  string
	}{
		{"boot zImage ramdisk", exitOK, "starts it"},
		{"-c androidboot.hardware=qcom boot zImage ramdisk", exitOK, "starts it"},
		{"boot boot.img", exitOK, "starts it"},
		{"boot boot.img ramdisk", exitUsage, "already a complete boot image"},
		{"-b 0x10000000 -n 4096 boot zImage ramdisk", exitOK, "H3"},
		{"-c androidboot.hardware=qcom~loud flash:raw boot boot.img", exitOK, "written"},
		{"boot zImage no-such-file", exitOther, "no-such-file"},
		{"-p aries flash boot", exitUsage, "ANDROID_PRODUCT_OUT"},
		{"connect tcp:1.2.3.4", exitUsage, "tcp:HOST"},
		{"--fs-options casefold getvar all", exitUsage, "2016"},
		{"flashing get_unlock_ability", exitRefused, "unknown command"},
		{"flashing unlock", exitPolicy, "DRM keys"},
	} {
		words := strings.Fields(c.words)
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "~", " ")
		}
		cmd := program(t, dir, append([]string{"fastboot", "-s", "sim:z3c,disk=4G,mode=fastboot,aboot=2014", "--sim-state", phone}, words...)...)
		cmd.Dir = dir
		out, _ := cmd.CombinedOutput() // the exit code says it
		if code := cmd.ProcessState.ExitCode(); code != c.exit || !strings.Contains(string(out), c.says) {
			t.Errorf("%s: exit code %d, want %d:\n%s", c.words, code, c.exit, out)
		}
	}
	if out, err := program(t, dir, "unpack", filepath.Join(phone, "emmc.img"), "-o", dir, "--partition", "boot", "--force").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	after, err := os.ReadFile(filepath.Join(dir, "boot.img"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(after[64:], []byte("androidboot.hardware=qcom loud\x00")) || !bytes.Equal(after[:64], got[:64]) || !bytes.Equal(after[576:], got[576:]) {
		t.Error("more or less than the command line was replaced")
	}

	// An environment names the phone and the folder with the images.
	cmd := program(t, dir, "fastboot", "--sim-state", phone, "flash", "boot")
	cmd.Env = append(os.Environ(), "ANDROID_SERIAL=sim:z3c,disk=4G,mode=fastboot", "ANDROID_PRODUCT_OUT="+dir)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "boot is written") {
		t.Errorf("%v\n%s", err, out)
	}
}
