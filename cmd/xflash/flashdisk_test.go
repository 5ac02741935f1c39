package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xflash/internal/simphone/mkimage"
)

// onDisk reads what a partition of the phone's emmc.img starts with.
func onDisk(t *testing.T, phone, label string, size int) []byte {
	t.Helper()
	dir := t.TempDir()
	if out, err := program(t, dir, "unpack", filepath.Join(phone, "emmc.img"), "-o", dir, "--partition", label).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, label+".img"))
	if err != nil {
		t.Fatal(err)
	}
	return b[:min(size, len(b))]
}

// TestFlashOnTheDisk: what is asked, what is refused and what is written, with the phone's
// emmc.img as witness.
func TestFlashOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	phone := filepath.Join(dir, "phone")
	aries := mkimage.SplitDTB("SoMC Aries ROW", "somc,aries-row", mkimage.AriesChips, mkimage.AriesBoard)
	lineage := goodImage(t, aries) // appended, split ids: as LineageOS 18.1 has it
	whole := goodImage(t, mkimage.OnePieceDTB("SoMC Aries ROW", "somc,aries-row", 194, 8, 0x10000))
	for name, data := range map[string][]byte{"lineage.img": lineage, "whole.img": whole, "cut.img": whole[:len(whole)/2],
		"leo.img":   goodImage(t, mkimage.OnePieceDTB("SoMC Leo ROW", "somc,leo-row", 194, 8, 0x10000)),
		"plain.img": goodImage(t, mkimage.PlainDTB("Sony Xperia Z3 Compact", "sony,xperia-aries"))} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("img2simg", filepath.Join(dir, "whole.img"), filepath.Join(dir, "whole.simg")).CombinedOutput(); err != nil {
		t.Skipf("img2simg: %v\n%s", err, out)
	}
	for name, info := range map[string]string{"follows.zip": "version 1\nflash boot other.img\n", "wrong.zip": "version 1\nupdate-super\nflash boot other.img\n"} {
		var archive bytes.Buffer
		z := zip.NewWriter(&archive)
		for file, data := range map[string][]byte{"android-info.txt": []byte("require board=D5803\n"), "fastboot-info.txt": []byte(info), "other.img": lineage, "recovery.img": whole} {
			w, err := z.Create(file)
			if err == nil {
				_, err = w.Write(data)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(z.Close(), os.WriteFile(filepath.Join(dir, name), archive.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	temporary := filepath.Join(dir, "tmp")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		t.Fatal(err)
	}
	spec := "sim:z3c,disk=4G,mode=fastboot,aboot=2014"
	for _, c := range []struct {
		words  string
		exit   int
		says   string
		label  string // partition that must start with holds, or must not
		holds  []byte
		absent bool
	}{
		{"flash recovery lineage.img", exitPolicy, "--yes writes it unchanged", "FOTAKernel", lineage, true},
		{"flash --yes recovery lineage.img", exitOK, "Volume Down and Power", "FOTAKernel", lineage, false},
		{"flash system whole.simg", exitPolicy, "boot image inside", "system", whole, true},
		{"flash boot whole.simg", exitOK, "boot is written", "boot", whole, false},
		{"flash recovery cut.img", exitFile, "is truncated", "FOTAKernel", lineage, false},
		{"flash boot leo.img", exitPolicy, "that of another model", "boot", whole, false},
		{"boot leo.img", exitOK, "display_status=on", "boot", whole, false},
		{"boot plain.img --check --model D5803", exitOK, `unless it is of 2015 and later: that one refuses it with "dtb not found"`, "", nil, false},
		{"fastboot update follows.zip", exitPolicy, "--yes writes it unchanged", "boot", whole, false},
		{"fastboot --yes update follows.zip", exitOK, "recovery.img is not written", "boot", lineage, false},
		{"fastboot --yes update wrong.zip", exitFile, `fastboot-info.txt, line 2: these phones do not support "update-super"`, "boot", lineage, false},
		{"fastboot flash:raw recovery cut.img whole.img", exitUsage, "already a complete boot image", "FOTAKernel", lineage, false},
		{"fastboot oem unlock~0x0123456789ABCDEF", exitPolicy, "DRM keys", "", nil, false},
		{"fastboot oem unlock\t0x0123456789ABCDEF", exitPolicy, "DRM keys", "", nil, false},
		{"fastboot --yes oem lock", exitPolicy, "only Sony's own kernel", "", nil, false},
		{"fastboot --yes oem erase TA", exitPolicy, "identity of this one phone", "", nil, false},
		{"fastboot oem format", exitPolicy, "--yes sends it anyway", "", nil, false},
		{"fastboot --yes oem dance", exitRefused, "unknown command", "", nil, false},
		{"fastboot --yes create-logical-partition system 4096", exitPolicy, "userspace fastboot", "", nil, false},
		{"fastboot getvar " + strings.Repeat("v", 80), exitPolicy, "64 bytes at most", "", nil, false},
	} {
		var words []string
		for _, w := range strings.Split(c.words, " ") { // a tab stays in its word
			words = append(words, strings.ReplaceAll(w, "~", " "))
		}
		cmd := program(t, dir, append(words, "--device", spec, "--sim-state", phone)...)
		cmd.Dir = dir
		cmd.Env = append(cmd.Env, "TMPDIR="+temporary)
		out, _ := cmd.CombinedOutput() // the exit code says it
		text := strings.Join(strings.Fields(string(out)), " ")
		if code := cmd.ProcessState.ExitCode(); code != c.exit || !strings.Contains(text, c.says) {
			t.Errorf("%q: exit code %d, want %d:\n%s", c.words, code, c.exit, out)
		}
		if strings.Contains(text, "0123456789ABCDEF") {
			t.Errorf("%q: the code is printed:\n%s", c.words, out)
		}
		if c.label != "" && bytes.Equal(onDisk(t, phone, c.label, len(c.holds)), c.holds) == c.absent {
			t.Errorf("%q: %s holds the wrong bytes", c.words, c.label)
		}
		if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
			t.Errorf("%q left %v in the temporary folder, %v", c.words, left, err)
		}
	}
}
