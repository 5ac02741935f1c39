package bootimg_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
)

// TestMkbootimg: for each header version that Debian's mkbootimg writes, its
// image is parsed rightly and ours of the same parts has the same bytes.
func TestMkbootimg(t *testing.T) {
	kernel, ramdisk, second, dtb := pattern(5001, 1), pattern(7000, 2), pattern(300, 3), pattern(900, 4)
	args := []string{"--kernel", file(t, "kernel", kernel), "--ramdisk", file(t, "ramdisk", ramdisk),
		"--base", "0x00000000", "--kernel_offset", "0x8000", "--ramdisk_offset", "0x02000000", "--tags_offset", "0x01e00000",
		"--second_offset", "0x00f00000", "--cmdline", "androidboot.hardware=qcom ehci-hcd.park=3", "--board", "shinano",
		"--os_version", "8.1.0", "--os_patch_level", "2018-05-05"}
	base := bootimg.Image{KernelAddr: 0x8000, RamdiskAddr: 0x02000000, SecondAddr: 0xf00000, TagsAddr: 0x01e00000, Name: "shinano",
		Cmdline: "androidboot.hardware=qcom ehci-hcd.park=3", OSVersion: bootimg.NewOSVersion(8, 1, 0, 2018, 5), Kernel: kernel, Ramdisk: ramdisk}
	v3 := bootimg.Image{HeaderSize: 1596, Cmdline: base.Cmdline, OSVersion: base.OSVersion, Kernel: kernel, Ramdisk: ramdisk}
	for _, c := range []struct {
		version int
		page    uint32
		image   bootimg.Image
		more    []string
	}{
		{0, 2048, base, []string{"--second", file(t, "second", second)}},
		{1, 4096, base, nil},
		{2, 16384, base, []string{"--dtb", file(t, "dtb", dtb), "--dtb_offset", "0x01f00000"}},
		{3, 4096, v3, nil},
	} {
		out := filepath.Join(t.TempDir(), "boot.img")
		run(t, "mkbootimg", append(append(args, "--header_version", fmt.Sprint(c.version), "--pagesize", fmt.Sprint(c.page), "-o", out), c.more...)...)
		theirs := read(t, out)

		want := c.image
		want.Version, want.PageSize = c.version, c.page
		switch c.version {
		case 0:
			want.Second = second
		case 1: // without a second stage its address is written as 0
			want.SecondAddr, want.HeaderSize = 0, 1648
		case 2:
			want.SecondAddr, want.DTB, want.DTBAddr, want.HeaderSize = 0, dtb, 0x01f00000, 1660
		}
		if c.version < 3 {
			want.ID = want.ComputeID()
		}
		ours, err := want.Build()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours, theirs) {
			t.Errorf("version %d: our image of %d bytes differs from that of mkbootimg, %d bytes", c.version, len(ours), len(theirs))
		}
		got, err := bootimg.Parse(theirs)
		if err != nil {
			t.Fatal(err)
		}
		if g, w := fields(got), fields(&want); g != w {
			t.Errorf("version %d: got\n%s\nwant\n%s", c.version, g, w)
		}
	}
}

// TestUnpackBootimg: the other direction, with the sections of our image.
func TestUnpackBootimg(t *testing.T) {
	m := images()[0]
	b, err := m.Build()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	said := run(t, "unpack_bootimg", "--boot_img", file(t, "boot.img", b), "--out", dir)
	for name, want := range map[string][]byte{"kernel": m.Kernel, "ramdisk": m.Ramdisk, "second": m.Second} {
		if got := read(t, filepath.Join(dir, name)); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes differ from ours", name, len(got))
		}
	}
	for _, line := range []string{"page size: 2048", "os version: 8.1.0", "os patch level: 2018-05", "command line args: androidboot.hardware=qcom", "product name: shinano"} {
		if !strings.Contains(said, line) {
			t.Errorf("it does not say %q:\n%s", line, said)
		}
	}
}

// TestAbootimg: a third program, which reads v0 images and checks them.
func TestAbootimg(t *testing.T) {
	m := images()[0]
	m.Trailing = nil
	b, err := m.Build()
	if err != nil {
		t.Fatal(err)
	}
	said := run(t, "abootimg", "-i", file(t, "boot.img", b))
	id := ""
	for i := 0; i < 32; i += 4 {
		id += fmt.Sprintf("0x%08x ", binary.LittleEndian.Uint32(m.ID[i:]))
	}
	for _, line := range []string{`Boot Name = "shinano"`, "kernel size       = 5000 bytes", "ramdisk size      = 2048 bytes",
		"ramdisk:      0x02000000", "tags:         0x01e00000", "cmdline = androidboot.hardware=qcom", "id = " + id} {
		if !strings.Contains(said, line) {
			t.Errorf("it does not say %q:\n%s", line, said)
		}
	}
}

// TestVendorMkbootimg: the vendor half, v3.
func TestVendorMkbootimg(t *testing.T) {
	want := vendorBoots()[0]
	want.HeaderSize = 2108 // what this old mkbootimg writes
	out := filepath.Join(t.TempDir(), "vendor_boot.img")
	run(t, "mkbootimg", "--header_version", "3", "--vendor_boot", out, "--vendor_ramdisk", file(t, "ramdisk", want.Ramdisk),
		"--dtb", file(t, "dtb", want.DTB), "--vendor_cmdline", want.Cmdline, "--board", want.Name, "--pagesize", "2048", "--base", "0",
		"--kernel_offset", "0x8000", "--ramdisk_offset", "0x2000000", "--tags_offset", "0x1e00000", "--dtb_offset", "0x1f00000")
	theirs := read(t, out)
	ours, err := want.Build()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours, theirs) {
		t.Errorf("our image of %d bytes differs from that of mkbootimg, %d bytes", len(ours), len(theirs))
	}
}

// TestDtc: Debian's device tree compiler reads what we build, and we read what it writes.
func TestDtc(t *testing.T) {
	tree := fdtTree()
	source := run(t, "dtc", "-q", "-I", "dtb", "-O", "dts", file(t, "ours.dtb", tree.Build()))
	for _, line := range []string{`model = "SoMC Aries ROW";`, `compatible = "somc,aries-row\0qcom,msm8974";`,
		"qcom,board-id = <0x08 0x00>;", "qcom,msm-id = <0xc2 0x10000 0xd1 0x10000>;", "empty;", "odd = [01 02 03];", "memory@0 {", "deep {"} {
		if !strings.Contains(source, line) {
			t.Errorf("dtc does not read %q from our tree:\n%s", line, source)
		}
	}
	out := filepath.Join(t.TempDir(), "theirs.dtb")
	run(t, "dtc", "-q", "-p", "1000", "-I", "dts", "-O", "dtb", "-o", out, file(t, "ours.dts", []byte(source)))
	theirs := append(read(t, out), "something after it"...)
	f, err := bootimg.ParseFDT(theirs)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := bootimg.ParseFDT(tree.Build())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := walk(t, f), walk(t, ours); got != want {
		t.Errorf("the tree of dtc is read as\n%s\nours as\n%s", got, want)
	}
	if len(f.Bytes()) != len(theirs)-len("something after it") {
		t.Errorf("its length is read as %d", len(f.Bytes()))
	}
}
