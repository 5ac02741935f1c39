package trimarea

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xflash/internal/simphone/mkimage"
	"xflash/internal/trimarea/tatest"
	"xflash/sin/gpt"
)

// backup makes a zip of pairs of name and content.
func backup(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w, err := z.Create(pairs[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(pairs[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func find(b []byte) (*Dump, error) { return Find(bytes.NewReader(b), int64(len(b))) }

func TestContainers(t *testing.T) {
	image := tatest.Sample()
	sum := fmt.Sprintf("%x", md5.Sum(image))
	d, err := find(image)
	if err != nil || d.Container != PlainDump || !bytes.Equal(d.Data, image) || d.Sum != sum || d.MD5 != "" {
		t.Errorf("plain: %v", err)
	}
	d, err = find(backup(t, "tmp/TA.blk", "mmcblk0p1", "tmp/TA.img", string(image), "tmp/TA.md5", strings.ToUpper(sum)+"  TA.img\n", "tmp/TA.serial", "CB5A12345\n"))
	if err != nil || d.Container != BackupTA || d.Member != "tmp/TA.img" || !bytes.Equal(d.Data, image) || d.MD5 != sum || d.Serial != "CB5A12345" {
		t.Errorf("Backup-TA: %v, %v", d, err)
	}
	d, err = find(backup(t, "META-INF/MANIFEST.MF", "x", "ta.dd", string(image)))
	if err != nil || d.Container != Flashtool || !bytes.Equal(d.Data, image) || d.MD5 != "" {
		t.Errorf("Flashtool: %v", err)
	}
}

// memory is a disk in memory.
type memory []byte

func (m memory) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }

func TestWholeDisk(t *testing.T) {
	const sectors = 32 << 11 // 32 MiB
	linux, err := gpt.ParseGUID("0FC63DAF-8483-4772-8E79-3D69D8477DE4")
	if err != nil {
		t.Fatal(err)
	}
	disk := make(memory, sectors*gpt.SectorSize)
	write := func(name string) {
		t.Helper()
		err := mkimage.WriteGPT(disk, &gpt.Table{Sectors: sectors, Entries: []gpt.Entry{{Type: linux, Unique: gpt.GUID{1}, First: 256, Last: 256 + 4095, Name: name}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	write("TA")
	copy(disk[256*512:], tatest.Sample())
	d, err := find(disk)
	if err != nil || d.Container != WholeDisk || d.Offset != 256*512 || !bytes.Equal(d.Data, tatest.Sample()) {
		t.Errorf("%v", err)
	}
	if _, err := find(disk[:256*512+8<<20]); err != nil {
		t.Errorf("cut after the partition: %v", err)
	}
	write("boot")
	if _, err := find(disk); !errors.Is(err, ErrNoTA) {
		t.Errorf("no TA: %v", err)
	}
	if _, err := find(make([]byte, 9<<20)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("no disk: %v", err)
	}
}

func TestHostileBackups(t *testing.T) {
	zeros := strings.Repeat("\x00", 8<<20+1)
	many := make([]string, 0, 2*maxMembers+2)
	for i := range maxMembers + 1 {
		many = append(many, fmt.Sprint(i), "")
	}
	whole := backup(t, "TA.img", string(tatest.Sample()))
	broken := bytes.Clone(whole)
	copy(broken[len(broken)/2:], "flipped")
	for name, c := range map[string]struct {
		zip   []byte
		cause error // nil: any
	}{
		"no image":           {backup(t, "TA.md5", "0"), ErrNoImage},
		"two images":         {backup(t, "a/TA.img", "1", "b/TA.img", "2"), ErrTwo},
		"too long":           {backup(t, "TA.img", zeros), ErrTooLarge},
		"a note too long":    {backup(t, "TA.md5", zeros[:70000], "TA.img", "1"), ErrTooLarge},
		"too many files":     {backup(t, many...), ErrMembers},
		"cut":                {whole[:len(whole)-10], nil},
		"cut in the image":   {whole[:len(whole)/2], nil},
		"a flip in the data": {broken, nil},
	} {
		if _, err := find(c.zip); err == nil || c.cause != nil && !errors.Is(err, c.cause) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A zip that says of its member less than it unpacks to does not get more memory.
func TestBackupThatLies(t *testing.T) {
	b := backup(t, "TA.img", strings.Repeat("\x00", 64<<20))
	// the central directory's uncompressed size is at 24 of the entry with the mark PK 1 2
	at := bytes.LastIndex(b, []byte("PK\x01\x02"))
	copy(b[at+24:], []byte{0, 0, 0x20, 0})
	if _, err := find(b); err == nil {
		t.Error("taken")
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "TA.img")
	if err := os.WriteFile(path, tatest.Sample(), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := Open(t.Context(), path, nil); err != nil || len(d.Data) != 2<<20 || len(d.Wrong) != 1 { // its record holds no SIN
		t.Errorf("%v, %v", d, err)
	}
	if _, err := Open(t.Context(), dir, nil); err == nil {
		t.Error("a folder is taken")
	}
	if _, err := Open(t.Context(), filepath.Join(dir, "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestBelongs(t *testing.T) {
	mine := Identity{Model: "D5803", Serial: "CB5A1", IMEIs: []string{"35678901234567"}}
	for name, c := range map[string]struct {
		other Identity
		want  Belonging
	}{
		"the same":                      {mine, SamePhone},
		"with the check digit":          {Identity{Serial: "CB5A1", IMEIs: []string{"356789012345678"}}, SamePhone},
		"serial alone":                  {Identity{Serial: "CB5A1"}, SamePhone},
		"one of two IMEIs":              {Identity{Serial: "CB5A1", IMEIs: []string{"00000000000000", "35678901234567"}}, SamePhone},
		"IMEI alone decides nothing":    {Identity{IMEIs: mine.IMEIs}, Undecided},
		"nothing known":                 {Identity{}, Undecided},
		"the model alone":               {Identity{Model: "D5803"}, Undecided},
		"another serial":                {Identity{Serial: "CB5A2", IMEIs: mine.IMEIs}, OtherPhone},
		"another IMEI":                  {Identity{Serial: "CB5A1", IMEIs: []string{"35678901234568"}}, OtherPhone},
		"another IMEI, serial unknown":  {Identity{IMEIs: []string{"35678901234568"}}, OtherPhone},
		"another model, serial unknown": {Identity{Model: "D6603"}, OtherPhone},
	} {
		got, reasons := Belongs(mine, c.other)
		if got != c.want || len(reasons) == 0 {
			t.Errorf("%s: %v (%v), want %v", name, got, reasons, c.want)
		}
		if back, _ := Belongs(c.other, mine); back != got {
			t.Errorf("%s: the other way round %v", name, back)
		}
		for _, r := range reasons {
			if strings.Contains(r, "CB5A") || strings.Contains(r, "356789") {
				t.Errorf("%s: a reason holds an id: %s", name, r)
			}
		}
	}
}

// A record that is not a SIN is a damaged one; none at all is missing. Neither gives an IMEI.
func TestIdentity(t *testing.T) {
	id, record := examine(t, tatest.Sample()).Identity(context.Background(), nil)
	if id.Model != "D5833" || id.Serial != "" || id.IMEIs != nil || !record.Present || record.Err == nil || record.Whole() {
		t.Errorf("%+v, %+v", id, record)
	}
	b := tatest.Build(tatest.Block(0, 2, 0, 0, tatest.NewUnit(2210, tatest.Live, "Unknown: D5803"), tatest.NewUnit(4900, tatest.Live, "CB5A1\x00")))
	id, record = examine(t, b).Identity(context.Background(), nil)
	if id.Model != "" || id.Serial != "CB5A1" || record.Present || record.Whole() {
		t.Errorf("%+v, %+v", id, record)
	}
}

func TestMarks(t *testing.T) {
	all := []byte(`OP_ID="0";OP_NAME="Customized";ROOTING_ALLOWED="1" S1_Boot S1_Loader S1_HWConf`)
	if missing := MissingMarks(all); missing != nil {
		t.Errorf("missing %v", missing)
	}
	if missing := MissingMarks(all[10:]); len(missing) != 1 || missing[0] != "OP_ID=" {
		t.Errorf("missing %v", missing)
	}
}

func FuzzFind(f *testing.F) {
	f.Add(backup(f, "TA.img", "abc", "TA.md5", "00", "TA.serial", "x"))
	f.Add(backup(f, "ta.dd", ""))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := find(b)
		if (d == nil) == (err == nil) {
			t.Fatalf("%v and %v", d, err)
		}
		if d != nil && len(d.Data) > LargeImageSize {
			t.Fatalf("%d bytes", len(d.Data))
		}
	})
}
