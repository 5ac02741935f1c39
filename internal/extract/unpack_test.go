package extract

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/firmware"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
	"xflash/sin/gpt"
)

// shortOf is the member that makes a partition of the simulated phone.
var shortOf = map[string]string{
	"boot": "kernel", "FOTAKernel": "fotakernel", "system": "system", "cache": "cache", "userdata": "userdata",
	"apps_log": "apps_log", "LTALabel": "elabel", "modemst1": "amss_fs_1", "modemst2": "amss_fs_2", "fsg": "amss_fsg",
}

func TestBundleUnpacksToWhatItWasMadeOf(t *testing.T) {
	fw, dir := madeFirmware(t), t.TempDir()
	files := mustUnpack(t, fw.Bundle, Options{Dir: dir})
	seen := 0
	for label, raw := range fw.Images {
		if short, ok := shortOf[label]; ok {
			seen++
			sameFile(t, filepath.Join(dir, short+".img"), raw)
			continue
		}
		// The boot chain keeps its long names, in its own folder.
		stem := strings.TrimSuffix(filepath.Base(raw), ".img")
		found, err := filepath.Glob(filepath.Join(dir, "boot", stem+"_S1_Boot_*.img"))
		if err != nil || len(found) != 1 {
			t.Fatalf("boot image %s: %v, %v", stem, found, err)
		}
		sameFile(t, found[0], raw)
	}
	if seen != len(shortOf) {
		t.Errorf("%d of %d partitions compared", seen, len(shortOf))
	}
	if got := tree(t, dir); len(got) != len(files) {
		t.Errorf("reported %d files, there are %d: %v", len(files), len(got), got)
	}
	for _, text := range []string{"cust-reset.ta", "fota-reset.ta", "boot_delivery.xml", "boot/Aries_S1BootConfig_MiscTA.ta"} {
		if !slices.ContainsFunc(files, func(f File) bool { return f.Name == text && f.Content == "" }) {
			t.Errorf("%s was not copied", text)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "cust-reset.ta"))
	if want := "02\n000008A4 0001 00\n"; err != nil || string(data) != want {
		t.Errorf("cust-reset.ta is %q, %v", data, err)
	}
}

func TestUnpackedSystemIsAFileSystem(t *testing.T) {
	debugfs, err := exec.LookPath("/sbin/debugfs")
	if err != nil {
		t.Skip("debugfs of e2fsprogs is not installed")
	}
	fw, dir := madeFirmware(t), t.TempDir()
	mustUnpack(t, fw.Bundle, Options{Dir: dir, Members: []string{"SYSTEM"}})
	out, err := exec.Command(debugfs, "-R", "cat /build.prop", filepath.Join(dir, "system.img")).Output()
	want, err2 := os.ReadFile(filepath.Join(fw.System, "build.prop"))
	if err != nil || err2 != nil || !bytes.Equal(out, want) {
		t.Errorf("debugfs reads %q, %v, %v", out, err, err2)
	}
}

func TestMembersAreChosen(t *testing.T) {
	fw := madeFirmware(t)
	for _, c := range []struct {
		members []string
		want    []string
	}{
		{[]string{"kernel"}, []string{"kernel.img"}},
		{[]string{"Kernel.sin", "cust-reset"}, []string{"cust-reset.ta", "kernel.img"}},
		{[]string{"partition"}, []string{"partition-image.img"}},
		{[]string{"tz"}, []string{"boot/tz_S1_Boot_MSM8974AC_12_AID_1_PLATFORM-MSM8974AC-LIVE-HWID007B00E1-SWID00-OEM1-AID1-DEBUG00_S1-BOOT-LIVE-9C84-0001-MMC.img"}},
	} {
		dir := filepath.Join(t.TempDir(), "new", "folder")
		mustUnpack(t, fw.Bundle, Options{Dir: dir, Members: c.members})
		if got := tree(t, dir); !slices.Equal(got, c.want) {
			t.Errorf("%v gives %v", c.members, got)
		}
	}
	dir := t.TempDir()
	mustUnpack(t, fw.Bundle, Options{Dir: dir, Members: []string{"boot"}})
	if got := tree(t, dir); len(got) != 8 || !slices.Contains(got, "boot_delivery.xml") {
		t.Errorf("the boot set is %v", got)
	}
	dir = filepath.Join(t.TempDir(), "out")
	_, err := unpackAll(fw.Bundle, Options{Dir: dir, Members: []string{"kernel", "kernal"}})
	var choice *firmware.ChoiceError
	if !errors.As(err, &choice) || !slices.Equal(choice.Wanted, []string{"kernal"}) || !slices.Contains(choice.Have, firmware.Choice{Name: "cust-reset.ta", Bytes: 20}) || len(choice.Have) != 16 {
		t.Errorf("a member that is not there: %v", err)
	}
	if got := tree(t, dir); len(got) != 0 {
		t.Errorf("%v was written anyway", got)
	}
}

