package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"xflash/internal/inspect"
	"xflash/internal/simphone/mkimage"
)

// door runs one command line in this process.
func door(t *testing.T, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	in := listen()
	defer in.close()
	exit = run(in, args, &terminal{in: strings.NewReader(""), out: &out, err: &talk})
	return exit, out.String(), talk.String()
}

// TestOneVerdictThroughEveryDoor sends every input through verify, inspect, unpack, bundle,
// restore --dry-run and ta verify. The generator knows what it broke; all doors must agree.
func TestOneVerdictThroughEveryDoor(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	g := newInputs(t)
	if len(g.list) < 60 {
		t.Fatalf("only %d inputs", len(g.list))
	}
	for _, in := range g.list {
		t.Run(in.name, func(t *testing.T) {
			says := func(door string, exit int, text string, right bool) {
				if !right {
					t.Errorf("%s of a file whose verdict is %q: exit %d\n%s", door, in.intact, exit, text)
				}
			}
			want := exitFile
			if in.intact == inspect.IntactYes {
				want = exitOK
			}
			others := want // of the doors that read the firmware of a folder only, and say so
			if in.beside != "" {
				others = exitOK
			}
			door2 := func(door string, exit int, text string, right bool) {
				says(door, exit, text, right && strings.Contains(text, in.beside))
			}
			exit, out, talk := door(t, "verify", in.path, "--root", g.root)
			says("verify", exit, out+talk, exit == want && (in.intact != inspect.IntactUnknown || strings.Contains(out, "unknown:")))

			exit, out, talk = door(t, "inspect", "--json", in.path, "--root", g.root)
			var report struct{ Intact inspect.Intact }
			err := json.Unmarshal([]byte(out), &report)
			says("inspect", exit, out+talk, exit == exitOK && err == nil && report.Intact == in.intact)

			exit, out, talk = door(t, "unpack", in.path, "-o", filepath.Join(t.TempDir(), "out"))
			if in.is != other {
				door2("unpack", exit, out+talk, exit == others)
			} else {
				says("unpack", exit, out+talk, exit == exitFile || exit == exitUsage)
			}

			exit, out, talk = door(t, "restore", in.path, "--dry-run", "--model", "D5803", "--root", g.root)
			switch {
			case in.is != bundle:
				says("restore", exit, out+talk, exit == exitFile || exit == exitPolicy)
			case others == exitFile && in.intact == inspect.IntactNo:
				says("restore", exit, out+talk, exit == exitFile)
			default:
				door2("restore", exit, out+talk, exit == exitOK)
			}

			exit, out, talk = door(t, "bundle", in.path, "-o", filepath.Join(t.TempDir(), "new.ftf"), "--model", "D5803", "--version", "1")
			switch {
			case in.is != bundle:
				says("bundle", exit, out+talk, exit != exitOK)
			default: // what could be read is bundled, and the rest is named
				door2("bundle", exit, out+talk, exit == others && (in.intact != inspect.IntactUnknown || strings.Contains(talk, "left out")))
			}

			exit, out, talk = door(t, "ta", "verify", in.path)
			if in.trim {
				says("ta verify", exit, out+talk, exit == want)
			} else {
				says("ta verify", exit, out+talk, exit != exitOK)
			}
		})
	}
}

// newBundleInputs also gives the members of a sound bundle.
func newBundleInputs(t *testing.T) (g *inputs, base []member) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	b, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	return newInputs(t), readZip(t, b.fw.Bundle)
}

// TestDamageThatStaysBehind: an image that a restore leaves out does not stop it, and the plan
// says that it was not checked. Every other door, and a restore that sends it, finds it damaged.
func TestDamageThatStaysBehind(t *testing.T) {
	g, base := newBundleInputs(t)
	path := g.write(filepath.Join(g.sub(), "kept.ftf"), zipOf(t, with(base, "userdata.sin", broken(find(base, "userdata.sin"), -5))))
	restore := []string{"restore", path, "--dry-run", "--model", "D5803", "--root", g.root}
	for want, lines := range map[int][][]string{
		exitOK: {restore},
		exitFile: {append(restore[:len(restore):len(restore)], "--wipe"), {"verify", path}, {"unpack", path, "-o", filepath.Join(g.sub(), "out")},
			{"bundle", path, "-o", filepath.Join(g.sub(), "new.ftf")}},
	} {
		for _, line := range lines {
			exit, out, talk := door(t, line...)
			if all := out + talk; exit != want || !strings.Contains(all, "userdata") || exit == exitOK && !strings.Contains(all, "not checked to the end") {
				t.Errorf("%v: exit %d\n%s", line, exit, all)
			}
		}
	}
}

