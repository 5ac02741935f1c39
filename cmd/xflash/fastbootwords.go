package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// A fastbootWord is a word of Android's client. The table below is the one place that lists
// them: the parser, the help and the answers to words that once were commands read it.
type fastbootWord struct {
	name   string
	args   string // as the help has them
	help   string
	old    string // the command that it was before; empty for one that still is, or never was
	joined bool   // ":" and more may follow the name
	leaves bool   // the phone is gone afterwards
	why    string // why it is not for these phones
	read   func(l *fastbootLine, word string) (fastbootJob, error)
}

var fastbootWords []fastbootWord

func init() { // its functions read the line, which reads the table
	fastbootWords = []fastbootWord{
		{name: "devices", help: "list the phones", read: readDevices},
		{name: "getvar", args: "NAME|all", help: "ask for a variable; ids are masked unless --show-ids is given", old: "getvar", read: readGetvar},
		{name: "flash", args: "PARTITION [FILE]", help: "check an image and write it; default: $ANDROID_PRODUCT_OUT/PARTITION.img", read: readFlash},
		{name: "flash:raw", args: "PARTITION KERNEL [RAMDISK [SECOND]]", help: "make a boot image from its parts and write it", read: readFlashRaw},
		{name: "update", args: "FILE.zip", help: "write the images of an update package", read: readUpdate},
		{name: "flashall", help: "write the images in $ANDROID_PRODUCT_OUT", read: readFlashAll},
		{name: "erase", args: "PARTITION", help: "erase a partition of the safe list", read: readErase},
		{name: "format", args: "PARTITION", help: "put an empty file system on userdata or cache; format:TYPE:SIZE chooses it", joined: true, read: readFormat},
		{name: "boot", args: "IMAGE | KERNEL [RAMDISK [SECOND]]", help: "check an image and start it", leaves: true, read: readBoot},
		{name: "reboot", args: "[bootloader|recovery|fastboot]", help: "restart the phone", old: "reboot", leaves: true, read: readReboot},
		{name: "reboot-bootloader", help: "restart the phone in fastboot mode", leaves: true, read: readReboot},
		{name: "reboot-recovery", help: "restart the phone in recovery, on loaders that know the word", leaves: true, read: readReboot},
		{name: "reboot-fastboot", help: "restart the phone in userspace fastboot, if it has that", leaves: true, read: readReboot},
		{name: "continue", help: "let the phone continue to its system", old: "continue", leaves: true, read: readContinue},
		{name: "oem", args: "WORD…", help: "a command of the maker; asks first unless it is known to be harmless", old: "oem", read: readMaker},
		{name: "flashing", args: "WORD…", help: "unlock, get_unlock_ability; lock is refused", read: readMaker},
		{name: "set_active", args: "a|b", help: "choose the slot to start from, on phones with slots", old: "set-active", read: readSetActive},
		{name: "stage", args: "FILE", help: "put a file into the phone's memory", old: "stage", read: readStage},
		{name: "get_staged", args: "FILE", help: "save what the previous command left in the phone's memory", old: "get-staged", read: readGetStaged},
		{name: "fetch", args: "PARTITION FILE", help: "save a partition, from userspace fastboot", old: "fetch", read: readFetch},
		{name: "create-logical-partition", args: "NAME SIZE", help: "in userspace fastboot only, like the four words below", read: readLogical},
		{name: "resize-logical-partition", args: "NAME SIZE", read: readLogical},
		{name: "delete-logical-partition", args: "NAME", read: readLogical},
		{name: "snapshot-update", args: "cancel|merge", read: readLogical},
		{name: "gsi", args: "wipe|disable|status", read: readLogical},
		{name: "wipe-super", why: "it is for phones of 2019 and later, which have dynamic partitions, and needs an image that only the maker has"},
		{name: "signature", why: "it belongs to loaders from before 2012, and the loaders of these phones do not know it; leave it out"},
		{name: "connect", why: "you do not need it: name a phone on the network with -s tcp:HOST or -s udp:HOST in each command"},
		{name: "disconnect", why: "you do not need it: name a phone on the network with -s tcp:HOST or -s udp:HOST in each command"},
	}
}

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

