package extract

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"xflash/fastboot/sparse"
	"xflash/internal/firmware"
	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
	"xflash/sin/gpt"
)

const dumpSize = 16 << 30

// dump makes a dump of a large disk, with data in some partitions and holes elsewhere.
func dump(t *testing.T, table *gpt.Table, contents map[string][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mmcblk0.dd")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(table.Sectors) * gpt.SectorSize); err != nil {
		t.Fatal(err)
	}
	if err := mkimage.WriteGPT(f, table); err != nil {
		t.Fatal(err)
	}
	for label, data := range contents {
		e, ok := table.ByName(label)
		if !ok {
			t.Fatalf("no partition %s", label)
		}
		if _, err := f.WriteAt(data, e.Offset()); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func phoneTable(t *testing.T) *gpt.Table {
	t.Helper()
	table, err := simphone.DefaultLayout(dumpSize)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

// used is the bytes a file takes on the disk.
func used(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}

func TestPartitionsOfADump(t *testing.T) {
	table := phoneTable(t)
	kernel, boot := append([]byte("\x7fELF"), random(1<<20+77)...), []byte("ANDROID!")
	contents := map[string][]byte{"boot": kernel, "FOTAKernel": boot, "TA": random(2 << 20), "userdata": random(5000)}
	path, dir := dump(t, table, contents), t.TempDir()
	before := used(t, path)
	files := mustUnpack(t, path, Options{Dir: dir, Partitions: []string{"FOTAKernel", "boot", "TA", "userdata"}})
	if got := tree(t, dir); !slices.Equal(got, []string{"FOTAKernel.img", "TA.img", "boot.img", "userdata.img"}) {
		t.Errorf("there are %v", got)
	}
	kinds := map[string]sin.Kind{"boot": sin.KindELF, "FOTAKernel": sin.KindBoot, "TA": sin.KindRaw, "userdata": sin.KindRaw}
	for _, f := range files {
		e, _ := table.ByName(f.From)
		info, err := os.Stat(filepath.Join(dir, f.Name))
		if err != nil || info.Size() != e.Size() || f.Bytes != e.Size() || f.Content != kinds[f.From] {
			t.Errorf("%+v, on the disk %d bytes, %v", f, info.Size(), err)
		}
		identity := f.From == "TA"
		if (f.Warning != "") != identity || (info.Mode().Perm() == 0o600) != identity {
			t.Errorf("%s: mode %v, warning %q", f.Name, info.Mode(), f.Warning)
		}
		if data := head(t, filepath.Join(dir, f.Name), int(min(e.Size(), int64(len(contents[f.From])+4096)))); !bytes.Equal(data[:len(contents[f.From])], contents[f.From]) ||
			bytes.ContainsFunc(data[len(contents[f.From]):], func(r rune) bool { return r != 0 }) {
			t.Errorf("%s has other bytes", f.Name)
		}
	}
	// userdata is gigabytes of nothing: neither the dump nor the output got them.
	if n := used(t, filepath.Join(dir, "userdata.img")); n > 64<<10 {
		t.Errorf("userdata takes %d bytes on the disk", n)
	}
	if n := used(t, path); n != before {
		t.Errorf("the dump takes %d bytes now, before it was %d", n, before)
	}
}

func head(t *testing.T, path string, n int) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOnlyTheDataAreRead: what a dump of 16 GiB has no data for is not read, by the count
// of the kernel.
func TestOnlyTheDataAreRead(t *testing.T) {
	path := dump(t, phoneTable(t), map[string][]byte{"userdata": random(5000)})
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const seekData = 3 // whence of lseek(2)
	if start, err := f.Seek(dumpSize/2, seekData); err == nil && start < dumpSize-1<<20 {
		t.Skip("the file system of the test does not tell holes")
	}
	before := readBytes(t)
	mustUnpack(t, path, Options{Dir: t.TempDir(), Partitions: []string{"userdata"}})
	if n := readBytes(t) - before; n > 16<<20 {
		t.Errorf("read %d bytes", n)
	}
}

// readBytes is how much this process has read so far.
func readBytes(t *testing.T) (n int64) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "rchar: "); ok {
			for _, c := range strings.TrimSpace(value) {
				n = n*10 + int64(c-'0')
			}
		}
	}
	return n
}

