package sin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"sync"
	"testing"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
	"xflash/sin/gpt"
)

// pat is n bytes, byte i being i mod 251 (FORMAT.md §10.2).
func pat(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(i % 251)
	}
	return out
}

// dummyBlob is the certificate blob of the vectors.
var dummyBlob = bytes.Repeat([]byte{0xAA}, 16)

// lz4As is 4096 times the letter A as one LZ4 block, spelled out in §10.2: a literal,
// a match at distance 1 of length 4090, five literals.
var lz4As = mustHex("1f410100fffffffffffffffffffffffffffffff6504141414141")

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// systemGUID is that of the partition system, in the order of the disk (§4.4).
var systemGUID = gpt.GUID(mustHex("BAF7CDF934B82AA7F1C9D6E0C0983896"))

// mmcfVector is the payload of the vectors v3-mmcf and v3-mmcf-nofill.
func mmcfVector(t *testing.T, fill bool) Payload {
	t.Helper()
	as := bytes.NewReader(bytes.Repeat([]byte{'A'}, 4096))
	m := MapBuilder{HashType: SHA256}
	m.Select(systemGUID)
	m.Addr(bytes.NewReader(pat(0x2000)), 0, 0, 0x2000)
	m.Packed(lz4As, as, 0, 0x3000, 0x1000)
	if fill {
		m.Fill(0x4000, 0x1000, [4]byte{})
	}
	p, err := m.Payload()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// build runs a builder into memory.
func build(t testing.TB, b Builder, p Payload) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := b.Build(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func sum256(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// infoVector is the partition info of the vectors.
var infoVector = mustHex("03000000010000402001000040000000")

// TestVectors compares the builder with the files of §10.2, and reads them back.
func TestVectors(t *testing.T) {
	image := func(n int) Payload {
		p := BytesPayload(pat(n))
		p.Head = infoVector
		return p
	}
	loader := append([]byte("\x7fELF"), pat(996)...)
	raw := append(append(pat(0x800), pat(0x800)...), pat(123)...)
	for _, v := range []struct {
		name    string
		b       Builder
		payload Payload
		size    int
		sha256  string
		blocks  []int64
	}{
		{"v3-loader", Builder{Type: TypeLoader}, BytesPayload(loader), 1080,
			"c27370c494e3f4eabc543ed2b060f0377f414d7cb0cf294c0348004d395636fa", []int64{1000}},
		{"v3-raw-sha1", Builder{Type: TypeLayout, HashType: SHA1, BlockSize: 0x800}, BytesPayload(raw), 4335,
			"c11fe1bc26a8d18e08feb7e9b589a07d02a3340961bd2dcb45b5882aad4e67fe", []int64{0x800, 0x800, 123}},
		{"v3-mmcf", Builder{Type: TypeImage, BlockSize: 0x1000}, mmcfVector(t, true), 8618,
			"6ff2416d4ce578f7c6048d0af731e938d9d3f69adcaf050174ec0a63c6067409", []int64{212, 0x1000, 0x1000, 26}},
		{"v3-mmcf-nofill", Builder{Type: TypeImage, BlockSize: 0x1000}, mmcfVector(t, false), 8590,
			"9ffd6ccde22a9d2f79a95f0434578f39d4b613916a478b1f22e7bd5902d95132", []int64{184, 0x1000, 0x1000, 26}},
		{"v1-nand", Builder{Version: 1, Type: TypeFlash12}, image(300000), 300167,
			"14b551da426c74e4b510f5df9573f789d8a72fc7a6b8fbbc7e1084f6f550f35d", []int64{16, 0x20000, 0x20000, 37856}},
		{"v1-spare", Builder{Version: 1, Type: TypeSpare12, BlockSize: 0x21000}, image(0x21000*2 + 5000), 275503,
			"468b54ba7cd90d4fa870a785e8780a8ec8ec44fd5e61f7a5bc06f356a9bf11e7", []int64{16, 0x21000, 0x21000, 5000}},
		{"v1-loader", Builder{Version: 1, Type: TypeLoader12, Address: 0x01004000}, BytesPayload(pat(5000)), 5064,
			"9b1eb664752fd994da5e464de45150f8c99eec015815b49ac58b822089c496a1", []int64{5000}},
		{"v2-loader", Builder{Version: 2, Type: TypeLoader12, Address: 0x42300000}, BytesPayload(pat(5000)), 5076,
			"7d06c1adf717325e127839c108144621293402409dab89f263597c7851b58fdf", []int64{5000}},
		{"v2-mmc", Builder{Version: 2, Type: TypeFlash12}, image(300000), 300215,
			"31d68d24409deb22f6313d82d1e3dc6c5a9c7a5aa3e405ba8b75462daee2206b", []int64{16, 0x20000, 0x20000, 37856}},
	} {
		t.Run(v.name, func(t *testing.T) {
			v.b.Blob = dummyBlob
			version := max(v.b.Version, 3*(1-v.b.Version))
			file := build(t, v.b, v.payload)
			if len(file) != v.size || sum256(file) != v.sha256 {
				t.Fatalf("built %d bytes, SHA-256 %s; want %d, %s", len(file), sum256(file), v.size, v.sha256)
			}
			r := bytes.NewReader(file)
			h, err := ReadHeader(r, int64(len(file)))
			if err != nil {
				t.Fatal(err)
			}
			if h.Version != version || Detect(file[:min(len(file), DetectSize)]) != version || h.Type != v.b.Type || h.Slack != 0 || len(h.Notes) != 0 || !bytes.Equal(h.Blob, dummyBlob) {
				t.Errorf("header %+v", h)
			}
			if !bytes.Equal(h.Raw, file[:len(file)-r.Len()]) {
				t.Error("Raw is not the header that was read")
			}
			var lengths []int64
			for _, b := range h.Blocks {
				lengths = append(lengths, b.Length)
			}
			if len(lengths) != len(v.blocks) {
				t.Fatalf("blocks %v, want %v", lengths, v.blocks)
			}
			for i := range lengths {
				if lengths[i] != v.blocks[i] {
					t.Fatalf("blocks %v, want %v", lengths, v.blocks)
				}
			}
			payload, err := io.ReadAll(h.NewReader(r))
			if err != nil || !bytes.Equal(payload, file[len(h.Raw):]) {
				t.Errorf("verifying reader: %d bytes, %v", len(payload), err)
			}
		})
	}
}

// memFile is an output in memory that grows. Unpack writes from several goroutines.
type memFile struct {
	mu sync.Mutex
	b  []byte
}

func (m *memFile) WriteAt(p []byte, at int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if end := int(at) + len(p); end > len(m.b) {
		m.b = append(m.b, make([]byte, end-len(m.b))...)
	}
	return copy(m.b[at:], p), nil
}

func TestUnpackVectors(t *testing.T) {
	for _, v := range []struct {
		name   string
		fill   bool
		size   int
		sha256 string
	}{
		{"v3-mmcf", true, 20480, "faf6eb5a1338bddf308f53d7edeb1a02b84f537d3973ca045aa6b8a2e6c6b79f"},
		{"v3-mmcf-nofill", false, 16384, "fede130d4ffbb47055f796780152ba73e5b6dd8644e7d6407548499addc41071"},
	} {
		t.Run(v.name, func(t *testing.T) {
			file := build(t, Builder{Type: TypeImage, BlockSize: 0x1000, Blob: dummyBlob}, mmcfVector(t, v.fill))
			out := &memFile{}
			opt := UnpackOptions{Gap: 0xFF, CheckOptions: CheckOptions{Workers: 1}}
			report, err := Unpack(context.Background(), bytes.NewReader(file), int64(len(file)), out, opt)
			// The dummy blob is not a certificate: that, and only that, is wrong.
			if e, ok := err.(*Error); !ok || e.Reason != CertificateDamaged {
				t.Fatalf("error %v", err)
			}
			if len(report.Parts) != 1 || report.Parts[0].Size != int64(v.size) || report.Parts[0].Target.GUID != systemGUID {
				t.Fatalf("parts %+v", report.Parts)
			}
			got := append(out.b, make([]byte, v.size-len(out.b))...) // zeros are not written
			if sum256(got) != v.sha256 {
				t.Fatalf("unpacked %d bytes, SHA-256 %s", len(out.b), sum256(got))
			}
		})
	}
}