// TestSoundFileOfAnotherKind: a command that cannot use a sound file says what it is, in the
// words of inspect, and does not call it invalid.
func TestSoundFileOfAnotherKind(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	g := newInputs(t)
	is := map[string][2]string{ // what the doors of firmware say, and those of trim areas
		"boot.img": {"an Android boot image", "an Android boot image"}, "backup.ext4.win": {"a tar archive", "a tar archive"},
		"zImage": {"a bare kernel", "a bare kernel"}, "kernel.sin": {"a single SIN image", "a SIN image"}, "newer.fsc": {"a flash script", "a flash script"},
		"sparse.simg": {"an Android sparse image", "an Android sparse image"}, "boot.img.gz": {"a gzip file", "exactly 2 MiB"}, "TA.img": {"a trim-area image", ""},
		"rom.zip": {"a recovery installs", "no trim-area image"}, "app.apk": {"it holds no image", "no trim-area image"}, "sound.ftf": {"", "no trim-area image"}}
	for _, in := range g.list {
		says := is[in.name]
		delete(is, in.name)
		lines := map[string][][]string{
			says[0]: {{"restore", "--dry-run", "--model", "D5803", in.path}, {"restore", "--fastboot", "--dry-run", "--model", "D5803", in.path},
				{"bundle", in.path, "-o", filepath.Join(g.sub(), "new.ftf")}}}
		if in.is != image {
			lines[says[0]] = append(lines[says[0]], []string{"unpack", in.path, "-o", filepath.Join(g.sub(), "out")})
		}
		lines[says[1]] = append(lines[says[1]], []string{"ta", "verify", in.path}, []string{"ta", "list", in.path}, []string{"ta", "compare", in.path, in.path})
		delete(lines, "")
		for want, lines := range lines {
			for _, line := range lines {
				exit, out, talk := door(t, append(line, "--json")...)
				if exit != exitFile || !strings.Contains(out, `"code":"file-unknown"`) || !strings.Contains(out, want) {
					t.Errorf("%v: exit %d, want %q\n%s%s", line, exit, want, out, talk)
				}
			}
		}
	}
	if len(is) > 0 {
		t.Errorf("not in the table: %v", is)
	}
}

// TestSoundImageForOtherPhones: an image that these phones refuse is not called damaged, and a
// plan for fastboot writes at least one image.
func TestSoundImageForOtherPhones(t *testing.T) {
	g, base := newBundleInputs(t)
	var later bytes.Buffer
	if err := (mkimage.ArchiveBuilder{Name: "kernel", CMS: []byte{0x30, 0x82, 0, 4, 0, 0, 0, 0},
		Chunks: []*io.SectionReader{io.NewSectionReader(bytes.NewReader(noise(4096)), 0, 4096)}}).Build(&later); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		members []member
		flags   []string
		exit    int
		says    string
	}{
		{with(base, "kernel.sin", later.Bytes()), nil, exitPolicy, "of version 5, but these phones accept version 3"},
		{with(base, "extra.sin", later.Bytes()), nil, exitOK, "extra"},
		{[]member{{"loader.sin", find(base, "loader.sin")}}, []string{"--fastboot"}, exitPolicy, "nothing in it is left to flash"},
	} {
		path := g.write(filepath.Join(g.sub(), "other.ftf"), zipOf(t, c.members))
		if exit, out, talk := door(t, "verify", path, "--root", g.root); exit != exitOK {
			t.Errorf("verify: exit %d\n%s%s", exit, out, talk)
		}
		exit, out, talk := door(t, append([]string{"restore", path, "--dry-run", "--model", "D5803", "--root", g.root}, c.flags...)...)
		if all := strings.Join(strings.Fields(out+talk), " "); exit != c.exit || !strings.Contains(all, c.says) || strings.Contains(all, "damaged") {
			t.Errorf("restore: exit %d, want %d and %q\n%s", exit, c.exit, c.says, all)
		}
	}
}

