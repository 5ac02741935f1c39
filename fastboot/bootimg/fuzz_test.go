package bootimg_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/simphone/mkimage"
)

// patched is a whole image with words of it changed: each six bytes of a patch
// are an offset and a word. Inputs stay short that way, which the fuzzer needs.
func patched(whole [][]byte, which byte, patch []byte) []byte {
	b := bytes.Clone(whole[int(which)%len(whole)])
	for len(patch) >= 6 {
		if at := int(binary.LittleEndian.Uint16(patch)); at+4 <= len(b) {
			copy(b[at:], patch[2:6])
		}
		patch = patch[6:]
	}
	return b
}

// patch makes six bytes of it.
func patch(at uint16, word uint32) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint16(nil, at), word)
}

// seed adds each image as it is, and with the word at each of the offsets changed.
func seed(f *testing.F, whole [][]byte, offsets ...uint16) {
	for i := range whole {
		f.Add(byte(i), []byte{})
		for _, at := range offsets {
			f.Add(byte(i), patch(at, 0xFFFFFFFF))
		}
	}
}

// FuzzImage: what is parsed without an error builds again to an image with the same fields.
func FuzzImage(f *testing.F) {
	var whole [][]byte
	for _, m := range images() {
		b, err := m.Build()
		if err != nil {
			f.Fatal(err)
		}
		whole = append(whole, b)
	}
	seed(f, whole, 8, 16, 36, 40, 1644)
	f.Fuzz(func(t *testing.T, which byte, patch []byte) {
		m, err := bootimg.Parse(patched(whole, which, patch))
		if err != nil {
			return
		}
		m.CheckID()
		b, err := m.Build()
		if err != nil {
			t.Fatalf("parsed, but cannot be built: %v", err)
		}
		again, err := bootimg.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if g, w := fields(again), fields(m); g != w {
			t.Fatalf("built again it is\n%s\nfrom\n%s", g, w)
		}
	})
}

func FuzzVendorBoot(f *testing.F) {
	var whole [][]byte
	for _, v := range vendorBoots() {
		b, err := v.Build()
		if err != nil {
			f.Fatal(err)
		}
		whole = append(whole, b)
	}
	seed(f, whole, 8, 12, 24, 2096, 2112)
	f.Fuzz(func(t *testing.T, which byte, patch []byte) {
		v, err := bootimg.ParseVendorBoot(patched(whole, which, patch))
		if err != nil {
			return
		}
		b, err := v.Build()
		if err != nil {
			t.Fatalf("parsed, but cannot be built: %v", err)
		}
		if again, err := bootimg.ParseVendorBoot(b); err != nil || !bytes.Equal(again.Ramdisk, v.Ramdisk) || again.Cmdline != v.Cmdline || len(again.Fragments) != len(v.Fragments) {
			t.Fatalf("built again it differs, %v", err)
		}
	})
}

func FuzzELF(f *testing.F) {
	b, err := mkimage.ELF(sonyELF())
	if err != nil {
		f.Fatal(err)
	}
	whole := [][]byte{b}
	seed(f, whole, 28, 42, 56, 68)
	f.Fuzz(func(t *testing.T, which byte, patch []byte) {
		e, err := bootimg.ParseELF(patched(whole, which, patch))
		if err != nil {
			return
		}
		e.Cmdline()
		// Segments may overlap or are in the headers; then it cannot be built alike.
		if b, err := mkimage.ELF(e); err == nil {
			if again, err := bootimg.ParseELF(b); err != nil || len(again.Segments) != len(e.Segments) {
				t.Fatalf("built again it has other segments, %v", err)
			}
		}
	})
}

