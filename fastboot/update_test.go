package fastboot

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestRequirements(t *testing.T) {
	got, err := ParseRequirements(strings.NewReader("# for shinano\nrequire board=D5803|D5833\n\nrequire version-bootloader=1281*\nreject secure=yes\nrequire-for-product:D5833 version-baseband=x\n"))
	want := []Requirement{
		{"", "product", []string{"D5803", "D5833"}, false}, {"", "version-bootloader", []string{"1281*"}, false},
		{"", "secure", []string{"yes"}, true}, {"D5833", "version-baseband", []string{"x"}, false},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"require", "require board", "need board=x", "require =x", strings.Repeat("require board=x\n", 5000)} {
		if _, err := ParseRequirements(strings.NewReader(text)); err == nil {
			t.Errorf("taken: %.40q", text)
		}
	}
}

func TestMeets(t *testing.T) {
	phone := map[string]string{"product": "D5803", "version-bootloader": "1281-2190_S1", "secure": "no", "partition-size:system": "0x1000"}
	c, _ := open(t, func(command string) []string {
		if name, ok := strings.CutPrefix(command, "getvar:"); ok && name != "version" {
			return []string{"OKAY" + phone[name]}
		}
		return nil
	})
	for text, met := range map[string]bool{
		"require board=D5803|D6603":                    true,
		"require board=D6603":                          false,
		"require version-bootloader=1281*":             true,
		"require version-bootloader=1281":              false,
		"reject secure=yes":                            true,
		"reject secure=no":                             false,
		"require-for-product:D6603 version-baseband=x": true,
		"require-for-product:D5803 version-baseband=x": false,
		"require partition-exists=system":              true,
		"require partition-exists=vendor":              false,
	} {
		all, err := ParseRequirements(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		err = c.Meets(soon(t), all)
		var unmet *Unmet
		if (err == nil) != met || err != nil && !errors.As(err, &unmet) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestOpenUpdate(t *testing.T) {
	files := fstest.MapFS{"android-info.txt": {Data: []byte("require board=D5803\n")}, "system.img": {Data: []byte("system")},
		"boot.img": {Data: []byte("ANDROID!")}, "modem.img": {Data: []byte("never")}, "../../x.img": {Data: []byte("x")}}
	u, err := OpenUpdate(files)
	if err != nil {
		t.Fatal(err)
	}
	want := []UpdateImage{{"boot", "boot.img", 8}, {"system", "system.img", 6}}
	if !reflect.DeepEqual(u.Images, want) || len(u.Requirements) != 1 {
		t.Errorf("%+v", u)
	}
	var got bytes.Buffer
	if err := u.Copy(&got, u.Images[1]); err != nil || got.String() != "system" {
		t.Errorf("%q, %v", got.String(), err)
	}
	for name, files := range map[string]fstest.MapFS{"nothing": {}, "no images": {"android-info.txt": {Data: nil}}, "no info": {"boot.img": {Data: []byte("x")}}} {
		if _, err := OpenUpdate(files); !errors.Is(err, ErrNoUpdate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzUpdate(f *testing.F) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{"android-info.txt": "require board=D5803", "boot.img": "ANDROID!"} {
		w, err := z.Create(name)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			f.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		u, err := OpenUpdate(z)
		if err != nil {
			return
		}
		if len(u.Images) == 0 || len(u.Images) > maxInfoFile {
			t.Fatalf("%+v", u)
		}
		for _, i := range u.Images {
			var w bytes.Buffer
			if i.Size < 1<<20 {
				_ = u.Copy(&w, i) // damaged data are an error, and no more than the size comes out
				if int64(w.Len()) > i.Size+1 {
					t.Fatalf("%d bytes of %d", w.Len(), i.Size)
				}
			}
		}
	})
}

// TestFastbootInfo: what the update says of itself counts, and what cannot be followed is
// named by its line.
func TestFastbootInfo(t *testing.T) {
	files := func(info string) fstest.MapFS {
		m := fstest.MapFS{}
		for name, text := range map[string]string{"android-info.txt": "require board=D5803\n", "boot.img": "b", "recovery.img": "rr", "system.img": "sss", "dtbo.img": "d", infoFile: info} {
			m[name] = &fstest.MapFile{Data: []byte(text)}
		}
		return m
	}
	u, err := OpenUpdate(files("# order of a build\nversion 1\n\nflash boot recovery.img\nflash system\nif-wipe erase userdata\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []UpdateImage{{"boot", "recovery.img", 2}, {"system", "system.img", 3}}; !slices.Equal(u.Images, want) {
		t.Errorf("%+v, want %+v", u.Images, want)
	}
	if want := []string{"boot.img", "dtbo.img"}; !slices.Equal(u.LeftOut, want) {
		t.Errorf("left out: %q, want %q", u.LeftOut, want)
	}
	for _, line := range []string{"version 2", "flash --slot-other system", "reboot fastboot", "update-super", "erase userdata", "if-wipe erase system",
		"flash boot ../boot.img", "flash", "dance"} {
		if _, err := OpenUpdate(files("version 1\n" + line + "\nflash boot\n")); err == nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), line) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if _, err := OpenUpdate(files("version 1\nflash vendor\n")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
}
