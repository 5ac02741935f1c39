package ftf

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// z3c has the entries of a Z3 Compact bundle (FORMAT.md §8.1) as Flashtool
// packs them, manifest last.
func z3c() *rawZip {
	z := &rawZip{}
	add := func(name, data string) {
		m := &rawMember{name: name, data: []byte(data)}
		if len(z.members)%2 == 0 {
			m.method, m.described = methodDeflate, true
		}
		z.members = append(z.members, m)
	}
	add("system.sin", strings.Repeat("system", 1000))
	for _, image := range []string{"KERNEL.SIN", "loader.sin", "partition-image.sin", "userdata.sin", "elabel-D5803-row_S1-ELABEL.sin"} {
		add(image, image+" contents")
	}
	add("boot_delivery.xml", deliveryText)
	add("boot/dbi_S1_Boot.sinb", "dbi")
	add("boot/tz_S1_Boot.sin", "tz")
	add("boot/dbi_dev.sin", "dev")
	add("boot/Aries_S1BootConfig_MiscTA.tab", "02\n0000084F 0002 1A CE\n000008FD 0001 00\n")
	add("fota-reset.ta", "02\n00000964 0001 00\n")
	add("cust-reset.TA", "02\n000008A4 0001 00\n")
	add("D5803.fsc", "uploadImage:partition\nsing:\nEnd flashing")
	add("firmware.torrent", "d8:announce")
	add("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nversion: 23.5.A.1.291\r\nbranding: Customized CE1\r\ncda: 1272-3750\r\ndevice: D5803\r\nnoerase: USERDATA\r\n\r\n")
	return z
}

func TestOpenZ3C(t *testing.T) {
	b, err := openBytes(t, z3c().bytes())
	if err != nil {
		t.Fatal(err)
	}
	if b.Folder || b.Manifest.Device != "D5803" || b.Manifest.Version != "23.5.A.1.291" || b.Manifest.From != "META-INF/MANIFEST.MF" {
		t.Errorf("%+v", b.Manifest)
	}
	if b.Delivery == nil || len(b.Delivery.Configurations) != 2 {
		t.Errorf("%+v", b.Delivery)
	}
	if b.ScriptName != "D5803.fsc" || len(b.Script.Actions) != 3 {
		t.Errorf("%+v", b.Script)
	}
	hasNote(t, b.Notes, "D5803.fsc", "line 2", "unknown action")
	hasNote(t, b.Notes, "firmware.torrent", "not used")
	if len(b.Notes) != 2 {
		t.Errorf("notes: %v", b.Notes)
	}
	if names := join(b.Images()); names != "system.sin KERNEL.SIN loader.sin partition-image.sin userdata.sin elabel-D5803-row_S1-ELABEL.sin" {
		t.Error(names)
	}
	if names := join(taFiles(b)); names != "fota-reset.ta cust-reset.TA" {
		t.Error(names)
	}
	for short, name := range map[string]string{"kernel": "KERNEL.SIN", "partition-image": "partition-image.sin", "loader": "loader.sin", "elabel": "elabel-D5803-row_S1-ELABEL.sin"} {
		if m := image(t, b, short); m.Name != name || m.Kind.String() != "SIN image" {
			t.Errorf("%s: %v", short, m)
		}
	}
	f, err := taFiles(b)[0].TA()
	if err != nil || f.Partition != 2 || f.Units[0].Unit != 2404 {
		t.Errorf("%+v %v", f, err)
	}
}

func taFiles(b *Bundle) []*Member {
	return slices.DeleteFunc(slices.Clone(b.Members), func(m *Member) bool { return m.Kind != KindTA || m.Boot })
}

// image is the one image outside boot/ with a short name.
func image(t *testing.T, b *Bundle, short string) (found *Member) {
	t.Helper()
	for _, m := range b.Images() {
		if strings.EqualFold(m.Short, short) {
			if found != nil {
				t.Fatalf("%s and %s", found.Name, m.Name)
			}
			found = m
		}
	}
	if found == nil {
		t.Fatal("no image " + short)
	}
	return found
}

