package restore_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/testcms"
	"xflash/internal/simphone/xperifirm"
)

// TestCommandOnlyWhatMayBeSentIsSent is TestOnlyWhatMayBeSentIsSent for phones of 2017 and
// later: folders are changed by chance, and what the phone was told to write is compared with
// what the generator knows may be written. It never looks at a plan.
//
// XFLASH_SEED=N repeats one case. Layer: make check.
func TestCommandOnlyWhatMayBeSentIsSent(t *testing.T) {
	t.Parallel()
	first, cases := uint64(1), uint64(16)
	if !testing.Short() {
		cases = 300
	}
	if seed, err := strconv.ParseUint(os.Getenv("XFLASH_SEED"), 10, 64); err == nil {
		first, cases = seed, 1
	}
	kits := []*commandKit{newCommandKit(t, "1iii,slot=b", xperifirm.Options{}), newCommandKit(t, "1", xperifirm.Options{Delivery: xperifirm.DeliveryThere}), newCommandKit(t, "xz1", xperifirm.Options{})}
	complete := 0
	for seed := first; seed < first+cases; seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			if hostileFolder(t, kits[seed%uint64(len(kits))], seed) {
				complete++
			}
		})
	}
	if cases > 1 && complete == 0 {
		t.Error("no restore was complete: the cases show too little")
	}
}

// mayBeSent is what the generator knows: digests by what they may be written to.
type mayBeSent map[string][]string

func (m mayBeSent) add(target string, data []byte) {
	sum := sha256.Sum256(data)
	m[target] = append(m[target], hex.EncodeToString(sum[:]))
}

// folderCase is a folder that is changed, and what may still be sent from it.
type folderCase struct {
	t     *testing.T
	k     *commandKit
	rng   *rand.Rand
	dir   string
	names []string // of changes
}

func hostileFolder(t *testing.T, kit *commandKit, seed uint64) bool {
	k := *kit
	k.t = t
	k.fresh()
	defer k.off()
	c := &folderCase{t: t, k: &k, rng: rand.New(rand.NewPCG(seed, 0xc0de)), dir: filepath.Join(t.TempDir(), filepath.Base(kit.fw.Folder))}
	if err := os.CopyFS(c.dir, os.DirFS(kit.fw.Folder)); err != nil {
		t.Fatal(err)
	}
	may := c.sound() // what was genuine before anything was changed
	fw := *kit.fw
	fw.Folder = c.dir
	k.fw = &fw
	request := restore.Request{Wipe: c.rng.IntN(3) == 0}
	for range c.rng.IntN(3) {
		change := folderChanges[c.rng.IntN(len(folderChanges))]
		c.names = append(c.names, change.name)
		change.make(c)
	}
	switch c.rng.IntN(5) {
	case 0:
		request.Only = []string{"boot"}
		may = may.only("boot_a", "boot")
	case 1:
		request.Skip = []string{"boot"}
		delete(may, "boot_a")
		delete(may, "boot")
	}
	if !request.Wipe {
		for _, kept := range []string{"userdata", "metadata", "2:2550"} {
			delete(may, kept)
		}
	}
	k.on()
	_, err := k.run(request, false, restore.RunOptions{})
	var problems restore.Problems
	var selector *restore.SelectorError
	refused := errors.As(err, &problems) || errors.As(err, &selector)
	for _, w := range k.journal() {
		if why := may.judge(w); why != "" {
			t.Errorf("seed %d, %v, %+v: %s %s: %s", seed, c.names, request, w.Command, w.Target, why)
		}
		if refused && (w.Command == "erase" || w.Command == "flash" || w.Command == "Repartition" || w.Command == "Write-TA") {
			t.Errorf("seed %d, %v: refused, and the phone got %s %s", seed, c.names, w.Command, w.Target)
		}
	}
	k.untouched()
	if err != nil && !refused {
		k.afterError()
	}
	return err == nil
}

// only leaves some targets, and what belongs to the session.
func (m mayBeSent) only(targets ...string) mayBeSent {
	left := mayBeSent{}
	for target, sums := range m {
		if slices.Contains(targets, target) {
			left[target] = sums
		}
	}
	return left
}

