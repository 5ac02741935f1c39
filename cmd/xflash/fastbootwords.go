package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/fileio"
)

// A fastbootWord is a word of Android's client. The table below is the one place that lists
// them: the parser, the help, the completion and the answers to words that once were commands
// read it.
type fastbootWord struct {
	name   string
	args   string   // as the help has them
	needs  []string // the words that must follow
	more   int      // how many others may follow
	help   string
	old    string // the command that it was before; empty for one that still is, or never was
	joined bool   // ":" and more may follow the name
	leaves bool   // the phone is gone afterwards
	why    string // why it is not for these phones
	// check looks at the word and those that belong to it, and may add defaults; may be nil.
	check func(l *fastbootLine, words []string) ([]string, error)
	// prepare is the job of the words; do is one that needs neither a look nor a question, and
	// says OKAY at the end.
	prepare func(ctx context.Context, l *fastbootLine, c *fastbootConn, words []string) (act, error)
	do      func(ctx context.Context, c *fastbootConn, words []string) error
}

var fastbootWords = []fastbootWord{
	{name: "devices", help: "list the phones", check: aloneOnLine},
	{name: "getvar", args: "NAME|all", needs: []string{"the name of a variable"}, help: "ask for a variable; ids are masked unless --show-ids is given", old: "getvar", prepare: getvarWord},
	{name: "flash", args: "PARTITION [FILE]", needs: []string{"a partition"}, more: 1, help: "check an image and write it; default: $ANDROID_PRODUCT_OUT/PARTITION.img", check: imageOfPartition, prepare: flashWord},
	{name: "flash:raw", args: "PARTITION KERNEL [RAMDISK [SECOND]]", needs: []string{"a partition", "a kernel"}, more: 2, help: "make a boot image from its parts and write it", prepare: flashRawWord},
	{name: "update", args: "FILE.zip", needs: []string{"a zip archive"}, help: "write the images of an update package", check: restartAfter, prepare: updateWord},
	{name: "flashall", help: "write the images in $ANDROID_PRODUCT_OUT", check: imagesFolder, prepare: flashAllWord},
	{name: "erase", args: "PARTITION", needs: []string{"a partition"}, help: "erase a partition of the safe list", prepare: eraseWord},
	{name: "format", args: "PARTITION", needs: []string{"a partition"}, help: "put an empty file system on userdata or cache; format:TYPE:SIZE chooses it", joined: true, check: formatSize, prepare: formatWord},
	{name: "boot", args: "IMAGE | KERNEL [RAMDISK [SECOND]]", needs: []string{"an image"}, more: 2, help: "check an image and start it", leaves: true, prepare: bootWord},
	{name: "reboot", args: "[bootloader|recovery|fastboot]", more: 1, help: "restart the phone", old: "reboot", leaves: true, check: rebootTarget, do: reboot},
	{name: "reboot-bootloader", help: "restart the phone in fastboot mode", leaves: true, do: reboot},
	{name: "reboot-recovery", help: "restart the phone in recovery, on loaders that know the word", leaves: true, do: reboot},
	{name: "reboot-fastboot", help: "restart the phone in userspace fastboot, if it has that", leaves: true, do: reboot},
	{name: "continue", help: "let the phone continue to its system", old: "continue", leaves: true, do: continueBoot},
	{name: "oem", args: "WORD…", needs: []string{"a word"}, more: manyWords, help: "a command of the maker; asks first unless it is known to be harmless", old: "oem", prepare: makerWord},
	{name: "flashing", args: "WORD…", needs: []string{"a word"}, more: manyWords, help: "unlock, get_unlock_ability; lock is refused", prepare: makerWord},
	{name: "set_active", args: "a|b", needs: []string{"a slot"}, help: "choose the slot to start from, on phones with slots", old: "set-active", do: setActive},
	{name: "stage", args: "FILE", needs: []string{"a file"}, help: "put a file into the phone's memory", old: "stage", do: stage},
	{name: "get_staged", args: "FILE", needs: []string{"a file"}, help: "save what the previous command left in the phone's memory", old: "get-staged", do: getStaged},
	{name: "fetch", args: "PARTITION FILE", needs: []string{"a partition", "a file"}, help: "save a partition, from userspace fastboot", old: "fetch", do: fetch},
	{name: "create-logical-partition", args: "NAME SIZE", needs: []string{"a name", "a size"}, help: "in userspace fastboot only, like the four words below", check: logicalSize, prepare: logicalWord},
	{name: "resize-logical-partition", args: "NAME SIZE", needs: []string{"a name", "a size"}, check: logicalSize, prepare: logicalWord},
	{name: "delete-logical-partition", args: "NAME", needs: []string{"a name"}, prepare: logicalWord},
	{name: "snapshot-update", args: "cancel|merge", needs: []string{"cancel or merge"}, prepare: logicalWord},
	{name: "gsi", args: "wipe|disable|status", needs: []string{"wipe, disable or status"}, prepare: logicalWord},
	{name: "wipe-super", why: "it is for phones of 2019 and later, which have dynamic partitions, and needs an image that only the maker has"},
	{name: "signature", why: "it belongs to loaders from before 2012, and the loaders of these phones do not know it; leave it out"},
	{name: "connect", why: "you do not need it: name a phone on the network with -s tcp:HOST or -s udp:HOST in each command"},
	{name: "disconnect", why: "you do not need it: name a phone on the network with -s tcp:HOST or -s udp:HOST in each command"},
}