// TestBesideIsAlwaysTold: what is not part of the firmware of a folder is reported by a quiet
// command and to programs, too.
func TestBesideIsAlwaysTold(t *testing.T) {
	g := newInputs(t)
	for _, in := range g.list {
		if in.beside == "" {
			continue
		}
		for _, flag := range []string{"--quiet", "--json"} {
			exit, out, talk := door(t, "unpack", in.path, "-o", filepath.Join(g.sub(), "out"), flag)
			if exit != exitOK || !strings.Contains(strings.Join(strings.Fields(out+talk), " "), in.beside) {
				t.Errorf("%s %s: exit %d\n%s%s", in.name, flag, exit, out, talk)
			}
		}
	}
}

// what an input is, for the doors that take only some kinds.
type what int

const (
	other  what = iota // nothing to take apart
	image              // a SIN or a sparse image
	bundle             // firmware, as archive or folder
)

// input is one row of the table.
type input struct {
	name, path string
	intact     inspect.Intact
	is         what
	trim       bool
	beside     string // what is damaged is not part of the firmware of a folder
}

// inputs makes the table in a folder.
type inputs struct {
	t    *testing.T
	dir  string
	root string
	list []input
}

func (g *inputs) add(name string, intact inspect.Intact, is what, path string) {
	g.list = append(g.list, input{name: name, path: path, intact: intact, is: is})
}

// file adds an input that is one file.
func (g *inputs) file(name string, data []byte, intact inspect.Intact, is what) {
	g.add(name, intact, is, g.write(filepath.Join(g.sub(), name), data))
}

// sub is a new folder.
func (g *inputs) sub() string {
	dir, err := os.MkdirTemp(g.dir, "")
	if err != nil {
		g.t.Fatal(err)
	}
	return dir
}

func (g *inputs) write(path string, data []byte) string {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		g.t.Fatal(err)
	}
	return path
}

// folder lays members out below its own folder, named as XperiFirm names folders.
func (g *inputs) folder(members []member) string {
	dir := filepath.Join(g.sub(), "D5803_Customized CE1_1289-5302_23.5.A.1.291_R5D")
	for _, m := range members {
		g.write(filepath.Join(dir, m.name), m.data)
	}
	return dir
}

// broken is data with one bit turned at a place from the start, or from the end.
func broken(data []byte, at int) []byte {
	b := bytes.Clone(data)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 4
	return b
}

func newInputs(t *testing.T) *inputs {
	b, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	g := &inputs{t: t, dir: t.TempDir(), root: b.root}
	members := readZip(t, b.fw.Bundle)
	g.bundles(members)
	g.folders(members)
	g.images(b.authority, members)
	g.otherFiles(members)
	g.trimAreas()
	return g
}

