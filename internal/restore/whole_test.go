package restore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xflash/internal/restore"
	"xflash/internal/samples"
	"xflash/internal/simphone"
	"xflash/internal/simphone/testfirmware"
	"xflash/usbproto/s1"
)

// tool runs a program of another project.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = filepath.Join("/sbin", name)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestRestore300MB restores a phone from a bundle of more than 300 MB with the real
// loader of a Z3 Compact and lets other programs judge the disk: sgdisk the partition
// tables, debugfs the file system.
func TestRestore300MB(t *testing.T) {
	loader := samples.Path(t, "loader-D58XX.sin")
	if testing.Short() {
		t.Skip("makes a bundle of 300 MB")
	}
	dir := t.TempDir()
	fw, err := testfirmware.Make(context.Background(), dir, testfirmware.Options{Authority: authority(), Loader: loader,
		SystemSize: 640 << 20, SystemFill: 290 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(fw.Bundle); err != nil || st.Size() < 300e6 {
		t.Fatalf("the bundle has %d bytes: %v", st.Size(), err)
	}
	checked, err := check(t, fw.Bundle, restore.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if checked.Loader.Version != "MSM8974AB_22" {
		t.Errorf("loader version %q", checked.Loader.Version)
	}
	for _, it := range checked.Items {
		if it.Short == "loader" && !it.Trust.Proven() {
			t.Error("the chain of the real loader is not proven")
		}
	}
	phone := newPhone(t, simphone.Options{Disk: simphone.DiskSize})
	b := &bench{t: t, phone: phone, fw: checked, store: restore.Store{Dir: quickDir(t)},
		opt: s1.Options{LastChunk: time.Minute}}

	untouched := map[string]string{}
	for _, label := range []string{"TA", "DDR", "ramdump", "userdata", "apps_log"} {
		untouched[label] = start(t, phone, label)
	}
	identity := map[uint32][]byte{}
	for _, unit := range []uint32{2003, 2010, 2021, 2129, 2210, 2560, 2568, 4900, 66667} {
		identity[unit] = b.unit(unit)
		if len(identity[unit]) == 0 {
			t.Fatalf("the phone has no unit %d to be kept", unit)
		}
	}

	if err := b.attempt(restore.Request{}, false, restore.RunOptions{Now: func() time.Time {
		return time.Date(2026, 11, 25, 12, 34, 56, 0, time.Local)
	}}); err != nil {
		t.Fatal(err)
	}

	b.restored(fw, written...)
	for label, before := range untouched {
		if start(t, phone, label) != before {
			t.Errorf("partition %s was changed", label)
		}
	}
	for unit, before := range identity {
		if !bytes.Equal(b.unit(unit), before) {
			t.Errorf("unit %d was changed", unit)
		}
	}
	for unit, want := range map[uint32]string{10100: "\x00", 2212: "\x00", 2404: "\x00", 2301: "\x00",
		2127:  "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10",
		10021: "2026-11-25 12:34:56\x00"} {
		if got := b.unit(unit); string(got) != want {
			t.Errorf("unit %d is %q, want %q", unit, got, want)
		}
	}

	if out := tool(t, "sgdisk", "-v", phone.EMMC()); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk finds problems:\n%s", out)
	}
	system := filepath.Join(dir, "system.from-phone")
	extract(t, phone, "system", 640<<20, system)
	if out := tool(t, "debugfs", "-R", "cat /build.prop", system); !strings.Contains(out, "ro.product.model=D5803") {
		t.Errorf("debugfs reads %q", out)
	}
	out := filepath.Join(dir, "libcode.so")
	tool(t, "debugfs", "-R", fmt.Sprintf("dump /lib/libcode.so %s", out), system)
	want, err := os.ReadFile(filepath.Join(fw.System, "lib", "libcode.so"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
		t.Errorf("a file read out of system by debugfs differs: %v", err)
	}
	if boot := phone.PowerOn(); boot.Mode != simphone.ModeAndroid {
		t.Errorf("the phone does not start: %+v", boot)
	}
}

// start is the first MiB of a partition.
func start(t *testing.T, phone *simphone.Phone, label string) string {
	t.Helper()
	p, err := phone.Partition(label)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, min(1<<20, p.Size()))
	if _, err := p.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func extract(t *testing.T, phone *simphone.Phone, label string, n int64, to string) {
	t.Helper()
	p, err := phone.Partition(label)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, io.NewSectionReader(p, 0, n)); err != nil {
		t.Fatal(err)
	}
}