func TestNothingIsReplaced(t *testing.T) {
	fw, dir := madeFirmware(t), t.TempDir()
	old := write(t, filepath.Join(dir, "kernel.img"), []byte("mine"))
	_, err := unpackAll(fw.Bundle, Options{Dir: dir, Members: []string{"kernel"}})
	if !errors.Is(err, fs.ErrExist) || !errors.As(err, new(*ExistsError)) {
		t.Errorf("an output that is there: %v", err)
	}
	if data, _ := os.ReadFile(old); string(data) != "mine" {
		t.Errorf("it is now %q", data)
	}
	mustUnpack(t, fw.Bundle, Options{Dir: dir, Members: []string{"kernel"}, Force: true})
	sameFile(t, old, fw.Images["boot"])
}

func TestLinksDoNotLeadOut(t *testing.T) {
	fw, dir, outside := madeFirmware(t), t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "boot")); err != nil {
		t.Fatal(err)
	}
	target := write(t, filepath.Join(outside, "target"), []byte("mine"))
	if err := os.Symlink(target, filepath.Join(dir, "kernel.img")); err != nil {
		t.Fatal(err)
	}
	for _, force := range []bool{false, true} {
		if _, err := unpackAll(fw.Bundle, Options{Dir: dir, Members: []string{"tz"}, Force: force}); err == nil {
			t.Error("a file was written through a link")
		}
	}
	if _, err := unpackAll(fw.Bundle, Options{Dir: dir, Members: []string{"kernel"}, Force: true}); err != nil {
		t.Error(err) // the link is replaced, not followed
	}
	if data, _ := os.ReadFile(target); string(data) != "mine" {
		t.Error("the file behind a link was written")
	}
	if got := tree(t, outside); !slices.Equal(got, []string{"target"}) {
		t.Errorf("outside are %v", got)
	}
}

// damagedBundle is the bundle with one byte of an image changed. Checksums of the archive
// fit, so that the image itself must tell.
func damagedBundle(t *testing.T, fw string, short string) string {
	b, err := ftf.Open(fw)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dir := t.TempDir()
	for _, m := range b.Members {
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if _, err := buf.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
		if m.Short == short {
			buf.Bytes()[buf.Len()-5] ^= 1
		}
		write(t, filepath.Join(dir, m.Name), buf.Bytes())
	}
	return dir
}

func TestDamageLeavesNothingAndTheRestGoesOn(t *testing.T) {
	fw := madeFirmware(t)
	folder, dir := damagedBundle(t, fw.Bundle, "kernel"), t.TempDir()
	files, err := unpackAll(folder, Options{Dir: dir})
	var damaged *firmware.DamagedError
	if !errors.As(err, &damaged) || len(damaged.Files) != 1 || damaged.Files[0].Name != "kernel.sin" ||
		!errors.Is(err, sin.Because(sin.CorruptBlock)) {
		t.Fatalf("error %v", err)
	}
	got := tree(t, dir)
	if slices.Contains(got, "kernel.img") || !slices.Contains(got, "fotakernel.img") || len(got) != len(files) {
		t.Errorf("there are %v", got)
	}
}

