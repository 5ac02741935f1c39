package inspect

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/sparse"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
	"xflash/sin/gpt"
)

// pattern is n bytes that nothing mistakes for a format.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i%251) | 0x80
	}
	return b
}

// built is what a builder makes, which must not fail.
func built(t *testing.T) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// built by hand: a version 5 with one sparse chunk of a single block.
func archive(t *testing.T, gzip bool) []byte {
	t.Helper()
	chunk := sparseOf(t, pattern(4096))
	var out bytes.Buffer
	b := mkimage.ArchiveBuilder{Name: "system", CMS: []byte{0x30, 0x82, 0, 4, 0, 0, 0, 0}, Gzip: gzip,
		Chunks: []*io.SectionReader{io.NewSectionReader(bytes.NewReader(chunk), 0, int64(len(chunk)))}}
	if err := b.Build(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func sparseOf(t *testing.T, image []byte) []byte {
	t.Helper()
	m, err := sparse.FromRaw(bytes.NewReader(image), int64(len(image)), sparse.RawOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := m.Split(1 << 30)
	if err != nil || len(pieces) != 1 {
		t.Fatalf("%d pieces, %v", len(pieces), err)
	}
	return built(t)(io.ReadAll(pieces[0].Reader()))
}

// TestKinds wants the right kind, state and proof of one file of each kind, and every
// report to keep to the schema.
func TestKinds(t *testing.T) {
	must := built(t)
	authority, err := mkimage.NewTestAuthority("S1_Root_cafe")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := authority.Issue("S1_SW", 1)
	if err != nil {
		t.Fatal(err)
	}
	image := func(version int, kind sin.PayloadType) []byte {
		var out bytes.Buffer
		if err := (mkimage.Builder{Version: version, Type: kind, Signer: signer}).Build(&out, mkimage.BytesPayload(pattern(5000))); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	dtb := mkimage.Node{Props: []bootimg.Property{mkimage.Text("model", "SoMC Aries ROW"), mkimage.Text("compatible", "somc,aries-row", "qcom,msm8974")}}.Build()
	boot := &bootimg.Image{PageSize: 2048, KernelAddr: 0x8000, RamdiskAddr: 0x2000000, TagsAddr: 0x1E00000, Kernel: pattern(3000), Ramdisk: pattern(700)}
	boot.ID = boot.ComputeID()
	vendor := make([]byte, 3*4096) // a page each for header, ramdisk and device tree
	copy(vendor, "VNDRBOOT")
	for at, word := range map[int]int{8: 3, 12: 4096, 24: 500, 2096: 2112, 2100: len(dtb)} {
		binary.LittleEndian.PutUint32(vendor[at:], uint32(word))
	}
	copy(vendor[4096:], pattern(500))
	copy(vendor[8192:], dtb)
	elf := &bootimg.ELF{Segments: []bootimg.Segment{mkimage.NewSegment(bootimg.SegmentKernel, 0x8000, pattern(900)), mkimage.NewSegment(bootimg.SegmentRamdisk, 0x2000000, pattern(300))}}
	table := must(bootimg.BuildQCDT(2, 2048, []bootimg.Tree{{DTB: dtb, IDs: []bootimg.ID{{}}}}))
	for _, k := range []struct {
		name  string
		data  []byte
		kind  Kind
		state State
		proof Proof // empty where the format has no signature
	}{
		{"version 1", image(1, sin.TypeLoader12), KindSIN, StateWhole, ProofUnknown},
		{"version 2", image(2, sin.TypeLoader12), KindSIN, StateWhole, ProofUnknown},
		{"version 3", image(3, sin.TypeRaw), KindSIN, StateWhole, ProofUnknown},
		{"version 4", archive(t, true), KindSIN, StateWhole, ProofUnread},
		{"version 5", archive(t, false), KindSIN, StateUnproven, ProofUnread},
		{"Android boot image", must(boot.Build()), KindAndroid, StateWhole, ""},
		{"vendor_boot image", vendor, KindVendor, StateUnproven, ""},
		{"Sony's ELF form", must(mkimage.ELF(elf)), KindSonyELF, StateUnproven, ""},
		{"QCDT", table, KindQCDT, StateUnproven, ""},
		{"device tree", dtb, KindTree, StateUnproven, ""},
		{"sparse", sparseOf(t, pattern(8192)), KindSparse, StateUnproven, ""},
		{"flash script", []byte("openTA:2\nuploadImage:kernel\ncloseTA\n"), KindScript, StateUnproven, ""},
		{"trim-area text", []byte("02\r\n000008A2 0001 00\r\n"), KindTA, StateUnproven, ""},
		{"manifest", []byte("Manifest-Version: 1.0\r\ndevice: D5803\r\n\r\n"), KindManifest, StateUnproven, ""},
		{"update.xml", []byte("<UPDATE><NOERASE>x</NOERASE></UPDATE>"), KindFirmXML, StateUnproven, ""},
		{"web page", []byte("<!DOCTYPE html><html><body>log in</body></html>"), KindOtherFile, StateDamaged, ""},
	} {
		rep := ofBytes(t, k.data)
		var proof Proof
		if rep.Genuine != nil {
			proof = rep.Genuine.Proof
		}
		if rep.Kind != k.kind || state(rep) != k.state || proof != k.proof {
			t.Errorf("%s: %s, %+v, %+v", k.name, rep.Kind, rep.Whole, rep.Genuine)
		}
	}
	rep := ofBytes(t, must(boot.Build()))
	if a := rep.Boot.Addresses; a["kernel"] != 0x8000 || a["ramdisk"] != 0x2000000 || a["tags"] != 0x1E00000 || len(a) != 3 {
		t.Errorf("addresses: %v", a)
	}
	if rep := ofBytes(t, table); len(rep.Trees) != 1 || rep.Trees[0].Model != "SoMC Aries ROW" || len(rep.Trees[0].IDs) != 1 {
		t.Errorf("trees: %+v", rep.Trees)
	}
}

// TestWrongLength cuts and lengthens a signed image. The reason and the place are reported,
// and what its certificate proves is not lost.
func TestWrongLength(t *testing.T) {
	authority, err := mkimage.NewTestAuthority("S1_Root_cafe")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := authority.Issue("S1_SW", 1)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (mkimage.Builder{Type: sin.TypeRaw, Signer: signer}).Build(&out, mkimage.BytesPayload(pattern(5000))); err != nil {
		t.Fatal(err)
	}
	file := out.Bytes()
	for _, w := range []struct {
		data   []byte
		reason string
		offset int64
	}{
		{file[:len(file)-1], "truncated", int64(len(file) - 1)},
		{file[:len(file)-4000], "truncated", int64(len(file) - 4000)},
		{append(bytes.Clone(file), 0), "trailing data", int64(len(file))},
	} {
		roots := &sin.RootSet{}
		if err := roots.Add(authority.Root); err != nil {
			t.Fatal(err)
		}
		rep, err := File(context.Background(), "file", bytes.NewReader(w.data), int64(len(w.data)), Options{Roots: roots})
		if err != nil {
			t.Fatal(err)
		}
		if !rep.Damaged() || rep.Whole.Faults[0].Reason != w.reason || rep.Whole.Faults[0].Offset != w.offset || rep.Genuine.Proof != ProofSupplied {
			t.Errorf("%s: %+v, %+v", w.reason, rep.Whole, rep.Genuine)
		}
	}
}

// The report shows what debugfs wrote into a superblock.
func TestExtOfDebugfs(t *testing.T) {
	f := sparseFile(t, 16<<20)
	run(t, "mkfs.ext4", "-q", "-F", f.Name())
	for _, set := range []string{"mtime 20150607080910", "wtime 20150607080911", "last_mounted /system"} {
		run(t, "debugfs", "-w", "-R", "ssv "+set, f.Name())
	}
	fs := inspected(t, f.Name()).FileSystem
	if fs.LastMount != "2015-06-07T08:09:10Z" || fs.MountedOn != "/system" || fs.State != "clean" {
		t.Errorf("%+v", fs)
	}
}

// A disk that sgdisk partitioned has the partitions that sgdisk was told to make.
func TestDiskOfSgdisk(t *testing.T) {
	f := sparseFile(t, 64<<20)
	run(t, "sgdisk", "-n", "1:2048:+8M", "-c", "1:boot", "-n", "2:32768:+4M", "-c", "2:TA", f.Name())
	rep := inspected(t, f.Name())
	if rep.Kind != KindDisk || state(rep) != StateWhole || len(rep.Disk.Partitions) != 2 {
		t.Fatalf("%s, %+v, %+v", rep.Kind, rep.Whole, rep.Disk)
	}
	boot, ta := rep.Disk.Partitions[0], rep.Disk.Partitions[1]
	if boot.Label != "boot" || boot.Offset != 2048*gpt.SectorSize || boot.Size != 8<<20 || boot.Warning != "" {
		t.Errorf("%+v", boot)
	}
	if ta.Label != "TA" || ta.Offset != 32768*gpt.SectorSize || ta.Size != 4<<20 || ta.Class != "identity" || ta.Warning == "" {
		t.Errorf("%+v", ta)
	}
	if !strings.Contains(rep.Warning, "TA") {
		t.Errorf("warning: %s", rep.Warning)
	}
}

// The identity of a phone in a command line is masked, and nothing else of it.
func TestCommandLineIsMasked(t *testing.T) {
	line := "androidboot.hardware=qcom androidboot.serialno=CB5A25XYZ1 androidboot.serialconsole=0 oemandroidboot.imei=0044015467654321 androidboot.imei2=5 console=ttyHSL0"
	want := "androidboot.hardware=qcom androidboot.serialno=xxxxxxxxxx androidboot.serialconsole=0 oemandroidboot.imei=xxxxxxxxxxxxxxxx androidboot.imei2=x console=ttyHSL0"
	image, err := (&bootimg.Image{PageSize: 2048, Kernel: pattern(3000), Ramdisk: pattern(700), Cmdline: line}).Build()
	if err != nil {
		t.Fatal(err)
	}
	for shown, want := range map[bool]string{false: want, true: line} {
		rep, err := File(t.Context(), "boot.img", bytes.NewReader(image), int64(len(image)), Options{ShowIDs: shown})
		if err != nil {
			t.Fatal(err)
		}
		if rep.Boot == nil || rep.Boot.Cmdline != want {
			t.Errorf("ids shown %v: %+v", shown, rep.Boot)
		}
	}
}

// A header is compared with what was read of a file, not only with the length of the file.
func TestOverlaysLongerThanWhatIsRead(t *testing.T) {
	const total = maxBoot + 4096
	for name, at := range map[string]uint32{"list": total - 64, "tree": 32} {
		data := append(bytes.Clone(dtboMagic), make([]byte, 124)...)
		for i, v := range map[int]uint32{4: total, 12: 32, 16: 1, 20: at, 32: 40, 36: total - 40} {
			binary.BigEndian.PutUint32(data[i:], v)
		}
		rep := &Report{Size: total}
		if rep.dtbo(data); rep.Damaged() || rep.Whole == nil || !strings.Contains(rep.Whole.Text, "only its header") {
			t.Errorf("%s: %+v", name, rep.Whole)
		}
	}
}

// What only names the kind of a file reads no archive: it may be as large as a disk.
func TestKindOnlyReadsNoArchive(t *testing.T) {
	var packed, tarred bytes.Buffer
	z, w := gzip.NewWriter(&packed), tar.NewWriter(&tarred)
	noise := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // never fails
	_, err := z.Write(noise)
	err = errors.Join(err, z.Close(), w.WriteHeader(&tar.Header{Name: "system.ext4.win", Mode: 0o600, Size: int64(len(noise))}))
	if _, errData := w.Write(noise); errors.Join(err, errData, w.Close()) != nil {
		t.Fatal(err, errData)
	}
	for kind, data := range map[Kind][]byte{KindCompressed: packed.Bytes(), KindTar: tarred.Bytes()} {
		in, file := newInspector(Options{}), &counted{ReaderAt: bytes.NewReader(data)}
		in.kindOnly = true
		rep, err := in.file(context.Background(), fileSource("file", file, int64(len(data))))
		if err != nil || rep.Kind != kind || file.bytes.Load() > int64(len(data)/4) {
			t.Errorf("%s: %v, read %d of %d bytes", kind, err, file.bytes.Load(), len(data))
		}
	}
}

// A member of an archive that is not what its name says is reported as what it is.
func TestUnknownMembersOfArchives(t *testing.T) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, data := range map[string][]byte{"D5803.ftf": pattern(300), "notes.bin": pattern(300), "answer.txt": []byte(`{"a": 1}`)} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	rep, err := File(context.Background(), "app.zip", bytes.NewReader(out.Bytes()), int64(out.Len()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"D5803.ftf": "but it is of an unknown format", "notes.bin": "other file", "answer.txt": "JSON text"}
	for _, c := range rep.Contents {
		if text := c.Title + "; " + c.Whole.Text; !strings.Contains(text, want[c.Name]) || c.Damaged() != (c.Name == "D5803.ftf") {
			t.Errorf("%s: %s", c.Name, text)
		}
		delete(want, c.Name)
	}
	if len(want) > 0 {
		t.Errorf("not shown: %v", want)
	}
}
