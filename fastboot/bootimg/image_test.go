package bootimg_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/internal/samples"
)

// TestSampleX10 compares with the known facts about a real Sony Ericsson image (its header as abootimg prints it).
func TestSampleX10(t *testing.T) {
	b := samples.Read(t, "boot-v0-x10.img")
	m, err := bootimg.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(m.Version, m.PageSize, len(m.Kernel), len(m.Ramdisk), len(m.Second), len(m.DT), len(m.Trailing), m.Need)
	if want := "0 2048 2422748 216385 0 0 0 2641920"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if m.KernelAddr != 0x20008000 || m.RamdiskAddr != 0x21000000 || m.TagsAddr != 0x20000100 || m.Name != "" {
		t.Errorf("addresses %#x %#x %#x, name %q", m.KernelAddr, m.RamdiskAddr, m.TagsAddr, m.Name)
	}
	if !strings.HasPrefix(m.Cmdline, "androidboot.hardware=es209ra ") || !strings.HasSuffix(m.Cmdline, ".000008A2=583130") {
		t.Errorf("command line %q", m.Cmdline)
	}
	if m.CheckID() != bootimg.IDRight {
		t.Errorf("the id is not right: %v", m.CheckID())
	}
	rebuild(t, m, b)
}

// TestSampleLK2nd: a real image with a version 3 table and a mark of Samsung after it.
func TestSampleLK2nd(t *testing.T) {
	b := samples.Read(t, "boot-v0-qcdt-v3-lk2nd-msm8916.img")
	m, err := bootimg.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if m.Version != 0 || len(m.Kernel) != 0x4b4d0 || len(m.Ramdisk) != 0 || len(m.DT) != 0x19000 || m.TagsAddr != 0x81e00000 {
		t.Errorf("version %d, kernel %#x, ramdisk %#x, table %#x", m.Version, len(m.Kernel), len(m.Ramdisk), len(m.DT))
	}
	if string(m.Trailing) != "SEANDROIDENFORCE" || m.Need != int64(len(b))-16 {
		t.Errorf("trailing %q, needs %d of %d", m.Trailing, m.Need, len(b))
	}
	if m.Cmdline != "lk2nd" || m.CheckID() != bootimg.IDOther {
		t.Errorf("command line %q, id %v", m.Cmdline, m.CheckID())
	}
	rebuild(t, m, b)
}

func rebuild(t *testing.T, m *bootimg.Image, want []byte) {
	t.Helper()
	got, err := m.Build()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("built again it has %d bytes and differs from the %d it came from", len(got), len(want))
	}
}

