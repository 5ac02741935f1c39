package bootimg

import (
	"bytes"
	"encoding/binary"
	"io"

	"xflash/fastboot/bootimg/unpack"
)

// KernelKind is the form in which a kernel is in an image.
type KernelKind int

// Kinds of kernels. A 32-bit loader starts only a zImage.
const (
	KernelUnknown    KernelKind = iota
	KernelZImage                // 32-bit ARM, unpacks itself
	KernelARM64                 // 64-bit Image, not compressed
	KernelCompressed            // a compressed stream that the loader must unpack: Image.gz
	KernelUImage                // U-Boot's form
	KernelELF
)

// String names the kind as the field does.
func (k KernelKind) String() string {
	return [...]string{"unknown kernel", "zImage", "arm64 Image", "compressed Image", "uImage", "ELF"}[k]
}

const (
	zImageMagic = 0x016f2818 // at 0x24, little-endian (FORMAT.md §6.2)
	zImageHead  = 0x30       // bytes of the code at its beginning that tell what it is
	arm64Magic  = "ARM\x64"  // at 0x38 (FORMAT.md §6.3)
	uImageMagic = "\x27\x05\x19\x56"
)

// Kernel is the kernel section of an image taken apart: the kernel itself and
// the device trees appended to it.
type Kernel struct {
	Kind   KernelKind
	Format unpack.Format // KernelCompressed: of the stream
	Start  uint32        // zImage: word at 0x28
	End    uint32        // zImage: word at 0x2C; loaders look for appended trees here
	Bare   int           // length of the kernel without what is appended, bytes
	Trees  []AppendedTree
	Stray  []AppendedTree // trees after the kernel, but not where a loader looks

	data []byte
}

// AppendedTree is a device tree after a kernel.
type AppendedTree struct {
	Offset int    // in the kernel section, bytes
	Data   []byte // the tree alone
}

// ParseKernel takes a kernel section apart. It fails on nothing: what cannot be
// told stays unknown.
func ParseKernel(data []byte) *Kernel {
	k := &Kernel{Kind: kernelKind(data), data: data, Bare: len(data)}
	switch k.Kind {
	case KernelZImage:
		k.Start, k.End = binary.LittleEndian.Uint32(data[0x28:]), binary.LittleEndian.Uint32(data[0x2c:])
		if n := int64(k.End) - int64(k.Start); n >= zImageHead && n <= int64(len(data)) {
			k.Bare = int(n)
		}
	case KernelCompressed:
		k.Format = unpack.Detect(data[:min(unpack.HeadSize, len(data))])
		k.Bare = streamLen(data, k.Format)
	}
	k.findTrees()
	return k
}

// kernelKind tells the form from the first 64 bytes.
func kernelKind(head []byte) KernelKind {
	switch {
	case len(head) >= zImageHead && binary.LittleEndian.Uint32(head[0x24:]) == zImageMagic:
		return KernelZImage
	case len(head) >= 0x3c && string(head[0x38:0x3c]) == arm64Magic:
		return KernelARM64
	case bytes.HasPrefix(head, []byte(uImageMagic)):
		return KernelUImage
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return KernelELF
	case unpack.Detect(head[:min(unpack.HeadSize, len(head))]) != unpack.None:
		return KernelCompressed
	}
	return KernelUnknown
}

// streamLen is the length of the compressed stream at the start of data, all of
// it when that is unknown.
func streamLen(data []byte, f unpack.Format) int {
	s, err := unpack.Open(data, f, MaxKernel)
	if err != nil {
		return len(data)
	}
	if _, err := io.Copy(io.Discard, s); err != nil {
		return len(data)
	}
	return s.Used()
}

// findTrees looks for a chain of trees where a loader does: right after the
// kernel, each right after the one before, at any alignment. When none is
// there, it searches the rest (FORMAT.md §6.2, §2.3). An arm64 Image does
// not tell its length in the file, so a search is all there is.
func (k *Kernel) findTrees() {
	if k.Trees = chain(k.data, k.Bare); k.Trees != nil {
		return
	}
	from := k.Bare
	if from == len(k.data) {
		from = min(zImageHead, len(k.data)) // an end word that says nothing, or a kernel without one
	}
	found := search(k.data, from)
	if found == nil {
		return
	}
	if k.Kind == KernelARM64 {
		k.Trees, k.Bare = found, found[0].Offset
	} else {
		k.Stray = found
	}
}

// chain reads trees that follow each other from at on.
func chain(data []byte, at int) []AppendedTree {
	var trees []AppendedTree
	for {
		n := FDTSize(data[at:])
		if n == 0 {
			return trees
		}
		trees = append(trees, AppendedTree{Offset: at, Data: data[at : at+n : at+n]})
		at += n
	}
}

// search looks for the first tree from at on that has a sound header, and the chain that follows it.
// Kernels hold the magic as a constant, so it alone says nothing.
func search(data []byte, at int) []AppendedTree {
	for {
		i := bytes.Index(data[at:], []byte(FDTMagic))
		if i < 0 {
			return nil
		}
		at += i
		if _, err := ParseFDT(data[at:]); err == nil {
			return chain(data, at)
		}
		at += len(FDTMagic)
	}
}