func TestEveryCutLeavesNothing(t *testing.T) {
	fw, dir := madeFirmware(t), t.TempDir()
	whole, err := os.ReadFile(filepath.Join(filepath.Dir(fw.Bundle), "amss_fsg.sin"))
	if err != nil {
		t.Fatal(err)
	}
	for n := 16; n < len(whole); n += max(1, len(whole)/40) {
		path := write(t, filepath.Join(t.TempDir(), "amss_fsg.sin"), whole[:n])
		out := filepath.Join(dir, "out")
		if _, err := unpackAll(path, Options{Dir: out}); !errors.Is(err, sin.Because(sin.Truncated)) {
			t.Errorf("cut at %d: %v", n, err)
		}
		if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("cut at %d left %v", n, tree(t, out))
		}
	}
}

func TestStoppingLeavesNothing(t *testing.T) {
	fw, dir := madeFirmware(t), filepath.Join(t.TempDir(), "out")
	cause := errors.New("pressed Ctrl-C")
	ctx, cancel := context.WithCancelCause(context.Background())
	err := Unpack(ctx, fw.Bundle, Options{Dir: dir, Members: []string{"system"}, Progress: func(_ string, done, _ int64) {
		if done > 200_000 {
			cancel(cause)
		}
	}})
	if !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
	if got := tree(t, dir); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

func TestGaps(t *testing.T) {
	raw := bytes.Repeat([]byte{0x5A}, 4096)
	var b mkimage.MapBuilder
	b.HashType = sin.SHA256
	b.Select(gpt.GUID{1})
	b.Addr(bytes.NewReader(raw), 0, 0, 4096)
	b.Addr(bytes.NewReader(raw), 0, 12288, 4096)
	p, err := b.Payload()
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, filepath.Join(t.TempDir(), "cache_S1-SW-LIVE.sin"), signed(t, sin.TypeImage, p))
	for _, gap := range []byte{0, 0xFF} {
		dir := t.TempDir()
		mustUnpack(t, path, Options{Dir: dir, Gap: gap})
		want := slices.Concat(raw, bytes.Repeat([]byte{gap}, 8192), raw)
		if got, err := os.ReadFile(filepath.Join(dir, "cache.img")); err != nil || !bytes.Equal(got, want) {
			t.Errorf("gap %#x: %d bytes, %v", gap, len(got), err)
		}
	}

	// Of phones of 2017 and later the whole is filled first, so zeros must be written over it.
	le := binary.LittleEndian
	chunk := []byte("\x3a\xff\x26\xed\x01\x00\x00\x00\x1c\x00\x0c\x00")
	for _, v := range []uint32{4096, 3, 2, 0, 0xCAC1, 2, 12 + 8192} { // two blocks of data …
		chunk = le.AppendUint32(chunk, v)
	}
	chunk = append(append(chunk, raw...), make([]byte, 4096)...)
	for _, v := range []uint32{0xCAC3, 1, 12} { // … and one that is left as it is
		chunk = le.AppendUint32(chunk, v)
	}
	var out bytes.Buffer
	if err := (mkimage.ArchiveBuilder{Name: "cache", CMS: []byte{0x30, 0x82, 0, 4, 0, 0, 0, 0},
		Chunks: []*io.SectionReader{io.NewSectionReader(bytes.NewReader(chunk), 0, int64(len(chunk)))}}).Build(&out); err != nil {
		t.Fatal(err)
	}
	path = write(t, filepath.Join(t.TempDir(), "cache.sin"), out.Bytes())
	dir := t.TempDir()
	mustUnpack(t, path, Options{Dir: dir, Gap: 0xFF})
	want := slices.Concat(raw, make([]byte, 4096), bytes.Repeat([]byte{0xFF}, 4096))
	if got, err := os.ReadFile(filepath.Join(dir, "cache.img")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("archive: %d bytes, %v", len(got), err)
	}
}

