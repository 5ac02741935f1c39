package ftf

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// The base of all cases below must be a good archive, else they prove nothing.
func TestPlainRawZip(t *testing.T) {
	for name, z := range map[string]*rawZip{
		"stored":                 plain(),
		"deflated":               plain(&rawMember{name: "system.sin", data: bytes.Repeat([]byte("s"), 9999), method: methodDeflate}),
		"described":              plain(&rawMember{name: "system.sin", data: []byte("system"), method: methodDeflate, described: true}),
		"described, no magic":    plain(&rawMember{name: "system.sin", data: []byte("system"), method: methodDeflate, described: true, unsigned: true}),
		"described, wide":        plain(&rawMember{name: "system.sin", data: []byte("system"), method: methodDeflate, described: true, wide: true}),
		"described, stored":      plain(&rawMember{name: "system.sin", data: []byte("system"), described: true}),
		"empty, described":       plain(&rawMember{name: "empty.ta", described: true}),
		"wide sizes":             plain(&rawMember{name: "system.sin", data: []byte("system"), wide: true}),
		"zip64 ends":             {members: plain().members, zip64: true},
		"comment":                {members: plain().members, comment: []byte("PK is a nice comment")},
		"folder":                 plain(&rawMember{name: "boot/", madeBy: 3 << 8, external: 0o040755 << 16}),
		"Unix file":              plain(&rawMember{name: "x.ta", madeBy: 3 << 8, external: 0o100644 << 16}),
		"Unix mode without type": plain(&rawMember{name: "x.ta", madeBy: 3 << 8, external: 0o644 << 16}),
		"mode of another system": plain(&rawMember{name: "x.ta", external: 0o120777 << 16}),
		"extra of the real X10":  plain(&rawMember{name: "x.ta", extra: []byte{0xFE, 0xCA, 0, 0}}),
		"alignment padding":      plain(&rawMember{name: "x.ta", extra: []byte{0, 0, 0}}),
		"gap between members":    plain(&rawMember{name: "x.ta", data: []byte("02"), descriptor: []byte("some junk between")}),
		"UTF-8 flag differs":     plain(&rawMember{name: "x.ta", local: put16(6, 0x800)}),
		"directory in odd order": plain(&rawMember{name: "x.ta", data: []byte("02")}),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "directory in odd order" {
				z.central = func(all []byte) []byte {
					n := sizeCentral + len("kernel.sin")
					return append(bytes.Clone(all[n:]), all[:n]...)
				}
			}
			b, err := openBytes(t, z.bytes())
			if err != nil {
				t.Fatal(err)
			}
			files := 0
			for _, m := range z.members {
				if strings.HasSuffix(m.name, "/") {
					continue
				}
				files++
				for _, got := range b.Members {
					if got.Name == m.name && !bytes.Equal(contents(t, got), m.data) {
						t.Errorf("%s differs", m.name)
					}
				}
			}
			if len(b.Members) != files {
				t.Errorf("%d members, want %d", len(b.Members), files)
			}
		})
	}
}

