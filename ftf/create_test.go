package ftf

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var testManifest = Manifest{Device: "D5803", Version: "23.5.A.1.291", Branding: "Customized CE1", CDA: "1272-3750", Revision: "R6C", NoErase: []string{"USERDATA"}}

func create(t *testing.T, m Manifest, files ...File) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, m, files); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), m.FileName())
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// repacked packs a bundle again, as Flashtool does.
func repacked(t *testing.T, path string) string {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var out bytes.Buffer
	to := zip.NewWriter(&out)
	for _, f := range z.File {
		w, err := to.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, r); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(t.TempDir(), filepath.Base(path))
	if err := errors.Join(to.Close(), os.WriteFile(path, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

var someFiles = []File{
	file("system.sin", bytes.Repeat([]byte("system "), 30000)), file("userdata.sin", noise(100000)), file("fota-reset.ta", []byte("02\n00000964 0001 00\n")),
	file("empty.sin", nil), file("D5803.fsc", []byte("End flashing:\n")), file("boot/dbi_S1_Boot.sinb", []byte("dbi")), file("LOADER.sin", []byte("loader")),
	file("boot_delivery.xml", []byte(deliveryText)),
}

// Order of FORMAT.md §3, contents kept, and unzip finds nothing wrong.
func TestCreate(t *testing.T) {
	unzip := tool(t, "unzip")
	path := create(t, testManifest, someFiles...)
	if out, err := exec.Command(unzip, "-t", path).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("No errors detected")) {
		t.Fatalf("unzip -t: %v\n%s", err, out)
	}
	b := mustOpen(t, path)
	var names []string
	for _, m := range b.Members {
		names = append(names, m.Name)
	}
	if order := "META-INF/MANIFEST.MF LOADER.sin D5803.fsc system.sin userdata.sin fota-reset.ta empty.sin boot/dbi_S1_Boot.sinb boot_delivery.xml"; strings.Join(names, " ") != order {
		t.Fatalf("order: %v", names)
	}
	for _, f := range someFiles {
		r, _ := f.Open()
		expect, _ := io.ReadAll(r)
		out, err := exec.Command(unzip, "-p", path, f.Name).Output()
		if err != nil || !bytes.Equal(out, expect) {
			t.Errorf("unzip gives %d bytes of %s, want %d (%v)", len(out), f.Name, len(expect), err)
		}
	}
	if b.Manifest.Device != "D5803" || b.Manifest.CDA != "1272-3750" || !reflect.DeepEqual(b.Manifest.NoErase, []string{"USERDATA"}) {
		t.Errorf("%+v", b.Manifest)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(create(t, testManifest, someFiles...))
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("the same files gave other bytes (%v)", err)
	}
}

// write(open(x)) has the members of x byte for byte, whatever the packing.
func TestRoundTrip(t *testing.T) {
	first := mustOpen(t, repacked(t, create(t, testManifest, someFiles...)))
	second := mustOpen(t, create(t, first.Manifest, first.Files()...))
	if len(first.Members) != len(second.Members) {
		t.Fatalf("%d members became %d", len(first.Members), len(second.Members))
	}
	for i, m := range first.Members {
		n := second.Members[i]
		if m.Name != n.Name || !bytes.Equal(contents(t, m), contents(t, n)) {
			t.Errorf("%s became %s, or its contents changed", m.Name, n.Name)
		}
	}
	one, err := first.Identity()
	if err != nil {
		t.Fatal(err)
	}
	if two, err := second.Identity(); err != nil || one != two {
		t.Errorf("identities %s and %s (%v)", one, two, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	for _, c := range []struct {
		reason Reason
		files  []File
	}{
		{UnsafeName, []File{file("../x.sin", nil)}},
		{UnsafeName, []File{file("boot/", nil)}},
		{Duplicate, []File{file("a.sin", nil), file("A.sin", nil)}},
		{Duplicate, []File{file("meta-inf/manifest.mf", nil)}},
		{TooMany, make([]File, maxMembers)},
	} {
		var out bytes.Buffer
		want(t, Write(&out, testManifest, c.files), c.reason)
		if out.Len() > 0 {
			t.Error("something was written")
		}
	}
}

// What reading a file gives is what Write gives.
func TestWriteFails(t *testing.T) {
	broken := errors.New("disk on fire")
	changing := 0
	for name, c := range map[string]struct {
		f    File
		want error
	}{
		"open fails": {File{Name: "b.sin", Open: func() (io.ReadCloser, error) { return nil, broken }}, broken},
		"read fails": {File{Name: "b.sin", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("x"), &failing{broken})), nil
		}}, broken},
		"close fails": {File{Name: "b.sin", Open: func() (io.ReadCloser, error) { return failing{broken}.closing(), nil }}, broken},
		"changes": {File{Name: "b.sin", Open: func() (io.ReadCloser, error) {
			changing++
			return io.NopCloser(strings.NewReader(strings.Repeat("x", changing))), nil
		}}, Corrupt},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Write(io.Discard, testManifest, []File{file("a.sin", []byte("a")), c.f}); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
func (f failing) Close() error             { return f.err }

// closing reads nothing and fails on Close.
func (f failing) closing() io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{strings.NewReader(""), f}
}
