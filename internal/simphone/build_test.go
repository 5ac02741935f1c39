package simphone

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"xflash/internal/simphone/mkimage"
	"xflash/sin/gpt"
)

func itoa(n int) string { return strconv.Itoa(n) }

func be16(b []byte, v int) []byte    { return binary.BigEndian.AppendUint16(b, uint16(v)) }
func be32(b []byte, v int) []byte    { return binary.BigEndian.AppendUint32(b, uint32(v)) }
func be64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

// A sinFile is a version 3 file put together by hand from sin/FORMAT.md §3.1,
// §5, so that it can be wrong in any way.
type sinFile struct {
	kind     int
	hashType int // 0 is SHA-256
	role     string
	aid      int64 // 0 is 1
	by       *mkimage.Authority
	payload  []byte
	blocks   []int // lengths; nil: one block
}

func (f sinFile) build(t testing.TB) []byte {
	t.Helper()
	if f.by == nil {
		f.by = authority(t)
	}
	signer, err := f.by.Issue(f.role, max(f.aid, 1))
	if err != nil {
		t.Fatal(err)
	}
	if f.hashType == 0 {
		f.hashType = 2
	}
	if f.blocks == nil {
		f.blocks = []int{len(f.payload)}
	}
	var list []byte
	rest := f.payload
	for _, n := range f.blocks {
		list = be32(list, n)
		if f.hashType == 1 {
			sum := sha1.Sum(rest[:n])
			list = append(list, sum[:]...)
		} else {
			sum := sha256.Sum256(rest[:n])
			list = append(list, sum[:]...)
		}
		rest = rest[n:]
	}
	der := signer.Chain[0]
	head := be16(be16(be16(nil, 1), len(der)+2), len(der))
	head = append(append(head, der...), 2)
	blob := len(head) + 2 + signer.Key.Size()

	b := []byte("\x03SIN")
	b = be32(b, 28+len(list)+blob)
	b = be32(be32(be32(be32(b, f.kind), f.hashType), 0), len(list))
	b = be32(append(b, list...), blob)
	return slices.Concat(b, sign(t, signer.Key, head, b), f.payload)
}

// sign completes a certificate blob: sin/FORMAT.md §5.2.
func sign(t testing.TB, key *rsa.PrivateKey, head, header []byte) []byte {
	t.Helper()
	first, second := sha256.Sum256(head), sha256.Sum256(header)
	sum := sha256.Sum256(append(first[:], second[:]...))
	value, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return append(be16(slices.Clone(head), len(value)), value...)
}

// testLoader is a loader with everything that is looked for in a payload.
func testLoader(t testing.TB, aid int64, tags string) []byte {
	t.Helper()
	type key struct {
		aid  int64
		tags string
	}
	if file, ok := loaders.Load(key{aid, tags}); ok {
		return file.([]byte)
	}
	payload := "\x7fELF\x001277-2052\x00MSM8974AB_22\x00" + strings.ReplaceAll(tags, " ", "\x00") + "\x00"
	file := sinFile{kind: 0x20, role: "S1_Loader", aid: aid, payload: pattern(200000, payload)}.build(t)
	loaders.Store(key{aid, tags}, file)
	return file
}

var loaders sync.Map // what testLoader has made

// pattern is n bytes that start with text and continue without repeating soon.
func pattern(n int, text string) []byte {
	b := []byte(text)
	for i := 0; len(b) < n; i++ {
		b = append(b, byte(i*7), byte(i>>8), byte(i>>16), byte(i*31))
	}
	return b[:n]
}

// Tags of MMCF headers, sin/FORMAT.md §4.2.

func tagGPTP(id gpt.GUID) []byte {
	return append(be32([]byte("GPTP"), 24), id[:]...)
}

func tagADDR(data, length, dest uint64, content []byte) []byte {
	sum := sha256.Sum256(content)
	b := be64(be64(be64(be32([]byte("ADDR"), 0x44), data), length), dest)
	return append(be32(b, 2), sum[:]...)
}

func tagLZ4A(data, plain, packed, dest uint64, content []byte) []byte {
	sum := sha256.Sum256(content)
	b := be64(be64(be64(be32([]byte("LZ4A"), 0x54), data), plain), packed)
	b = be64(be64(b, dest), plain)
	return append(be32(b, 2), sum[:]...)
}

func tagFILL(dest, length uint64, word uint32) []byte {
	return binary.BigEndian.AppendUint32(be64(be64(be32([]byte("FILL"), 28), dest), length), word)
}

// mmcf is a payload of type 0x27: tags, then data.
func mmcf(data []byte, tags ...[]byte) []byte {
	list := slices.Concat(tags...)
	return slices.Concat([]byte("MMCF"), be32(nil, len(list)), list, data)
}

// imageFor is a good image for one partition: data at offset 0.
func imageFor(t testing.TB, p *Phone, label string, data []byte) []byte {
	t.Helper()
	payload := mmcf(data, tagGPTP(guidOf(t, p, label)), tagADDR(0, uint64(len(data)), 0, data))
	return sinFile{kind: 0x27, role: "S1_SW", payload: payload}.build(t)
}

// imageOf is any payload of type 0x27 signed for software.
func imageOf(t testing.TB, payload []byte) []byte {
	t.Helper()
	return sinFile{kind: 0x27, role: "S1_SW", payload: payload}.build(t)
}

func guidOf(t testing.TB, p *Phone, label string) gpt.GUID {
	t.Helper()
	part, err := p.Partition(label)
	if err != nil {
		t.Fatal(err)
	}
	return part.Entry.Unique
}

// content reads n bytes at off of a partition.
func content(t testing.TB, p *Phone, label string, off int64, n int) []byte {
	t.Helper()
	part, err := p.Partition(label)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, n)
	if _, err := part.ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	return b
}

// blocksOf cuts a payload's length into pieces of size.
func blocksOf(total, size int) (lengths []int) {
	for ; total > 0; total -= min(total, size) {
		lengths = append(lengths, min(total, size))
	}
	return lengths
}
