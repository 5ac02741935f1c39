package bootcheck

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/simphone/mkimage"
)

const (
	banner34 = "Linux version 3.4.0-xflash (test@test) (gcc version 4.8) #1 SMP PREEMPT\n"
	config34 = "CONFIG_ARM=y\nCONFIG_ARCH_MSM8974=y\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\nCONFIG_RD_LZMA=y\n"
	cmdline  = "androidboot.hardware=qcom user_debug=31"
)

// zimage is a kernel as the 3.4 trees build it, with trees after it.
func zimage(config string, trees ...[]byte) []byte {
	k := mkimage.Kernel{Banner: banner34, Config: config}
	packed := mkimage.Pack(k.Bytes(), unpack.Gzip)
	z := mkimage.ZImage(packed, unpack.Gzip, len(k.Bytes()))
	return append(z, bytes.Join(trees, nil)...)
}

func ariesSplit() []byte {
	return mkimage.SplitDTB("SoMC Aries ROW", "somc,aries-row", mkimage.AriesChips, mkimage.AriesBoard)
}

func leoSplit() []byte {
	return mkimage.SplitDTB("SoMC Leo ROW", "somc,leo-row", mkimage.AriesChips, mkimage.AriesBoard)
}

func ariesOnePiece() []byte {
	return mkimage.OnePieceDTB("SoMC Aries ROW", "somc,aries-row", 194, 8, 0x10000)
}

// table is a QCDT table written by hand: entries of (platform, variant, subtype, rev), all
// for one tree.
func table(version uint32, dtb []byte, entries ...[4]uint32) []byte {
	const page = 2048
	le := binary.LittleEndian
	b := le.AppendUint32(le.AppendUint32([]byte("QCDT"), version), uint32(len(entries)))
	size := uint32((len(dtb) + page - 1) / page * page)
	for _, e := range entries {
		words := []uint32{e[0], e[1]}
		if version > 1 {
			words = append(words, e[2])
		}
		words = append(words, e[3])
		if version == 3 {
			words = append(words, 0, 0, 0, 0)
		}
		for _, w := range append(words, page, size) {
			b = le.AppendUint32(b, w)
		}
	}
	b = append(b, make([]byte, page-len(b))...)
	return append(append(b, dtb...), make([]byte, int(size)-len(dtb))...)
}