// Test 1 of docs/contributing.md §5: archives that are not what they seem.
func TestHostileArchives(t *testing.T) {
	zero, far := 0, 1<<30
	kernel := plain().members[0]
	symlink := uint32(0o120777) << 16
	for _, c := range []struct {
		name   string
		zip    *rawZip
		reason Reason
		words  []string
	}{
		{"dot dot", plain(&rawMember{name: "../../x"}), UnsafeName, []string{"../../x"}},
		{"absolute", plain(&rawMember{name: "/abs"}), UnsafeName, nil},
		{"drive", plain(&rawMember{name: `C:\x`}), UnsafeName, nil},
		{"backslash", plain(&rawMember{name: `boot\x.sin`}), UnsafeName, []string{"backslash"}},
		{"NUL", plain(&rawMember{name: "a\x00.sin"}), UnsafeName, nil},
		{"300 characters", plain(&rawMember{name: strings.Repeat("n", 300)}), UnsafeName, []string{"300"}},
		{"no name", plain(&rawMember{name: ""}), UnsafeName, nil},
		{"unsafe folder", plain(&rawMember{name: "../"}), UnsafeName, nil},
		{"twice", plain(&rawMember{name: "kernel.sin", data: []byte("x")}), Duplicate, []string{"kernel.sin"}},
		{"case twins", plain(&rawMember{name: "KERNEL.sin"}), Duplicate, []string{"KERNEL.sin"}},
		{"folding twins", plain(&rawMember{name: "\u017fystem.sin"}, &rawMember{name: "system.sin"}), Duplicate, nil},
		{"file and folder", plain(&rawMember{name: "kernel.sin/"}), Duplicate, nil},
		{"symlink", plain(&rawMember{name: "x.sin", madeBy: 3 << 8, external: symlink, data: []byte("/etc/passwd")}), NotRegular, []string{"x.sin"}},
		{"symlink by a Mac", plain(&rawMember{name: "x.sin", madeBy: 19 << 8, external: symlink}), NotRegular, nil},
		{"device", plain(&rawMember{name: "x.sin", madeBy: 3 << 8, external: 0o060666 << 16}), NotRegular, nil},
		{"encrypted", plain(&rawMember{name: "x.sin", flags: 1}), Encrypted, []string{"x.sin", "password"}},
		{"strongly encrypted", plain(&rawMember{name: "x.sin", flags: 1 << 6}), Encrypted, nil},
		{"masked", plain(&rawMember{name: "x.sin", flags: 1 << 13}), Encrypted, nil},
		{"encrypted in the local header only", plain(&rawMember{name: "x.sin", local: put16(6, 1)}), Disagreement, []string{"flags"}},
		{"patch data", plain(&rawMember{name: "x.sin", flags: 1 << 5}), Unsupported, nil},
		{"Deflate64", plain(&rawMember{name: "x.sin", method: 9}), Unsupported, []string{"Deflate64"}},
		{"unknown method", plain(&rawMember{name: "x.sin", method: 77}), Unsupported, []string{"77"}},
		{"other local name", plain(&rawMember{name: "x.sin", localName: "y.sin"}), Disagreement, []string{"x.sin", "y.sin"}},
		{"other local method", plain(&rawMember{name: "x.sin", data: []byte("abc"), local: put16(8, 8)}), Disagreement, []string{"method"}},
		{"other local CRC", plain(&rawMember{name: "x.sin", data: []byte("abc"), local: put32(14, 1)}), Disagreement, []string{"CRC-32"}},
		{"other local packed size", plain(&rawMember{name: "x.sin", data: []byte("abc"), local: put32(18, 2)}), Disagreement, []string{"packed size"}},
		{"other local size", plain(&rawMember{name: "x.sin", data: []byte("abc"), local: put32(22, 2)}), Disagreement, []string{"size"}},
		{"descriptor flag in the directory only", plain(&rawMember{name: "x.sin", data: []byte("abc"), dir: put16(8, 8)}), Disagreement, []string{"flags"}},
		{"described, local size differs", plain(&rawMember{name: "x.sin", data: []byte("abc"), described: true, local: put32(22, 9)}), Disagreement, nil},
		{"false descriptor", plain(&rawMember{name: "x.sin", data: []byte("abc"), described: true, descriptor: make([]byte, 24)}), Disagreement, []string{"descriptor"}},
		{"no descriptor", plain(&rawMember{name: "x.sin", data: []byte("abc"), described: true, descriptor: []byte{}}), Disagreement, nil},
		{"same header", plain(&rawMember{name: "x.sin", data: []byte("kernel image"), sharedWith: kernel}), Overlap, nil},
		{"data over the next member", plain(over("x.sin"), &rawMember{name: "y.sin", data: make([]byte, 500)}), Overlap, []string{"x.sin"}},
		{"data over the next member, deflated", plain(&rawMember{name: "x.sin", method: methodDeflate, data: []byte("abc"), dir: put32(20, 100), local: put32(18, 100)}, &rawMember{name: "y.sin", data: make([]byte, 500)}), Overlap, nil},
		{"data over the directory", plain(over("x.sin")), Overlap, nil},
		{"data far over the end", plain(&rawMember{name: "x.sin", dir: func(b []byte) { put32(20, 1<<31)(b); put32(24, 1<<31)(b) }, local: func(b []byte) { put32(18, 1<<31)(b); put32(22, 1<<31)(b) }}), TooLarge, nil},
		{"two packed sizes", plain(&rawMember{name: "x.sin", data: []byte("12345678"), dir: put32(20, 100), local: put32(18, 100)}), Malformed, nil},
		{"no local header", plain(&rawMember{name: "x.sin", at: intp(5)}), Overlap, nil},
		{"header in the gap", &rawZip{members: []*rawMember{{name: "x.sin", at: &zero}}, prefix: make([]byte, 100)}, Malformed, []string{"offset 0x0"}},
		{"header past the file", plain(&rawMember{name: "x.sin", at: &far}), Malformed, nil},
		{"local name into the directory", plain(&rawMember{name: "x.sin", local: put16(26, 5000)}), Malformed, nil},
		{"stored with two sizes", plain(&rawMember{name: "x.sin", data: []byte("abc"), dir: put32(24, 99), local: put32(22, 99)}), Malformed, []string{"stored"}},
		{"folder with bytes", plain(&rawMember{name: "boot/", data: []byte("abc")}), Malformed, []string{"folder"}},
		{"impossible ratio", plain(&rawMember{name: "x.sin", method: 8, data: []byte("abc"), dir: put32(24, 1<<30), local: put32(22, 1<<30)}), TooLarge, []string{"x.sin"}},
		{"large text", plain(&rawMember{name: "x.ta", method: 8, data: make([]byte, maxText+1)}), TooLarge, []string{"x.ta"}},
		{"zip64 value absurd", plain(&rawMember{name: "x.sin", wide: true, dir: put64(sizeCentral+5+4, 1<<63)}), Malformed, []string{"zip64"}},
		{"zip64 value missing", plain(&rawMember{name: "x.sin", dir: put32(24, 0xFFFFFFFF)}), Malformed, []string{"zip64"}},
		{"on another disk", plain(&rawMember{name: "x.sin", dir: put16(34, 3)}), Unsupported, []string{"split"}},
		{"several disks", &rawZip{members: plain().members, end: put16(4, 1)}, Unsupported, []string{"split"}},
		{"count too small", &rawZip{members: plain(&rawMember{name: "x.ta"}).members, end: func(b []byte) { put16(8, 1)(b); put16(10, 1)(b) }}, Malformed, []string{"after its last member"}},
		{"count too large", &rawZip{members: plain().members, end: func(b []byte) { put16(8, 9)(b); put16(10, 9)(b) }}, Malformed, nil},
		{"prefix", &rawZip{members: plain().members, prefix: []byte("#!/bin/sh\n"), end: put32(16, 52)}, Surplus, []string{"outside the archive"}},
		{"zip64 count differs", &rawZip{members: plain().members, zip64: true, end: func(b []byte) { put16(8, 7)(b); put16(10, 7)(b) }}, Disagreement, []string{"7"}},
		{"zip64 offset differs", &rawZip{members: plain().members, zip64: true, end: put32(16, 7)}, Disagreement, nil},
		{"zip64 huge count", &rawZip{members: plain().members, zip64: true, end64: func(b []byte) { put64(24, 1<<60)(b); put64(32, 1<<60)(b) }}, Malformed, nil},
		{"zip64 record elsewhere", &rawZip{members: plain().members, zip64: true, locator: put64(8, 3)}, Malformed, nil},
		{"zip64 record far", &rawZip{members: plain().members, zip64: true, locator: put64(8, 1<<63)}, Malformed, nil},
		{"zip64 record is none", &rawZip{members: plain().members, zip64: true, end64: put32(0, 7)}, Malformed, []string{"no zip64 end record"}},
		{"zip64 record too long", &rawZip{members: plain().members, zip64: true, end64: put64(4, 1<<40)}, Malformed, nil},
		{"zip64 record of several disks", &rawZip{members: plain().members, zip64: true, end64: put32(16, 1)}, Unsupported, nil},
		{"zip64 directory far", &rawZip{members: plain().members, zip64: true, end64: put64(48, 1<<60)}, Malformed, []string{"far past"}},
		{"zip64 directory absurd", &rawZip{members: plain().members, zip64: true, end64: put64(48, 1<<63)}, Disagreement, nil},
		{"zip64 needed, not there", &rawZip{members: plain().members, end: put32(16, full32)}, Malformed, []string{"zip64 end record is missing"}},
		{"large directory", &rawZip{members: plain().members, central: func(all []byte) []byte { return append(all, make([]byte, maxDirectory)...) }}, TooLarge, []string{"directory"}},
		{"zip64 several disks", &rawZip{members: plain().members, zip64: true, locator: put32(16, 2)}, Unsupported, nil},
		{"directory entry cut", &rawZip{members: plain().members, central: func(all []byte) []byte { return append(all, all[:50]...) }, end: func(b []byte) { put16(8, 2)(b); put16(10, 2)(b) }}, Malformed, nil},
		{"entry name too long for the directory", plain(&rawMember{name: "x.sin", dir: put16(28, 0xFFFF)}), Malformed, nil},
		{"no entries", &rawZip{}, NotBundle, nil},
		{"nothing of firmware", &rawZip{members: []*rawMember{{name: "readme.txt"}}}, NotBundle, []string{".sin"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(t, c.zip.bytes())
			e := want(t, err, c.reason, append(c.words, "bundle.ftf")...)
			if strings.ContainsAny(e.Error(), "\x00\n") {
				t.Errorf("control character in the error: %q", e)
			}
		})
	}
}