func (g *inputs) bundles(base []member) {
	yes, no := inspect.IntactYes, inspect.IntactNo
	archive := func(name string, intact inspect.Intact, members []member, change func([]byte) []byte) {
		data := zipOf(g.t, members)
		if change != nil {
			data = change(data)
		}
		g.file(name+".ftf", data, intact, bundle)
	}
	archive("sound", yes, base, nil)
	archive("readme", yes, with(base, "readme.txt", []byte("hello\n")), nil)
	archive("noise beside", yes, with(base, "cover.dat", noise(3000)), nil)
	archive("empty readme", yes, with(base, "readme.txt", nil), nil)
	archive("empty manifest", yes, with(base, "META-INF/MANIFEST.MF", nil), nil)
	archive("resource fork", yes, with(base, "__MACOSX/._kernel.sin", []byte("\x00\x05\x16\x07")), nil)
	archive("boot image beside", yes, with(base, "recovery.img", bootImage(g.t)), nil)
	archive("bundle beside", yes, with(base, "other.ftf", zipOf(g.t, base)), nil)
	archive("bundle beside, cut", no, with(base, "other.ftf", zipOf(g.t, base)[:5000]), nil)
	archive("boot image beside, cut", no, with(base, "recovery.img", bootImage(g.t)[:4000]), nil)
	archive("empty ta", no, with(base, "foo.ta", nil), nil)
	archive("empty kernel", no, with(base, "kernel.sin", nil), nil)
	archive("update", yes, with(base, "update.xml", []byte("<UPDATE><NOERASE>userdata.sin</NOERASE></UPDATE>")), nil)
	archive("update cut", no, with(base, "update.xml", []byte("<UPDATE><NOERASE>userdata.sin</NOER")), nil)
	archive("ta broken", no, with(base, "cust-reset.ta", []byte("02\n000008A4 0002 00\n")), nil)
	archive("delivery cut", no, with(base, "boot_delivery.xml", []byte("<BOOT_DELIVERY FORMAT=\"1\"><CONF")), nil)
	for _, name := range []string{"kernel.sin", "system.sin", "loader.sin", "partition-image.sin"} {
		data := find(base, name)
		archive(name+" bit", no, with(base, name, broken(data, -5)), nil)
		archive(name+" header bit", no, with(base, name, broken(data, 20)), nil)
		archive(name+" cut", no, with(base, name, data[:len(data)-7]), nil)
	}
	kernel := find(base, "kernel.sin")
	archive("kernel longer", no, with(base, "kernel.sin", append(bytes.Clone(kernel), 0)), nil)
	archive("kernel of zeros", no, with(base, "kernel.sin", make([]byte, 5000)), nil)
	archive("kernel of noise", no, with(base, "kernel.sin", noise(5000)), nil)
	archive("boot image bit", no, with(base, bootMember(base), broken(find(base, bootMember(base)), -5)), nil)
	archive("prefix", no, base, func(b []byte) []byte { return append(noise(10), b...) })
	archive("suffix", no, base, func(b []byte) []byte { return append(b, noise(10)...) })
	archive("long suffix", no, base, func(b []byte) []byte { return append(b, noise(70_000)...) })
	archive("cut", no, base, func(b []byte) []byte { return b[:len(b)/2] })
	// The archive's own checksum, with the content as it should not be.
	archive("two archives", no, base, func(b []byte) []byte { return append(bytes.Clone(b), b...) })
	for _, less := range []int{1, 22, 23, 100, 3000} {
		archive(fmt.Sprintf("cut by %d", less), no, base, func(b []byte) []byte { return b[:len(b)-less] })
	}
	readme := with(base, "readme.txt", noise(3000))
	archive("checksum of a readme", no, readme, func(b []byte) []byte { return broken(b, bytes.Index(b, noise(3000))+5) })
	archive("checksum", no, base, func(b []byte) []byte { return broken(b, bytes.Index(b, kernel[:64])+len(kernel)-5) })
}

