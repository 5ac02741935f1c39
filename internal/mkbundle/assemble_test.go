package mkbundle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xflash/ftf"
	"xflash/internal/firmware"
	"xflash/internal/samples"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
)

// contents reads all members of a bundle.
func contents(t *testing.T, path string) map[string][]byte {
	t.Helper()
	b, err := ftf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	all := map[string][]byte{}
	for _, m := range b.Members {
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		all[m.Name] = data
	}
	return all
}

func assemble(t *testing.T, dir string, opt AssembleOptions) (*Assembly, error) {
	t.Helper()
	b, err := ftf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return Assemble(context.Background(), b, opt)
}

func mustAssemble(t *testing.T, dir string, opt AssembleOptions) *Assembly {
	t.Helper()
	a, err := assemble(t, dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// xperiFirm lays the firmware out as XperiFirm does, without what leaveOut says of the
// names in the bundle, and with extra files. It gives the folder.
func xperiFirm(t *testing.T, leaveOut func(name string) bool, extra map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "firmware")
	for name, data := range contents(t, madeFirmware(t).Bundle) {
		if name == "META-INF/MANIFEST.MF" || leaveOut != nil && leaveOut(name) {
			continue
		}
		if stem, ok := strings.CutSuffix(name, ".sin"); ok {
			name = stem + "_S1-SW-LIVE-9C84-0004-MMC.sin"
		}
		if name == "boot_delivery.xml" {
			name = "boot/boot_delivery.xml"
		}
		if strings.HasPrefix(name, "boot/") {
			name = strings.TrimSuffix(name, "b")
		}
		write(t, filepath.Join(dir, name), data)
	}
	for name, text := range extra {
		write(t, filepath.Join(dir, name), []byte(text))
	}
	return dir
}

const fwinfo = `<?xml version="1.0"?><firmware><project>LA2.0</project><product>Aries</product><model>D5803</model><cda>1289-5302</cda>
<market>CE1</market><operator>Customized CE1</operator><network></network><swVer>23.5.A.1.291</swVer><cdfVer>R5D</cdfVer></firmware>`

func TestFolderBecomesTheBundleItCameFrom(t *testing.T) {
	fw := madeFirmware(t)
	a := mustAssemble(t, xperiFirm(t, nil, map[string]string{"fwinfo.xml": fwinfo, "readme.txt": "hello"}), AssembleOptions{})
	out := filepath.Join(t.TempDir(), a.Manifest.FileName())
	if filepath.Base(out) != filepath.Base(fw.Bundle) {
		t.Errorf("named %s, Flashtool would say %s", filepath.Base(out), filepath.Base(fw.Bundle))
	}
	why := errors.New("enough")
	stopped, stop := context.WithCancelCause(context.Background())
	stop(why)
	if err := a.Write(stopped, out); !errors.Is(err, why) {
		t.Fatalf("stopped: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); err != nil || len(left) > 0 {
		t.Fatalf("stopped: it left %v, %v", left, err)
	}
	if err := a.Write(context.Background(), out); err != nil {
		t.Fatal(err)
	}
	want, got := contents(t, fw.Bundle), contents(t, out)
	for name, data := range want {
		if !bytes.Equal(got[name], data) {
			t.Errorf("%s: %d bytes, want %d", name, len(got[name]), len(data))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d members, want %d", len(got), len(want))
	}
	// The firmware of the tests has no ramdump image.
	if len(a.LeftOut) != 0 || len(a.Missing) != 1 || a.Missing[0].Item != "ramdump" || !a.Missing[0].Optional {
		t.Errorf("left out %v, missing %v", a.LeftOut, a.Missing)
	}
	if unzip, err := exec.LookPath("unzip"); err != nil {
		t.Log("unzip is not installed")
	} else if out, err := exec.Command(unzip, "-tq", out).CombinedOutput(); err != nil {
		t.Errorf("unzip -t: %v: %s", err, out)
	}
}

func TestBundleOfABundleIsTheSame(t *testing.T) {
	fw := madeFirmware(t)
	out := filepath.Join(t.TempDir(), "again.ftf")
	if err := mustAssemble(t, fw.Bundle, AssembleOptions{}).Write(context.Background(), out); err != nil {
		t.Fatal(err)
	}
	sameFile(t, out, fw.Bundle)
}

func TestManifestIsOverruled(t *testing.T) {
	a := mustAssemble(t, xperiFirm(t, nil, nil), AssembleOptions{Device: "D5833", Version: "23.5.A.0.575", Branding: "Generic"})
	if m := a.Manifest; m.Device != "D5833" || m.Version != "23.5.A.0.575" || m.FileName() != "D5833_23.5.A.0.575_Generic.ftf" {
		t.Errorf("%+v", m)
	}
}

// items is the names of what is missing and needed.
func items(missing []Missing) (names []string) {
	for _, m := range missing {
		if !m.Optional {
			names = append(names, m.Item+": "+strings.Join(m.Files, " "))
		}
	}
	return names
}

func TestMissingIsTold(t *testing.T) {
	d5803 := AssembleOptions{Device: "D5803", Version: "1"}
	// What the owner of the phone that this program comes from had flashed
	// (internal/phone/PHONES.md §8.3), and what was not in it.
	only := d5803
	only.Only = []string{"kernel", "fotakernel", "system"}
	a := mustAssemble(t, xperiFirm(t, nil, nil), only)
	want := []string{"loader: loader", "partition layout: partition-image", "cache: cache", "modem set: amss_fs_1 amss_fs_2 amss_fsg", "elabel: elabel"}
	got := items(a.Missing)
	boot := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !strings.HasPrefix(s, "boot set: boot_delivery.xml ") })
	got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "boot set: ") })
	if !slices.Equal(got, want) || len(boot) != 1 || strings.Count(boot[0], " ") != 9 {
		t.Errorf("missing %q, %q", got, boot)
	}
	for _, c := range []struct {
		without string
		want    []string
	}{
		{"system.sin", []string{"system: system"}},
		{"kernel.sin", []string{"kernel: kernel"}},
		{"boot_delivery.xml", []string{"boot set: boot_delivery.xml"}},
		{"loader.sin", []string{"loader: loader"}},
		{"boot/Aries_S1BootConfig_MiscTA.tab", []string{"boot set: Aries_S1BootConfig_MiscTA.ta"}},
		{"cust-reset.ta", nil},
		{"userdata.sin", nil},
	} {
		a := mustAssemble(t, xperiFirm(t, func(name string) bool { return name == c.without }, nil), d5803)
		if got := items(a.Missing); !slices.Equal(got, c.want) {
			t.Errorf("without %s missing %q, want %q", c.without, got, c.want)
		}
		for _, m := range a.Missing {
			if m.Why == "" || m.Next == "" {
				t.Errorf("no report of %+v", m)
			}
		}
	}
	// Resets that are not there are made up by a restore; it is listed anyway.
	a = mustAssemble(t, xperiFirm(t, func(name string) bool { return strings.HasSuffix(name, "-reset.ta") }, nil), d5803)
	if !slices.ContainsFunc(a.Missing, func(m Missing) bool {
		return m.Item == "resets" && m.Optional && slices.Equal(m.Files, []string{"cust-reset", "fota-reset"})
	}) {
		t.Errorf("missing %+v", a.Missing)
	}
	// Nothing is known of an unknown model.
	a = mustAssemble(t, xperiFirm(t, nil, nil), AssembleOptions{Device: "Z9999", Version: "1"})
	if a.Missing != nil || len(a.Notes) == 0 {
		t.Errorf("of an unknown model: %v, %v", a.Missing, a.Notes)
	}
}

