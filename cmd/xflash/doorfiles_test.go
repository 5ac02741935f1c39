package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulikunitz/xz/lzma"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/sparse"
	"xflash/internal/inspect"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/trimarea/tatest"
	"xflash/sin"
	"xflash/sin/gpt"
)

// member is a file of an archive.
type member struct {
	name string
	data []byte
}

func readZip(t *testing.T, path string) (members []member) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, member{f.Name, data})
	}
	return members
}

// zipOf stores members, so that a place in the archive is a place in a member.
func zipOf(t *testing.T, members []member) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		w, err := z.CreateHeader(&zip.FileHeader{Name: m.name, Method: zip.Store})
		if err == nil {
			_, err = w.Write(m.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarOf(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if err := w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data) // into memory
	_ = w.Close()
	return b.Bytes()
}

func lzmaOf(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := lzma.WriterConfig{SizeInHeader: true, Size: int64(len(data))}.NewWriter(&b)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// memoryDisk is a disk in memory.
type memoryDisk []byte

func (d memoryDisk) WriteAt(p []byte, at int64) (int, error) { return copy(d[at:], p), nil }

// diskOf is a dump of a disk larger than any trim area, with one on it.
func diskOf(t *testing.T, trim []byte) []byte {
	t.Helper()
	const sectors = 20_000
	d := make(memoryDisk, sectors*gpt.SectorSize)
	table := &gpt.Table{DiskGUID: gpt.GUID{9}, Sectors: sectors, Entries: []gpt.Entry{
		{Type: gpt.GUID{1}, Unique: gpt.GUID{2}, First: 100, Last: 100 + uint64(len(trim)/gpt.SectorSize) - 1, Name: "TA"},
		{Type: gpt.GUID{1}, Unique: gpt.GUID{3}, First: 10_000, Last: 10_007, Name: "boot"}}}
	if err := mkimage.WriteGPT(d, table); err != nil {
		t.Fatal(err)
	}
	copy(d[100*gpt.SectorSize:], trim)
	return d
}

// TestDamagedTableInTheSameWords: what is wrong with a disk dump is the same text in every
// command that reads one; unpack needs one whole table only.
func TestDamagedTableInTheSameWords(t *testing.T) {
	whole := diskOf(t, trimArea())
	for name, dump := range map[string][]byte{
		"backup table":   broken(whole, -gpt.SectorSize),
		"primary table":  broken(whole, gpt.SectorSize),
		"entries":        broken(whole, 2*gpt.SectorSize),
		"protective MBR": broken(whole, 511),
		"longer":         append(bytes.Clone(whole), make([]byte, gpt.SectorSize)...),
		"cut":            whole[:len(whole)-gpt.SectorSize],
	} {
		path := filepath.Join(t.TempDir(), "disk.dd")
		if err := os.WriteFile(path, dump, 0o644); err != nil {
			t.Fatal(err)
		}
		exit, out, _ := door(t, "verify", "--json", path)
		var verdict judgement
		if err := json.NewDecoder(strings.NewReader(out)).Decode(&verdict); err != nil || exit != exitFile || verdict.Reason == "" {
			t.Errorf("%s: verify: %d, %v\n%s", name, exit, err, out)
			continue
		}
		folder := t.TempDir()
		exit, out, talk := door(t, "unpack", path, "--partition", "boot", "-o", folder, "--json")
		if _, err := os.Stat(filepath.Join(folder, "boot.img")); exit != exitOK || err != nil || !strings.Contains(out, verdict.Reason) {
			t.Errorf("%s: unpack without %q: %d, %v\n%s%s", name, verdict.Reason, exit, err, out, talk)
		}
		exit, out, talk = door(t, "ta", "verify", "--json", path)
		if exit != exitFile || !strings.Contains(out, verdict.Reason) {
			t.Errorf("%s: ta verify without %q: %d\n%s%s", name, verdict.Reason, exit, out, talk)
		}
	}
}

func bootImage(t *testing.T) []byte {
	t.Helper()
	return bootWith(t, noise(700), true)
}

// bootWith is a boot image with a ramdisk, and perhaps with an id that proves its sections.
func bootWith(t *testing.T, ramdisk []byte, id bool) []byte {
	t.Helper()
	m := &bootimg.Image{PageSize: 2048, KernelAddr: 0x8000, RamdiskAddr: 0x2000000, TagsAddr: 0x1E00000, Kernel: noise(3000), Ramdisk: ramdisk}
	if id {
		m.ID = m.ComputeID()
	}
	b, err := m.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sparseImage(t *testing.T, raw []byte) []byte {
	t.Helper()
	m, err := sparse.FromRaw(bytes.NewReader(raw), int64(len(raw)), sparse.RawOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := m.Split(1 << 30)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(pieces[0].Reader())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// images adds SIN files of every version, and sparse images.
func (g *inputs) images(authority *mkimage.Authority, base []member) {
	yes, no := inspect.IntactYes, inspect.IntactNo
	signer, err := authority.Issue("S1_SW", 1)
	if err != nil {
		g.t.Fatal(err)
	}
	for version, kind := range map[int]sin.PayloadType{1: sin.TypeLoader12, 2: sin.TypeLoader12, 3: sin.TypeRaw} {
		var out bytes.Buffer
		if err := (mkimage.Builder{Version: version, Type: kind, Signer: signer}).Build(&out, mkimage.BytesPayload(noise(5000))); err != nil {
			g.t.Fatal(err)
		}
		name := fmt.Sprintf("v%d", version)
		g.file(name+".sin", out.Bytes(), yes, image)
		g.file(name+" bit.sin", broken(out.Bytes(), -5), no, image)
		g.file(name+" cut.sin", out.Bytes()[:out.Len()-5], no, image)
		g.file(name+" longer.sin", append(bytes.Clone(out.Bytes()), 0), no, image)
	}
	kernel := find(base, "kernel.sin")
	g.file("kernel.sin", kernel, yes, image)
	g.file("kernel bit.sin", broken(kernel, len(kernel)/2), no, image)
	chunk := sparseImage(g.t, noise(4096))
	for _, zipped := range []bool{false, true} {
		var out bytes.Buffer
		b := mkimage.ArchiveBuilder{Name: "system", CMS: []byte{0x30, 0x82, 0, 4, 0, 0, 0, 0}, Gzip: zipped,
			Chunks: []*io.SectionReader{io.NewSectionReader(bytes.NewReader(chunk), 0, int64(len(chunk)))}}
		if err := b.Build(&out); err != nil {
			g.t.Fatal(err)
		}
		name := map[bool]string{false: "v5", true: "v4"}[zipped]
		g.file(name+".sin", out.Bytes(), yes, image)
		g.file(name+" cut.sin", out.Bytes()[:out.Len()/2], no, image)
	}
	g.file("sparse.simg", sparseImage(g.t, noise(8192)), yes, image)
	g.file("sparse boot.simg", sparseImage(g.t, bootImage(g.t)), yes, image)
	g.file("sparse boot cut.simg", sparseImage(g.t, bootImage(g.t)[:4096]), no, image)
	g.file("sparse cut.simg", sparseImage(g.t, noise(8192))[:5000], no, image)
}

// otherFiles adds what there is nothing to take out of.
func (g *inputs) otherFiles(base []member) {
	yes, no, unknown := inspect.IntactYes, inspect.IntactNo, inspect.IntactUnknown
	one := func(name string, data []byte, intact inspect.Intact) { g.file(name, data, intact, other) }
	one("noise.bin", noise(3000), unknown)
	one("words.txt", []byte("some words\n"), unknown)
	one("zeros.sin", make([]byte, 5000), no)
	one("noise.sin", noise(5000), no)
	one("empty.img", nil, no)
	one("page.html", []byte("<!DOCTYPE html><html><body>log in</body></html>"), no)
	one("error.json", []byte(`{"error": "not found", "status": 404}`), no)
	one("error.xml", []byte(`<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>`), no)
	files := tarOf(g.t, member{"data/app/a.apk", noise(2000)}, member{"data/b", noise(10)})
	one("backup.ext4.win", files, yes)
	one("cut.tar", files[:1500], no)
	one("sources.tar.gz", gzipOf(files), yes)
	one("sources bit.tar.gz", broken(gzipOf(files), -6), no)
	one("boot.img", bootImage(g.t), yes)
	one("boot cut.img", bootImage(g.t)[:4000], no)
	one("boot cut in its last page.img", bootImage(g.t)[:len(bootImage(g.t))-7], no)
	packed := gzipOf(noise(700))
	one("boot, ramdisk.img", bootWith(g.t, packed, false), yes)
	one("boot, ramdisk cut.img", bootWith(g.t, packed[:len(packed)-9], false), no)
	one("boot, ramdisk bit.img", bootWith(g.t, broken(packed, -7), false), no)
	footer := func(at uint64) []byte {
		b := append(bootImage(g.t), "AVB0"...)
		b = append(append(b, make([]byte, 4096-68)...), "AVBf\x00\x00\x00\x01\x00\x00\x00\x00"...)
		for _, n := range []uint64{at, at, 256} {
			b = binary.BigEndian.AppendUint64(b, n)
		}
		return append(b, make([]byte, 28)...)
	}
	end := uint64(len(bootImage(g.t)))
	one("boot, verified.img", footer(end), yes)
	for name, at := range map[string]uint64{"before": end - 2048, "zeros": end + 512, "past": 1 << 40} {
		one("boot, footer "+name+".img", footer(at), no)
	}
	one("boot.img.lzma", lzmaOf(g.t, bootImage(g.t)), yes)
	one("boot longer.img.lzma", append(lzmaOf(g.t, bootImage(g.t)), 0), no)
	one("boot.img.gz", gzipOf(bootImage(g.t)), yes)
	one("boot cut.img.gz", gzipOf(bootImage(g.t)[:4000]), no)
	one("newer.fsc", []byte("getvar:product\nRepartition:0\nflash:boot\nset_active:a\nSync\n"), yes)
	one("older.fsc", []byte("openTA:2\nsetFlashState:1\ncloseTA:\nuploadImage:kernel\n"), yes)
	one("boot_delivery.xml", find(base, "boot_delivery.xml"), yes)
	one("update.xml", []byte("<UPDATE><NOERASE>userdata.sin</NOERASE></UPDATE>"), yes)
	one("cut.xml", []byte("<UPDATE><NOERASE>"), no)
	tree := mkimage.Node{Props: []bootimg.Property{mkimage.Text("model", "SoMC Aries ROW")}}.Build()
	one("device.dtb", tree, yes)
	one("chain.dtb", append(bytes.Clone(tree), tree...), yes)
	one("chain cut.dtb", append(bytes.Clone(tree), tree[:len(tree)-4]...), no)
	zImage := make([]byte, 4096)
	binary.LittleEndian.PutUint32(zImage[0x24:], 0x016f2818)
	binary.LittleEndian.PutUint32(zImage[0x2C:], 4096)
	one("zImage", zImage, yes)
	one("zImage cut", zImage[:4000], no)
	vbmeta := append([]byte("AVB0\x00\x00\x00\x01"), make([]byte, 248)...)
	one("vbmeta.img", vbmeta, yes)
	one("vbmeta cut.img", vbmeta[:200], no)
	rom := []member{{"META-INF/com/google/android/updater-script", []byte("assert")}, {"META-INF/com/android/metadata", []byte("pre-device=z3c\n")}, {"boot.img", bootImage(g.t)}}
	one("rom.zip", zipOf(g.t, rom), yes)
	one("rom bit.zip", func() []byte { b := zipOf(g.t, rom); return broken(b, bytes.Index(b, []byte("assert"))) }(), no)
	ftf := zipOf(g.t, base)
	one("around two.zip", zipOf(g.t, []member{{"a.ftf", ftf}, {"b.ftf", ftf}}), yes)
	one("bundle.ftf.gz", gzipOf(ftf), yes)
	one("bundle cut.ftf.gz", gzipOf(ftf[:5000]), no)
	large := zipOf(g.t, with(base, "notes.bin", noise(9<<20))) // more than is examined in memory
	one("large.ftf.gz", gzipOf(large), unknown)
	one("around large.zip", zipOf(g.t, []member{{"D5803.ftf", large}}), yes)
	one("around large cut.zip", zipOf(g.t, []member{{"D5803.ftf", large[:len(large)-5000]}}), no)
	one("bundle after noise.ftf.gz", gzipOf(append(noise(10), ftf...)), no)
	one("around bundle after noise.zip", zipOf(g.t, []member{{"D5803.ftf", append(noise(10), ftf...)}}), no)
	one("zeros.sin.gz", gzipOf(make([]byte, 5000)), no)
	one("noise.bin.gz", gzipOf(noise(3000)), yes)
	one("kernel.sin.gz", gzipOf(find(base, "kernel.sin")), yes)
	one("kernel cut.sin.gz", gzipOf(find(base, "kernel.sin")[:5000]), no)
	one("boot.tar", tarOf(g.t, member{"boot.img", bootImage(g.t)[:4000]}), unknown)
	one("images.tar", tarOf(g.t, base...), unknown)
	one("images.tar.gz", gzipOf(tarOf(g.t, base...)), unknown)
	one("nothing.zip", zipOf(g.t, nil), unknown)
	one("x.7z", append([]byte("7z\xbc\xaf\x27\x1c\x00\x04"), noise(500)...), unknown)
	one("x.ftf", append([]byte("Rar!\x1a\x07\x01\x00"), noise(500)...), unknown)
	one("page.ftf", []byte("\xef\xbb\xbf\r\n<!doctype HTML><html>"), no)
	one("app.apk", zipOf(g.t, []member{{"AndroidManifest.xml", []byte("\x03\x00\x08\x00")}, {"classes.dex", []byte("dex\n035\x00")}}), yes)
	one("around.zip", zipOf(g.t, []member{{"D5803.ftf", ftf}}), yes)
	one("around damaged.zip", zipOf(g.t, []member{{"D5803.ftf", zipOf(g.t, with(base, "kernel.sin", broken(find(base, "kernel.sin"), -5)))}}), no)
}

func trimArea() []byte {
	return tatest.Build(tatest.Block(0, 1, 0, 1, tatest.NewUnit(1, 0xFFFFFFFF, "calibration")),
		tatest.Block(1, 2, 0, 1, tatest.NewUnit(2210, 0xFFFFFFFF, "D5803\x00"), tatest.NewUnit(4900, 0xFFFFFFFF, "CB5A25SIM1\x00")))
}

// trimInputs are trim areas in every container.
func trimInputs(g *inputs) []input {
	yes, no := inspect.IntactYes, inspect.IntactNo
	sound := trimArea()
	sum := func(b []byte) []byte { return fmt.Appendf(nil, "%x  TA.img\n", md5.Sum(b)) }
	var list []input
	one := func(name string, data []byte, intact inspect.Intact) {
		list = append(list, input{name: name, path: g.write(filepath.Join(g.sub(), name), data), intact: intact, trim: true})
	}
	one("TA.img", sound, yes)
	one("TA bit.img", broken(sound, 100), no)
	one("TA cut.img", sound[:2_000_000], no)
	one("one partition.img", tatest.Build(tatest.Block(0, 2, 0, 1, tatest.NewUnit(2210, 0xFFFFFFFF, "D5803\x00"))), no)
	one("TA.img.gz", gzipOf(sound), yes)
	one("TA bit.img.gz", gzipOf(broken(sound, 100)), no)
	one("TA longer.img.gz", append(gzipOf(sound), 0), no)
	one("TA-backup.zip.gz", gzipOf(zipOf(g.t, []member{{"tabackup/TA.img", sound}, {"tabackup/TA.md5", sum(sound)}})), inspect.IntactUnknown)
	one("disk.dd", diskOf(g.t, sound), yes)
	one("disk, one table.dd", broken(diskOf(g.t, sound), -gpt.SectorSize), no)
	one("disk longer.dd", append(diskOf(g.t, sound), make([]byte, gpt.SectorSize)...), no)
	one("TA-backup.zip", zipOf(g.t, []member{{"tabackup/TA.img", sound}, {"tabackup/TA.md5", sum(sound)}}), yes)
	one("TA-backup md5.zip", zipOf(g.t, []member{{"tabackup/TA.img", sound}, {"tabackup/TA.md5", sum(nil)}}), no)
	one("TA-backup bit.zip", zipOf(g.t, []member{{"tabackup/TA.img", broken(sound, 100)}, {"tabackup/TA.md5", sum(broken(sound, 100))}}), no)
	backup := zipOf(g.t, []member{{"tabackup/TA.img", sound}, {"tabackup/TA.md5", sum(sound)}})
	one("TA-backup longer.zip", append(bytes.Clone(backup), 0), no)
	one("TA-backup after noise.zip", append(noise(10), backup...), no)
	one("TA-backup twice.zip", append(bytes.Clone(backup), backup...), no)
	one("TA-backup of two names.zip", bytes.Replace(backup, []byte("TA.img"), []byte("ta.img"), 1), no)
	one("2.ta", []byte("02\n000008A2 0006 44 35 38 30 33 00\n00001324 000B 43 42 35 41 32 35 53 49 4D 31 00"), yes)
	wrapped := func(n, said int) []byte {
		return fmt.Appendf(nil, "02\n00000001 %04X%s\n000008A2 0006 44 35 38 30 33 00\n", said, strings.Repeat(" AA", n))
	}
	one("2 long.ta", wrapped(70_000, 70_000&0xFFFF), yes)
	one("2 long cut.ta", wrapped(69_999, 70_000&0xFFFF), no)
	one("2 crlf.ta", bytes.ReplaceAll(wrapped(3, 3), []byte("\n"), []byte("\r\n")), yes)
	one("2 longer.ta", wrapped(4, 3), no)
	one("TA tail.img", append(bytes.Clone(sound), 0), no)
	one("TA-backup cut.zip", zipOf(g.t, []member{{"tabackup/TA.img", sound}})[:1_000_000], no)
	one("2 cut.ta", []byte("02\n000008A2 0006 44 35 38\n"), no)
	for name, first := range map[string]string{"texts": "01", "texts of one partition": "02"} {
		dir := g.sub()
		for file, part := range map[string]string{"1.ta": first, "2.ta": "02"} {
			g.write(filepath.Join(dir, file), []byte(part+"\n00002774 0001 00\n"))
		}
		list = append(list, input{name: name, path: dir, intact: map[bool]inspect.Intact{true: yes, false: no}[first == "01"], trim: true})
	}
	return list
}
