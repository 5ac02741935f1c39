package sin_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xflash/fastboot/sparse"
	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
)

// sparseImage writes a sparse image by hand: 28-byte header, then chunks of the given
// kind, blocks of 4096 bytes and body (FORMAT.md §6).
func sparseImage(blocks uint32, chunks ...sparseChunk) []byte {
	le := binary.LittleEndian
	out := mustHex("3aff26ed010000001c000c0000100000")
	out = le.AppendUint32(out, blocks)
	out = le.AppendUint32(out, uint32(len(chunks)))
	out = le.AppendUint32(out, 0)
	for _, c := range chunks {
		out = le.AppendUint16(out, c.kind)
		out = le.AppendUint16(out, 0)
		out = le.AppendUint32(out, c.blocks)
		out = le.AppendUint32(out, uint32(12+len(c.body)))
		out = append(out, c.body...)
	}
	return out
}

type sparseChunk struct {
	kind   uint16
	blocks uint32
	body   []byte
}

func section(b []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

// vectorArchive is the builder of the vector v5-tar (§10.2).
func vectorArchive() ArchiveBuilder {
	return ArchiveBuilder{Name: "system", CMS: mustHex("3082000400000000"), Chunks: []*io.SectionReader{
		section(sparseImage(8, sparseChunk{0xCAC1, 2, pat(0x2000)}, sparseChunk{0xCAC3, 6, nil})),
		section(sparseImage(8, sparseChunk{0xCAC3, 3, nil}, sparseChunk{0xCAC5, 1, lz4As}, sparseChunk{0xCAC2, 1, make([]byte, 4)}, sparseChunk{0xCAC3, 3, nil})),
	}}
}

func buildArchive(t testing.TB, b ArchiveBuilder) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := b.Build(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestVectorTar builds, reads and unpacks v5-tar, and the same as version 4.
func TestVectorTar(t *testing.T) {
	plain := buildArchive(t, vectorArchive())
	if got := sum256(plain); len(plain) != 12288 || got != "7eacfdbf6263398e8d8c693ac848863dbc36b8597a9c94bdd3fc8b5312045bbe" {
		t.Fatalf("built %d bytes, SHA-256 %s", len(plain), got)
	}
	b := vectorArchive()
	b.Gzip = true
	packed := buildArchive(t, b)
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if inside, err := io.ReadAll(z); err != nil || !bytes.Equal(inside, plain) {
		t.Fatalf("version 4 holds something else: %v", err)
	}
	for version, file := range map[int][]byte{4: packed, 5: plain} {
		report, got := unpackTo(t, file, UnpackOptions{})
		if sum256(got) != "93e1e2d4ec35a8897fee440c48a3adcd471e1be4b6530d7b4331367f4b790b3c" {
			t.Errorf("version %d: %d bytes, SHA-256 %s", version, len(got), sum256(got))
		}
		a := report.Archive
		if Detect(file[:DetectSize]) != version || report.Header.Version != version || a.Name != "system" || len(a.Chunks) != 2 || !a.Chunks[1].Sparse || a.Chunks[1].Size != 106 {
			t.Errorf("version %d: %+v", version, a)
		}
		// The vector's CMS is a stub, and it is unknown how a real one binds the chunks.
		if a.CMS != nil || len(report.Notes) != 1 || report.Trust.Proven() || report.Header.VerifySignature() == nil || report.Unsendable == "" {
			t.Errorf("version %d: %+v, %v", version, a.CMS, report.Notes)
		}
		if !bytes.Equal(report.Parts[0].Head, pat(HeadSize)) || report.Parts[0].Target.Name != "system" {
			t.Errorf("version %d: %+v", version, report.Parts[0].Target)
		}
		_, got = unpackTo(t, file, UnpackOptions{Gap: 0xEE})
		want := bytes.Repeat([]byte{0xEE}, 0x8000)
		copy(want, pat(0x2000))
		copy(want[0x3000:], bytes.Repeat([]byte{'A'}, 4096))
		copy(want[0x4000:], make([]byte, 4096))
		if !bytes.Equal(got, want) {
			t.Errorf("version %d with another gap byte differs", version)
		}
	}
}

// TestTarOracle lets tar list what we build.
func TestTarOracle(t *testing.T) {
	tar, err := exec.LookPath("tar")
	if err != nil {
		t.Skip("tar is not installed")
	}
	cmd := exec.Command(tar, "-tvf", "-")
	cmd.Stdin = bytes.NewReader(buildArchive(t, vectorArchive()))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var names []string
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Fields(line)
		names = append(names, f[2]+" "+f[len(f)-1])
	}
	if want := []string{"8 system.cms", "8244 system.000", "106 system.001"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

// TestArchiveCuts ends both versions after every number of bytes of what is not plain
// data, and at many places of the data.
func TestArchiveCuts(t *testing.T) {
	b := vectorArchive()
	plain := buildArchive(t, b)
	b.Gzip = true
	for version, file := range map[int][]byte{4: buildArchive(t, b), 5: plain} {
		for n := range file {
			if data := n > 1600 && n < 9600; version == 5 && data && n%37 != 0 {
				continue
			}
			head := file[:min(n, DetectSize)]
			_, err := check(file[:n], int64(n), nil)
			if Detect(head) == 0 {
				if !errors.Is(err, Because(NotSIN)) && !errors.Is(err, Because(Truncated)) {
					t.Errorf("version %d cut at %d: %v", version, n, err)
				}
				continue
			}
			if !errors.Is(err, &Error{Reason: Truncated, Offset: int64(n), Block: -1}) {
				t.Errorf("version %d cut at %d: %v", version, n, err)
			}
		}
		if _, err := check(append(bytes.Clone(file), 7), -1, nil); !errors.Is(err, &Error{Reason: Trailing, Offset: int64(len(file)), Block: -1}) {
			t.Errorf("version %d and a byte: %v", version, err)
		}
	}
	// Zeros past the end are the filling of a tape record.
	if _, err := check(append(bytes.Clone(plain), make([]byte, 10240)...), -1, nil); err != nil {
		t.Error(err)
	}
}

// TestGzipDamage changes a bit of each byte of a version 4. What is accepted must still
// hold the same archive: a few bits of a deflate stream mean nothing.
func TestGzipDamage(t *testing.T) {
	b := vectorArchive()
	plain := buildArchive(t, b)
	b.Gzip = true
	file := buildArchive(t, b)
	harmless := 0
	for at := range file {
		bad := bytes.Clone(file)
		bad[at] ^= 1 << (at % 8)
		_, err := check(bad, -1, nil)
		if err != nil {
			if !errors.As(err, new(*Error)) {
				t.Errorf("byte %d of %d: %T %v", at, len(file), err, err)
			}
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if inside, err := io.ReadAll(z); err != nil || !bytes.Equal(inside, plain) {
			t.Errorf("byte %d of %d was accepted: %v", at, len(file), err)
		}
		harmless++
	}
	if harmless > len(file)/20 {
		t.Errorf("%d of %d bytes can be changed", harmless, len(file))
	}
}

// member makes a tar member with any name and kind.
func member(t testing.TB, name string, kind byte, body []byte) []byte {
	head, err := TarHead(strings.Repeat("x", len(name)), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	copy(head, name)
	head[156] = kind
	copy(head[148:], "        ")
	sum := 0
	for _, b := range head {
		sum += int(b)
	}
	copy(head[148:], []byte{'0' + byte(sum>>15&7), '0' + byte(sum>>12&7), '0' + byte(sum>>9&7), '0' + byte(sum>>6&7), '0' + byte(sum>>3&7), '0' + byte(sum&7), 0, ' '})
	return append(append(head, body...), make([]byte, -len(body)&511)...)
}

// TestArchiveRules breaks each rule of §9 for archives once.
func TestArchiveRules(t *testing.T) {
	cms := member(t, "boot.cms", '0', mustHex("3082000400000000"))
	zero := make([]byte, 1024)
	raw := member(t, "boot.000", '0', []byte("ANDROID!"))
	hole := sparseImage(4, sparseChunk{0xCAC3, 4, nil})
	edit := func(b []byte, at int, v byte) []byte {
		b = bytes.Clone(b)
		b[at] ^= v
		return b
	}
	for _, c := range []struct {
		name   string
		parts  [][]byte
		reason Reason // 0: accepted
		at     int64
		want   string
	}{
		{"raw", [][]byte{cms, raw, zero}, 0, 0, ""},
		{"old type byte", [][]byte{cms, member(t, "boot.000", 0, []byte("x")), zero}, 0, 0, ""},
		{"folder skipped", [][]byte{cms, member(t, "dir", '5', nil), raw, zero}, 0, 0, ""},
		{"empty raw chunk", [][]byte{cms, member(t, "boot.000", '0', nil), zero}, 0, 0, ""},
		{"two sparse chunks", [][]byte{cms, member(t, "boot.000", '0', hole), member(t, "boot.001", '0', hole), zero}, 0, 0, ""},

		{"checksum", [][]byte{cms, edit(raw, 100, 1), zero}, BadArchive, 1024 + 148, "checksum"},
		{"no mark", [][]byte{cms, func() []byte {
			m := edit(edit(raw, UstarAt, 1), 0, 1) // 'u' becomes 't', 'b' becomes 'c': the sum stays
			return m
		}(), zero}, BadArchive, 1024 + UstarAt, "magic number"},
		{"no container", [][]byte{raw, zero}, BadArchive, 512, "before the .cms"},
		{"container only", [][]byte{cms, zero}, BadArchive, 2048, "no chunk"},
		{"any other tar", [][]byte{member(t, "dir", '5', nil), zero}, NotSIN, 0, "no version"},
		{"container twice", [][]byte{cms, cms, zero}, BadArchive, 1536, "instead of chunk 000"},
		{"container later", [][]byte{cms, raw, cms, zero}, BadArchive, 2560, "instead of chunk 001"},
		{"other name", [][]byte{cms, member(t, "root.000", '0', nil), zero}, BadArchive, 1536, "among the members"},
		{"chunk left out", [][]byte{cms, member(t, "boot.001", '0', nil), zero}, BadArchive, 1536, "instead of chunk 000"},
		{"chunk twice", [][]byte{cms, member(t, "boot.000", '0', hole), member(t, "boot.000", '0', hole), zero}, BadArchive, 2560, "instead of chunk 001"},
		{"two raw chunks", [][]byte{cms, raw, member(t, "boot.001", '0', nil), zero}, 0, 0, ""},
		{"raw, then sparse", [][]byte{cms, raw, member(t, "boot.001", '0', hole), zero}, BadArchive, 2560, "partition of"},
		{"other size", [][]byte{cms, member(t, "boot.000", '0', hole), member(t, "boot.001", '0', sparseImage(5, sparseChunk{0xCAC3, 5, nil})), zero}, BadArchive, 2560, "partition of"},
		{"slash", [][]byte{member(t, "../x.cms", '0', nil), zero}, BadArchive, 512, "member name"},
		{"backslash", [][]byte{member(t, `a\x.cms`, '0', nil), zero}, BadArchive, 512, "member name"},
		{"drive", [][]byte{member(t, "C:x.cms", '0', nil), zero}, BadArchive, 512, "member name"},
		{"no stem", [][]byte{member(t, ".cms", '0', nil), zero}, BadArchive, 512, "member name"},
		{"control character", [][]byte{member(t, "a\x1b.cms", '0', nil), zero}, BadArchive, 512, "member name"},
		{"huge container", [][]byte{member(t, "boot.cms", '0', make([]byte, MaxCMS+1)), zero}, BadArchive, 512, "container of 65537"},
		{"one block of zeros", [][]byte{cms, raw, zero[:512], raw}, BadArchive, 2560, "instead of two"},
		{"trailing rest", [][]byte{cms, raw, zero, {0, 0, 1}}, Trailing, 3074, "continues"},
		{"sparse too short", [][]byte{cms, member(t, "boot.000", '0', hole[:30]), zero}, BadData, 0, "boot.000"},
		{"sparse too long", [][]byte{cms, member(t, "boot.000", '0', append(bytes.Clone(hole), 1)), zero}, BadData, 0, "boot.000"},
		{"LZ4 too short", [][]byte{cms, member(t, "boot.000", '0', sparseImage(1, sparseChunk{0xCAC5, 1, lz4As[:25]})), zero}, BadData, 0, "boot.000"},
		{"LZ4 for two blocks", [][]byte{cms, member(t, "boot.000", '0', sparseImage(2, sparseChunk{0xCAC5, 2, lz4As})), zero}, BadData, 0, "boot.000"},
		{"raw too short", [][]byte{cms, member(t, "boot.000", '0', sparseImage(1, sparseChunk{0xCAC1, 1, pat(4095)})), zero}, BadData, 0, "boot.000"},
		{"header of 32 bytes", [][]byte{cms, member(t, "boot.000", '0', edit(hole, 8, 0x1c^0x20)), zero}, BadData, 0, "boot.000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := check(bytes.Join(c.parts, nil), -1, nil)
			if c.reason == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Reason != c.reason || !strings.Contains(err.Error(), c.want) || c.at != 0 && e.Offset != c.at {
				t.Errorf("%v, want %v at %d with %q", err, c.reason, c.at, c.want)
			}
		})
	}
}

// TestArchiveBombs: what is produced is limited, not what is announced.
func TestArchiveBombs(t *testing.T) {
	big := ArchiveBuilder{Name: "system", CMS: []byte{0}, Chunks: []*io.SectionReader{section(sparseImage(1<<27, sparseChunk{0xCAC2, 1 << 27, make([]byte, 4)}))}}
	file := buildArchive(t, big)
	if _, err := check(file, -1, nil); !errors.Is(err, Because(BadData)) || !strings.Contains(err.Error(), "the limit is") {
		t.Errorf("512 GiB of zeros: %v", err)
	}
	vector := buildArchive(t, vectorArchive())
	for size, want := range map[int64]bool{0x8000: true, 0x7FFF: false} {
		if _, err := Check(context.Background(), bytes.NewReader(vector), -1, CheckOptions{MaxOutput: size}); (err == nil) != want {
			t.Errorf("a limit of %d bytes: %v", size, err)
		}
	}
}

// TestArchiveRoundTrip splits random images as for a download limit and puts them back.
func TestArchiveRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 9))
	for round := range 20 {
		image := randomImage(rnd, 4096*(1+rnd.IntN(200)))
		src, err := sparse.FromRaw(bytes.NewReader(image), int64(len(image)), sparse.RawOptions{SkipZeros: round%2 == 0})
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := src.Split(64 << 10)
		if err != nil {
			t.Fatal(err)
		}
		b := ArchiveBuilder{Name: "vendor_a", CMS: []byte{0x30}, Gzip: round%3 == 0}
		for _, p := range pieces {
			chunk, err := io.ReadAll(p.Reader())
			if err != nil {
				t.Fatal(err)
			}
			b.Chunks = append(b.Chunks, section(chunk))
		}
		report, got := unpackTo(t, buildArchive(t, b), UnpackOptions{})
		if !bytes.Equal(got, image) || len(report.Archive.Chunks) != len(pieces) {
			t.Fatalf("round %d: %d bytes from %d chunks, want %d from %d", round, len(got), len(report.Archive.Chunks), len(image), len(pieces))
		}
	}
}

// TestCMS reads a container that openssl made.
func TestCMS(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(openssl, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("openssl %s: %v: %s", args[0], err, out)
		}
	}
	run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=S1_SW/O=test", "-set_serial", "0x1234")
	if err := os.WriteFile(filepath.Join(dir, "data"), pat(100), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		digest, want string
		more         []string
		issuer       string
	}{
		{"sha256", "SHA-256", nil, "S1_SW"}, {"sha384", "SHA-384", []string{"-nodetach"}, "S1_SW"}, {"sha1", "SHA-1", []string{"-keyid"}, ""},
	} {
		run(append([]string{"cms", "-sign", "-binary", "-in", "data", "-signer", "cert.pem", "-inkey", "key.pem", "-outform", "DER", "-md", c.digest, "-out", "out.cms"}, c.more...)...)
		der, err := os.ReadFile(filepath.Join(dir, "out.cms"))
		if err != nil {
			t.Fatal(err)
		}
		file := buildArchive(t, ArchiveBuilder{Name: "boot", CMS: der, Chunks: []*io.SectionReader{section([]byte("ANDROID!"))}})
		report, err := check(file, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := report.Archive.CMS
		if got == nil || got.Digest != c.want || got.SignerIssuer != c.issuer || c.issuer != "" && got.SignerSerial != "1234" ||
			len(got.Certificates) != 1 || got.Certificates[0] != (CMSCertificate{"S1_SW", "S1_SW"}) || got.Size != len(der) {
			t.Errorf("%s: %+v", c.digest, got)
		}
		for n := range der {
			_, _ = ParseCMS(der[:n]) // must not look past the end
		}
	}
}

// TestTarNumbers: sizes of 8 GiB and more are in base 256.
func TestTarNumbers(t *testing.T) {
	for _, size := range []int64{0, 1, 0o777, 1<<33 - 1, 1 << 33, 4675099136, 1 << 40} {
		head, err := TarHead("super.000", size)
		if err != nil {
			t.Fatal(err)
		}
		name, got, kind, err := TarMember(head)
		if err != nil || got != size || name != "super.000" || kind != '0' {
			t.Errorf("%d: %q, %d, %c, %v", size, name, got, kind, err)
		}
	}
	for _, field := range []string{"", "\x00\x00", "12a", "-1", "8", "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\xff\xff"} {
		if n, ok := TarNumber(append([]byte(field), make([]byte, max(0, 12-len(field)))...)); ok {
			t.Errorf("%q is taken for %d", field, n)
		}
	}
}