func TestImageOfSeveralPartitions(t *testing.T) {
	one, two := bytes.Repeat([]byte("one "), 1024), bytes.Repeat([]byte("two "), 2048)
	var b mkimage.MapBuilder
	b.HashType = sin.SHA256
	b.Select(gpt.GUID{1})
	b.Addr(bytes.NewReader(one), 0, 0, int64(len(one)))
	b.Select(gpt.GUID{2})
	b.Addr(bytes.NewReader(two), 0, 0, int64(len(two)))
	p, err := b.Payload()
	if err != nil {
		t.Fatal(err)
	}
	path, dir := write(t, filepath.Join(t.TempDir(), "two.sin"), signed(t, sin.TypeImage, p)), t.TempDir()
	mustUnpack(t, path, Options{Dir: dir})
	for guid, want := range map[gpt.GUID][]byte{{1}: one, {2}: two} {
		got, err := os.ReadFile(filepath.Join(dir, "two-"+guid.String()+".img"))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", guid, len(got), err)
		}
	}
}

func TestWhatCannotBeTakenApart(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "elf": append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 60)...),
	} {
		dir := filepath.Join(t.TempDir(), "out")
		_, err := unpackAll(write(t, filepath.Join(t.TempDir(), name), data), Options{Dir: dir})
		if !errors.As(err, new(*FormatError)) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: the folder was made", name)
		}
	}
	fw := madeFirmware(t)
	kernel := filepath.Join(filepath.Dir(fw.Bundle), "kernel.sin")
	for _, opt := range []Options{{Members: []string{"x"}}, {Partitions: []string{"x"}}} {
		opt.Dir = t.TempDir()
		if _, err := unpackAll(kernel, opt); !errors.As(err, new(*OptionError)) {
			t.Errorf("%+v: %v", opt, err)
		}
	}
	if _, err := unpackAll(filepath.Join(t.TempDir(), "nothing"), Options{Dir: t.TempDir()}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestSafeNames(t *testing.T) {
	for in, want := range map[string]string{
		"boot": "boot", "../../etc/passwd": "_._.._etc_passwd", "": "_", ".": "_", "..": "_.", "-rf": "_rf", "a/b": "a_b",
		`C:\x`: "C__x", "a\x1b[31m": "a__31m", "a\u202eb": "a_b", "Größe 1": "Größe 1", "a ": "a", "\xff": "_",
		strings.Repeat("ü", 300): strings.Repeat("ü", 100),
	} {
		if got := safeName(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	n := names{}
	for _, want := range []string{"boot/x", "boot/X-2", "boot/x-3"} {
		if got := n.take("boot", filepath.Base(strings.Split(want, "-")[0])); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestNoRoom: free space is compared before anything is written.
func TestNoRoom(t *testing.T) {
	have, ok := fileio.FreeSpace(t.TempDir())
	if !ok {
		t.Skip("the file system does not tell how much is free")
	}
	f := &folder{path: t.TempDir()}
	if err := f.room(have / 2); err != nil {
		t.Error(err)
	}
	if err := f.room(have*2 + 1<<30); !errors.Is(err, syscall.ENOSPC) || !errors.As(err, new(*SpaceError)) {
		t.Errorf("no room: %v", err)
	}
	// Sparse images and disk dumps may be larger than they become: holes need no room, data do.
	block := make([]byte, 64<<20)
	for written, fits := range map[int64]bool{1: true, have + 1<<30: false} {
		err := f.roomFor(have*2+2<<30, func(w io.WriterAt) error {
			for at := int64(0); at < written; at += int64(len(block)) {
				if _, err := w.WriteAt(block, at); err != nil {
					return err
				}
			}
			return nil
		})
		if fits != (err == nil) || !fits && !errors.As(err, new(*SpaceError)) {
			t.Errorf("%d bytes of data, %d free: %v", written, have, err)
		}
	}
}
