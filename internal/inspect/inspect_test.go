package inspect

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/taimage"
	"xflash/internal/simphone/testfirmware"
	"xflash/internal/trimarea"
	"xflash/sin/gpt"
)

// inspected is the report of a file, which also must keep to the schema.
func inspected(t *testing.T, path string) *Report {
	t.Helper()
	rep, err := Path(context.Background(), path, Options{Hashes: true})
	if err != nil {
		t.Fatal(err)
	}
	validate(t, loadSchema(t), rep)
	return rep
}

func ofBytes(t *testing.T, data []byte) *Report {
	t.Helper()
	rep, err := File(context.Background(), "file", bytes.NewReader(data), int64(len(data)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	validate(t, loadSchema(t), rep)
	return rep
}

func state(r *Report) State {
	if r.Whole == nil {
		return ""
	}
	return r.Whole.State
}

// tool finds a program of the system, or skips.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{"", "/sbin/", "/usr/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(tool(t, name), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// A bundle as people have it, whole and damaged, and the folder with the same files.
func TestBundle(t *testing.T) {
	dir := t.TempDir()
	authority, err := mkimage.NewTestAuthority("S1_Root_cafe")
	if err != nil {
		t.Fatal(err)
	}
	fw, err := testfirmware.Make(context.Background(), dir, testfirmware.Options{Authority: authority, SystemSize: 10 << 20, KernelSize: 256 << 10, Disk: 4 << 30})
	if err != nil {
		t.Fatal(err)
	}
	rep := inspected(t, fw.Bundle)
	if rep.Kind != KindBundle || state(rep) != StateWhole || rep.Firmware.Device != "D5803" {
		t.Errorf("%s, %+v, %+v", rep.Kind, rep.Whole, rep.Firmware)
	}
	kinds := map[string]Kind{}
	for _, c := range rep.Contents {
		kinds[c.Name] = c.Kind
	}
	for name, kind := range map[string]Kind{"system.sin": KindSIN, "loader.sin": KindSIN, "boot_delivery.xml": KindDelivery} {
		if found := kinds[name]; found != kind && kinds["boot/"+name] != kind {
			t.Errorf("%s is %q", name, found)
		}
	}
	bundle, err := ftf.Open(fw.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder")
	for _, m := range bundle.Members {
		copyMember(t, m, filepath.Join(folder, filepath.FromSlash(m.Name)))
	}
	if err := bundle.Close(); err != nil {
		t.Fatal(err)
	}
	if rep := inspected(t, folder); rep.Kind != KindBundle || rep.Damaged() {
		t.Errorf("folder: %s, %+v", rep.Kind, rep.Whole)
	}
	// One flipped bit in the middle of the system image is found, with its block.
	path := filepath.Join(folder, "system.sin")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	rep = inspected(t, folder)
	if !rep.Damaged() || rep.Whole.Faults[0].Member != "system.sin" || rep.Whole.Faults[0].Block < 0 {
		t.Errorf("flipped: %+v", rep.Whole)
	}
}

func copyMember(t *testing.T, m *ftf.Member, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close(), os.WriteFile(path, data, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// file of a size, with holes.
func sparseFile(t *testing.T, size int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk.img"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return f
}

// z3c is the partition table of a Z3 Compact on a disk of that many sectors.
func z3c(t *testing.T, sectors uint64) *gpt.Table {
	t.Helper()
	family, _, ok := phone.ByModel("D5803")
	if !ok {
		t.Fatal("no family")
	}
	linux, err := gpt.ParseGUID("0FC63DAF-8483-4772-8E79-3D69D8477DE4")
	if err != nil {
		t.Fatal(err)
	}
	table := &gpt.Table{Sectors: sectors}
	at := uint64(256)
	for i, p := range family.Partitions {
		length := uint64(max(p.Size, 1<<20)) / gpt.SectorSize
		if at+length > sectors-256 {
			length = 2048
		}
		table.Entries = append(table.Entries, gpt.Entry{Type: linux, Unique: gpt.GUID{byte(i + 1), 1}, First: at, Last: at + length - 1, Name: p.Label})
		at += length
	}
	return table
}

// counted counts what is read.
type counted struct {
	io.ReaderAt
	bytes atomic.Int64
}

func (c *counted) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, at)
	c.bytes.Add(int64(n))
	return n, err
}

// A dump of 64 GiB is told from a few MiB of it. Partitions have their class, and those
// that belong to one phone their warning. A damaged copy of the table is reported.
func TestWholeDisk(t *testing.T) {
	const size = 64 << 30
	f := sparseFile(t, size)
	table := z3c(t, size/gpt.SectorSize)
	if err := mkimage.WriteGPT(f, table); err != nil {
		t.Fatal(err)
	}
	ta, ok := table.ByName("TA")
	if !ok {
		t.Fatal("no TA")
	}
	im := taimage.New()
	if err := im.Set(trimarea.Misc, 2210, []byte("D5803\x00")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(im.Encode(), ta.Offset()); err != nil {
		t.Fatal(err)
	}
	r := &counted{ReaderAt: f}
	look := func() *Report {
		t.Helper()
		rep, err := File(context.Background(), "disk.img", r, size, Options{})
		if err != nil {
			t.Fatal(err)
		}
		validate(t, loadSchema(t), rep)
		return rep
	}
	rep := look()
	if rep.Kind != KindDisk || state(rep) != StateWhole || len(rep.Disk.Partitions) != len(table.Entries) {
		t.Fatalf("%s, %+v, %d partitions", rep.Kind, rep.Whole, len(rep.Disk.Partitions))
	}
	if n := r.bytes.Load(); n > 32<<20 {
		t.Errorf("%d bytes were read", n)
	}
	for _, p := range rep.Disk.Partitions {
		identity := map[string]bool{"TA": true, "modemst1": true, "modemst2": true, "fsg": true}[p.Label]
		if identity && p.Warning == "" || p.Class == "" {
			t.Errorf("%+v", p)
		}
		if p.Label == "system" && p.Class != "system" {
			t.Errorf("system has the class %s", p.Class)
		}
		if p.Label == "TA" && p.Content != KindTrimArea {
			t.Errorf("TA holds %s", p.Content)
		}
	}
	if !strings.Contains(rep.Warning, "TA") || !strings.Contains(rep.Warning, "killed") || rep.For[0].Models[0] != "D5803" {
		t.Errorf("%s, %+v", rep.Warning, rep.For[0])
	}
	for at, copies := range map[int64][2]string{ // a byte of a table: what is then said of the two copies
		512 + 60:       {"header checksum is wrong", "ok"},
		size - 512 + 9: {"ok", "unknown header revision or size"},
	} {
		if _, err := f.WriteAt([]byte{0x5A}, at); err != nil {
			t.Fatal(err)
		}
		rep := look()
		if !rep.Damaged() || rep.Disk.Primary != copies[0] || rep.Disk.Backup != copies[1] || len(rep.Disk.Partitions) != len(table.Entries) {
			t.Errorf("byte %#x: %+v, %s, %s", at, rep.Whole, rep.Disk.Primary, rep.Disk.Backup)
		}
		if err := mkimage.WriteGPT(f, table); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(1 << 30); err != nil {
		t.Fatal(err)
	}
	cut := inspected(t, f.Name())
	if !cut.Damaged() || cut.Whole.Faults[0].Reason != "truncated" || cut.Whole.Faults[0].Offset != 1<<30 {
		t.Errorf("cut: %+v", cut.Whole)
	}
}

// The report shows what mkfs wrote.
func TestExtOfMkfs(t *testing.T) {
	f := sparseFile(t, 32<<20)
	run(t, "mkfs.ext4", "-q", "-F", "-L", "rescued", "-U", "0b1e5f8a-7d1c-4c57-9d45-2a1c5a30c2b7", "-b", "4096", f.Name())
	rep := inspected(t, f.Name())
	fs := rep.FileSystem
	if rep.Kind != KindExt || fs.Type != "ext4" || fs.Label != "rescued" || fs.UUID != "0b1e5f8a-7d1c-4c57-9d45-2a1c5a30c2b7" || fs.Size != 32<<20 || fs.BlockSize != 4096 {
		t.Errorf("%s, %+v", rep.Kind, fs)
	}
	if err := f.Truncate(16 << 20); err != nil {
		t.Fatal(err)
	}
	if rep := inspected(t, f.Name()); !rep.Damaged() {
		t.Errorf("half of it: %+v", rep.Whole)
	}
}

func TestFATOfMkfs(t *testing.T) {
	f := sparseFile(t, 64<<20)
	run(t, "mkfs.vfat", "-F", "32", "-n", "SDCARD", "-i", "cafe0123", f.Name())
	rep := inspected(t, f.Name())
	if rep.Kind != KindFAT || rep.FileSystem.Type != "FAT32" || rep.FileSystem.Label != "SDCARD" || !strings.EqualFold(strings.ReplaceAll(rep.FileSystem.UUID, "-", ""), "cafe0123") {
		t.Errorf("%s, %+v", rep.Kind, rep.FileSystem)
	}
}

// The state of a simulated phone is a disk and a trim area; ids are masked.
func TestPhoneState(t *testing.T) {
	dir := t.TempDir()
	p, err := simphone.Open(simphone.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	rep := inspected(t, filepath.Join(dir, "ta.img"))
	if rep.Kind != KindTrimArea || state(rep) != StateWhole || rep.TrimArea.Model != "D5803" || strings.Trim(rep.TrimArea.Serial, "*x") != "" {
		t.Errorf("%s, %+v, %+v", rep.Kind, rep.Whole, rep.TrimArea)
	}
	if !strings.HasPrefix(rep.TrimArea.HWConf, "whole") {
		t.Errorf("hardware configuration: %s", rep.TrimArea.HWConf)
	}
}

// Anything else is not an error, and the report does not call it whole.
func TestNothingKnown(t *testing.T) {
	random := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(random) // never fails
	for name, data := range map[string][]byte{"empty": {}, "one byte": {0}, "zeros": make([]byte, 1<<20), "random": random,
		"ELF mark only": []byte("\x7fELF"), "zip mark only": []byte("PK\x03\x04"), "disk mark only": append(make([]byte, 512), "EFI PART"...),
		"SIN mark only": {3, 0, 0}, "boot mark only": []byte("ANDROID!")} {
		rep := ofBytes(t, data)
		if state(rep) == StateWhole {
			t.Errorf("%s: %s, %+v", name, rep.Kind, rep.Whole)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := File(ctx, "x", bytes.NewReader([]byte("abc")), 3, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := Path(context.Background(), filepath.Join(t.TempDir(), "none"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// Whatever a file is: an answer in bounded time, never a panic, and within the schema.
func FuzzFile(f *testing.F) {
	f.Add([]byte("ANDROID!"))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Add([]byte("QCDT\x02\x00\x00\x00\x01\x00\x00\x00"))
	f.Add([]byte("\x3a\xff\x26\xed\x01\x00\x00\x00"))
	f.Add([]byte("openTA:2\nuploadImage:kernel\n"))
	f.Add([]byte("<BOOT_DELIVERY PRODUCT=\"x\"/>"))
	f.Add([]byte("\x03\x00\x00\x00"))
	ext := make([]byte, 4096)
	copy(ext[1024+56:], "\x53\xef")
	f.Add(ext)
	fat := append(append([]byte("\xeb\x3c\x90mkfs.fat"), make([]byte, 499)...), 0x55, 0xAA)
	f.Add(fat)
	f.Add(append([]byte("\x03\x00\x00\x00\x01\x00\x00\x00\xff\xff"), make([]byte, 2100)...)) // yaffs2
	f.Fuzz(func(t *testing.T, data []byte) {
		rep, err := File(context.Background(), "file", bytes.NewReader(data), int64(len(data)), Options{Hashes: true})
		if err != nil {
			t.Fatal(err)
		}
		validate(t, loadSchema(t), rep)
	})
}
