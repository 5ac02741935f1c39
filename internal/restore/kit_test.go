package restore_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
	"xflash/sin/gpt"
)

// A kit is what a maker of bundles knows of one phone and its family.
type kit struct {
	phone  string // one of simphone.Names
	facts  simphone.Facts
	table  *gpt.Table
	recipe []ingredient
}

// An ingredient is one image of a firmware.
type ingredient struct{ short, class, label, signer string }

var (
	everywhere = []ingredient{
		{"system", "plain", "system", "S1_SW"}, {"kernel", "plain", "boot", "S1_SW"}, {"fotakernel", "plain", "FOTAKernel", "S1_SW"},
		{"cache", "plain", "cache", "S1_SW"}, {"elabel", "plain", "LTALabel", "S1_SW"},
		{"userdata", "wipe", "userdata", "S1_SW"},
		{"amss_fs_1", "modem", "modemst1", "S1_SW"}, {"amss_fs_2", "modem", "modemst2", "S1_SW"},
		{"emmc_appsboot", "boot", "aboot", "S1_Boot"}, {"sbl1", "boot", "sbl1", "S1_Boot"}, {"tz", "boot", "tz", "S1_Boot"},
	}
	log   = ingredient{"apps_log", "wipe", "apps_log", "S1_SW"} // no script of yukon writes it
	fsg   = ingredient{"amss_fsg", "modem", "fsg", "S1_SW"}
	dbi   = ingredient{"dbi", "boot", "dbi", "S1_Boot"}
	s1sbl = ingredient{"s1sbl", "boot", "s1sbl", "S1_Boot"}
	rpm   = ingredient{"rpm", "boot", "rpm", "S1_Boot"}
	// The bundles of rhine and fusion3 have it beside the boot set (internal/phone/PHONES.md
	// §2.1 10).
	topRPM = ingredient{"rpm", "top level", "rpm", "S1_Boot"}

	// recipes are the firmwares that all bundles start from, by phone.
	recipes = map[string][]ingredient{
		"z3c": {log, fsg, dbi, s1sbl, rpm},
		"z1":  {log, fsg, dbi, s1sbl, topRPM},
		"e3":  {fsg, dbi, s1sbl, rpm},
		"zr": {log, {"amss_fs_3", "modem", "fsg", "S1_SW"}, {"s1sbl", "boot", "s1sbl2", "S1_Boot"},
			{"sbl2", "boot", "sbl2", "S1_Boot"}, {"sbl3", "boot", "sbl3", "S1_Boot"}, topRPM},
		"z5c": {log, fsg, s1sbl, rpm, {"hyp", "boot", "hyp", "S1_Boot"}, {"pmic", "boot", "pmic", "S1_Boot"}},
	}
)

func kitOf(t *testing.T, phone string) *kit {
	t.Helper()
	facts, err := simphone.FactsOf(phone)
	if err != nil {
		t.Fatal(err)
	}
	table, err := simphone.Layout(phone, disk)
	if err != nil {
		t.Fatal(err)
	}
	return &kit{phone: phone, facts: facts, table: table, recipe: slices.Concat(everywhere, recipes[phone])}
}

// target returns label and signer of an image.
func (k *kit) target(image string) (label, signer string) {
	for _, r := range k.recipe {
		if r.short == image {
			return r.label, r.signer
		}
	}
	return "", ""
}

// modem are the names of the modem reset files.
func (k *kit) modem() (names []string) {
	for _, r := range k.recipe {
		if r.class == "modem" {
			names = append(names, r.short)
		}
	}
	return names
}

// entry is a partition of the phone; an unknown one for a label it does not have.
func (k *kit) entry(label string) gpt.Entry {
	if e, ok := k.table.ByName(label); ok {
		return e
	}
	return gpt.Entry{Unique: gpt.GUID{0xEE, 1, 2, 3}, Last: 1 << 20}
}

// imageFile is an image of 4096 bytes for a partition; every version has other bytes.
func (k *kit) imageFile(t *testing.T, root, role, label string, version byte) []byte {
	t.Helper()
	return cachedFile(fmt.Sprint(k.facts.Model, root, role, label, version), func() []byte {
		e := k.entry(label)
		content := make([]byte, 4096)
		_, _ = rand.Read(content)
		// As far as fastboot's side looks, an ext4 file system of 4 blocks of 1 KiB.
		copy(content[0x404:], []byte{4, 0, 0, 0})
		copy(content[0x418:], []byte{0, 0, 0, 0})
		copy(content[0x438:], []byte{0x53, 0xEF})
		at := int64(0)
		if version == tooLong {
			at = int64(e.Last-e.First+1)*512 - 512
		}
		b := mkimage.MapBuilder{HashType: sin.SHA256}
		b.Select(e.Unique)
		b.Addr(bytes.NewReader(content), 0, at, 4096)
		p, err := b.Payload()
		if err != nil {
			t.Fatal(err)
		}
		return build(t, root, role, sin.TypeImage, p)
	})
}

// quickDir is a folder for small files that are written and synced often: in memory, where
// the system has a place for that.
func quickDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "xflash-restore-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

const tooLong = 99 // a version that ends past its partition

func (k *kit) loaderFile(t *testing.T) []byte {
	return cachedFile("loader"+k.facts.Model, func() []byte {
		code := append([]byte("\x7fELF"), bytes.Repeat([]byte{7}, 4000)...)
		code = append(code, "\x00"+k.facts.Product+"\x00"+k.facts.Version+"\x00"+strings.Join(k.facts.Tags, "\x00")+"\x00MTKM\x00"...)
		code = append(code, authority().Root...)
		return build(t, good, "S1_Loader", sin.TypeLoader, mkimage.BytesPayload(append(code, 0, 0, 0, 0)))
	})
}

// tableFile is the layout of the phone; a copy has one for a larger phone too.
func (k *kit) tableFile(t *testing.T, copy string) []byte {
	return cachedFile("table"+k.facts.Model+copy, func() []byte {
		l := sin.Layout{Tables: []sin.LayoutTable{{Entries: k.table.Entries}}}
		if copy != "" {
			larger, err := simphone.Layout(k.phone, 2*disk)
			if err != nil {
				t.Fatal(err)
			}
			l.Tables = append(l.Tables, sin.LayoutTable{Entries: larger.Entries})
		}
		payload, err := mkimage.LayoutPayload(&l)
		if err != nil {
			t.Fatal(err)
		}
		return build(t, good, "S1_SW", sin.TypeLayout, mkimage.BytesPayload(payload))
	})
}