// over makes a member whose header and entry agree that it is 100 bytes longer
// than it is.
func over(name string) *rawMember {
	return &rawMember{name: name, data: []byte("12345678"), dir: func(b []byte) { put32(20, 108)(b); put32(24, 108)(b) },
		local: func(b []byte) { put32(18, 108)(b); put32(22, 108)(b) }}
}

func intp(i int) *int { return &i }

func TestTooManyMembers(t *testing.T) {
	for _, n := range []int{maxMembers + 1, 65534} {
		z := &rawZip{}
		for i := range n {
			z.members = append(z.members, &rawMember{name: fmt.Sprintf("%d.ta", i)})
		}
		_, err := openBytes(t, z.bytes())
		want(t, err, TooMany, fmt.Sprint(n))
	}
}

// A bomb of honest size is refused from its directory alone, before anything is
// unpacked; ten members so that none of them is above the limit for one
// (test 2 of docs/contributing.md §5).
func TestBombDeclared(t *testing.T) {
	z := plain()
	for i := range 10 {
		packed := make([]byte, 1<<20)
		z.members = append(z.members, &rawMember{name: fmt.Sprintf("%d.sin", i), method: methodDeflate, packed: packed,
			dir: put32(24, 1<<30), local: put32(22, 1<<30)})
	}
	_, err := openBytes(t, z.bytes())
	e := want(t, err, TooLarge)
	if e.Have < 10<<30 {
		t.Errorf("it says %d bytes", e.Have)
	}
}