// manyWords is every word that is left.
const manyWords = 1 << 20

// fastbootHelp is the part of the help that the table gives.
func fastbootHelp() string {
	var b strings.Builder
	b.WriteString("Words:\n")
	for _, w := range fastbootWords {
		if w.why == "" {
			fmt.Fprintf(&b, "  %s\n", strings.TrimSpace(w.name+" "+w.args))
			if w.help != "" {
				fmt.Fprintf(&b, "      %s\n", w.help)
			}
		}
	}
	b.WriteString(`
Options, anywhere on the line:
  -s DEVICE       serial number, usb:…, tcp:…, udp:…; else what $ANDROID_SERIAL names
  -w              wipe userdata and cache before the phone leaves
  -S BYTES        most bytes for one download, with K, M or G
  --slot SLOT     a, b, all or other
  --skip-reboot   stay in fastboot mode
  --yes           do not ask
  --base (-b), --kernel-offset, --ramdisk-offset, --second-offset, --tags-offset,
  --page-size (-n)      for images made from parts
  --cmdline (-c)  the same; also replaces the command line of a whole image
  -i VENDOR       as in old guides: accepted and ignored`)
	return b.String()
}

// movedCommands answer words that once were commands with what they are now.
func movedCommands() (moved []*cobra.Command) {
	for _, w := range fastbootWords {
		if w.old == "" {
			continue
		}
		moved = append(moved, &cobra.Command{Use: w.old, Hidden: true, DisableFlagParsing: true, RunE: func(*cobra.Command, []string) error {
			return usageError{fmt.Errorf(`%s is now "%s"`, w.old, strings.TrimSpace("xflash fastboot "+w.name+" "+w.args))}
		}})
	}
	return moved
}

func aloneOnLine(l *fastbootLine, words []string) ([]string, error) {
	l.alone = true
	return words, nil
}

func restartAfter(l *fastbootLine, words []string) ([]string, error) {
	l.restart = true
	return words, nil
}

func imagesFolder(l *fastbootLine, words []string) ([]string, error) {
	folder := os.Getenv("ANDROID_PRODUCT_OUT")
	if folder == "" {
		return nil, errors.New("flashall reads the images from the folder in ANDROID_PRODUCT_OUT, which is not set")
	}
	return restartAfter(l, append(words, folder))
}

func imageOfPartition(_ *fastbootLine, words []string) ([]string, error) {
	folder := os.Getenv("ANDROID_PRODUCT_OUT")
	switch {
	case len(words) > 2:
		return words, nil
	case folder == "":
		return nil, errors.New("flash needs a file, or a folder with the images in ANDROID_PRODUCT_OUT")
	}
	return append(words, filepath.Join(folder, words[1]+".img")), nil
}

func formatSize(_ *fastbootLine, words []string) ([]string, error) {
	_, err := formatOf(words[0])
	return words, err
}

func rebootTarget(_ *fastbootLine, words []string) ([]string, error) {
	if len(words) > 1 && !slices.Contains(rebootTargets, words[1]) {
		return nil, fmt.Errorf("unknown reboot target %q: use bootloader, recovery or fastboot, and put no other word after reboot", words[1])
	}
	return words, nil
}