func join(members []*Member) string {
	var names []string
	for _, m := range members {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

func TestBootFiles(t *testing.T) {
	b, err := openBytes(t, z3c().bytes())
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := b.Delivery.Match(testPhone)
	if err != nil {
		t.Fatal(err)
	}
	boot := join(slices.DeleteFunc(slices.Clone(b.Members), func(m *Member) bool { return !m.Boot }))
	for _, name := range []string{"boot/Aries_S1BootConfig_MiscTA.tab", "boot/dbi_S1_Boot.sinb", "boot/tz_S1_Boot.sin"} {
		if !strings.Contains(boot, name) {
			t.Errorf("%s lacks %s", boot, name)
		}
	}
	// The .ta of the other configuration is not there; protected names (.sinb, .tab) are.
	if lost := b.LostFiles(); len(c.Files()) != 3 || !slices.Equal(lost, []string{"Dev_MiscTA.ta"}) {
		t.Errorf("%q", lost)
	}
}

func TestDeliveryPlaces(t *testing.T) {
	xml := func(name, text string) *rawMember { return &rawMember{name: name, data: []byte(text)} }
	for _, c := range []struct {
		name    string
		members []*rawMember
		reason  Reason
		note    string
	}{
		{"top", []*rawMember{xml("boot_delivery.xml", deliveryText)}, 0, ""},
		{"boot", []*rawMember{xml("boot/boot_delivery.xml", deliveryText)}, 0, ""},
		{"any case", []*rawMember{xml("Boot/Boot_Delivery.XML", deliveryText)}, 0, ""},
		{"both, the same", []*rawMember{xml("boot_delivery.xml", deliveryText), xml("boot/boot_delivery.xml", deliveryText)}, 0, ""},
		{"both, different", []*rawMember{xml("boot_delivery.xml", deliveryText), xml("boot/boot_delivery.xml", deliveryText+"\n")}, Ambiguous, ""},
		{"broken", []*rawMember{xml("boot_delivery.xml", "<!DOCTYPE x>")}, BadXML, ""},
		{"images without", []*rawMember{xml("boot/dbi.sin", "dbi")}, 0, "without a boot_delivery.xml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := openBytes(t, plain(c.members...).bytes())
			if c.reason != 0 {
				want(t, err, c.reason, "boot_delivery.xml", "bundle.ftf")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.note != "" {
				hasNote(t, b.Notes, c.note)
			} else if b.Delivery == nil || b.Delivery.Product != "Aries" {
				t.Errorf("%+v", b.Delivery)
			}
		})
	}
}

func TestTextsInBundle(t *testing.T) {
	text := func(name, data string) *rawMember { return &rawMember{name: name, data: []byte(data)} }
	// A manifest that is broken is a failure: it says for which phone this is.
	_, err := openBytes(t, plain(text("META-INF/MANIFEST.MF", "nonsense")).bytes())
	want(t, err, BadText, "META-INF/MANIFEST.MF", "line 1")
	// A .ta file is read when it is wanted.
	b, err := openBytes(t, plain(text("x.ta", "02\nZZ")).bytes())
	if err != nil {
		t.Fatal(err)
	}
	_, err = taFiles(b)[0].TA()
	want(t, err, BadText, "bundle.ftf: x.ta: line 2")
	hasNote(t, b.Notes, "no manifest")
	// Damage is called damage, whatever the parser says about the remains.
	b, err = openBytes(t, plain(&rawMember{name: "x.ta", data: []byte("02\n"), dir: put32(16, 1), local: put32(14, 1)}).bytes())
	if err != nil {
		t.Fatal(err)
	}
	_, err = taFiles(b)[0].TA()
	want(t, err, Corrupt)
	// A second script, and one that is none, are noted.
	b, err = openBytes(t, plain(text("a.fsc", "PK\x00"), text("b.fsc", "closeTA:"), text("c.fsc", "openTA:2")).bytes())
	if err != nil {
		t.Fatal(err)
	}
	if b.ScriptName != "b.fsc" || b.Script.Actions[0].Verb != CloseTA {
		t.Errorf("%s %+v", b.ScriptName, b.Script)
	}
	hasNote(t, b.Notes, "a.fsc", "not used", "NUL")
	hasNote(t, b.Notes, "c.fsc", "second")
	// A damaged script is not noted away.
	_, err = openBytes(t, plain(&rawMember{name: "a.fsc", data: []byte("x"), dir: put32(16, 1), local: put32(14, 1)}).bytes())
	want(t, err, Corrupt, "a.fsc")
	// A nested archive is looked at as a file, nothing more.
	b, err = openBytes(t, plain(&rawMember{name: "boot.zip", data: plain().bytes()}).bytes())
	if err != nil {
		t.Fatal(err)
	}
	hasNote(t, b.Notes, "not used", "boot.zip")
	// Many useless files make one note.
	z := plain()
	for _, c := range "abcdefgh" {
		z.members = append(z.members, text(string(c)+".txt", ""))
	}
	if b, err = openBytes(t, z.bytes()); err != nil {
		t.Fatal(err)
	}
	hasNote(t, b.Notes, "a.txt", "e.txt", "3 more")
}

func TestOpenFailures(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "absent.ftf"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	// A pipe must not even be opened: that would wait for a writer.
	pipe := filepath.Join(t.TempDir(), "pipe.ftf")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(pipe)
	want(t, err, NotRegular)
	_, err = openBytes(t, nil)
	want(t, err, Truncated, "empty")
	_, err = openBytes(t, []byte("\x03SIN"+strings.Repeat("x", 100)))
	want(t, err, NotBundle, "not start like a zip archive")
}

// What people take for a bundle is named, so that they know what to do with it.
func TestArchivesThatAreNoBundle(t *testing.T) {
	for name, says := range map[string]string{
		"META-INF/com/google/android/updater-script": "a recovery installs",
		"D5803_23.5.A.1.291.ftf":                     "unpack it first",
		"readme.txt":                                 "no image",
	} {
		var data bytes.Buffer
		z := zip.NewWriter(&data)
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "x"); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = openBytes(t, data.Bytes())
		want(t, err, NotBundle, says)
	}
}

// Several members may be read at once, by several goroutines.
func TestReadersAreIndependent(t *testing.T) {
	b, err := openBytes(t, z3c().bytes())
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	results := make(chan error, 40)
	for range 20 {
		for _, short := range []string{"system", "kernel"} {
			m := image(t, b, short)
			wait.Go(func() {
				_, err := slurp(m)
				results <- err
			})
		}
	}
	wait.Wait()
	close(results)
	for err := range results {
		if err != nil {
			t.Error(err)
		}
	}
}

// Reading in small and odd pieces gives the same bytes.
func TestReadInPieces(t *testing.T) {
	b, err := openBytes(t, z3c().bytes())
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Members[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all bytes.Buffer
	buffer := make([]byte, 7)
	for all.Len() <= 6000 {
		if n, err := r.Read(nil); n != 0 || err != nil && err != io.EOF {
			t.Fatal(n, err)
		}
		n, err := r.Read(buffer[:1+all.Len()%7])
		all.Write(buffer[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if all.String() != strings.Repeat("system", 1000) {
		t.Fatalf("%d bytes", all.Len())
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(z3c().bytes())
	f.Add(goodArchive(true))
	f.Add((&rawZip{members: plain(&rawMember{name: "x.sin", data: []byte("x"), wide: true}).members, zip64: true}).bytes())
	f.Add(plain(&rawMember{name: "../x"}).bytes())
	f.Add(goodArchive(false)[:200])
	f.Fuzz(func(t *testing.T, data []byte) {
		b := &Bundle{Path: "fuzz.ftf"}
		err := b.addArchive(bytes.NewReader(data), int64(len(data)), "")
		if err == nil {
			err = b.interpret()
		}
		var e *Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		for _, m := range b.Members {
			if checkName(m.Name) != nil {
				t.Fatalf("name %q", m.Name)
			}
			r, err := m.Open()
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20))
			if n > m.Size || err == nil && n < min(m.Size, 1<<20) {
				t.Fatalf("%d bytes of %d, %v", n, m.Size, err)
			}
			if err != nil && !errors.As(err, &e) {
				t.Fatalf("an error of no kind: %v", err)
			}
			r.Close()
		}
		if _, err := b.Identity(); err != nil {
			t.Fatal(err)
		}
	})
}
