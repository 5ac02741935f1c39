package bootimg_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/samples"
	"xflash/internal/simphone/mkimage"
)

const banner34 = "Linux version 3.4.0-lineage (build@host) (gcc version 4.9) #1 SMP PREEMPT Sat Oct 5 2019"

// kernel34 is like those of shinano: a configuration with some ramdisk formats (FORMAT.md §4.1).
func kernel34() []byte {
	return mkimage.Kernel{Banner: banner34, Config: "CONFIG_ARM=y\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\nCONFIG_RD_LZMA=y\n" +
		"# CONFIG_RD_XZ is not set\nCONFIG_LOCALVERSION=\"-lineage\"\n"}.Bytes()
}

// packXZ packs as kernels are: with a BCJ filter and a large dictionary, by the xz program.
func packXZ(t *testing.T, data []byte) []byte {
	t.Helper()
	return packWith(t, data, "xz", "-c", "--check=crc32", "--arm", "--lzma2=dict=32MiB")
}

// packWith packs with a program that packs stdin.
func packWith(t *testing.T, data []byte, program string, args ...string) []byte {
	t.Helper()
	run(t, program, "--version")
	cmd := exec.Command(program, args...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func aries() []byte {
	return mkimage.SplitDTB("SoMC Aries ROW", "somc,aries-row", mkimage.AriesChips, mkimage.AriesBoard)
}

// TestPayload finds the kernel in zImages of every format, also after
// magics that are none, and reads what it tells.
func TestPayload(t *testing.T) {
	raw := kernel34()
	decoys := string(mkimage.Pack([]byte("a short stream"), unpack.Gzip)) + "\x1f\x8b\x08\x00 no stream \x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff \x02\x21\x4c\x18" +
		string(mkimage.Pack(make([]byte, 2<<20), unpack.Gzip)) // large enough, but without a banner
	for _, f := range []unpack.Format{unpack.Gzip, unpack.LZMA, unpack.XZ, unpack.LZ4Legacy, unpack.Zstd, unpack.Bzip2} {
		var packed []byte
		switch f {
		case unpack.XZ:
			packed = packXZ(t, raw)
		case unpack.Bzip2:
			packed = packWith(t, raw, "bzip2", "-c")
		default:
			packed = mkimage.Pack(raw, f)
		}
		z := mkimage.ZImage(packed, f, len(raw))
		copy(z[0x100:], decoys)
		k := bootimg.ParseKernel(z)
		if k.Kind != bootimg.KernelZImage || k.Bare != len(z) || k.End != uint32(len(z)) || k.Trees != nil || k.Stray != nil {
			t.Errorf("%v: %v of %d bytes", f, k.Kind, k.Bare)
		}
		p, err := k.Payload()
		if err != nil {
			t.Errorf("%v: %v", f, err)
			continue
		}
		if p.Format != f || p.Offset != 0x3619 || p.Size != int64(len(raw)) || p.Banner != banner34 {
			t.Errorf("%v: %v at %#x, %d bytes, %q", f, p.Format, p.Offset, p.Size, p.Banner)
		}
		if v, ok := p.Version(); !ok || v != [3]int{3, 4, 0} {
			t.Errorf("%v: version %v", f, v)
		}
		if p.Config.Value("LOCALVERSION") != `"-lineage"` || p.Config.Value("RD_XZ") != "" || !strings.Contains(p.Config.Text, "# CONFIG_RD_XZ") {
			t.Errorf("%v: the configuration is %q", f, p.Config.Text)
		}
	}
}

// TestSampleKernel: known answers of a real kernel (FORMAT.md §6.2, §6.4).
func TestSampleKernel(t *testing.T) {
	m, err := bootimg.Parse(samples.Read(t, "boot-v0-x10.img"))
	if err != nil {
		t.Fatal(err)
	}
	k := bootimg.ParseKernel(m.Kernel)
	p, err := k.Payload()
	if err != nil {
		t.Fatal(err)
	}
	if k.Kind != bootimg.KernelZImage || p.Format != unpack.Gzip || p.Offset != 0x3619 || len(p.Config.Text) != 49128 {
		t.Errorf("%v, %v at %#x, configuration of %d bytes", k.Kind, p.Format, p.Offset, len(p.Config.Text))
	}
	if v, ok := p.Version(); !ok || v != [3]int{2, 6, 29} {
		t.Errorf("version %v of %q", v, p.Banner)
	}
	if got := p.Supports(unpack.Gzip); !got.Known || !got.Yes { // older than the CONFIG_RD_ options
		t.Errorf("gzip: %+v", got)
	}
	if got := p.Supports(unpack.LZMA); !got.Known || got.Yes {
		t.Errorf("lzma: %+v", got)
	}
	r, err := bootimg.ParseRamdisk(m.Ramdisk)
	if err != nil || r.Format != unpack.Gzip || !r.CPIO || !r.Init || r.Files != 20 || !slices.Contains(r.Names, "init.es209ra.rc") {
		t.Errorf("the ramdisk: %+v, %v", r, err)
	}
}

func TestSupports(t *testing.T) {
	config := "CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\nCONFIG_RD_LZMA=y\nCONFIG_RD_XZ=m\n"
	for name, c := range map[string]struct {
		kernel mkimage.Kernel
		want   map[unpack.Format]bootimg.Support
	}{
		"configuration": {mkimage.Kernel{Banner: banner34, Config: config, Texts: []string{"XZ-compressed data is corrupt"}}, map[unpack.Format]bootimg.Support{
			unpack.None: {Known: true, Yes: true, From: "format"}, unpack.LZ4Frame: {Known: true, From: "format"},
			unpack.Gzip: {Known: true, Yes: true, From: "configuration"}, unpack.LZMA: {Known: true, Yes: true, From: "configuration"},
			unpack.XZ: {Known: true, From: "configuration"}, unpack.LZ4Legacy: {Known: true, From: "configuration"}}},
		"no ramdisks at all": {mkimage.Kernel{Banner: banner34, Config: "CONFIG_RD_GZIP=y\n"}, map[unpack.Format]bootimg.Support{
			unpack.Gzip: {Known: true, From: "configuration"}}},
		"messages": {mkimage.Kernel{Banner: banner34, Texts: []string{"Not a gzip file", "LZMA data is corrupt"}}, map[unpack.Format]bootimg.Support{
			unpack.Gzip: {Known: true, Yes: true, From: "messages"}, unpack.LZMA: {Known: true, Yes: true, From: "messages"},
			unpack.Bzip2: {Known: true, From: "messages"}, unpack.XZ: {Known: true, From: "messages"}}},
		"age": {mkimage.Kernel{Banner: banner34}, map[unpack.Format]bootimg.Support{
			unpack.LZ4Legacy: {Known: true, From: "version"}, unpack.Zstd: {Known: true, From: "version"}, unpack.XZ: {}, unpack.Gzip: {}}},
		"age of 5.9": {mkimage.Kernel{Banner: "Linux version 5.9.0 (x)"}, map[unpack.Format]bootimg.Support{unpack.Zstd: {}, unpack.LZ4Legacy: {}}},
		"age of 2.6.37": {mkimage.Kernel{Banner: "Linux version 2.6.37 (x)"}, map[unpack.Format]bootimg.Support{
			unpack.XZ: {Known: true, From: "version"}, unpack.LZO: {}}},
	} {
		p, err := bootimg.ParseKernel(mkimage.ZImage(mkimage.Pack(c.kernel.Bytes(), unpack.Gzip), unpack.Gzip, 0)).Payload()
		if err != nil {
			t.Fatal(name, err)
		}
		for f, want := range c.want {
			if got := p.Supports(f); got != want {
				t.Errorf("%s, %v: %+v, want %+v", name, f, got, want)
			}
		}
	}
}

// TestPayloadTrouble: a damaged kernel, one of a format that is only named, and none.
func TestPayloadTrouble(t *testing.T) {
	raw := kernel34()
	packed := mkimage.Pack(raw, unpack.Gzip)
	bad := mkimage.ZImage(packed, unpack.Gzip, 0)
	bad[0x3619+len(packed)-6] ^= 0x55 // in the checksum
	p, err := bootimg.ParseKernel(bad).Payload()
	var u *unpack.Error
	if !errors.As(err, &u) || p == nil || p.Format != unpack.Gzip || p.Banner != banner34 {
		t.Errorf("damaged after the banner: %+v, %v", p, err)
	}
	// A container of lzop with a filter, which nobody uses.
	filtered := append([]byte{0x10, 0x30, 0x20, 0xA0, 0x09, 0x40, 1, 5, 0, 0, 0x08, 0}, make([]byte, 4+12+1)...)
	filtered = binary.BigEndian.AppendUint32(append([]byte("\x89LZO\x00\r\n\x1a\n"), filtered...), adler32.Checksum(filtered))
	p, err = bootimg.ParseKernel(mkimage.ZImage(filtered, unpack.LZO, 0)).Payload()
	if !errors.Is(err, unpack.ErrUnsupported) || p == nil || p.Format != unpack.LZO || p.Offset != 0x3619 {
		t.Errorf("LZO with a filter: %+v, %v", p, err)
	}
	early := mkimage.ZImage(bytes.Clone(packed), unpack.Gzip, 0)
	early[0x3619+200] ^= 0x55
	p, err = bootimg.ParseKernel(early).Payload()
	if !errors.Is(err, unpack.ErrCorrupt) || p == nil || p.Format != unpack.Gzip {
		t.Errorf("damaged near its start: %+v, %v", p, err)
	}
	p, err = bootimg.ParseKernel(mkimage.ZImage(mkimage.Code(5000), unpack.Gzip, 0)).Payload()
	wantError(t, "no kernel", err, bootimg.ErrMalformed, "no compressed kernel")
	if p != nil {
		t.Errorf("no kernel: %+v", p)
	}
	p, err = bootimg.ParseKernel(mkimage.Pack(nil, unpack.Gzip)).Payload()
	if wantError(t, "an empty stream", err, bootimg.ErrMalformed, "stream is empty"); p != nil {
		t.Errorf("an empty stream: %+v", p)
	}
	if p, err := bootimg.ParseKernel(raw).Payload(); err != nil || p.Format != unpack.None || p.Banner != banner34 {
		t.Errorf("a kernel as it is: %+v, %v", p, err)
	}
}

// TestPayloadSeams moves the texts over the seams of the search.
func TestPayloadSeams(t *testing.T) {
	for shift := range 40 {
		raw := mkimage.Kernel{Banner: banner34, Config: "CONFIG_X=y\n", Texts: []string{"LZMA data is corrupt"}, Size: 131072 - 26 - 4*shift}.Bytes()
		p, err := bootimg.ParseKernel(raw).Payload()
		if err != nil || p.Banner != banner34 || p.Config.Value("X") != "y" {
			t.Fatalf("shift %d: %q, %q, %v", shift, p.Banner, p.Config.Text, err)
		}
	}
}

// TestPayloadBombs: a zImage made of bombs ends, and takes no memory.
func TestPayloadBombs(t *testing.T) {
	bomb := mkimage.Pack(make([]byte, 65<<20), unpack.LZ4Legacy) // above MaxKernel
	z := mkimage.ZImage(bytes.Repeat(bomb, 10), unpack.LZ4Legacy, 0)
	var err error
	if spent := allocated(func() { _, err = bootimg.ParseKernel(z).Payload() }); spent > 100<<20 { // of the 256 MiB that come out; each attempt has a block of 8 MiB
		t.Errorf("%d bytes allocated", spent)
	}
	if !errors.Is(err, unpack.ErrLimit) {
		t.Errorf("got %v", err)
	}
}

func TestAppendedTrees(t *testing.T) {
	zImage := mkimage.ZImage(mkimage.Pack(kernel34(), unpack.Gzip), unpack.Gzip, 0)
	one, two := aries(), mkimage.PlainDTB("second", "c")
	one = append(one, 0) // an odd length, so that the second is not aligned
	binary.BigEndian.PutUint32(one[4:], uint32(len(one)))
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, c := range map[string]struct {
		data         []byte
		trees, stray []int // offsets after the kernel
	}{
		"none":                {zImage, nil, nil},
		"one":                 {join(zImage, one), []int{0}, nil},
		"two":                 {join(zImage, one, two), []int{0, len(one)}, nil},
		"two and a rest":      {join(zImage, one, two, []byte("\xd0\x0d\xfe\xed rest")), []int{0, len(one)}, nil},
		"second cut":          {join(zImage, one, two[:len(two)-1]), []int{0}, nil},
		"not at the end":      {join(zImage, make([]byte, 5), one, two), nil, []int{5, 5 + len(one)}},
		"magic without tree":  {join(zImage, []byte("\xd0\x0d\xfe\xed"), make([]byte, 60), one), nil, []int{64}},
		"total of 0x7fffffff": {join(zImage, be(one, 4, 0x7fffffff)), nil, nil},
	} {
		k := bootimg.ParseKernel(c.data)
		offsets := func(trees []bootimg.AppendedTree) (at []int) {
			for _, tree := range trees {
				at = append(at, tree.Offset-len(zImage))
			}
			return at
		}
		if k.Bare != len(zImage) || !slices.Equal(offsets(k.Trees), c.trees) || !slices.Equal(offsets(k.Stray), c.stray) {
			t.Errorf("%s: %d bytes, trees at %v, strays at %v", name, k.Bare, offsets(k.Trees), offsets(k.Stray))
		}
		if len(k.Trees) > 0 && !bytes.Equal(k.Trees[0].Data, one) {
			t.Errorf("%s: the tree is another one", name)
		}
	}
	// An end word that points nowhere: all there is is searched.
	k := bootimg.ParseKernel(put32(join(zImage, one), 0x2c, 0xFFFFFFF0))
	if k.Trees != nil || len(k.Stray) != 1 || k.Stray[0].Offset != len(zImage) {
		t.Errorf("a wrong end: %d trees, %d strays", len(k.Trees), len(k.Stray))
	}
}

func TestKernelKinds(t *testing.T) {
	tree := mkimage.PlainDTB("m", "c")
	arm64 := kernel34()
	copy(arm64[0x38:], "ARM\x64")
	for name, c := range map[string]struct {
		data   []byte
		kind   bootimg.KernelKind
		format unpack.Format
		bare   int
		trees  int
	}{
		"nothing":             {nil, bootimg.KernelUnknown, unpack.None, 0, 0},
		"arm64":               {arm64, bootimg.KernelARM64, unpack.None, len(arm64), 0},
		"arm64 with a tree":   {append(bytes.Clone(arm64), tree...), bootimg.KernelARM64, unpack.None, len(arm64), 1},
		"uImage":              {append([]byte("\x27\x05\x19\x56"), make([]byte, 100)...), bootimg.KernelUImage, unpack.None, 104, 0},
		"ELF":                 {append([]byte("\x7fELF"), make([]byte, 100)...), bootimg.KernelELF, unpack.None, 104, 0},
		"Image.gz-dtb":        {append(mkimage.Pack(arm64, unpack.Gzip), tree...), bootimg.KernelCompressed, unpack.Gzip, len(mkimage.Pack(arm64, unpack.Gzip)), 1},
		"Image.lz4-dtb":       {append(mkimage.Pack(arm64, unpack.LZ4Legacy), tree...), bootimg.KernelCompressed, unpack.LZ4Legacy, len(mkimage.Pack(arm64, unpack.LZ4Legacy)), 1},
		"LZO, cut":            {[]byte("\x89LZO\x00\r\n\x1a\n and so on"), bootimg.KernelCompressed, unpack.LZO, 19, 0},
		"something of 64 bit": {make([]byte, 64), bootimg.KernelUnknown, unpack.None, 64, 0},
	} {
		k := bootimg.ParseKernel(c.data)
		if k.Kind != c.kind || k.Format != c.format || k.Bare != c.bare || len(k.Trees) != c.trees {
			t.Errorf("%s: %v, %v, %d bytes, %d trees", name, k.Kind, k.Format, k.Bare, len(k.Trees))
		}
		if c.kind == bootimg.KernelARM64 || c.format == unpack.Gzip || c.format == unpack.LZ4Legacy {
			if p, err := k.Payload(); err != nil || p.Banner != banner34 || p.Size != int64(len(arm64)) {
				t.Errorf("%s: the payload is %+v, %v", name, p, err)
			}
		}
	}
}

// TestLZOKernel: the kernels of Sony's own builds are packed by lzop; Debian's one packs this.
func TestLZOKernel(t *testing.T) {
	raw := kernel34()
	packed := lzop(t, raw)
	z := mkimage.ZImage(packed, unpack.LZO, len(raw))
	tree := mkimage.OnePieceDTB("SoMC Aries ROW", "somc,aries-row", 194, 8, 0x10000)
	k := bootimg.ParseKernel(append(z, tree...))
	p, err := k.Payload()
	if err != nil || p.Format != unpack.LZO || p.Size != int64(len(raw)) || p.Banner != banner34 || p.Config.Empty() || len(k.Trees) != 1 {
		t.Errorf("%+v, %d trees, %v", p, len(k.Trees), err)
	}
	for name, at := range map[string]int{"first block": 300, "last block": len(packed) - 400} {
		bad := bytes.Clone(z)
		bad[0x3619+at] ^= 0x55
		if p, err := bootimg.ParseKernel(bad).Payload(); !errors.Is(err, unpack.ErrCorrupt) || p == nil || p.Format != unpack.LZO {
			t.Errorf("damaged in its %s: %+v, %v", name, p, err)
		}
	}
}

func lzop(t *testing.T, data []byte) []byte {
	t.Helper()
	cmd := exec.Command("lzop", "-c", "-9")
	cmd.Stdin = bytes.NewReader(data)
	packed, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("lzop is not installed (Debian package lzop)")
	}
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// TestPackedAsLZO: what mkimage packs, Debian's lzop unpacks, and so do we.
func TestPackedAsLZO(t *testing.T) {
	noise := make([]byte, 70<<10)
	for i := range noise {
		noise[i] = byte(i * i >> 7)
	}
	for name, data := range map[string][]byte{"kernel": kernel34(), "bytes": []byte("abc"), "text": bytes.Repeat([]byte("one two three four "), 9000), "noise": noise} {
		packed := mkimage.Pack(data, unpack.LZO)
		if got, used, err := unpack.First(packed, unpack.LZO, 64<<20); err != nil || used != len(packed) || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		cmd := exec.Command("lzop", "-d", "-c")
		cmd.Stdin = bytes.NewReader(packed)
		got, err := cmd.Output()
		if errors.Is(err, exec.ErrNotFound) {
			t.Skip("lzop is not installed (Debian package lzop)")
		}
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s, by lzop: %d bytes of %d, %v", name, len(got), len(data), err)
		}
	}
}
