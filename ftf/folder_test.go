package ftf

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const fwinfoText = `<?xml version="1.0" encoding="utf-8"?>
<fwinfo><project>aries</project><product>Xperia Z3 Compact</product><model>D5803</model><cda>1289-2865</cda>
<market>France</market><operator>Customized FR</operator><network></network><swVer> 23.5.A.1.291 </swVer><cdfVer>R5B</cdfVer></fwinfo>`

const updateText = `<UPDATE><NOERASE>userdata_S1-SW-LIVE-9C84-MMC.sin, apps_log_X-FLASH-ALL.sin
simlock.ta</NOERASE><FACTORY_ONLY><FILE PATH="diag_S1.sin"/></FACTORY_ONLY><OTHER>system.sin</OTHER></UPDATE>`

// folder writes files into a new folder of that name.
func folder(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, data := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func xperiFirm() map[string]string {
	return map[string]string{
		"fwinfo.xml": fwinfoText, "update.xml": updateText,
		"kernel_S1-SW-LIVE-9C84-PID1-0005-MMC.sin": "kernel",
		"system_S1-SW-LIVE-9C84-PID1-0005-MMC.sin": "system",
		"elabel-D5803-row_S1-ELABEL-LIVE-9C84.sin": "elabel",
		"loader.sin":                        "loader",
		"fota-reset.ta":                     "02\n00000964 0001 00\n",
		"boot/boot_delivery.xml":            deliveryText,
		"boot/dbi_S1_Boot.sin":              "dbi",
		"boot/tz_S1_Boot.sin":               "tz",
		"boot/Aries_S1BootConfig_MiscTA.ta": "02\n0000084F 0001 1A\n",
		"partition/partition_delivery.xml":  "<PARTITION_DELIVERY/>",
		"partition/partition-image_S1-SW-LIVE-9C84-PID1-MBR.sin": "gpt",
		"readme.txt":          "hello",
		"downloads/other.sin": "not looked at",
	}
}

func TestXperiFirmFolder(t *testing.T) {
	b := mustOpen(t, folder(t, "fw", xperiFirm()))
	if !b.Folder {
		t.Error("not taken as a folder")
	}
	want := Manifest{Device: "D5803", Version: "23.5.A.1.291", Branding: "Customized FR", CDA: "1289-2865", Revision: "R5B",
		NoErase: []string{"USERDATA", "APPS_LOG", "SIMLOCK", "DIAG"}, From: "fwinfo.xml"}
	if !reflect.DeepEqual(b.Manifest, want) {
		t.Errorf("%+v\nwant %+v", b.Manifest, want)
	}
	for short, contentsWanted := range map[string]string{"kernel": "kernel", "system": "system", "elabel": "elabel", "loader": "loader", "partition-image": "gpt"} {
		if got := string(contents(t, image(t, b, short))); got != contentsWanted {
			t.Errorf("%s: %q", short, got)
		}
	}
	if len(b.Images()) != 5 || len(b.Notes) != 0 {
		t.Errorf("%s; %v", join(b.Images()), b.Notes)
	}
	if c, _, err := b.Delivery.Match(testPhone); err != nil || len(c.Images) != 2 || len(c.Config) != 1 || slices.ContainsFunc(b.LostFiles(), func(f string) bool { return slices.Contains(c.Files(), f) }) {
		t.Errorf("%+v %v", c, err)
	}
}

// A folder made into a bundle has Flashtool's names and the same contents.
func TestFolderToBundle(t *testing.T) {
	files := xperiFirm()
	files["partition-image_S1-SW.sin"] = "gpt, too"
	files["elabel-D5803-other_S1-ELABEL.sin"] = "second elabel"
	b := mustOpen(t, folder(t, "fw", files))
	path := create(t, b.Manifest, b.Files()...)
	if filepath.Base(path) != "D5803_23.5.A.1.291_1289-2865_R5B.ftf" {
		t.Error(path)
	}
	made := mustOpen(t, path)
	names := map[string]string{}
	for _, m := range made.Members {
		names[m.Name] = string(contents(t, m))
	}
	for name, data := range map[string]string{
		"kernel.sin": "kernel", "system.sin": "system", "loader.sin": "loader", "fota-reset.ta": files["fota-reset.ta"],
		"elabel-D5803-row_S1-ELABEL-LIVE-9C84.sin": "elabel", "elabel-D5803-other_S1-ELABEL.sin": "second elabel",
		"boot_delivery.xml": deliveryText, "boot/dbi_S1_Boot.sinb": "dbi", "boot/tz_S1_Boot.sinb": "tz",
		"boot/Aries_S1BootConfig_MiscTA.tab": files["boot/Aries_S1BootConfig_MiscTA.ta"],
		"partition/partition_delivery.xml":   "<PARTITION_DELIVERY/>", "partition-image.sin": "gpt, too",
		"partition/partition-image_S1-SW-LIVE-9C84-PID1-MBR.sin": "gpt",
	} {
		if names[name] != data {
			t.Errorf("%s: %q, want %q", name, names[name], data)
		}
		delete(names, name)
	}
	delete(names, manifestName)
	if len(names) != 0 {
		t.Errorf("more than wanted: %v", names)
	}
	if !reflect.DeepEqual(made.Manifest.NoErase, b.Manifest.NoErase) || made.Manifest.CDA != "1289-2865" {
		t.Errorf("%+v", made.Manifest)
	}
	if lost := made.LostFiles(); !slices.Equal(lost, b.LostFiles()) {
		t.Errorf("lost %q", lost)
	}
}

func TestFolderManifestSources(t *testing.T) {
	sin := func(more map[string]string) map[string]string {
		more["kernel.sin"] = "kernel"
		return more
	}
	for _, c := range []struct {
		name, folder          string
		files                 map[string]string
		device, version, from string
		note                  string
	}{
		{"manifest first", "fw", sin(map[string]string{"META-INF/MANIFEST.MF": "device: D6603\nversion: 1\n", "fwinfo.xml": fwinfoText}), "D6603", "1", "META-INF/MANIFEST.MF", ""},
		{"folder name", "H4113_Customized FR_1312-1455_50.2.A.0.400_R5B", sin(map[string]string{}), "H4113", "50.2.A.0.400", "", "name of the folder"},
		{"nothing", "fw", sin(map[string]string{}), "", "", "", "are unknown"},
		{"broken fwinfo", "D5803_Customized FR_1289-2865_23.5.A.1.291_R5B", sin(map[string]string{"fwinfo.xml": "<!DOCTYPE x>"}), "D5803", "23.5.A.1.291", "", "fwinfo.xml"},
		{"fwinfo without model", "fw", sin(map[string]string{"fwinfo.xml": "<fwinfo><swVer>1</swVer></fwinfo>"}), "", "1", "fwinfo.xml", "does not name the model"},
		{"escape in fwinfo", "fw", sin(map[string]string{"fwinfo.xml": "<fwinfo><model>D\u009b31m</model></fwinfo>"}), "", "", "", "control character"},
		{"market instead of operator", "fw", sin(map[string]string{"fwinfo.xml": "<fwinfo><model>D5803</model><market>FR</market></fwinfo>"}), "D5803", "", "fwinfo.xml", ""},
		{"broken update", "fw", sin(map[string]string{"fwinfo.xml": fwinfoText, "update.xml": "<UPDATE>"}), "D5803", "23.5.A.1.291", "fwinfo.xml", "update.xml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := mustOpen(t, folder(t, c.folder, c.files))
			if b.Manifest.Device != c.device || b.Manifest.Version != c.version || b.Manifest.From != c.from {
				t.Errorf("%+v", b.Manifest)
			}
			if c.note != "" {
				hasNote(t, b.Notes, c.note)
			}
		})
	}
}

