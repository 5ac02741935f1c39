package xperifirm

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
)

var authority = sync.OnceValue(func() *mkimage.Authority {
	a, err := mkimage.NewTestAuthority("root")
	if err != nil {
		panic(err)
	}
	return a
})

func make1(t *testing.T, o Options) *Firmware {
	t.Helper()
	o.Authority = authority()
	fw, err := Make(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return fw
}

// tree lists the files of a folder.
func tree(t *testing.T, folder string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			name, _ := filepath.Rel(folder, p)
			list = append(list, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// small leaves out what takes time.
var small = []string{"system", "super", "vendor"}

// Folders have the names that downloads of their generation have.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		o         Options
		with, not []string
	}{
		{Options{Phone: "xz1"},
			[]string{"kernel_X-FLASH-ALL-C93B.sin", "amss_fs_1_X-FLASH-ALL-C93B.sin", "elabel-G8341-row_X-FLASH-LTALABEL-C93B.sin", "oem_X-FLASH-CUST-C93B.sin",
				"partition/partition-image-LUN0_X-FLASH-ALL-C93B.sin", "partition/partition_delivery.xml", "boot/boot_delivery.xml", "update.xml", "fwinfo.xml", "persist_X-FLASH-ALL-C93B.sin"},
			[]string{"boot_X-FLASH-ALL-C93B.sin"}},
		{Options{Phone: "1", LUN0: 124960768},
			[]string{"partition/partition-image-LUN0_62480384_X-FLASH-ALL-A2CD.sin", "partition/partition-image-LUN0_124960768_X-FLASH-ALL-A2CD.sin",
				"partition/partition-image-LUN1_4096_X-FLASH-ALL-A2CD.sin", "oem_other_X-FLASH-CUST-A2CD.sin"},
			[]string{"partition/partition_delivery.xml"}},
		{Options{Phone: "1", Storage: simphone.StorageEMMC, TablesInRoot: true}, []string{"partition-image_X-FLASH-ALL-18AE.sin"}, nil},
		{Options{Phone: "1iii", Storage: simphone.StorageEMMC}, []string{"partition/partition-image_122138624_X-FLASH-ALL-E9C8.sin"}, nil},
		{Options{Phone: "1iii", Suffix: "F007", Zips: true, NoUpdate: true, Boot: BootAbsent}, []string{"vbmeta_system_X-FLASH-ALL-F007.sin", "partition.zip"},
			[]string{"update.xml", "boot/boot_delivery.xml", "boot_X-FLASH-ALL-4BA8.sin"}},
		{Options{Phone: "1iii", Boot: BootIncomplete, Hostile: true, Delivery: DeliveryThere}, []string{"simlock.ta", "boot/bootloader_X-FLASH-ALL-D0D0.sin", "partition/partition_delivery.xml"},
			[]string{"boot/bootloader_X-FLASH-ALL-4BA8.sin"}},
	} {
		c.o.Without = small
		files := tree(t, make1(t, c.o).Folder)
		for _, name := range c.with {
			if !slices.Contains(files, name) {
				t.Errorf("%+v: no %s in %s", c.o, name, strings.Join(files, " "))
			}
		}
		for _, name := range c.not {
			if slices.Contains(files, name) {
				t.Errorf("%+v: %s", c.o, name)
			}
		}
	}
}

// Boot deliveries have four configurations in one order, and match as their form says.
func TestBootForms(t *testing.T) {
	type delivery struct {
		Format  string `xml:"FORMAT,attr"`
		Space   string `xml:"SPACE_ID,attr"`
		Version string `xml:"VERSION,attr"`
		List    []struct {
			Name       string `xml:"NAME,attr"`
			Attributes struct {
				Value string `xml:"VALUE,attr"`
			} `xml:"ATTRIBUTES"`
			HWConfig []struct{} `xml:"HWCONFIG"`
			Image    struct {
				File struct {
					Path string `xml:"PATH,attr"`
				} `xml:"FILE"`
			} `xml:"BOOT_IMAGES"`
		} `xml:"CONFIGURATION"`
	}
	for form, matching := range map[BootForm]int{BootUsual: 1, BootHashOnly: 1, BootReversed: 1, BootNoHWConfig: 1, BootTwo: 2, BootNone: 0, BootOlder: 1, BootSame: 1} {
		for _, phone := range simphone.CommandNames {
			fw := make1(t, Options{Phone: phone, Boot: form, Without: small})
			text, err := os.ReadFile(filepath.Join(fw.Folder, "boot", "boot_delivery.xml"))
			if err != nil {
				t.Fatal(err)
			}
			var d delivery
			if err := xml.Unmarshal(text, &d); err != nil {
				t.Fatal(err)
			}
			if d.Format != "3" || len(d.List) < 4 || d.List[0].Name != "DEVELOPMENT" || !strings.HasPrefix(d.List[3].Name, "COMMERCIAL_00") {
				t.Errorf("%s, form %d: %+v", phone, form, d)
			}
			hash := strings.ToUpper(string(hexBytes(fw.Facts.RootHash)))
			hash = strings.ReplaceAll(hash, " ", "")
			n := 0
			for _, c := range d.List {
				value := strings.ToUpper(c.Attributes.Value)
				if strings.Contains(value, hash) {
					n++
				}
				if (len(c.HWConfig) == 0) != (form == BootNoHWConfig) || strings.Contains(value, "PLATFORM_ID") == (form == BootHashOnly) && c.Name != "DEVELOPMENT" && form != BootTwo {
					t.Errorf("%s, form %d: %+v", phone, form, c)
				}
				if _, err := os.Stat(filepath.Join(fw.Folder, "boot", c.Image.File.Path)); err != nil {
					t.Error(err)
				}
			}
			if n != matching {
				t.Errorf("%s, form %d: %d configurations match", phone, form, n)
			}
			own := strings.ToLower(strings.ReplaceAll(fw.Facts.BootVersion, "_", "-"))
			if (strings.ToLower(d.Version) == own) != (form == BootSame) {
				t.Errorf("%s, form %d: version %s, the phone's is %s", phone, form, d.Version, fw.Facts.BootVersion)
			}
		}
	}
}

// An image's content is the same however it is read, and has every kind of extent.
func TestContents(t *testing.T) {
	for _, o := range []Options{{Phone: "xz1", Without: []string{"vendor"}}, {Phone: "1iii", Gzip: []string{"super"}}} {
		fw := make1(t, o)
		name := map[string]string{"xz1": "system_X-FLASH-ALL-C93B.sin", "1iii": "super_X-FLASH-ALL-4BA8.sin"}[o.Phone]
		head, err := os.ReadFile(filepath.Join(fw.Folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sin.Detect(head); got != 4 {
			t.Errorf("%s is version %d", name, got)
		}
		image := fw.Images[map[string]string{"xz1": "system", "1iii": "super"}[o.Phone]]
		if image.Size != 3<<20 || len(image.extents) != 9 {
			t.Errorf("%d bytes in %d extents", image.Size, len(image.extents))
		}
		whole := make([]byte, image.Size)
		if _, err := image.ReadAt(whole, 0); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		for _, at := range []int64{1, 5000, 1 << 20, 2<<20 + 777} {
			part := make([]byte, 10_000)
			if _, err := image.ReadAt(part, at); err != nil || !bytes.Equal(part, whole[at:at+10_000]) {
				t.Errorf("at %d another content: %v", at, err)
			}
		}
	}
}