func logicalSize(_ *fastbootLine, words []string) ([]string, error) {
	bytes, err := parseBytes(words[2])
	return append(words[:2], strconv.FormatInt(bytes, 10)), err
}

func getvarWord(_ context.Context, l *fastbootLine, c *fastbootConn, words []string) (act, error) {
	return func(ctx context.Context) error { return l.getvar(ctx, c, words[1]) }, nil
}

func flashWord(ctx context.Context, l *fastbootLine, c *fastbootConn, words []string) (act, error) {
	return l.prepareFlash(ctx, c, words[1], imageFile{path: words[2]}, l.options)
}

func flashRawWord(ctx context.Context, l *fastbootLine, c *fastbootConn, words []string) (act, error) {
	image, err := l.options.raw.build(ctx, words[2:])
	if err != nil {
		return nil, err
	}
	return l.prepareFlash(ctx, c, words[1], image, l.options)
}

func updateWord(ctx context.Context, l *fastbootLine, c *fastbootConn, words []string) (act, error) {
	return l.prepareUpdateZip(ctx, c, words[1], l.options)
}

func flashAllWord(ctx context.Context, l *fastbootLine, c *fastbootConn, words []string) (act, error) {
	return l.prepareUpdate(ctx, c, os.DirFS(words[1]), words[1], l.options)
}

func eraseWord(ctx context.Context, l *fastbootLine, c *fastbootConn, words []string) (act, error) {
	return l.prepareErase(ctx, c, words[1], l.options)
}

// formatOf reads format:TYPE:SIZE.
func formatOf(word string) (f formatOptions, err error) {
	_, kind, _ := strings.Cut(word, ":")
	kind, text, sized := strings.Cut(kind, ":")
	if f.kind = kind; sized {
		f.size, err = parseBytes(text)
	}
	return f, err
}

func formatWord(ctx context.Context, l *fastbootLine, c *fastbootConn, words []string) (act, error) {
	f, err := formatOf(words[0])
	if err != nil {
		return nil, err
	}
	f.flashOptions = l.options
	return l.prepareFormat(ctx, c, words[1], f)
}

func bootWord(ctx context.Context, l *fastbootLine, c *fastbootConn, words []string) (act, error) {
	image := imageFile{path: words[1]}
	if len(words) > 2 || l.options.raw != newRawHeader() {
		var err error
		if image, err = l.options.raw.build(ctx, words[1:]); err != nil {
			return nil, err
		}
	}
	return l.prepareBoot(ctx, c, image, bootOptions{yes: l.options.yes, model: l.options.model})
}

func makerWord(ctx context.Context, l *fastbootLine, c *fastbootConn, words []string) (act, error) {
	return l.prepareMaker(ctx, c, words[0], strings.Join(words[1:], " "), l.options.yes)
}

// logicalWord is the words that change partitions inside the super partition.
func logicalWord(ctx context.Context, l *fastbootLine, c *fastbootConn, words []string) (act, error) {
	return l.prepareLogical(ctx, c, words[0], strings.Join(words, ":"), l.options.yes)
}

func reboot(ctx context.Context, c *fastbootConn, words []string) error {
	_, target, _ := strings.Cut(strings.Join(words, "-"), "-")
	return c.Reboot(ctx, target)
}

func continueBoot(ctx context.Context, c *fastbootConn, _ []string) error { return c.Continue(ctx) }

func setActive(ctx context.Context, c *fastbootConn, words []string) error {
	return c.SetActive(ctx, words[1])
}

// stage leaves a file in the phone's memory.
func stage(ctx context.Context, c *fastbootConn, words []string) error {
	f, size, err := fileio.Open(words[1])
	if err != nil {
		return err
	}
	defer f.Close()
	return c.Download(ctx, f, size)
}

func getStaged(ctx context.Context, c *fastbootConn, words []string) error {
	return saved(words[1], func(f *os.File) error { _, err := c.Upload(ctx, f); return err })
}

func fetch(ctx context.Context, c *fastbootConn, words []string) error {
	return saved(words[2], func(f *os.File) error { _, err := c.Fetch(ctx, words[1], f); return err })
}
