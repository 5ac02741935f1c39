package unpack

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
)

// pack compresses with the format's own program, which must be there in CI.
func pack(t testing.TB, data []byte, name string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is required in CI", name)
		}
		t.Skipf("%s is not installed", name)
	}
	var out, problem bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(data), &out, &problem
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, &problem)
	}
	return out.Bytes()
}

// packers are the programs of all formats that are decompressed here.
var packers = map[string]struct {
	format Format
	args   []string
	sums   bool // every damaged byte is noticed by a checksum
}{
	"gzip":       {Gzip, []string{"gzip", "-c"}, true},
	"bzip2":      {Bzip2, []string{"bzip2", "-c", "-1"}, true},
	"xz":         {XZ, []string{"xz", "-c", "--lzma2=dict=64KiB"}, true}, // small, since each test allocates the dictionary
	"xz arm":     {XZ, []string{"xz", "-c", "--check=crc32", "--arm", "--lzma2=dict=64KiB"}, true},
	"lzma":       {LZMA, []string{"xz", "-c", "--format=lzma", "--lzma1=dict=64KiB"}, false},
	"lz4 legacy": {LZ4Legacy, []string{"lz4", "-l", "-c"}, false},
	"lz4 frame":  {LZ4Frame, []string{"lz4", "-c", "--content-size", "-BX", "-B4"}, true},
	"lzo":        {LZO, []string{"lzop", "-c"}, true},
	"lzo fast":   {LZO, []string{"lzop", "-c", "-1", "-F"}, false},            // LZO1X-1(15), no checksums
	"lzo best":   {LZO, []string{"lzop", "-c", "-9", "--crc32", "-CC"}, true}, // LZO1X-999, as kernels are packed
	"zstd":       {Zstd, []string{"zstd", "-c", "--check", "-q"}, true},
}

// machineCode is n bytes that look like ARM code to a BCJ filter: branches with
// link to one target, whose relative bytes differ each time, between other words.
func machineCode(n int) []byte {
	r := rand.New(rand.NewPCG(7, 7))
	var b []byte
	for at := 0; len(b) < n; at += 4 {
		word := r.Uint32N(64) << 12
		if r.IntN(3) == 0 {
			word = 0xEB000000 | uint32(0x4000-(at+8)/4)&0xffffff // bl 0x10000
		}
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	return b[:n]
}

// machineCodeX86 is the same with calls of x86.
func machineCodeX86(n int) []byte {
	r := rand.New(rand.NewPCG(8, 8))
	var b []byte
	for len(b) < n {
		b = append(b, byte(r.IntN(64)), 0x90, byte(r.IntN(16)))
		b = append(b, 0xE8)
		b = binary.LittleEndian.AppendUint32(b, uint32(0x10000-(len(b)+4))) // call 0x10000
	}
	return b[:n]
}