// plainJob is a job that needs neither a look nor a question.
func plainJob(run func(ctx context.Context, c *fastbootConn) error) fastbootJob {
	return func(_ context.Context, c *fastbootConn) (func(context.Context) error, error) {
		return func(ctx context.Context) error { return run(ctx, c) }, nil
	}
}

// okay is a plain job that says OKAY at the end.
func okay(l *fastbootLine, word string, run func(ctx context.Context, c *fastbootConn) error) fastbootJob {
	return plainJob(func(ctx context.Context, c *fastbootConn) error {
		if err := run(ctx, c); err != nil {
			return err
		}
		return l.done(word + ": OKAY")
	})
}

func readDevices(l *fastbootLine, _ string) (fastbootJob, error) {
	l.alone = func(ctx context.Context) error { return runSub(ctx, newDevicesCommand(l.app)) }
	return nil, nil
}

func readGetvar(l *fastbootLine, word string) (fastbootJob, error) {
	name, err := l.next(word, "the name of a variable")
	return plainJob(func(ctx context.Context, c *fastbootConn) error { return l.getvar(ctx, c, name) }), err
}

func readFlash(l *fastbootLine, word string) (fastbootJob, error) {
	partition, err := l.next(word, "a partition")
	if err != nil {
		return nil, err
	}
	folder := os.Getenv("ANDROID_PRODUCT_OUT")
	var file string
	switch files := l.upTo(1); {
	case len(files) > 0:
		file = files[0]
	case folder != "":
		file = filepath.Join(folder, partition+".img")
	default:
		return nil, errors.New("flash needs a file, or a folder with the images in ANDROID_PRODUCT_OUT")
	}
	return func(ctx context.Context, c *fastbootConn) (func(context.Context) error, error) {
		return l.prepareFlash(ctx, c, partition, imageFile{path: file}, l.options)
	}, nil
}

func readFlashRaw(l *fastbootLine, word string) (fastbootJob, error) {
	partition, err := l.next(word, "a partition")
	if err != nil {
		return nil, err
	}
	kernel, err := l.next(word, "a kernel")
	parts := append([]string{kernel}, l.upTo(2)...)
	return func(ctx context.Context, c *fastbootConn) (func(context.Context) error, error) {
		image, err := l.options.raw.build(ctx, parts)
		if err != nil {
			return nil, err
		}
		return l.prepareFlash(ctx, c, partition, image, l.options)
	}, err
}

func readUpdate(l *fastbootLine, word string) (fastbootJob, error) {
	file, err := l.next(word, "a zip archive")
	l.restart = true
	return func(ctx context.Context, c *fastbootConn) (func(context.Context) error, error) {
		return l.prepareUpdateZip(ctx, c, file, l.options)
	}, err
}

func readFlashAll(l *fastbootLine, word string) (fastbootJob, error) {
	folder := os.Getenv("ANDROID_PRODUCT_OUT")
	if folder == "" {
		return nil, errors.New("flashall reads the images from the folder in ANDROID_PRODUCT_OUT, which is not set")
	}
	l.restart = true
	return func(ctx context.Context, c *fastbootConn) (func(context.Context) error, error) {
		return l.prepareUpdate(ctx, c, os.DirFS(folder), folder, l.options)
	}, nil
}

func readErase(l *fastbootLine, word string) (fastbootJob, error) {
	partition, err := l.next(word, "a partition")
	return func(ctx context.Context, c *fastbootConn) (func(context.Context) error, error) {
		return l.prepareErase(ctx, c, partition, l.options)
	}, err
}

func readFormat(l *fastbootLine, word string) (fastbootJob, error) {
	_, kind, _ := strings.Cut(word, ":")
	kind, text, sized := strings.Cut(kind, ":")
	f := formatOptions{kind: kind}
	if sized {
		var err error
		if f.size, err = parseBytes(text); err != nil {
			return nil, err
		}
	}
	partition, err := l.next("format", "a partition")
	return func(ctx context.Context, c *fastbootConn) (func(context.Context) error, error) {
		f.flashOptions = l.options
		return l.prepareFormat(ctx, c, partition, f)
	}, err
}