// TestAgreesWithSgdisk: another program's idea of where a partition lies.
func TestAgreesWithSgdisk(t *testing.T) {
	sgdisk, err := exec.LookPath("/sbin/sgdisk")
	if err != nil {
		t.Skip("sgdisk of the package gdisk is not installed")
	}
	path, dir := filepath.Join(t.TempDir(), "disk.dd"), t.TempDir()
	if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Truncate(path, 64<<20)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(sgdisk, "-n", "1:2048:4095", "-c", "1:boot", "-n", "2:4096:+3M", "-c", "2:FOTAKernel", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	data := random(1 << 20)
	if _, err := f.WriteAt(data, 2048*512); err != nil {
		t.Fatal(err)
	}
	f.Close()
	mustUnpack(t, path, Options{Dir: dir, Partitions: []string{"boot", "FOTAKernel"}})
	if got, err := os.ReadFile(filepath.Join(dir, "boot.img")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("boot has %d bytes, %v", len(got), err)
	}
	if info, err := os.Stat(filepath.Join(dir, "FOTAKernel.img")); err != nil || info.Size() != 3<<20 {
		t.Errorf("FOTAKernel: %v, %v", info, err)
	}
}

func TestHostileLabels(t *testing.T) {
	labels := []string{"../../evil", "/etc/passwd", "..", "twin", "twin", "-rf", "a\x1b[2Jb", "fine"}
	table := &gpt.Table{DiskGUID: gpt.GUID{9}, Sectors: 4096}
	for i, l := range labels {
		first := uint64(64 + 8*i)
		table.Entries = append(table.Entries, gpt.Entry{Type: gpt.GUID{1}, Unique: gpt.GUID{2, byte(i)}, First: first, Last: first + 7, Name: l})
	}
	path, parent := dump(t, table, nil), t.TempDir()
	mustUnpack(t, path, Options{Dir: filepath.Join(parent, "out"), Partitions: labels})
	want := []string{"out/_.-p3.img", "out/_._.._evil-p1.img", "out/_etc_passwd-p2.img", "out/_rf-p6.img", "out/a__2Jb-p7.img",
		"out/fine.img", "out/twin-p4.img", "out/twin-p5.img"}
	if got := tree(t, parent); !slices.Equal(got, want) {
		t.Errorf("there are %q", got)
	}
}

func TestPartitionsMustBeChosen(t *testing.T) {
	path := dump(t, phoneTable(t), nil)
	for _, wanted := range [][]string{nil, {"boot", "Boot", "recovery"}} {
		dir := filepath.Join(t.TempDir(), "out")
		_, err := unpackAll(path, Options{Dir: dir, Partitions: wanted})
		var choice *firmware.ChoiceError
		if !errors.As(err, &choice) || len(choice.Have) != 25 || choice.Have[0].Number != 1 {
			t.Fatalf("error %v", err)
		}
		if wanted != nil && !slices.Equal(choice.Wanted, wanted[1:]) {
			t.Errorf("not found are %v", choice.Wanted)
		}
		var identity []string
		for _, c := range choice.Have {
			if c.Warning != "" {
				identity = append(identity, c.Name)
			}
		}
		if slices.Sort(identity); !slices.Equal(identity, []string{"DDR", "TA", "fsg", "modemst1", "modemst2"}) {
			t.Errorf("warned of %v", identity)
		}
		if got := tree(t, dir); len(got) != 0 {
			t.Errorf("written: %v", got)
		}
	}
}

// One whole copy of the table is enough to take a partition out, and the damage is reported;
// with none, or with the dump cut off before the partition's end, nothing is written.
func TestDamagedTable(t *testing.T) {
	boot := random(4096)
	unpackBoot := func(path string) ([]File, error) {
		return unpackAll(path, Options{Dir: t.TempDir(), Partitions: []string{"boot"}})
	}
	damage := func(path string, at int64) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte{0xFF}, at); err != nil {
			t.Fatal(err)
		}
	}
	table := phoneTable(t)
	size := int64(table.Sectors) * 512

	path := dump(t, table, map[string][]byte{"boot": boot})
	damage(path, 2*512+56) // the primary's entries
	files, err := unpackBoot(path)
	if err != nil || len(files) != 1 || len(files[0].Notes) != 1 || !strings.Contains(files[0].Notes[0], "primary table") {
		t.Errorf("primary damaged: %+v, %v", files, err)
	}
	damage(path, size-512+40) // and the backup's header
	if _, err := unpackBoot(path); !errors.Is(err, gpt.ErrEntriesCRC) {
		t.Errorf("both damaged: error %v", err)
	}

	path = dump(t, table, map[string][]byte{"boot": boot})
	damage(path, size-512+40)
	if files, err := unpackBoot(path); err != nil || len(files[0].Notes) != 1 {
		t.Errorf("backup damaged: %+v, %v", files, err)
	}

	path = dump(t, table, map[string][]byte{"boot": boot})
	entry, _ := table.ByName("boot")
	if err := os.Truncate(path, entry.Offset()+entry.Size()); err != nil {
		t.Fatal(err)
	}
	if files, err := unpackBoot(path); err != nil || len(files[0].Notes) != 1 {
		t.Errorf("cut off after the partition: %+v, %v", files, err)
	}
	if err := os.Truncate(path, entry.Offset()+entry.Size()-512); err != nil {
		t.Fatal(err)
	}
	if _, err := unpackBoot(path); !errors.Is(err, gpt.ErrCutOff) {
		t.Errorf("cut off within the partition: error %v", err)
	}
}