// images are one of each version, with everything that it can have.
func images() []*bootimg.Image {
	v0 := bootimg.Image{PageSize: 2048, KernelAddr: 0x8000, RamdiskAddr: 0x02000000, SecondAddr: 0xf00000, TagsAddr: 0x01e00000,
		OSVersion: bootimg.NewOSVersion(8, 1, 0, 2018, 5), Name: "shinano", Cmdline: "androidboot.hardware=qcom",
		Kernel: pattern(5000, 1), Ramdisk: pattern(2048, 2), Second: pattern(1, 3)}
	v0.ID = v0.ComputeID()
	dt := v0
	dt.DT, dt.Name, dt.Cmdline = pattern(6000, 4), "sixteen bytes !!", strings.Repeat("word ", 300)
	v1 := v0
	v1.Version, v1.PageSize, v1.RecoveryDTBO, v1.HeaderSize = 1, 4096, pattern(300, 5), 1648
	v2 := v1
	v2.Version, v2.PageSize, v2.DTB, v2.DTBAddr, v2.HeaderSize = 2, 16384, pattern(9000, 6), 0x1_01f00000, 1660
	v3 := bootimg.Image{Version: 3, PageSize: 4096, HeaderSize: 1580, OSVersion: v0.OSVersion, Cmdline: strings.Repeat("x", 1535),
		Kernel: pattern(4096, 1), Ramdisk: pattern(4097, 2)}
	v4 := v3
	v4.Version, v4.HeaderSize, v4.Signature, v4.Kernel = 4, 1584, pattern(4096, 7), nil // an init_boot image
	out := []*bootimg.Image{&v0, &dt, &v1, &v2, &v3, &v4}
	for _, m := range out {
		m.Trailing = []byte("rest")
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	for _, want := range images() {
		b, err := want.Build()
		if err != nil {
			t.Fatal(err)
		}
		got, err := bootimg.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if got.Need != int64(len(b)-len(want.Trailing)) {
			t.Errorf("version %d needs %d of %d", got.Version, got.Need, len(b))
		}
		rebuild(t, got, b)
		if g, w := fields(got), fields(want); g != w {
			t.Errorf("version %d: got\n%s\nwant\n%s", want.Version, g, w)
		}
	}
}

// fields writes down the exported fields but Need, empty sections alike.
func fields(m *bootimg.Image) string {
	var b strings.Builder
	v := reflect.ValueOf(*m)
	for i := range v.NumField() {
		f, value := v.Type().Field(i), v.Field(i)
		switch {
		case !f.IsExported() || f.Name == "Need":
		case value.Kind() == reflect.Slice:
			fmt.Fprintf(&b, "%s: %d bytes, %x\n", f.Name, value.Len(), sha256.Sum256(value.Bytes()))
		default:
			fmt.Fprintf(&b, "%s: %#v\n", f.Name, value.Interface())
		}
	}
	return b.String()
}

// TestUnknownHeaderBytes: what no field speaks of survives a change of one that is known.
func TestUnknownHeaderBytes(t *testing.T) {
	b, err := images()[0].Build()
	if err != nil {
		t.Fatal(err)
	}
	b[2040], b[64+400] = 0xAA, 0xBB // after the header, and after the command line's end
	m, err := bootimg.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	rebuild(t, m, b)
	m.TagsAddr = 0x100
	rebuild(t, m, put32(b, 32, 0x100))
	m.Cmdline = "other"
	changed, err := m.Build()
	if err != nil || string(changed[64:70]) != "other\x00" || changed[64+400] != 0 || changed[2040] != 0xAA {
		t.Errorf("a new command line: % x, %v", changed[64:80], err)
	}
}

// TestWord40 is the table of FORMAT.md §1.3.
func TestWord40(t *testing.T) {
	blank := put32(append([]byte("ANDROID!"), make([]byte, 3*16384)...), 36, 2048)
	for _, c := range []struct {
		word, at1644, at20 uint32
		version            int
		dt                 int // length of the table
	}{
		{0, 0, 0, 0, 0},
		{1, 1648, 0, 1, 0},
		{2, 1660, 0, 2, 0},
		{3, 0, 1580, 3, 0},
		{3, 0, 1596, 3, 0}, // as mkbootimg of Android 10 writes it
		{4, 0, 1584, 4, 0},
		{1, 1660, 0, 0, 1}, // the size of the other version: no version at all
		{2, 0, 0, 0, 2},
		{3, 0, 0, 0, 3},
		{4, 0, 1580, 0, 4},
		{6000, 1648, 1580, 0, 6000},
	} {
		b := put32(put32(put32(blank, 40, c.word), 1644, c.at1644), 20, c.at20)
		m, err := bootimg.Parse(b)
		if err != nil || m.Version != c.version || len(m.DT) != c.dt {
			t.Errorf("%+v: version %d, table of %d, %v", c, m.Version, len(m.DT), err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good, err := images()[1].Build()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b      []byte
		reason error
		text   string
	}{
		"empty":         {nil, bootimg.ErrWrongKind, ""},
		"other magic":   {[]byte("VNDRBOOT and more"), bootimg.ErrWrongKind, "56 4e"},
		"header cut":    {good[:1631], bootimg.ErrTruncated, "0x65f"},
		"page cut":      {good[:2047], bootimg.ErrTruncated, "header page"},
		"page 0":        {put32(good, 36, 0), bootimg.ErrMalformed, "page size 0"},
		"page 1":        {put32(good, 36, 1), bootimg.ErrMalformed, "page size 1 "},
		"page 3":        {put32(good, 36, 3), bootimg.ErrMalformed, ""},
		"page 256":      {put32(good, 36, 1<<8), bootimg.ErrMalformed, ""},
		"page 3072":     {put32(good, 36, 3072), bootimg.ErrMalformed, ""},
		"page 131072":   {put32(good, 36, 1<<17), bootimg.ErrMalformed, ""},
		"page 16384":    {put32(good[:16383], 36, 16384), bootimg.ErrTruncated, "header page"},
		"kernel cut":    {good[:4000], bootimg.ErrTruncated, "kernel of 5000"},
		"kernel huge":   {put32(good, 8, 0xFFFFFFFF), bootimg.ErrTruncated, "kernel of 4294967295"},
		"ramdisk huge":  {put32(good, 16, 0xFFFFF800), bootimg.ErrTruncated, "ramdisk"},
		"table huge":    {put32(good, 40, 0xFFFFFFFF), bootimg.ErrTruncated, "device tree table"},
		"all huge":      {put32(put32(put32(put32(good, 8, 0xFFFFFFFF), 16, 0xFFFFFFFF), 24, 0xFFFFFFFF), 40, 0xFFFFFFFF), bootimg.ErrTruncated, "kernel"},
		"one byte less": {good[:2048+6144+2048+2048+6000-1], bootimg.ErrTruncated, "device tree table"},
	} {
		_, err := bootimg.Parse(c.b)
		wantError(t, name, err, c.reason, c.text)
	}
}

// TestCut: a cut image is returned with the error, so that the caller can say what is missing.
func TestCut(t *testing.T) {
	m := images()[1] // header, kernel 5000, ramdisk 2048, second 1, table 6000
	m.Trailing = nil
	b, err := m.Build()
	if err != nil {
		t.Fatal(err)
	}
	cut, err := bootimg.Parse(b[:2048+6144+100])
	wantError(t, "cut in the ramdisk", err, bootimg.ErrTruncated, "the ramdisk of 2048 bytes starts at 0x2000 and would end at 0x2800")
	if len(cut.Kernel) != 5000 || len(cut.Ramdisk) != 100 || len(cut.Second) != 0 || len(cut.DT) != 0 || cut.Need != int64(len(b)) {
		t.Errorf("sections of %d, %d, %d, %d bytes, needs %d of %d", len(cut.Kernel), len(cut.Ramdisk), len(cut.Second), len(cut.DT), cut.Need, len(b))
	}
	whole, err := bootimg.Parse(b[:2048+6144+2048+2048+6000]) // only the filling of the last page is missing
	if err != nil || len(whole.DT) != 6000 || whole.Need != int64(len(b)) || len(whole.Trailing) != 0 {
		t.Errorf("without the last filling: %v", err)
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, change := range map[string]func(m *bootimg.Image){
		"version 5":            func(m *bootimg.Image) { m.Version = 5 },
		"page 1024":            func(m *bootimg.Image) { m.PageSize = 1024 },
		"page of a v3":         func(m *bootimg.Image) { m.Version, m.Second = 3, nil },
		"second stage in a v4": func(m *bootimg.Image) { m.Version, m.PageSize = 4, 4096 },
		"table in a v1":        func(m *bootimg.Image) { m.Version, m.DT = 1, []byte{1} },
		"dtb in a v1":          func(m *bootimg.Image) { m.Version, m.DTB = 1, []byte{1} },
		"signature in a v0":    func(m *bootimg.Image) { m.Signature = []byte{1} },
		"long command line":    func(m *bootimg.Image) { m.Cmdline = strings.Repeat("x", 1535) },
		"long name":            func(m *bootimg.Image) { m.Name = strings.Repeat("x", 17) },
	} {
		m := images()[0]
		change(m)
		if b, err := m.Build(); err == nil {
			t.Errorf("%s: %d bytes and no error", name, len(b))
		}
	}
	m := images()[0]
	m.Cmdline = strings.Repeat("x", 1534) // 511 + 1023, a NUL after each
	b, err := m.Build()
	if err != nil || b[64+511] != 0 || b[608+1023] != 0 || b[608+1022] != 'x' {
		t.Errorf("the longest command line: %v", err)
	}
}

func TestIDStates(t *testing.T) {
	m := images()[1]
	if m.CheckID() != bootimg.IDWithoutDT { // its id was made before the table was added
		t.Errorf("got %v", m.CheckID())
	}
	m.ID = m.ComputeID()
	if m.CheckID() != bootimg.IDRight {
		t.Errorf("got %v", m.CheckID())
	}
	m.ID[3]++
	if m.CheckID() != bootimg.IDOther {
		t.Errorf("got %v", m.CheckID())
	}
	m.ID = [32]byte{}
	if m.CheckID() != bootimg.IDNone {
		t.Errorf("got %v", m.CheckID())
	}
}

// TestOSVersion takes the packing from FORMAT.md §1.4, written as bits.
func TestOSVersion(t *testing.T) {
	const packed = 0b0001000_0000001_0000000_0010010_0101 // 8.1.0, 18 years after 2000, May
	v := bootimg.NewOSVersion(8, 1, 0, 2018, 5)
	if v != packed || v.String() != "8.1.0, patch level 2018-05" {
		t.Errorf("%#x %q", uint32(v), v)
	}
	if got := bootimg.OSVersion(0).String(); got != "" {
		t.Errorf("not set: %q", got)
	}
	if got := bootimg.OSVersion(11 << 25).String(); got != "11.0.0" {
		t.Errorf("without a patch level: %q", got)
	}
}

func TestAVBFooter(t *testing.T) {
	m := images()[0]
	f := []byte("AVBf")
	for _, v := range []uint32{1, 0} {
		f = binary.BigEndian.AppendUint32(f, v)
	}
	for _, v := range []uint64{12345, 16384, 4096} {
		f = binary.BigEndian.AppendUint64(f, v)
	}
	m.Trailing = append(make([]byte, 5000), append(f, make([]byte, 64-len(f))...)...)
	b, err := m.Build()
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := bootimg.FindAVBFooter(b); !ok || got != (bootimg.AVBFooter{OriginalSize: 12345, VBMetaOffset: 16384, VBMetaSize: 4096}) {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, other := range [][]byte{nil, b[:len(b)-1], bytes.Repeat([]byte("AVBf"), 15)} {
		if _, ok := bootimg.FindAVBFooter(other); ok {
			t.Errorf("a footer in %d bytes", len(other))
		}
	}
}
