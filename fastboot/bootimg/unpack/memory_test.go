package unpack

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestUnderMemoryLimit decompresses bombs and large dictionaries in a process
// that may have 256 MiB of data. (The limit is one of data, not of address
// space: Go 1.26 reserves more address space than 512 MB before it starts.)
func TestUnderMemoryLimit(t *testing.T) {
	if dir := os.Getenv("UNPACK_UNDER_LIMIT"); dir != "" {
		underLimit(t, dir)
		return
	}
	if raceDetector {
		t.Skip("the race detector alone needs more memory")
	}
	if testing.Short() {
		t.Skip("packs large files by every packer")
	}
	dir := t.TempDir()
	bomb := make([]byte, 40<<20)
	for name, p := range packers {
		save(t, filepath.Join(dir, "bomb "+name), pack(t, bomb, p.args[0], p.args[1:]...))
	}
	for _, dict := range []string{"dict=64MiB", "dict=96MiB"} {
		save(t, filepath.Join(dir, dict+" xz"), pack(t, bomb, "xz", "-c", "-T1", "--lzma2=mode=fast,mf=hc3,"+dict))
		save(t, filepath.Join(dir, dict+" lzma"), pack(t, bomb, "xz", "-c", "--format=lzma", "--lzma1=mode=fast,mf=hc3,"+dict))
	}
	cmd := exec.Command("sh", "-c", `ulimit -d 262144 && exec "$0" -test.run '^TestUnderMemoryLimit$'`, os.Args[0])
	cmd.Env = append(os.Environ(), "UNPACK_UNDER_LIMIT="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func save(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// underLimit is the limited process: each file ends at the limit of output or at that of the dictionary.
func underLimit(t *testing.T, dir string) {
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != len(packers)+4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := all(t, b, Detect(b), 1<<20); !errors.Is(err, ErrLimit) && !errors.Is(err, ErrDictionary) {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
}