// A bomb that lies about its size gives no more than it declares.
func TestBombLying(t *testing.T) {
	packed := deflated(make([]byte, 8<<20))
	lie := func(at int) func([]byte) { return put32(at, 1000) }
	b, err := openBytes(t, plain(&rawMember{name: "x.sin", method: methodDeflate, packed: packed, dir: lie(24), local: lie(22)}).bytes())
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Members[1].Open()
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	want(t, err, Corrupt, "x.sin", "more than the 1000 bytes")
	if n != 1000 {
		t.Errorf("%d bytes came out", n)
	}
	want(t, r.Close(), Corrupt)
}

// What an archive declares is limited for each member and for all of them.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		sizes []int64
		good  bool
	}{
		{[]int64{maxMember, maxMember}, true}, {[]int64{maxMember + 1}, false}, {[]int64{maxMember, maxMember, 1}, false},
	} {
		var entries []*zipEntry
		for i, size := range c.sizes {
			entries = append(entries, &zipEntry{name: string(rune('a'+i)) + ".sin", packed: size, size: size})
		}
		err := checkEntries(entries, 1<<40)
		if c.good && err != nil {
			t.Fatal(err)
		} else if !c.good {
			want(t, err, TooLarge)
		}
	}
}

func TestDamagedContents(t *testing.T) {
	data := bytes.Repeat([]byte("firmware "), 5000)
	flip := func(m *rawMember, at int) *rawMember {
		m.packed = bytes.Clone(m.pack())
		m.packed[at] ^= 0x40
		return m
	}
	for _, c := range []struct {
		name   string
		member *rawMember
		words  []string
	}{
		{"stored, bit flipped", flip(&rawMember{name: "x.sin", data: data}, 7), []string{"CRC-32", "download"}},
		{"stored, last bit flipped", flip(&rawMember{name: "x.sin", data: data}, len(data)-1), []string{"CRC-32"}},
		{"deflated, nonsense", &rawMember{name: "x.sin", data: data, method: methodDeflate, packed: bytes.Repeat([]byte{0xFF}, 100)}, []string{"damaged"}},
		{"deflated, cut", &rawMember{name: "x.sin", data: data, method: methodDeflate, packed: deflated(data)[:60]}, []string{"ends after"}},
		{"deflated, bytes left", &rawMember{name: "x.sin", data: data, method: methodDeflate, packed: append(deflated(data), 0, 0)}, []string{"before the"}},
		{"deflated, too short", &rawMember{name: "x.sin", data: data, method: methodDeflate, packed: deflated(data[:9000])}, []string{"ends after 9000 of 45000"}},
		{"deflated, wrong bytes", &rawMember{name: "x.sin", data: data, method: methodDeflate, packed: deflated(bytes.ToUpper(data))}, []string{"CRC-32"}},
		{"empty, wrong CRC", &rawMember{name: "x.sin", dir: put32(16, 9), local: put32(14, 9)}, []string{"CRC-32"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := openBytes(t, plain(c.member).bytes())
			if err != nil {
				t.Fatal(err)
			}
			_, err = slurp(b.Members[1])
			want(t, err, Corrupt, append(c.words, "x.sin", "bundle.ftf")...)
		})
	}
}

