package ftf

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// file makes a File of bytes.
func file(name string, data []byte) File {
	return File{name, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// contents reads a member whole.
func contents(t *testing.T, m *Member) []byte {
	t.Helper()
	r, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCreateUnzip(t *testing.T) {
	for _, packing := range []Packing{Stored, Deflated} {
		path := filepath.Join(t.TempDir(), "x.ftf")
		files := []File{file("system.sin", bytes.Repeat([]byte("system "), 10000)), file("empty.ta", nil), file("loader.sin", []byte("loader"))}
		if err := Create(context.Background(), path, Manifest{Device: "D5803", Version: "23.5.A.1.291"}, files, packing); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("unzip", "-t", path).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		b, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if b.Manifest.Device != "D5803" || len(b.Members) != 4 || b.Members[1].Name != "loader.sin" {
			t.Fatalf("%+v", b)
		}
		if got := contents(t, b.Members[2]); !bytes.Equal(got, bytes.Repeat([]byte("system "), 10000)) {
			t.Fatal("system differs")
		}
		_ = os.Remove
	}
}