func readBoot(l *fastbootLine, word string) (fastbootJob, error) {
	image, err := l.next(word, "an image")
	parts := append([]string{image}, l.upTo(2)...)
	return func(ctx context.Context, c *fastbootConn) (func(context.Context) error, error) {
		file := imageFile{path: image}
		if len(parts) > 1 || l.options.raw != newRawHeader() {
			var err error
			if file, err = l.options.raw.build(ctx, parts); err != nil {
				return nil, err
			}
		}
		return l.prepareBoot(ctx, c, file, bootOptions{yes: l.options.yes, model: l.options.model})
	}, err
}

func readReboot(l *fastbootLine, word string) (fastbootJob, error) {
	target := strings.TrimPrefix(strings.TrimPrefix(word, "reboot"), "-")
	if target == "" && len(l.words) > 0 {
		target, _ = l.next(word, "")
		if target != "bootloader" && target != "recovery" && target != "fastboot" {
			return nil, fmt.Errorf("unknown reboot target %q: use bootloader, recovery or fastboot, and put no other word after reboot", target)
		}
	}
	return okay(l, word, func(ctx context.Context, c *fastbootConn) error { return c.Reboot(ctx, target) }), nil
}

func readContinue(l *fastbootLine, word string) (fastbootJob, error) {
	return okay(l, word, func(ctx context.Context, c *fastbootConn) error { return c.Continue(ctx) }), nil
}

func readMaker(l *fastbootLine, word string) (fastbootJob, error) {
	words := l.upTo(len(l.words))
	if len(words) == 0 {
		return nil, fmt.Errorf("%s needs a word", word)
	}
	return func(ctx context.Context, c *fastbootConn) (func(context.Context) error, error) {
		return l.prepareMaker(ctx, c, word, strings.Join(words, " "), l.options.yes)
	}, nil
}

func readSetActive(l *fastbootLine, word string) (fastbootJob, error) {
	slot, err := l.next(word, "a slot")
	return okay(l, word, func(ctx context.Context, c *fastbootConn) error { return c.SetActive(ctx, slot) }), err
}

func readStage(l *fastbootLine, word string) (fastbootJob, error) {
	file, err := l.next(word, "a file")
	return okay(l, word, func(ctx context.Context, c *fastbootConn) error { return stage(ctx, c, file) }), err
}

func readGetStaged(l *fastbootLine, word string) (fastbootJob, error) {
	file, err := l.next(word, "a file")
	return okay(l, word, func(ctx context.Context, c *fastbootConn) error {
		return saved(file, func(f *os.File) error { _, err := c.Upload(ctx, f); return err })
	}), err
}

func readFetch(l *fastbootLine, word string) (fastbootJob, error) {
	partition, err := l.next(word, "a partition")
	if err != nil {
		return nil, err
	}
	file, err := l.next(word, "a file")
	return okay(l, word, func(ctx context.Context, c *fastbootConn) error {
		return saved(file, func(f *os.File) error { _, err := c.Fetch(ctx, partition, f); return err })
	}), err
}

// readLogical reads the words that change partitions inside the super partition.
func readLogical(l *fastbootLine, word string) (fastbootJob, error) {
	name, err := l.next(word, cmp.Or(map[string]string{"snapshot-update": "cancel or merge", "gsi": "wipe, disable or status"}[word], "a name"))
	if err != nil {
		return nil, err
	}
	command := word + ":" + name
	if word == "create-logical-partition" || word == "resize-logical-partition" {
		text, err := l.next(word, "a size")
		if err != nil {
			return nil, err
		}
		bytes, err := parseBytes(text)
		if err != nil {
			return nil, err
		}
		command = fmt.Sprintf("%s:%d", command, bytes)
	}
	return func(ctx context.Context, c *fastbootConn) (func(context.Context) error, error) {
		return l.prepareLogical(ctx, c, word, command, l.options.yes)
	}, nil
}