// Who reads exactly the declared number of bytes never sees the error that comes
// with the last of them, because io.ReadFull drops it: Close must tell.
func TestCloseTellsCRC(t *testing.T) {
	for _, method := range []uint16{methodStored, methodDeflate} {
		m := &rawMember{name: "x.sin", data: []byte("abcdef"), method: method, dir: put32(16, 1), local: put32(14, 1)}
		b, err := openBytes(t, plain(m).bytes())
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.Members[1].Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
		want(t, r.Close(), Corrupt, "CRC-32")
	}
}

func TestCloseEarly(t *testing.T) {
	b, err := openBytes(t, plain().bytes())
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Members[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 3)); err == nil {
		t.Fatal("read after close")
	}
}

// TestBytesAroundTheArchive: whatever is before or after an archive, in any amount, is named.
func TestBytesAroundTheArchive(t *testing.T) {
	for _, n := range []int{1, 25, 70_000, 2 << 20} {
		z := plain()
		z.suffix = bytes.Repeat([]byte("."), n)
		_, err := openBytes(t, z.bytes())
		want(t, err, Surplus, fmt.Sprintf("%d bytes after its end", n))
		_, err = openBytes(t, append(bytes.Repeat([]byte("."), n), plain().bytes()...))
		want(t, err, Surplus, fmt.Sprintf("%d bytes before the archive", n))
	}
}

func TestNamesOfOldPrograms(t *testing.T) {
	b, err := openBytes(t, plain(&rawMember{name: "\x9aberblick.txt"}).bytes())
	if err != nil {
		t.Fatal(err)
	}
	if b.Members[1].Name != "\uFFFDberblick.txt" {
		t.Errorf("%q", b.Members[1].Name)
	}
	hasNote(t, b.Notes, "not UTF-8")
}
