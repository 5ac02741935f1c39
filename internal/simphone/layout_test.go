package simphone

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"xflash/internal/simphone/mkimage"
	"xflash/sin/gpt"
)

// layoutPayload is a payload of type 0x24, sin/FORMAT.md §4.4, of one layout per
// table, all for device 0.
func layoutPayload(t testing.TB, layouts ...[]gpt.Entry) []byte {
	t.Helper()
	b := binary.LittleEndian.AppendUint32([]byte{2, 0, 1, 0}, uint32(len(layouts)))
	for _, entries := range layouts {
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(entries)))
		for _, e := range entries {
			var err error
			if b, err = mkimage.AppendEntry(b, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

func layoutFor(t testing.TB, disk int64) []gpt.Entry {
	t.Helper()
	table, err := DefaultLayout(disk)
	if err != nil {
		t.Fatal(err)
	}
	return table.Entries
}

// sgdisk verifies the disk image with a program of other people.
func sgdisk(t *testing.T, p *Phone) {
	t.Helper()
	tool, err := exec.LookPath("sgdisk")
	if err != nil {
		tool = "/usr/sbin/sgdisk"
		if _, err := os.Stat(tool); err != nil {
			t.Fatal("sgdisk is needed for this test: apt-get install gdisk")
		}
	}
	out, err := exec.Command(tool, "-v", p.EMMC()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "No problems found") {
		t.Errorf("sgdisk -v: %v\n%s", err, out)
	}
}

// internal/phone/PHONES.md §3.4: 25 partitions, in this order, sizes with a source.
func TestNewPhonesDisk(t *testing.T) {
	p := openPhone(t, Options{})
	sgdisk(t, p)
	var names []string
	table := p.disk.table()
	for _, e := range table.Entries {
		names = append(names, e.Name)
	}
	want := strings.Fields(`TA sbl1 s1sbl dbi aboot rpm tz alt_sbl1 alt_s1sbl alt_dbi alt_aboot alt_rpm alt_tz boot ramdump FOTAKernel
		DDR LTALabel modemst1 modemst2 fsg apps_log system cache userdata`)
	if !slices.Equal(names, want) {
		t.Errorf("partitions %v", names)
	}
	for label, size := range map[string]int64{
		"TA": 2 << 20, "boot": 20971520, "FOTAKernel": 16777216, "LTALabel": 16777216,
		"system": 2671771648, "cache": 209715200, "userdata": 12656311296,
	} {
		if e, _ := table.ByName(label); e.Size() != size {
			t.Errorf("%s has %d bytes, want %d", label, e.Size(), size)
		}
	}
	// sin/FORMAT.md §4.4.
	if id := guidOf(t, p, "system"); !bytes.Equal(id[:], unhex(t, "BAF7CDF9 34B8 2AA7 F1C9D6E0C0983896")) {
		t.Errorf("system has the id %v", id)
	}
	if info, err := os.Stat(p.EMMC()); err != nil || info.Size() != DiskSize {
		t.Error(info, err)
	}
}

// The file takes little space: a demo has 200 MB for everything.
func TestDiskIsSparse(t *testing.T) {
	p := openPhone(t, Options{})
	out, err := exec.Command("du", "-k", p.EMMC()).Output()
	if err != nil {
		t.Skip("no du:", err)
	}
	if kib := strings.Fields(string(out))[0]; len(kib) > 4 {
		t.Errorf("a new phone's disk takes %s KiB", kib)
	}
}

// A damaged or foreign table is repaired by a layout, the data stay, and other
// people's tools find nothing wrong.
func TestLayoutIsWritten(t *testing.T) {
	p := openPhone(t, Options{})
	data := content(t, p, "system", 0, 4096)
	f, err := os.OpenFile(p.EMMC(), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, at := range []int64{0, DiskSize - 33*512} { // both copies, or one repairs the other
		if _, err := f.WriteAt(make([]byte, 33*512), at); err != nil {
			t.Fatal(err)
		}
	}
	h := restart(t, p)
	if got := h.ask(21, 3, nil); got.flags != 0 {
		t.Error("a disk without a table tells one")
	}
	payload := layoutPayload(t, layoutFor(t, 64<<30), layoutFor(t, 8<<30), layoutFor(t, DiskSize))
	h.sendSIN(sinFile{kind: 0x24, role: "S1_SW", payload: payload}.build(t), 0x80000)
	sgdisk(t, p)
	if !bytes.Equal(content(t, p, "system", 0, 4096), data) {
		t.Error("system has changed")
	}
	if got := p.disk.table().Entries; !slices.Equal(got, layoutFor(t, DiskSize)) {
		t.Error("not the largest layout that fits")
	}
}

// sin/FORMAT.md §4.4: what matches already is not written again.
func TestSameLayoutIsLeftAlone(t *testing.T) {
	var notes []string
	p, h := openLoader(t, Options{Log: func(e Event) { notes = append(notes, e.Note) }})
	before := readAt(t, p.EMMC(), 0, 34*512)
	h.sendSIN(sinFile{kind: 0x24, role: "S1_SW", payload: layoutPayload(t, layoutFor(t, DiskSize))}.build(t), 0x80000)
	h.ok(1) // the log is complete once the next reply is here
	if !bytes.Equal(readAt(t, p.EMMC(), 0, 34*512), before) || !slices.Contains(notes, "partition layout is there already") {
		t.Errorf("written again: %q", notes)
	}
}

// usbproto/s1/PROTOCOL.md §11.14, and sin/FORMAT.md §4.4.
func TestLayoutRules(t *testing.T) {
	p, h := openLoader(t, Options{})
	good := layoutFor(t, DiskSize)
	with := func(change func(e []gpt.Entry) []gpt.Entry) []byte {
		return layoutPayload(t, change(slices.Clone(good)))
	}
	patch := func(at int, v byte) []byte {
		b := layoutPayload(t, good)
		b[at] = v
		return b
	}
	for name, test := range map[string]struct {
		payload []byte
		want    string
	}{
		"bigger disk than the phone": {layoutPayload(t, layoutFor(t, DiskSize+512)), "801C003D"},
		"no layout at all":           {layoutPayload(t), "801C003D"},
		"without the boot chain": {with(func(e []gpt.Entry) []gpt.Entry {
			return slices.DeleteFunc(e, func(e gpt.Entry) bool { return e.Name == "tz" })
		}), "801C003B"},
		"overlap":           {with(func(e []gpt.Entry) []gpt.Entry { e[3].Last = e[4].First; return e }), "801C0003"},
		"size 0":            {with(func(e []gpt.Entry) []gpt.Entry { e[3].Last = e[3].First - 1; return e }), "801C0003"},
		"the same id twice": {with(func(e []gpt.Entry) []gpt.Entry { e[3].Unique = e[4].Unique; return e }), "801C0003"},
		"first byte 1":      {patch(0, 1), "801C0003"},
		"88-byte entries":   {patch(2, 2), "801C0003"},
		"another device":    {patch(8, 1), "801C003D"},
		"short header":      {[]byte{2, 0, 1}, "801C0003"},
		"entries cut off":   {layoutPayload(t, good)[:500], "801C0003"},
		"too much":          {make([]byte, 1<<20+1), "80090004"},
	} {
		t.Run(name, func(t *testing.T) {
			before := readAt(t, p.EMMC(), 0, 34*512)
			file := sinFile{kind: 0x24, role: "S1_SW", payload: test.payload}.build(t)
			got := h.trySIN(file, 0x80000)
			if _, got, _ = strings.Cut(got, ": "); got != "MINOR 0017 "+test.want {
				t.Errorf("got %q, want %s", got, test.want)
			}
			if !bytes.Equal(readAt(t, p.EMMC(), 0, 34*512), before) {
				t.Error("the table was written")
			}
		})
	}
}

func TestDisksOfOtherSizes(t *testing.T) {
	p := openPhone(t, Options{Disk: 4 << 30})
	sgdisk(t, p)
	p = openPhone(t, Options{Disk: 32 << 30})
	sgdisk(t, p)
	if _, err := Open(Options{Disk: 1 << 30, Dir: t.TempDir()}); err == nil {
		t.Error("a disk of 1 GiB was made")
	}
}

func readAt(t testing.TB, name string, off int64, n int) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	return b
}