// FuzzQCDT: trees that a table gives build again to a table that gives the same.
func FuzzQCDT(f *testing.F) {
	tree := bootimg.Tree{DTB: mkimage.PlainDTB("m", "c"), IDs: []bootimg.ID{{Platform: 194, Variant: 8, Rev: 0x10000}, {Platform: 209, Variant: 8}}}
	var whole [][]byte
	for version := uint32(1); version <= 3; version++ {
		b, err := bootimg.BuildQCDT(version, 2048, []bootimg.Tree{tree, tree})
		if err != nil {
			f.Fatal(err)
		}
		whole = append(whole, b)
	}
	seed(f, whole, 4, 8, 24, 28, 2052)
	f.Fuzz(func(t *testing.T, which byte, patch []byte) {
		table, err := bootimg.ParseQCDT(patched(whole, which, patch))
		if err != nil {
			return
		}
		trees, err := table.Trees()
		if err != nil {
			return
		}
		b, err := bootimg.BuildQCDT(table.Version, 2048, trees)
		if err != nil {
			t.Fatal(err)
		}
		again, err := bootimg.ParseQCDT(b)
		if err != nil || len(again.Entries) != len(table.Entries) {
			t.Fatalf("built again it has %d entries of %d, %v", len(again.Entries), len(table.Entries), err)
		}
		if _, err := again.Trees(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzFDT(f *testing.F) {
	f.Add(fdtTree().Build())
	f.Add(aries())
	f.Add(mkimage.OnePieceDTB("m", "c", 194, 8, 0x10000))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := bootimg.ParseFDT(data)
		if err != nil {
			return
		}
		if n := bootimg.FDTSize(data); n != len(tree.Bytes()) || n > len(data) {
			t.Fatalf("%d bytes of %d, FDTSize says %d", len(tree.Bytes()), len(data), n)
		}
		count := 0
		if err := tree.Walk(func(path []string, p bootimg.Property) error { count++; p.Words(); p.Strings(); return nil }); err == nil && count > len(data)/12 {
			t.Fatalf("%d properties in %d bytes", count, len(data))
		}
		if d, err := tree.Device(); err == nil && d.Form != bootimg.FormNone && len(d.IDs) == 0 {
			t.Fatal("ids, but no combinations of them")
		}
	})
}

// FuzzKernel: trees lie within the section, and looking into it ends.
func FuzzKernel(f *testing.F) {
	z := mkimage.ZImage(mkimage.Pack([]byte("Linux version 3.4.0 and more"), unpack.Gzip), unpack.Gzip, 0)
	f.Add(append(bytes.Clone(z), aries()...))
	f.Add(append(mkimage.Pack([]byte("Linux version 4.4.0\n"), unpack.LZ4Legacy), mkimage.PlainDTB("m", "c")...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("\xfd7zXZ\x00")) || bytes.ContainsRune(data, 0x5d) {
			return // their dictionaries are large, which is bounded, but slow here; FuzzUnpack has them
		}
		k := bootimg.ParseKernel(data)
		if k.Bare > len(data) {
			t.Fatalf("%d bytes of %d", k.Bare, len(data))
		}
		for _, tree := range append(k.Trees, k.Stray...) {
			if !bytes.Equal(data[tree.Offset:tree.Offset+len(tree.Data)], tree.Data) || bootimg.FDTSize(tree.Data) != len(tree.Data) {
				t.Fatalf("a tree at %d of %d bytes", tree.Offset, len(tree.Data))
			}
		}
		if p, err := k.Payload(); err == nil {
			p.Version()
			p.Supports(unpack.LZMA)
		}
	})
}

func FuzzRamdisk(f *testing.F) {
	f.Add(mkimage.Ramdisk("a", "b/c"))
	f.Add(mkimage.Pack(mkimage.Ramdisk("a"), unpack.Gzip))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 0 && (data[0] == 0xfd || data[0] == 0x5d) {
			return // as in FuzzKernel
		}
		r, err := bootimg.ParseRamdisk(data)
		if err == nil && (!r.CPIO || r.Size < 110) || r.Size > bootimg.MaxRamdisk {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("ANDROID!"))
	f.Add([]byte("<!doctype html>"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if s := bootimg.Sniff(head).String(); s == "" {
			t.Fatal("a kind without a name")
		}
		bootimg.FindAVBFooter(head)
	})
}
