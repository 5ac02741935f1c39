package ftf

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// want checks that err is an *Error of the reason and says every one of the words.
func want(t *testing.T, err error, reason Reason, words ...string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want %v", err, reason)
	}
	if e.Reason != reason || !errors.Is(err, reason) {
		t.Fatalf("got reason %v (%v), want %v", e.Reason, err, reason)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("%q does not say %q", err, w)
		}
	}
	return e
}

// file makes a File of bytes.
func file(name string, data []byte) File {
	return File{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// contents reads a member whole and closes it.
func contents(t *testing.T, m *Member) []byte {
	t.Helper()
	data, err := slurp(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func slurp(m *Member) ([]byte, error) {
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

// openBytes writes an archive to disk and opens it.
func openBytes(t *testing.T, data []byte) (*Bundle, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.ftf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := Open(path)
	if err == nil {
		t.Cleanup(func() { b.Close() })
	}
	return b, err
}

// mustOpen opens a bundle that must be good.
func mustOpen(t *testing.T, path string) *Bundle {
	t.Helper()
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// hasNote checks that a note says all the words.
func hasNote(t *testing.T, notes []Note, words ...string) {
	t.Helper()
next:
	for _, n := range notes {
		for _, w := range words {
			if !strings.Contains(n.String(), w) {
				continue next
			}
		}
		return
	}
	t.Fatalf("no note says %q: %v", words, notes)
}

// tool finds a program that the tests need as an oracle.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is needed; packaging/setup.sh test installs it", name)
	}
	return path
}