func TestFolderOddities(t *testing.T) {
	dir := folder(t, "fw", map[string]string{"kernel.sin": "kernel", "Kernel.SIN": "twin"})
	_, err := Open(dir)
	want(t, err, Duplicate, "kernel.sin", "Kernel.SIN")

	dir = folder(t, "fw", map[string]string{"kernel.sin": "kernel"})
	secret := filepath.Join(t.TempDir(), "secret.sin")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"out.sin": secret, "in.sin": "kernel.sin", "nowhere.sin": "absent"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a\x1bb.sin"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := mustOpen(t, dir)
	if names := join(b.Images()); names != "in.sin kernel.sin" {
		t.Error(names)
	}
	hasNote(t, b.Notes, "out.sin")
	hasNote(t, b.Notes, "nowhere.sin")
	hasNote(t, b.Notes, "left out", "control character")

	_, err = Open(t.TempDir())
	want(t, err, NotBundle)
	for _, sizes := range [][]int64{{maxMember + 1}, {maxMember, maxMember, 1}} {
		dir := t.TempDir()
		for i, size := range sizes { // files of holes
			path := filepath.Join(dir, string(rune('a'+i))+".sin")
			if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
				t.Fatal(err)
			}
		}
		_, err = Open(dir)
		want(t, err, TooLarge)
	}
}

