package mkimage

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"math/rand/v2"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
)

// Kernel describes a small unpacked kernel that has everything by which real ones are recognised.
type Kernel struct {
	Banner string   // with "Linux version " at its beginning
	Config string   // text of the embedded configuration, none when empty
	Texts  []string // other strings in it, such as messages of decompressors
	Size   int      // bytes, 0 means a little more than a kernel must have to be one
}

// Bytes makes the kernel: code, and the texts in the middle of it.
func (k Kernel) Bytes() []byte {
	if k.Size == 0 {
		k.Size = 1<<20 + 4096
	}
	code := Code(k.Size)
	at := k.Size/2 + 13
	put := func(text string) { at += copy(code[at:], text) }
	put("\x00" + k.Banner + "\n\x00")
	for _, text := range k.Texts {
		put(text + "\x00")
	}
	if k.Config != "" {
		put("IKCFG_ST" + string(Pack([]byte(k.Config), unpack.Gzip)) + "IKCFG_ED")
	}
	return code
}

// Code is n bytes that look like instructions of ARM. They repeat, so that packing them takes no time.
func Code(n int) []byte {
	r := rand.New(rand.NewPCG(32, 32))
	var block []byte
	for len(block) < 8<<10 {
		block = binary.LittleEndian.AppendUint32(block, 0xE0000000|r.Uint32N(1<<12)<<12|r.Uint32N(8))
	}
	return bytes.Repeat(block, n/len(block)+1)[:n]
}

// ZImage wraps a packed kernel as the kernel's build does: code that unpacks it,
// the packed kernel, and, for all formats but gzip, the unpacked size after it
// (fastboot/bootimg/FORMAT.md §6.2).
func ZImage(packed []byte, f unpack.Format, size int) []byte {
	stub := Code(0x3619)
	b := append(stub, packed...)
	if f != unpack.Gzip {
		b = binary.LittleEndian.AppendUint32(b, uint32(size))
	}
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	binary.LittleEndian.PutUint32(b[0x24:], 0x016f2818)
	binary.LittleEndian.PutUint32(b[0x28:], 0)
	binary.LittleEndian.PutUint32(b[0x2c:], uint32(len(b)))
	return b
}

// Pack compresses with the formats that can be written here; None leaves data alone.
func Pack(data []byte, f unpack.Format) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch f {
	case unpack.None:
		return data
	case unpack.LZO:
		return lzop(data)
	case unpack.Gzip:
		w = gzip.NewWriter(&b)
	case unpack.XZ:
		w, err = xz.WriterConfig{DictCap: 1 << 20, CheckSum: xz.CRC32}.NewWriter(&b)
	case unpack.LZMA:
		w, err = lzma.WriterConfig{DictCap: 1 << 20, EOSMarker: true}.NewWriter(&b)
	case unpack.LZ4Legacy, unpack.LZ4Frame:
		z := lz4.NewWriter(&b)
		w, err = z, z.Apply(lz4.LegacyOption(f == unpack.LZ4Legacy))
	case unpack.Zstd:
		w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	default:
		panic("mkimage: cannot write " + f.String())
	}
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // writing to memory does not fail
	}
	return b.Bytes()
}

// Ramdisk is a cpio archive with an /init and the named files.
func Ramdisk(names ...string) []byte {
	var b bytes.Buffer
	w := NewCPIOWriter(&b)
	for _, name := range append([]string{"init"}, names...) {
		w.Add(name, 0o100750, []byte("#!/bin/sh\n# "+name+"\n")) // the first error stays until Close
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// SplitDTB is a device tree with ids in the split form, as CM's kernels have
// them: pairs of chip and revision, and pairs of board and subtype (fastboot/bootimg/FORMAT.md
// §2.2).
func SplitDTB(model, compatible string, chips, boards []uint32) []byte {
	return dtb(model, compatible, Words("qcom,msm-id", chips...), Words("qcom,board-id", boards...))
}

// OnePieceDTB is one with triples of chip, board and revision, as Sony's later kernels have them.
func OnePieceDTB(model, compatible string, triples ...uint32) []byte {
	return dtb(model, compatible, Words("qcom,msm-id", triples...))
}

// PlainDTB is one without Qualcomm's ids, as mainline kernels have them.
func PlainDTB(model, compatible string) []byte { return dtb(model, compatible) }

func dtb(model, compatible string, ids ...bootimg.Property) []byte {
	root := Node{
		Props: append([]bootimg.Property{Text("model", model), Text("compatible", compatible, "qcom,msm8974")}, ids...),
		Children: []Node{
			{Name: "chosen"},
			{Name: "memory", Props: []bootimg.Property{Text("device_type", "memory"), Words("reg", 0, 0x80000000)}},
		},
	}
	return root.Build()
}

// Chips of the Z3 Compact and the Z3 with their revision, and their board, in the
// split form (fastboot/bootimg/FORMAT.md §2.7).
var (
	AriesChips = []uint32{194, 0x10000, 209, 0x10000, 210, 0x10000, 212, 0x10000, 213, 0x10000, 215, 0x10000, 216, 0x10000, 218, 0x10000}
	AriesBoard = []uint32{8, 0}
)