func TestFilesOfOnePhoneStayOut(t *testing.T) {
	opt := AssembleOptions{Device: "D5803", Version: "1"}
	dir := xperiFirm(t, nil, map[string]string{
		"simlock.ta":  "02\n000007DA 0001 00\n",
		"harmless.ta": "02\n00000835 0001 00\n", // 2101 is on no list
		"other.ta":    "02\n000007D3 0002 01 02\n",
		"good.ta":     "02\n000008A4 0001 00\n",
	})
	write(t, filepath.Join(dir, "hwconf_S1-HWCONF-LIVE.sin"), signed(t, sin.TypeHWConf, mkimage.BytesPayload(make([]byte, 64))))
	a := mustAssemble(t, dir, opt)
	var left []string
	for _, l := range a.LeftOut {
		left = append(left, l.Name)
		if l.Reason == "" {
			t.Errorf("%s is left out without a reason", l.Name)
		}
	}
	if slices.Sort(left); !slices.Equal(left, []string{"hwconf_S1-HWCONF-LIVE.sin", "other.ta", "simlock.ta"}) {
		t.Errorf("left out are %v", left)
	}
	if !slices.ContainsFunc(a.Files, func(f Packed) bool { return f.Name == "good.ta" }) {
		t.Error("a harmless file is left out too")
	}
	for _, name := range []string{"simlock", "other.ta", "hwconf"} {
		opt.Only = []string{"kernel", name}
		if _, err := assemble(t, dir, opt); !errors.As(err, new(*RefusedError)) {
			t.Errorf("%s asked for: %v", name, err)
		}
	}
}