func TestSparseImages(t *testing.T) {
	raw := slices.Concat(random(40<<10), make([]byte, 200<<10), bytes.Repeat([]byte("abcd"), 8<<10), random(4096))
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "in", "system.simg"), encodeSparse(t, raw))
	files := mustUnpack(t, path, Options{Dir: dir})
	got, err := os.ReadFile(filepath.Join(dir, "system.img"))
	if err != nil || !bytes.Equal(got, raw) || files[0].Bytes != int64(len(raw)) {
		t.Fatalf("%+v, %d bytes, %v", files, len(got), err)
	}
	if n := used(t, filepath.Join(dir, "system.img")); n > int64(len(raw))-100<<10 {
		t.Errorf("%d bytes on the disk: no holes", n)
	}
	for n := 28; n < 4096; n += 411 {
		out := filepath.Join(t.TempDir(), "out")
		cut := write(t, filepath.Join(t.TempDir(), "cut.simg"), encodeSparse(t, raw)[:n])
		if _, err := unpackAll(cut, Options{Dir: out}); !errors.Is(err, sparse.ErrTruncated) {
			t.Errorf("cut at %d: %v", n, err)
		}
		if got := tree(t, out); len(got) != 0 {
			t.Errorf("cut at %d left %v", n, got)
		}
	}
	longer := write(t, filepath.Join(t.TempDir(), "long.simg"), append(encodeSparse(t, raw), 0))
	if _, err := unpackAll(longer, Options{Dir: t.TempDir()}); !errors.Is(err, sparse.ErrTrailing) {
		t.Errorf("one byte more: %v", err)
	}
}

// TestBombNeedsNoMemory: a few bytes that say they are 4 GiB of zeros, and a dump of 16 GiB.
func TestBombNeedsNoMemory(t *testing.T) {
	le := binary.LittleEndian
	bomb := le.AppendUint32(nil, sparse.Magic)
	for _, v := range []uint16{1, 0, 28, 12} {
		bomb = le.AppendUint16(bomb, v)
	}
	for _, v := range []uint32{4096, 1 << 20, 1, 0} { // block size, blocks, chunks, checksum
		bomb = le.AppendUint32(bomb, v)
	}
	bomb = le.AppendUint16(bomb, uint16(sparse.Fill))
	bomb = le.AppendUint16(bomb, 0)
	for _, v := range []uint32{1 << 20, 16, 0} { // blocks, bytes of the chunk, pattern
		bomb = le.AppendUint32(bomb, v)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	dir := t.TempDir()
	mustUnpack(t, write(t, filepath.Join(t.TempDir(), "bomb.simg"), bomb), Options{Dir: dir})
	mustUnpack(t, dump(t, phoneTable(t), nil), Options{Dir: dir, Partitions: []string{"userdata", "system"}})
	runtime.ReadMemStats(&after)
	// All that was ever allocated, so no collection can hide anything.
	if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
		t.Errorf("allocated %d bytes", n)
	}
	if info, err := os.Stat(filepath.Join(dir, "bomb.img")); err != nil || info.Size() != 4<<30 {
		t.Errorf("%v, %v", info, err)
	}
	if n := used(t, filepath.Join(dir, "bomb.img")); n > 1<<20 {
		t.Errorf("the bomb takes %d bytes on the disk", n)
	}
}

func encodeSparse(t *testing.T, raw []byte) []byte {
	t.Helper()
	image, err := sparse.FromRaw(bytes.NewReader(raw), int64(len(raw)), sparse.RawOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := image.Split(0)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(pieces[0].Reader()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSparseOutputs: simg2img of Android gets the same bytes back.
func TestSparseOutputs(t *testing.T) {
	simg2img, err := exec.LookPath("simg2img")
	if err != nil {
		t.Skip("simg2img is not installed")
	}
	fw, dir := madeFirmware(t), t.TempDir()
	mustUnpack(t, fw.Bundle, Options{Dir: dir, Sparse: true, Members: []string{"system", "loader"}})
	if got := tree(t, dir); !slices.Equal(got, []string{"loader.img", "system.simg"}) {
		t.Fatalf("there are %v", got) // a loader is not a partition
	}
	path := dump(t, phoneTable(t), map[string][]byte{"boot": random(70_000)})
	mustUnpack(t, path, Options{Dir: dir, Sparse: true, Partitions: []string{"boot"}})
	mustUnpack(t, path, Options{Dir: dir, Partitions: []string{"boot"}})
	for simg, raw := range map[string]string{"system.simg": fw.Images["system"], "boot.simg": filepath.Join(dir, "boot.img")} {
		back := filepath.Join(dir, simg+".raw")
		if out, err := exec.Command(simg2img, filepath.Join(dir, simg), back).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", simg, err, out)
		}
		sameFile(t, back, raw)
	}
}