// image is a good image but for what change does to it.
func image(t *testing.T, change func(*bootimg.Image)) []byte {
	t.Helper()
	m := &bootimg.Image{PageSize: 2048, KernelAddr: 0x8000, RamdiskAddr: 0x02000000, SecondAddr: 0xF00000, TagsAddr: 0x01E00000,
		Cmdline: cmdline, Kernel: zimage(config34), Ramdisk: mkimage.Pack(mkimage.Ramdisk("init.rc"), unpack.Gzip)}
	if change != nil {
		change(m)
	}
	if m.Version < 3 && m.ID == [32]byte{} {
		m.ID = m.ComputeID()
	}
	b, err := m.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func z3c(t *testing.T) Target {
	t.Helper()
	target, ok := TargetFor("D5803")
	if !ok {
		t.Fatal("no D5803")
	}
	return target
}

const enough = 64 << 20 // bytes of a ramdisk

var good = [4]uint32{194, 8, 0, 0x10000}

func withQCDT(m *bootimg.Image) { m.DT = table(2, ariesSplit(), good) }

func appending(trees ...[]byte) func(*bootimg.Image) {
	return func(m *bootimg.Image) { m.Kernel = zimage(config34, trees...) }
}

// cases are images, each with exactly the rules that apply to it and with the answer of
// the loaders of 2013, 2014 and 2015 to it.
type imageCase struct {
	name    string
	data    []byte
	target  func(*Target)
	rules   string
	answers [3]string
}

func cases(t *testing.T) []imageCase {
	const (
		no       = "dtb not found"
		cut      = "incomplete bootimage"
		cut2015  = "bootimage: incomplete or not signed"
		tooLarge = "data too large"
	)
	ok, refused := [3]string{}, [3]string{no, no, no}
	img := func(change func(*bootimg.Image)) []byte { return image(t, change) }
	and := func(changes ...func(*bootimg.Image)) []byte {
		return img(func(m *bootimg.Image) {
			for _, c := range changes {
				c(m)
			}
		})
	}
	whole := img(withQCDT)
	elf, err := mkimage.ELF(&bootimg.ELF{Segments: []bootimg.Segment{
		mkimage.NewSegment(bootimg.SegmentKernel, 0x8000, zimage(config34)),
		mkimage.NewSegment(bootimg.SegmentRamdisk, 0x02000000, mkimage.Pack(mkimage.Ramdisk(), unpack.Gzip)),
		mkimage.NewSegment(bootimg.SegmentQCDT, 0x01E00000, table(2, ariesSplit(), good)),
		mkimage.NewSegment(bootimg.SegmentCmdline, 0, []byte(cmdline)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	stray := append(zimage(config34), make([]byte, 64)...)
	stray = append(stray, ariesSplit()...)
	return []imageCase{
		{"QCDT v2", whole, nil, "", ok},
		{"QCDT v1", img(func(m *bootimg.Image) { m.DT = table(1, ariesSplit(), good) }), nil, "", ok},
		{"QCDT v3", img(func(m *bootimg.Image) { m.DT = table(3, ariesSplit(), good) }), nil, "D3", [3]string{no, no, ""}},
		{"QCDT with an older revision", img(func(m *bootimg.Image) { m.DT = table(2, ariesSplit(), [4]uint32{194, 8, 0, 0}) }), nil, "", ok},
		{"QCDT with a newer revision only", img(func(m *bootimg.Image) { m.DT = table(2, ariesSplit(), [4]uint32{194, 8, 0, 0x20000}) }), nil, "D5", refused},
		{"QCDT of another chip", img(func(m *bootimg.Image) { m.DT = table(2, ariesSplit(), [4]uint32{206, 8, 0, 0x10000}) }), nil, "D5", refused},
		{"QCDT for subtype 1", img(func(m *bootimg.Image) { m.DT = table(2, ariesSplit(), [4]uint32{194, 8, 1, 0x10000}) }), nil, "D8", [3]string{"", "", no}},
		{"QCDT without entries", img(func(m *bootimg.Image) { m.DT = table(2, ariesSplit()) }), nil, "D4", refused},
		{"QCDT that ends early", img(func(m *bootimg.Image) { m.DT = table(2, ariesSplit(), good)[:2048+100] }), nil, "D4", ok}, // no loader looks whether a tree ends within the table; what follows is a hang
		{"no tree", img(nil), nil, "D1", refused},
		{"split, appended", and(appending(ariesSplit())), nil, "D2a", [3]string{no, "", ""}},
		{"split, appended, a loader known to take it", and(appending(ariesSplit())), func(t *Target) { t.Loader = "1286-7314_S1_Boot_MSM8974AC_LA3.0_M_2" }, "D2a", [3]string{no, "", ""}},
		{"one piece, appended", and(appending(ariesOnePiece())), nil, "D2b", ok},
		{"one piece, not first", and(appending(mkimage.OnePieceDTB("SoMC Aries ROW", "somc,aries-row", 209, 8, 0x10000, 194, 8, 0x10000))), nil, "D2c", [3]string{no, "", ""}},
		{"no ids, appended", and(appending(mkimage.PlainDTB("Sony Xperia Z3 Compact", "sony,xperia-aries"))), nil, "D2d", [3]string{"", "", no}},
		{"another phone, appended", and(appending(mkimage.SplitDTB("SoMC Honami", "somc,honami", []uint32{126, 0x20002}, []uint32{8, 0}))), nil, "D5", refused},
		{"a tree that is not at the kernel's end", img(func(m *bootimg.Image) { m.Kernel = stray }), nil, "D9", refused},
		{"table and appended", and(withQCDT, appending(ariesSplit())), nil, "D7", ok},
		{"a Z3's image with a table", img(func(m *bootimg.Image) { m.DT = table(2, leoSplit(), good) }), nil, "D6", ok},
		{"a Z3's image, appended", and(appending(leoSplit())), nil, "D2a D6", [3]string{no, "", ""}},
		{"LZMA ramdisk", and(withQCDT, func(m *bootimg.Image) { m.Ramdisk = mkimage.Pack(mkimage.Ramdisk(), unpack.LZMA) }), nil, "R4", ok},
		{"LZMA ramdisk and split, appended", and(appending(ariesSplit()), func(m *bootimg.Image) { m.Ramdisk = mkimage.Pack(mkimage.Ramdisk(), unpack.LZMA) }), nil, "D2a R4", [3]string{no, "", ""}},
		{"LZ4 ramdisk", and(withQCDT, func(m *bootimg.Image) { m.Ramdisk = mkimage.Pack(mkimage.Ramdisk(), unpack.LZ4Legacy) }), nil, "R2", ok},
		{"zstd ramdisk", and(withQCDT, func(m *bootimg.Image) { m.Ramdisk = mkimage.Pack(mkimage.Ramdisk(), unpack.Zstd) }), nil, "R2", ok},
		{"no ramdisk", and(withQCDT, func(m *bootimg.Image) { m.Ramdisk = nil }), nil, "R1", ok},
		{"ramdisk of noise", and(withQCDT, func(m *bootimg.Image) { m.Ramdisk = bytes.Repeat([]byte("noise"), 1000) }), nil, "R3", ok},
		{"a cut ramdisk", and(withQCDT, func(m *bootimg.Image) { m.Ramdisk = m.Ramdisk[:len(m.Ramdisk)/2] }), nil, "R3", ok},
		{"a recovery", and(withQCDT, func(m *bootimg.Image) {
			m.Ramdisk = mkimage.Pack(mkimage.Ramdisk("sbin/recovery", "twres/ui.xml"), unpack.Gzip)
		}), nil, "R5", ok},
		{"no hardware in the command line", and(withQCDT, func(m *bootimg.Image) { m.Cmdline = "console=null" }), nil, "H2", ok},
		{"base 0x10000000", and(withQCDT, func(m *bootimg.Image) {
			m.KernelAddr, m.RamdiskAddr, m.TagsAddr = 0x10008000, 0x11000000, 0x10000100
		}), nil, "H3", ok},
		{"tags in the kernel", and(withQCDT, func(m *bootimg.Image) { m.TagsAddr = 0x9000 }), nil, "H1", ok},
		{"tree into the kernel", and(func(m *bootimg.Image) {
			m.DT = table(2, append(ariesSplit(), make([]byte, 260<<10)...), good)
			m.TagsAddr = 0x100
		}), nil, "H1", ok},
		{"a small tree before the kernel", and(withQCDT, func(m *bootimg.Image) { m.TagsAddr = 0x100 }), nil, "", ok},
		{"appended tree into the kernel", and(appending(ariesOnePiece()), func(m *bootimg.Image) { m.TagsAddr = 0x7F00 }), nil, "D2b H1", ok},
		{"ramdisk over the loader", and(withQCDT, func(m *bootimg.Image) { m.RamdiskAddr = 0x0F900000 }), nil, "H1", ok},
		{"another id", and(withQCDT, func(m *bootimg.Image) { m.ID = [32]byte{1} }), nil, "I1", ok},
		{"bytes after it", append(slices.Clone(whole), "SEANDROIDENFORCE"...), nil, "I1", ok},
		{"cut in the ramdisk", img(nil)[:2048+100], nil, "C2", [3]string{cut, cut, cut2015}},
		{"header version 1", img(func(m *bootimg.Image) { m.Version = 1 }), nil, "C3 D1", refused},
		{"header version 1, appended", and(func(m *bootimg.Image) { m.Version = 1 }, appending(ariesOnePiece())), nil, "C3 D2b", ok},
		{"kernel for 64 bits", and(withQCDT, func(m *bootimg.Image) {
			m.Kernel = append(append(make([]byte, 0x38), "ARMd"...), make([]byte, 4096)...)
		}), nil, "K1", ok},
		{"kernel that does not unpack", and(withQCDT, func(m *bootimg.Image) { clear(m.Kernel[0x3619+400 : 0x3619+900]) }), nil, "K2", ok},
		{"zImage head and nothing packed, as lk2nd", and(withQCDT, func(m *bootimg.Image) { m.Kernel = mkimage.ZImage(mkimage.Code(200<<10), unpack.Gzip, 0) }), nil, "K4", ok},
		{"kernel for another chip", and(withQCDT, func(m *bootimg.Image) {
			m.Kernel = zimage(strings.ReplaceAll(config34, "MSM8974", "MSM8960"))
		}), nil, "K3", ok},
		{"Sony ELF", elf, nil, "C1", refused},
		{"bare zImage", zimage(config34, ariesSplit()), nil, "C1 D2a R1", [3]string{"?", "?", "?"}},
		{"too large to download", whole, func(t *Target) { t.MaxDownload = 4096 }, "C4", [3]string{tooLarge, tooLarge, tooLarge}},
		{"too large for the partition", whole, func(t *Target) { t.Partition = 4096; t.Flash = true }, "C5", ok},
		{"a locked phone", whole, func(t *Target) { t.Locked = true }, "L1", [3]string{"Command not allowed", "Command not allowed", "unlock device to use this command"}},
	}
}

func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases(t) {
		target := z3c(t)
		if c.target != nil {
			c.target(&target)
		}
		d, err := Diagnose(c.data, target)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		rules := d.Rules()
		slices.Sort(rules)
		rules = slices.Compact(rules)
		if got := strings.Join(rules, " "); got != c.rules {
			t.Errorf("%s: rules %q, want %q", c.name, got, c.rules)
		}
		for i, g := range Generations {
			if got := d.Answers[g]; c.answers[i] != "?" && got != c.answers[i] {
				t.Errorf("%s: %v answers %q, want %q", c.name, g, got, c.answers[i])
			}
		}
		for _, f := range d.Findings {
			seen[f.Rule] = true
			if f.Text == "" || f.Severity == "" {
				t.Errorf("%s: %+v", c.name, f)
			}
		}
	}
	for _, rule := range strings.Fields("C1 C2 C3 C4 C5 D1 D2a D2b D2c D2d D3 D4 D5 D6 D7 D8 D9 K1 K2 K3 K4 R1 R2 R3 R4 R5 H1 H2 H3 I1 L1") {
		if !seen[rule] {
			t.Errorf("no image has %s", rule)
		}
	}
}

func TestNotAnImage(t *testing.T) {
	for name, data := range map[string][]byte{"empty": {}, "page": []byte("<!DOCTYPE html><html>"), "zip": []byte("PK\x03\x04aaaa"),
		"sparse": {0x3a, 0xff, 0x26, 0xed, 1, 0}, "noise": []byte("noise noise noise"), "vendor_boot": []byte("VNDRBOOT\x03\x00\x00\x00")} {
		_, err := Diagnose(data, Target{})
		var not *NotAnImage
		if !errors.As(err, &not) || not.Is == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The four images of the story (fastboot/bootimg/FORMAT.md §4.1): those that are refused are
// repaired, and then all loaders accept them.
func TestStory(t *testing.T) {
	lzma := func(m *bootimg.Image) { m.Ramdisk = mkimage.Pack(mkimage.Ramdisk("sbin/recovery"), unpack.LZMA) }
	for name, c := range map[string]struct {
		data    []byte
		refused bool
	}{
		"QCDT, as TWRP of the Omni tree":                      {image(t, withQCDT), false},
		"split, appended, LZMA, as TWRP 3.3.1-0.4 and LOS 18": {image(t, func(m *bootimg.Image) { appending(ariesSplit())(m); lzma(m) }), true},
		"one piece, appended, as Sony's 3.10 kernels":         {image(t, appending(ariesOnePiece())), false},
		"z3c-pie head: split, appended, no load addresses of its own": {image(t, func(m *bootimg.Image) {
			appending(ariesSplit())(m)
			lzma(m)
			m.RamdiskAddr, m.TagsAddr = 0x01000000, 0x100
		}), true},
	} {
		before, err := Diagnose(c.data, z3c(t))
		if err != nil {
			t.Fatal(err)
		}
		if before.Refused() != c.refused || before.Refused() && !before.Curable() {
			t.Errorf("%s: %v, refused %t", name, before.Rules(), before.Refused())
		}
		r, err := Repair(before, z3c(t))
		if !c.refused {
			if before.AcceptedBy() != "all" {
				t.Errorf("%s: accepted by %s", name, before.AcceptedBy())
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Diagnosis.AcceptedBy() != "all" || r.Diagnosis.Refused() || len(r.Changes) == 0 {
			t.Errorf("%s: repaired, accepted by %s, %v", name, r.Diagnosis.AcceptedBy(), r.Diagnosis.Rules())
		}
		after, err := bootimg.Parse(r.Image)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(after.Kernel, before.image.Kernel) || !bytes.Equal(after.Ramdisk, before.image.Ramdisk) || after.Cmdline != cmdline {
			t.Errorf("%s: more than the table was changed", name)
		}
	}
}

// Every image of the table that can be repaired is taken by all loaders afterwards, and
// repairing it again changes nothing.
func TestRepair(t *testing.T) {
	repaired := 0
	for _, c := range cases(t) {
		target := z3c(t)
		if c.target != nil {
			c.target(&target)
		}
		d, err := Diagnose(c.data, target)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Repair(d, target)
		var not *NotRepairable
		if errors.As(err, &not) {
			if d.Curable() {
				t.Errorf("%s: curable, but: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		repaired++
		if r.Diagnosis.AcceptedBy() != "all" && !slices.Contains(d.Rules(), "D2d") {
			t.Errorf("%s: accepted by %s: %v", c.name, r.Diagnosis.AcceptedBy(), r.Changes)
		}
		if slices.Contains(d.Rules(), "R2") {
			before, _, err1 := unpack.First(d.image.Ramdisk, unpack.Detect(d.image.Ramdisk), enough)
			after, _, err2 := unpack.First(r.Diagnosis.image.Ramdisk, unpack.Gzip, enough)
			if err := errors.Join(err1, err2); err != nil || !bytes.Equal(before, after) || slices.Contains(r.Diagnosis.Rules(), "R2") {
				t.Errorf("%s: the ramdisk repacked differs: %v", c.name, err)
			}
		}
		if again, err := Repair(r.Diagnosis, target); err == nil {
			t.Errorf("%s: repaired again: %v", c.name, again.Changes)
		}
	}
	if repaired < 10 {
		t.Errorf("%d were repaired", repaired)
	}
}

func FuzzDiagnose(f *testing.F) {
	f.Add([]byte("ANDROID!"))
	f.Add(zimage(config34)[:400])
	f.Add(append([]byte("ANDROID!"), table(2, ariesSplit(), good)...))
	kernel := append(make([]byte, 0x2C), 0x30, 0, 0, 0)
	binary.LittleEndian.PutUint32(kernel[0x24:], 0x016F2818)
	small, err := (&bootimg.Image{PageSize: 2048, Kernel: append(kernel, ariesSplit()...)}).Build()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(small)
	f.Fuzz(func(t *testing.T, data []byte) {
		target := z3c(t)
		d, err := Diagnose(data, target)
		if err != nil {
			if !errors.As(err, new(*NotAnImage)) {
				t.Fatal(err)
			}
			return
		}
		r, err := Repair(d, target)
		if err == nil && r.Diagnosis.Refused() {
			t.Fatal("repaired, and still refused")
		}
		if r, err := RepairOnePiece(d, target); err == nil && r.Diagnosis.Refused() {
			t.Fatal("repaired in one piece, and still refused")
		}
	})
}

// TestLZOKernel: an image as Sony's own kernels are packed is good, and one that is damaged is
// called damaged.
func TestLZOKernel(t *testing.T) {
	raw := mkimage.Kernel{Banner: banner34, Config: config34}.Bytes()
	cmd := exec.Command("lzop", "-c", "-9")
	cmd.Stdin = bytes.NewReader(raw)
	packed, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("lzop is not installed (Debian package lzop)")
	}
	if err != nil {
		t.Fatal(err)
	}
	kernel := mkimage.ZImage(packed, unpack.LZO, len(raw))
	for name, c := range map[string]struct {
		change func([]byte)
		rules  string
	}{
		"whole":                            {func([]byte) {}, ""},
		"damaged":                          {func(k []byte) { k[len(k)/2] ^= 0x55 }, "K2"},
		"a container that nobody can read": {func(k []byte) { k[0x3619+20] ^= 0x55 }, "K4"},
	} {
		k := bytes.Clone(kernel)
		c.change(k)
		d, err := Diagnose(image(t, func(m *bootimg.Image) { withQCDT(m); m.Kernel = k }), z3c(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.Rules(), " "); got != c.rules {
			t.Errorf("%s: %q, want %q", name, got, c.rules)
		}
	}
}