func TestDamageIsNotBundled(t *testing.T) {
	fw := madeFirmware(t)
	_, err := assemble(t, damagedBundle(t, fw.Bundle, "system"), AssembleOptions{})
	var damaged *firmware.DamagedError
	if !errors.As(err, &damaged) || len(damaged.Files) != 1 || damaged.Files[0].Name != "system.sin" || !errors.Is(err, sin.Because(sin.CorruptBlock)) {
		t.Errorf("error %v", err)
	}
	dir := xperiFirm(t, nil, map[string]string{"broken.ta": "02\nnonsense\n", "odd.sin": "no image"})
	_, err = assemble(t, dir, AssembleOptions{Device: "D5803", Version: "1"})
	if !errors.As(err, &damaged) || len(damaged.Files) != 2 || !errors.Is(err, ftf.BadText) || !errors.Is(err, sin.Because(sin.NotSIN)) {
		t.Errorf("error %v", err)
	}
	// Files that do not go in are not looked at.
	a := mustAssemble(t, dir, AssembleOptions{Device: "D5803", Version: "1", Only: []string{"kernel", "boot"}})
	if len(a.Files) != 9 {
		t.Errorf("%d files", len(a.Files))
	}
}

// TestTwoFilesForOneImage: what a restore would refuse is not bundled; one of them may be chosen.
func TestTwoFilesForOneImage(t *testing.T) {
	kernel := string(contents(t, madeFirmware(t).Bundle)["kernel.sin"])
	dir := xperiFirm(t, nil, map[string]string{"kernel_X-FLASH-ALL-1234.sin": kernel})
	opt := AssembleOptions{Device: "D5803", Version: "1"}
	var refused *RefusedError
	if _, err := assemble(t, dir, opt); !errors.As(err, &refused) || !strings.Contains(refused.Reason, "for kernel too") {
		t.Errorf("error %v", err)
	}
	opt.Only = []string{"loader", "kernel_X-FLASH-ALL-1234.sin"}
	if a := mustAssemble(t, dir, opt); len(a.Files) != 2 {
		t.Errorf("%d files", len(a.Files))
	}
}

func TestForeignRootAndOldLoaderAreTold(t *testing.T) {
	loader := samples.Read(t, "loader-D200X.sin")
	dir := xperiFirm(t, func(name string) bool { return name == "loader.sin" }, map[string]string{"loader.sin": string(loader)})
	a := mustAssemble(t, dir, AssembleOptions{Device: "D5803", Version: "1"})
	told := strings.Join(a.Notes, "\n")
	for _, want := range []string{"signed by S1_Root_cafe, but a D5803 accepts only S1_Root_9c84", "is too old for compressed images"} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not in %s", want, told)
		}
	}
}
