package ftf

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
	if !strings.HasSuffix(b.String(), "bundle.ftf (D5803 23.5.A.1.291)") {
		t.Error(b.String())
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
	if names := join(b.TAFiles()); names != "fota-reset.ta cust-reset.TA" {
		t.Error(names)
	}
	for short, name := range map[string]string{"kernel": "KERNEL.SIN", "partition": "partition-image.sin", "partition-image": "partition-image.sin", "Loader": "loader.sin", "elabel": "elabel-D5803-row_S1-ELABEL.sin"} {
		m, err := b.Image(short)
		if err != nil || m.Name != name {
			t.Errorf("%s: %v %v", short, m, err)
		}
	}
	for _, short := range []string{"cache", "dbi", "fota-reset", ""} {
		_, err := b.Image(short)
		want(t, err, Missing, "bundle.ftf")
		if !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
	if m, _ := b.Image("kernel"); m.Kind.String() != "SIN image" {
		t.Error(m.Kind)
	}
	f, err := b.TAFiles()[0].TA()
	if err != nil || f.Partition != 2 || f.Units[0].Unit != 2404 {
		t.Errorf("%+v %v", f, err)
	}
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
	files, err := b.BootFiles(c)
	if err != nil {
		t.Fatal(err)
	}
	if join(files.Config) != "boot/Aries_S1BootConfig_MiscTA.tab" || join(files.Images) != "boot/dbi_S1_Boot.sinb boot/tz_S1_Boot.sin" {
		t.Fatalf("%s; %s", join(files.Config), join(files.Images))
	}
	units, err := files.Config[0].TA()
	if err != nil || len(units.Units) != 2 || units.Units[0].Unit != 2127 {
		t.Errorf("%+v %v", units, err)
	}
	if m, err := files.Image("TZ"); err != nil || m.Base != "tz_S1_Boot.sin" || !m.Boot {
		t.Errorf("%+v %v", m, err)
	}
	_, err = files.Image("rpm")
	want(t, err, Missing, "rpm")
	_, err = BootFiles{Images: []*Member{{Short: "tz"}, {Short: "tz"}}}.Image("tz")
	want(t, err, Ambiguous, "tz")
	// The other configuration's .ta is not there.
	_, err = b.BootFiles(b.Delivery.Configurations[1])
	if e := want(t, err, Missing, "DEVELOPMENT", "Dev_MiscTA.ta"); strings.Contains(e.Error(), "dbi_dev.sin") {
		t.Errorf("%v names a file that is there", e)
	}
}

// The plain file goes before the protected one, the right case before another.
func TestBootFilePreference(t *testing.T) {
	for _, c := range []struct {
		in    []string
		found string
	}{
		{[]string{"boot/a.sinb", "boot/a.sin"}, "boot/a.sin"},
		{[]string{"boot/A.SIN", "boot/a.sinb"}, "boot/a.sinb"},
		{[]string{"BOOT/A.SINB"}, "BOOT/A.SINB"},
		{[]string{"firmware/boot/a.sin"}, "firmware/boot/a.sin"},
		{[]string{"a.sin"}, ""},
	} {
		b := &Bundle{}
		for _, name := range c.in {
			b.add(name, 0)
		}
		files, err := b.BootFiles(&Configuration{Name: "C", Images: []string{"a.sin"}})
		if join(files.Images) != c.found || (err == nil) != (c.found != "") {
			t.Errorf("%v: %q %v", c.in, join(files.Images), err)
		}
	}
}

func TestAmbiguousImage(t *testing.T) {
	b, err := openBytes(t, plain(&rawMember{name: "kernel_S1-SW.sin"}, &rawMember{name: "partition.sin"}, &rawMember{name: "partition-image.sin"}).bytes())
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Image("kernel")
	want(t, err, Ambiguous, "kernel.sin", "kernel_S1-SW.sin")
	if m, err := b.Image("partition"); err != nil || m.Name != "partition.sin" {
		t.Errorf("the alias goes before the name: %v %v", m, err)
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
	_, err = b.TAFiles()[0].TA()
	want(t, err, BadText, "bundle.ftf: x.ta: line 2")
	hasNote(t, b.Notes, "no manifest")
	// Damage is called damage, whatever the parser says about the remains.
	b, err = openBytes(t, plain(&rawMember{name: "x.ta", data: []byte("02\n"), dir: put32(16, 1), local: put32(14, 1)}).bytes())
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.TAFiles()[0].TA()
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
	want(t, err, NotBundle, "single SIN image")
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
			m, err := b.Image(short)
			if err != nil {
				t.Fatal(err)
			}
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
		err := b.addArchive(bytes.NewReader(data), int64(len(data)), "", DefaultLimits)
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
