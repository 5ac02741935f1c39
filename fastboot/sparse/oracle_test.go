package sparse

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// tool finds a program of Debian's android-sdk-libsparse-utils. In CI it must be there.
func tool(t *testing.T, name string) func(args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is required in CI: apt-get install android-sdk-libsparse-utils", name)
		}
		t.Skipf("%s is not installed (Debian: android-sdk-libsparse-utils)", name)
	}
	return func(args ...string) {
		t.Helper()
		if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
	}
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOracleReads: Debian's simg2img makes of our pieces what they came from.
// It takes several pieces at once, as a phone does one after the other.
func TestOracleReads(t *testing.T) {
	simg2img := tool(t, "simg2img")
	r := newRand(11)
	for range 12 {
		b := randomRaw(r, 1+r.IntN(300))
		m, err := FromRaw(bytes.NewReader(b), int64(len(b)), RawOptions{SkipZeros: r.IntN(2) == 0})
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := m.Split(4160 + r.Int64N(int64(len(b))))
		if err != nil {
			t.Fatal(err)
		}
		var args []string
		for i, p := range pieces {
			args = append(args, write(t, fmt.Sprint(i), readPiece(t, p)))
		}
		out := filepath.Join(t.TempDir(), "raw")
		simg2img(append(args, out)...)
		if got := read(t, out); !bytes.Equal(got, b) {
			t.Fatalf("simg2img makes %d bytes that differ from the image of %d, from %d pieces", len(got), len(b), len(pieces))
		}
	}
}

// TestOracleWrites: we make of what Debian's img2simg and simg2simg write what it came from,
// and one piece of ours has the very bytes of img2simg.
func TestOracleWrites(t *testing.T) {
	img2simg, simg2simg := tool(t, "img2simg"), tool(t, "simg2simg")
	r := newRand(12)
	for range 12 {
		b := randomRaw(r, 40+r.IntN(300))
		in, whole := write(t, "raw", b), filepath.Join(t.TempDir(), "whole")
		img2simg(in, whole)
		theirs := read(t, whole)
		out := newMemory(int64(len(b)), 0xEE)
		if err := mustReader(t, theirs).Apply(out); err != nil || !bytes.Equal(out, b) {
			t.Fatalf("the image of img2simg expands wrongly, error %v", err)
		}

		m, err := FromRaw(bytes.NewReader(b), int64(len(b)), RawOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := m.Split(0)
		if err != nil {
			t.Fatal(err)
		}
		if ours := readPiece(t, pieces[0]); !bytes.Equal(ours, theirs) {
			t.Errorf("our sparse image of %d bytes differs from that of img2simg, %d bytes", len(ours), len(theirs))
		}

		prefix := filepath.Join(t.TempDir(), "piece")
		simg2simg(whole, prefix, fmt.Sprint(100_000+r.IntN(len(b))))
		files, _ := filepath.Glob(prefix + ".*")
		if len(files) == 0 {
			t.Fatal("simg2simg wrote nothing")
		}
		out = newMemory(int64(len(b)), 0xEE)
		for _, f := range files {
			if err := mustReader(t, read(t, f)).Apply(out); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(out, b) {
			t.Errorf("the %d pieces of simg2simg applied together differ from the image", len(files))
		}
	}
}