func (g *inputs) folders(base []member) {
	yes, no, unknown := inspect.IntactYes, inspect.IntactNo, inspect.IntactUnknown
	kernel := find(base, "kernel.sin")
	g.add("folder", yes, bundle, g.folder(base))
	g.add("folder, readme", yes, bundle, g.folder(with(base, "readme.txt", []byte("hello\n"))))
	g.add("folder, kernel bit", no, bundle, g.folder(with(base, "kernel.sin", broken(kernel, -5))))
	down := make([]member, len(base))
	for i, m := range base {
		down[i] = member{"inner/" + m.name, m.data}
	}
	g.add("folder, kernel bit, trim-area text", no, bundle, g.folder(append(with(base, "kernel.sin", broken(kernel, -5)), member{"1.ta", []byte("01\n00002774 0001 00\n")})))
	g.add("one folder down", yes, bundle, g.folder(down))
	g.add("one folder down, kernel bit", no, bundle, g.folder(with(down, "inner/kernel.sin", broken(kernel, -5))))
	link := g.folder(base)
	if err := os.Symlink("/etc/hostname", filepath.Join(link, "amss_fsg_2.sin")); err != nil {
		g.t.Fatal(err)
	}
	g.add("link out", unknown, bundle, link)
	pipe := g.folder(base)
	if err := syscall.Mkfifo(filepath.Join(pipe, "pipe.sin"), 0o644); err != nil {
		g.t.Fatal(err)
	}
	g.add("pipe", unknown, bundle, pipe)
	odd := g.folder(base)
	g.write(filepath.Join(odd, "a\x1bb.sin"), kernel)
	g.add("odd name", unknown, bundle, odd)
	g.add("folder of a boot image", yes, other, g.folder([]member{{"boot.img", bootImage(g.t)}}))
	g.add("folder of a cut boot image", no, other, g.folder([]member{{"boot.img", bootImage(g.t)[:4000]}}))
	g.add("images in two subfolders", yes, other, g.folder([]member{{"a/kernel.sin", kernel}, {"b/kernel.sin", kernel}}))
	g.add("bit in a subfolder", no, other, g.folder([]member{{"a/kernel.sin", kernel}, {"b/kernel.sin", broken(kernel, -5)}}))
	g.add("noise in a folder", unknown, other, g.folder([]member{{"noise.bin", noise(3000)}}))
	g.add("empty folder", unknown, other, g.sub())
	g.add("folder of a bundle", yes, other, g.folder([]member{{"D5803.ftf", zipOf(g.t, base)}}))
	g.add("folder of a cut bundle", no, other, g.folder([]member{{"D5803.ftf", zipOf(g.t, base)[:5000]}}))
	g.add("folder, web page", no, bundle, g.folder(with(base, "kernel.sin", []byte("<html>log in</html>"))))
	g.add("folder, empty kernel", no, bundle, g.folder(with(base, "kernel.sin", nil)))
	for name, damaged := range map[string]member{
		"bundle beside": {"other.ftf", zipOf(g.t, base)[:5000]}, "image beside": {"recovery.img", bootImage(g.t)[:4000]},
		"image in a subfolder": {"older/kernel.sin", broken(kernel, -5)},
	} {
		g.add("folder, cut "+name, no, bundle, g.folder(with(base, damaged.name, damaged.data)))
		named := strings.SplitAfter(damaged.name, "/")[0]
		g.list[len(g.list)-1].beside = "not part of the firmware and not read: " + named
	}
	loop := g.folder(base)
	if err := os.Symlink("self.sin", filepath.Join(loop, "self.sin")); err != nil {
		g.t.Fatal(err)
	}
	g.add("link to itself", unknown, bundle, loop)
}

func (g *inputs) trimAreas() {
	g.list = append(g.list, trimInputs(g)...)
}

// noise is bytes that nothing mistakes for a format.
func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i%251) | 0x80
	}
	return b
}

// with is members with one replaced or added.
func with(members []member, name string, data []byte) []member {
	out, found := make([]member, len(members)), false
	for i, m := range members {
		if out[i] = m; m.name == name {
			out[i].data, found = data, true
		}
	}
	if !found {
		out = append(out, member{name, data})
	}
	return out
}

func find(members []member, name string) []byte {
	for _, m := range members {
		if m.name == name {
			return m.data
		}
	}
	panic(fmt.Sprintf("no member %s", name))
}

// bootMember is an image of the boot set.
func bootMember(members []member) string {
	for _, m := range members {
		if strings.HasPrefix(m.name, "boot/") && strings.HasSuffix(m.name, ".sinb") {
			return m.name
		}
	}
	panic("no boot set")
}

// TestEveryMissingFileIsNamed: a file that is not there hides neither the others nor what is
// missing besides.
func TestEveryMissingFileIsNamed(t *testing.T) {
	g := &inputs{t: t, dir: t.TempDir()}
	good := g.write(filepath.Join(g.sub(), "boot.img"), bootImage(t))
	for _, command := range []string{"verify", "inspect"} {
		exit, out, talk := door(t, command, "first-missing", good, "last-missing")
		if exit != exitOther || !strings.Contains(out, "boot.img") || !strings.Contains(talk, "first-missing") || !strings.Contains(talk, "last-missing") {
			t.Errorf("%s: exit %d\n%s%s", command, exit, out, talk)
		}
	}
}