// boot.zip as the servers deliver it is used where nobody unpacked it.
func TestFolderWithBootZip(t *testing.T) {
	zip := (&rawZip{members: []*rawMember{{name: "boot_delivery.xml", data: []byte(deliveryText)}, {name: "dbi_S1_Boot.sin", data: []byte("dbi"), method: methodDeflate},
		{name: "tz_S1_Boot.sin", data: []byte("tz")}, {name: "Aries_S1BootConfig_MiscTA.ta", data: []byte("02\n")}}}).bytes()
	b := mustOpen(t, folder(t, "fw", map[string]string{"kernel.sin": "kernel", "boot.zip": string(zip)}))
	dbi := slices.IndexFunc(b.Members, func(m *Member) bool { return m.Boot && m.Base == "dbi_S1_Boot.sin" })
	if dbi < 0 || string(contents(t, b.Members[dbi])) != "dbi" {
		t.Fatal(join(b.Members))
	}

	b = mustOpen(t, folder(t, "fw", map[string]string{"kernel.sin": "kernel", "Boot.ZIP": "no archive", "boot/x.ta": "02\n"}))
	hasNote(t, b.Notes, "Boot.ZIP", "not used")

	_, err := Open(folder(t, "fw", map[string]string{"kernel.sin": "kernel", "boot.zip": string(zip[:100])}))
	want(t, err, Truncated, "boot.zip")
}

// A file that changes under the reader is reported, not sent half.
func TestFolderFileChanges(t *testing.T) {
	for name, size := range map[string]int64{"shorter": 3, "longer": 30} {
		dir := folder(t, "fw", map[string]string{"kernel.sin": "kernel image"})
		b := mustOpen(t, dir)
		if err := os.Truncate(filepath.Join(dir, "kernel.sin"), size); err != nil {
			t.Fatal(err)
		}
		_, err := slurp(b.Members[0])
		t.Run(name, func(t *testing.T) { want(t, err, Corrupt, "kernel.sin", "12 bytes", "now has") })
	}
}

func TestIdentity(t *testing.T) {
	identity := func(b *Bundle) string {
		t.Helper()
		id, err := b.Identity()
		if err != nil || len(id) != 64 {
			t.Fatal(id, err)
		}
		return id
	}
	archive := func(members ...*rawMember) string {
		b, err := openBytes(t, (&rawZip{members: members}).bytes())
		if err != nil {
			t.Fatal(err)
		}
		return identity(b)
	}
	a, k := &rawMember{name: "a.sin", data: []byte("aa")}, &rawMember{name: "k.sin", data: []byte("kk")}
	first := archive(a, k)
	for name, same := range map[string]string{
		"order":   archive(k, a),
		"packing": archive(a, &rawMember{name: "k.sin", data: []byte("kk"), method: methodDeflate, described: true}),
		"useless": archive(a, k, &rawMember{name: "readme.txt"}),
	} {
		if same != first {
			t.Errorf("%s changes the identity", name)
		}
	}
	for name, other := range map[string]string{
		"contents": archive(a, &rawMember{name: "k.sin", data: []byte("kj")}),
		"name":     archive(a, &rawMember{name: "K.sin", data: []byte("kk")}),
		"more":     archive(a, k, &rawMember{name: "x.ta"}),
		"less":     archive(a),
	} {
		if other == first {
			t.Errorf("%s does not change the identity", name)
		}
	}
	files := map[string]string{"a.sin": strings.Repeat("a", identityHead+5), "k.sin": "kk"}
	one := identity(mustOpen(t, folder(t, "one", files)))
	if two := identity(mustOpen(t, folder(t, "two", files))); one != two {
		t.Error("the folder's place changes the identity")
	}
	files["k.sin"] = "kj"
	if two := identity(mustOpen(t, folder(t, "one", files))); one == two {
		t.Error("contents do not change the identity")
	}
}
