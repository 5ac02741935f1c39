package restore_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xflash/internal/restore"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/xperifirm"
)

// What a partition table holds counts, not only its name, and it decides what has room: nothing
// is written to a phone that a table or an image is not made for. Layer: make check.
func TestCommandTables(t *testing.T) {
	t.Parallel()
	find := func(k *commandKit, pattern string) string {
		found, err := filepath.Glob(filepath.Join(k.fw.Folder, pattern))
		if err != nil || len(found) == 0 {
			k.t.Fatal(pattern, found, err)
		}
		return found[0]
	}
	copyTo := func(from, to string) func(*commandKit) {
		return func(k *commandKit) {
			data, err := os.ReadFile(find(k, from))
			if err == nil {
				err = os.WriteFile(filepath.Join(k.fw.Folder, to), data, 0o600)
			}
			if err != nil {
				k.t.Fatal(err)
			}
		}
	}
	large := func(k *commandKit) {
		var file bytes.Buffer
		content := bytes.NewReader(make([]byte, 128<<10))
		b := mkimage.ArchiveBuilder{Name: "vbmeta", CMS: []byte{0x30, 0x82, 0, 1, 5}, Chunks: []*io.SectionReader{io.NewSectionReader(content, 0, content.Size())}}
		if err := errors.Join(b.Build(&file), os.WriteFile(find(k, "vbmeta_X*"), file.Bytes(), 0o600)); err != nil {
			k.t.Fatal(err)
		}
	}
	const other = "partition/partition-image-LUN0_124960768_X-FLASH-ALL-A2CD.sin"
	for _, c := range []struct {
		name, spec string
		options    xperifirm.Options
		edit       func(*commandKit)
		fault      string
		says       string
		dry        bool // a dry run without a phone says it too
	}{
		{name: "a table without a size in its name, for a larger storage", spec: "xz1", options: xperifirm.Options{LUN0: 124960768}, says: "for a storage of 124960768 KiB instead of 62480384"},
		{name: "a table without a size in its name, for a smaller storage", spec: "xz1", options: xperifirm.Options{LUN0: 31240192}, says: "for a storage of 31240192 KiB instead of 62480384"},
		{name: "the table of another storage under its name", spec: "1", edit: copyTo(other, "partition/partition-image-LUN0_62480384_X-FLASH-ALL-A2CD.sin"),
			says: "for a storage of 124960768 KiB instead of 62480384", dry: true},
		{name: "two tables for one storage", spec: "1", edit: copyTo(other, filepath.Base(other)), says: "are for the same storage", dry: true},
		{name: "an image larger than its partition", spec: "1", edit: large, says: "it writes 131072 bytes to vbmeta_a, which holds 65536", dry: true},
		{name: "slots that the tables do not have", spec: "1iii", fault: "var=has-slot:super:yes@*", says: `the phone answers "yes"`},
		{name: "no slots where the tables have them", spec: "1iii", fault: "var=has-slot:boot:no@*", says: `the phone answers "no"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := newCommandKit(t, c.spec, c.options)
			if c.edit != nil {
				c.edit(k)
			}
			fw, err := k.check(restore.Request{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := restore.Build(fw, nil, restore.Request{}); c.dry != refusedFor(err, c.says) || !c.dry && err != nil {
				t.Errorf("without a phone: %v", err)
			}
			var faults []string
			if c.fault != "" {
				faults = []string{c.fault}
			}
			k.on(faults...)
			if _, err := k.run(restore.Request{}, false, restore.RunOptions{}); !refusedFor(err, c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if list := k.changes(); len(list) != 0 {
				t.Errorf("the phone was asked to change: %+v", list)
			}
		})
	}
}

// refusedFor reports whether a restore was refused with a text.
func refusedFor(err error, says string) bool {
	var ps restore.Problems
	return errors.As(err, &ps) && strings.Contains(problemText(ps), says)
}