// judge says why something should not have been sent.
func (m mayBeSent) judge(w simphone.Written) string {
	target := w.Target
	switch w.Command {
	case "flash":
	case "erase":
		if len(m[target]) == 0 {
			return "nothing may be written there"
		}
		return ""
	case "Repartition":
		target = "LUN" + target
	case "Write-TA":
		if target == "2:10100" || target == "2:10021" {
			return ""
		}
	default:
		return ""
	}
	if w.Refused == "" && !slices.Contains(m[target], w.SHA256) {
		return "this content may not be written there"
	}
	return ""
}

// sound reads the folder as it was made: which chunk of which genuine file goes where, by what
// the maker of the folder knows of the phone.
func (c *folderCase) sound() mayBeSent {
	may := mayBeSent{}
	facts := c.k.fw.Facts
	root, err := filepath.Glob(filepath.Join(c.dir, "*.sin"))
	if err != nil {
		c.t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(c.dir, "partition", "*.sin"))
	if err != nil {
		c.t.Fatal(err)
	}
	loaders, err := filepath.Glob(filepath.Join(c.dir, "boot", "*-"+facts.Suffix+".sin"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, path := range slices.Concat(root, tables, loaders) {
		name, chunks := c.chunks(path)
		lun, isTable := strings.CutPrefix(name, "partitionimage_")
		target := name
		switch {
		case name == "persist":
			continue
		case isTable:
			if n, _ := strconv.Atoi(lun); !bytes.Equal(chunks[0], c.k.fw.Tables[n]) {
				continue // made for another size
			}
			target = "LUN" + lun
		case facts.HasSlot(name) && strings.Contains(filepath.Base(path), "_other_"):
			target += "_b"
		case facts.HasSlot(name):
			target += "_a"
		}
		for _, chunk := range chunks {
			may.add(target, chunk)
		}
	}
	for unit, value := range c.k.fw.Units {
		may.add(fmt.Sprintf("2:%d", unit), value)
	}
	return may
}

// chunks reads an archive with the standard library.
func (c *folderCase) chunks(path string) (name string, chunks [][]byte) {
	f, err := os.Open(path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	var in io.Reader = bufio.NewReader(f)
	if head, _ := in.(*bufio.Reader).Peek(2); string(head) == "\x1f\x8b" {
		if in, err = gzip.NewReader(in); err != nil {
			c.t.Fatal(err)
		}
	}
	for z := tar.NewReader(in); ; {
		h, err := z.Next()
		if err == io.EOF {
			return name, chunks
		}
		if err != nil {
			c.t.Fatal(err)
		}
		data, err := io.ReadAll(z)
		if err != nil {
			c.t.Fatal(err)
		}
		if strings.HasSuffix(h.Name, ".cms") {
			name = strings.TrimSuffix(h.Name, ".cms")
		} else {
			chunks = append(chunks, data)
		}
	}
}

// path finds a file of the folder by its short name.
func (c *folderCase) path(short string) string {
	found, err := filepath.Glob(filepath.Join(c.dir, short+"_X-FLASH-*.sin"))
	if err != nil || len(found) == 0 {
		return filepath.Join(c.dir, short+".sin")
	}
	return found[0]
}

func (c *folderCase) write(name, text string) {
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *folderCase) rename(from, to string) {
	if _, err := os.Stat(from); err == nil {
		if err := os.Rename(from, filepath.Join(c.dir, to)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// image adds an archive that is signed by a key that the phone trusts, under any names: what a
// thief of Sony's key could make. Nothing of it may be sent.
func (c *folderCase) image(file, name, content string) {
	suffix := c.k.fw.Facts.Suffix
	signer, err := commandAuthority().Issue(testcms.Subject(testcms.Commercial, suffix), 9)
	if err != nil {
		c.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(content))
	cms, err := testcms.Sign(signer, testcms.Content{Name: name, Build: "evil", Chunks: [][]byte{sum[:]}})
	if err != nil {
		c.t.Fatal(err)
	}
	var b bytes.Buffer
	builder := mkimage.ArchiveBuilder{Name: name, CMS: cms, Chunks: []*io.SectionReader{io.NewSectionReader(strings.NewReader(content), 0, int64(len(content)))}}
	if err := builder.Build(&b); err != nil {
		c.t.Fatal(err)
	}
	c.write(file, b.String())
}

var folderChanges = []struct {
	name string
	make func(c *folderCase)
}{
	{"persist under the name of a log", func(c *folderCase) {
		c.image("diag2_X-FLASH-ALL-"+c.k.fw.Facts.Suffix+".sin", "persist", "evil")
	}},
	{"a trim-area image", func(c *folderCase) { c.image("TA.sin", "TA", "evil") }},
	{"TA inside a file for recovery", func(c *folderCase) { c.image("recovery.sin", "TA", "evil") }},
	{"a bootloader beside the boot set", func(c *folderCase) { c.image("bootloader.sin", "bootloader", "evil") }},
	{"a stranger", func(c *folderCase) { c.image("stranger.sin", "stranger", "evil") }},
	{"a slot in the name inside", func(c *folderCase) { c.image("boot_b.sin", "boot_b", "evil") }},
	{"boot under the name of dtbo", func(c *folderCase) {
		c.rename(c.path("boot"), "dtbo2_X.sin")
		c.rename(c.path("dtbo"), "boot_X-FLASH-ALL-"+c.k.fw.Facts.Suffix+".sin")
	}},
	{"two files for modem", func(c *folderCase) { c.image("modem.sin", "modem", "evil") }},
	{"a table for a unit that is not there", func(c *folderCase) { c.image("partition-image-LUN7.sin", "partitionimage_7", "evil") }},
	{"a second table without a size", func(c *folderCase) { c.image("partition-image-LUN0.sin", "partitionimage_0", "evil") }},
	{"a table that says another unit inside", func(c *folderCase) {
		c.image("partition-image-LUN0_1_X-FLASH-ALL-"+c.k.fw.Facts.Suffix+".sin", "partitionimage_1", "evil")
	}},
	{"units of the identity", func(c *folderCase) {
		c.write("extra.ta", fmt.Sprintf("02\n%08X 0004 DE AD BE EF\n", []int{2003, 2129, 2210, 2226, 2560, 4900, 66667}[c.rng.IntN(7)]))
	}},
	{"a unit that nobody knows", func(c *folderCase) { c.write("extra.ta", "02\n000009BD 0001 01\n") }},
	{"boot configuration outside the boot set", func(c *folderCase) { c.write("extra.ta", "02\n0000084F 0001 01\n") }},
	{"the end of the flash in a file", func(c *folderCase) { c.write("extra.ta", "02\n00002774 0001 00\n") }},
	{"the first trim-area partition", func(c *folderCase) { c.write("extra.ta", "01\n00000851 0001 00\n") }},
	{"another master reset", func(c *folderCase) { c.write("reset.ta", "02\n000009F6 0001 02\n") }},
	{"a long customer id", func(c *folderCase) { c.write("CustomerID_evil.ta", "02\n0000087B 0003 1B 5B 6D\n") }},
	{"simlock.ta", func(c *folderCase) { c.write("simlock.ta", "02\n000007DA 0001 00\n") }},
	{"super cut", func(c *folderCase) {
		path := c.path("super")
		if info, err := os.Stat(path); err == nil {
			_ = os.Truncate(path, info.Size()/2)
		}
	}},
	{"a bit in boot", func(c *folderCase) {
		path := c.path([]string{"boot", "kernel"}[c.rng.IntN(2)])
		data, err := os.ReadFile(path)
		if err != nil {
			return
		}
		data[len(data)/2] ^= 8
		c.write(filepath.Base(path), string(data))
	}},
	{"no boot folder", func(c *folderCase) { _ = os.RemoveAll(filepath.Join(c.dir, "boot")) }},
	{"no table folder", func(c *folderCase) { _ = os.RemoveAll(filepath.Join(c.dir, "partition")) }},
	{"update.xml that cannot be read", func(c *folderCase) { c.write("update.xml", "<UPDATE><!DOCTYPE") }},
	{"a firmware of another model", func(c *folderCase) { c.write("fwinfo.xml", "<fwinfo><model>H8266</model><swVer>1</swVer></fwinfo>") }},
}
