package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"xflash/fastboot"
)

func newFastbootCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "fastboot [OPTIONS] WORD…",
		Short: "the words of Android's fastboot, with this program's safety and explanations",
		Long: `Takes the words and options of Android's fastboot, as guides have them, several after each
other if need be. Safe list, looks at the file and explanations are those of xflash:
nothing is written that "xflash flash" would refuse.

Words: devices, getvar NAME, flash PARTITION [FILE], erase PARTITION,
boot IMAGE, boot KERNEL RAMDISK [SECOND], flash:raw PARTITION KERNEL [RAMDISK [SECOND]],
format[:TYPE[:SIZE]] PARTITION, reboot [bootloader|recovery|fastboot],
reboot-bootloader, continue, oem WORD…, flashing WORD…, set_active SLOT,
update FILE.zip, flashall, stage FILE, get_staged FILE, fetch PARTITION FILE,
create-logical-partition NAME SIZE, delete-logical-partition NAME,
resize-logical-partition NAME SIZE, snapshot-update cancel|merge. Words and options for
phones of later years are told apart from slips, with the reason why they are not for
these. flashall, and flash without a file, take images from $ANDROID_PRODUCT_OUT.

Options: -s DEVICE (serial, usb:…, tcp:…, udp:…), -S BYTES, -w (erases userdata and cache),
--slot SLOT, --skip-reboot, --yes; for images that are made of parts --base (-b),
--kernel-offset, --ramdisk-offset, --second-offset, --tags-offset, --page-size (-n), and
--cmdline (-c), which also replaces that of a whole image; -i VENDOR of old guides is taken
and means nothing here. Without -s the phone is the one that $ANDROID_SERIAL names.`,
		Example: `  xflash fastboot -i 0x0fce flash recovery twrp.img
  xflash fastboot -s tcp:192.168.1.5 getvar all`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, words []string) error {
			if len(words) == 0 || words[0] == "-h" || words[0] == "--help" || words[0] == "help" {
				return cmd.Help()
			}
			ctx, stop := firstStop(cmd.Context())
			defer stop()
			jobs, err := a.aospJobs(words)
			if err != nil {
				return usageError{err}
			}
			for _, job := range jobs {
				if err := job(ctx); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// aospWords walks the words of a command line.
type aospWords struct{ rest []string }

func (w *aospWords) next() (string, bool) {
	if len(w.rest) == 0 {
		return "", false
	}
	first := w.rest[0]
	w.rest = w.rest[1:]
	return first, true
}

// argument is a word that must follow.
func (w *aospWords) argument(of, what string) (string, error) {
	word, ok := w.next()
	if !ok {
		return "", fmt.Errorf("%s needs %s", of, what)
	}
	return word, nil
}

// upTo takes up to n words that are no options, as Android's client does.
func (w *aospWords) upTo(n int) (words []string) {
	for len(words) < n && len(w.rest) > 0 && !strings.HasPrefix(w.rest[0], "-") {
		word, _ := w.next()
		words = append(words, word)
	}
	return words
}

// all takes the words up to the end.
func (w *aospWords) all() []string {
	rest := w.rest
	w.rest = nil
	return rest
}

// aospJobs reads the whole line before anything is done, so that a slip in the third word
// does not leave the phone half-way.
func (a *app) aospJobs(words []string) ([]func(context.Context) error, error) {
	w := &aospWords{words}
	if a.device == "" {
		a.device = cmp.Or(os.Getenv("ANDROID_SERIAL"), os.Getenv("FASTBOOT_DEVICE"))
	}
	o := flashOptions{raw: newRawHeader()}
	wipe := false
	var jobs []func(context.Context) error
	for {
		word, ok := w.next()
		if !ok {
			break
		}
		if strings.HasPrefix(word, "-") {
			if err := a.aospOption(word, w, &o, &wipe); err != nil {
				return nil, err
			}
			continue
		}
		job, err := a.aospJob(word, w, &o)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	if wipe {
		for _, p := range []string{"userdata", "cache"} {
			jobs = append(jobs, func(ctx context.Context) error { return a.erase(ctx, p, o) })
		}
	}
	if len(jobs) == 0 {
		return nil, errors.New("there is no word that says what to do")
	}
	return jobs, nil
}

func (a *app) aospOption(word string, w *aospWords, o *flashOptions, wipe *bool) (err error) {
	name, value, joined := strings.Cut(word, "=")
	take := func(what string) error {
		if joined {
			return nil
		}
		value, err = w.argument(name, what)
		return err
	}
	switch name {
	case "-s", "--device":
		if err := take("a device"); err != nil {
			return err
		}
		a.device = value
	case "--sim-state":
		err = take("a folder")
		a.simState = value
	case "--model":
		err = take("a model")
		o.model = value
	case "-S":
		if err := take("a size"); err != nil {
			return err
		}
		if o.limit, err = parseBytes(value); err != nil {
			return err
		}
	case "-w":
		*wipe = true
	case "--yes":
		o.yes = true
	case "--json":
		a.ui.json = true
	case "--show-ids":
		a.showIDs = true
	case "-i": // the vendor id of old guides; this program knows Sony's
		err = take("a vendor id")
	case "--skip-reboot":
		o.stay = true
	case "-v", "--verbose", "-u", "--unbuffered", "--skip-secondary", "-l":
	case "--force", "--wipe-and-use-fbe":
		return fmt.Errorf("%s asks for what is not safe on these phones, and xflash does not do it", name)
	case "--slot":
		err = take("a slot")
		o.slot = value
	case "--base", "--kernel-offset", "--ramdisk-offset", "--second-offset", "--tags-offset", "--page-size", "-b", "-n":
		if err := take("a number"); err != nil {
			return err
		}
		n, err := strconv.ParseUint(value, 0, 32)
		if err != nil {
			return fmt.Errorf("%s: %q is no number of 32 bits", name, value)
		}
		*o.raw.number(name) = uint32(n)
	case "--cmdline", "-c":
		err = take("a command line")
		o.raw.cmdline = value
	case "-p":
		return errors.New("-p chose one of several products of old build trees; set ANDROID_PRODUCT_OUT to the folder with the images instead")
	case "--disable-verity", "--disable-verification", "--set-active", "-a", "--dtb", "--dtb-offset", "--header-version", "--os-version", "--os-patch-level",
		"--fs-options", "--disable-super-optimization", "--exclude-dynamic-partitions", "--disable-fastboot-info":
		return fmt.Errorf("%s is for phones from 2016 and later; the phones that xflash knows have nothing of the kind. Leave it out", name)
	default:
		return fmt.Errorf("option %s of fastboot is not known to xflash", word)
	}
	return err
}

// parseBytes reads a number of bytes with K, M or G behind it.
func parseBytes(text string) (int64, error) {
	shift := strings.Index("KMG", strings.ToUpper(text[max(len(text)-1, 0):]))
	digits := text
	if shift >= 0 && text != "" {
		digits = text[:len(text)-1]
	} else {
		shift = -1
	}
	n, err := strconv.ParseInt(digits, 0, 64)
	if err != nil || n <= 0 || n > 1<<32 {
		return 0, fmt.Errorf("%q is no size", text)
	}
	return n << (10 * (shift + 1)), nil
}

// aospJob makes the job of one word.
func (a *app) aospJob(word string, w *aospWords, o *flashOptions) (func(context.Context) error, error) {
	simple := func(run func(context.Context, *loaderConn) error) func(context.Context) error {
		return func(ctx context.Context) (err error) {
			c, err := a.fastbootMode(ctx, fastboot.Options{Log: a.loaderOptions("").Log, Info: a.loaderOptions("").Info})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.Close()) }()
			if err := run(ctx, c); err != nil {
				return err
			}
			return a.done(word + ": OKAY")
		}
	}
	two := func(what1, what2 string) (string, string, error) {
		one, err := w.argument(word, what1)
		if err != nil {
			return "", "", err
		}
		other, err := w.argument(word, what2)
		return one, other, err
	}
	if kind, ok := strings.CutPrefix(word, "format:"); ok {
		word = "format"
		f := formatOptions{}
		kind, text, sized := strings.Cut(kind, ":")
		if f.kind = kind; sized {
			var err error
			if f.size, err = parseBytes(text); err != nil {
				return nil, err
			}
		}
		partition, err := w.argument(word, "a partition")
		return func(ctx context.Context) error { f.flashOptions = *o; return a.format(ctx, partition, f) }, err
	}
	switch word {
	case "format":
		partition, err := w.argument(word, "a partition")
		return func(ctx context.Context) error {
			return a.format(ctx, partition, formatOptions{flashOptions: *o})
		}, err
	case "signature":
		return nil, errors.New("signature belongs to loaders from before 2012, and the loaders of these phones do not know it; leave it out")
	case "gsi", "wipe-super":
		return nil, fmt.Errorf("%s is for phones with dynamic partitions, from 2019 on; the phones that xflash knows have none", word)
	case "connect", "disconnect":
		return nil, fmt.Errorf("%s is not needed: -s tcp:HOST or -s udp:HOST with each command names a phone on the network", word)
	case "devices":
		return func(ctx context.Context) error { return runSub(ctx, newDevicesCommand(a)) }, nil
	case "flash":
		partition, err := w.argument(word, "a partition")
		if err != nil {
			return nil, err
		}
		file, ok := w.next()
		if folder := os.Getenv("ANDROID_PRODUCT_OUT"); !ok && folder != "" {
			file = filepath.Join(folder, partition+".img")
		} else if !ok {
			err = errors.New("flash needs a file, or a folder with the images in ANDROID_PRODUCT_OUT")
		}
		return func(ctx context.Context) error { return a.flash(ctx, partition, file, *o) }, err
	case "flash:raw":
		partition, kernel, err := two("a partition", "a kernel")
		parts := append([]string{kernel}, w.upTo(2)...)
		return func(ctx context.Context) error {
			return o.raw.withRaw(ctx, parts, filepath.Base(partition)+".img", func(path string) error { return a.flash(ctx, partition, path, *o) })
		}, err
	case "erase":
		partition, err := w.argument(word, "a partition")
		return func(ctx context.Context) error { return a.erase(ctx, partition, *o) }, err
	case "boot":
		image, err := w.argument(word, "an image")
		parts := append([]string{image}, w.upTo(2)...)
		return func(ctx context.Context) error {
			b := bootOptions{yes: o.yes, model: o.model}
			if len(parts) == 1 && o.raw == newRawHeader() {
				return a.boot(ctx, image, b)
			}
			return o.raw.withRaw(ctx, parts, "boot.img", func(path string) error { return a.boot(ctx, path, b) })
		}, err
	case "update":
		file, err := w.argument(word, "a zip archive")
		return func(ctx context.Context) error { return a.updateZip(ctx, file, *o) }, err
	case "flashall":
		folder := os.Getenv("ANDROID_PRODUCT_OUT")
		if folder == "" {
			return nil, errors.New("flashall takes the images from the folder that ANDROID_PRODUCT_OUT names, and it names none")
		}
		return func(ctx context.Context) error { return a.update(ctx, os.DirFS(folder), folder, *o) }, nil
	case "getvar":
		name, err := w.argument(word, "the name of a variable")
		return func(ctx context.Context) (err error) {
			c, err := a.fastbootMode(ctx, fastboot.Options{Log: a.loaderOptions("").Log})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.Close()) }()
			return a.getvar(ctx, c, []string{name})
		}, err
	case "reboot", "reboot-bootloader", "reboot-recovery", "reboot-fastboot":
		target := strings.TrimPrefix(strings.TrimPrefix(word, "reboot"), "-")
		if target == "" && len(w.rest) > 0 && (w.rest[0] == "bootloader" || w.rest[0] == "recovery" || w.rest[0] == "fastboot") {
			target, _ = w.next()
		}
		return simple(func(ctx context.Context, c *loaderConn) error { return c.Reboot(ctx, target) }), nil
	case "continue":
		return simple(func(ctx context.Context, c *loaderConn) error { return c.Continue(ctx) }), nil
	case "set_active":
		slot, err := w.argument(word, "a slot")
		return simple(func(ctx context.Context, c *loaderConn) error { return c.SetActive(ctx, slot) }), err
	case "oem", "flashing":
		words := w.all()
		if len(words) == 0 {
			return nil, fmt.Errorf("%s needs a word", word)
		}
		if strings.Contains(words[0], "lock") && words[0] != "get_unlock_ability" {
			return nil, fmt.Errorf(`%s %s changes the phone for good: "xflash unlock CODE" says what is lost, and asks`, word, words[0])
		}
		return simple(func(ctx context.Context, c *loaderConn) error {
			say := c.OEM
			if word == "flashing" {
				say = c.Flashing
			}
			_, err := say(ctx, strings.Join(words, " "))
			return err
		}), nil
	case "stage":
		file, err := w.argument(word, "a file")
		return simple(func(ctx context.Context, c *loaderConn) error { return stage(ctx, c, file) }), err
	case "get_staged":
		file, err := w.argument(word, "a file")
		return simple(func(ctx context.Context, c *loaderConn) error {
			return saved(file, func(f *os.File) error { _, err := c.Upload(ctx, f); return err })
		}), err
	case "fetch":
		partition, file, err := two("a partition", "a file")
		return simple(func(ctx context.Context, c *loaderConn) error {
			return saved(file, func(f *os.File) error { _, err := c.Fetch(ctx, partition, f); return err })
		}), err
	case "create-logical-partition", "resize-logical-partition":
		name, text, err := two("a name", "a size")
		if err != nil {
			return nil, err
		}
		bytes, err := parseBytes(text)
		return simple(func(ctx context.Context, c *loaderConn) error {
			if word == "create-logical-partition" {
				return c.CreateLogical(ctx, name, bytes)
			}
			return c.ResizeLogical(ctx, name, bytes)
		}), err
	case "delete-logical-partition":
		name, err := w.argument(word, "a name")
		return simple(func(ctx context.Context, c *loaderConn) error { return c.DeleteLogical(ctx, name) }), err
	case "snapshot-update":
		what, err := w.argument(word, "cancel or merge")
		return simple(func(ctx context.Context, c *loaderConn) error {
			_, err := c.Command(ctx, "snapshot-update:"+what)
			return err
		}), err
	}
	return nil, fmt.Errorf("%q is no word of fastboot that xflash knows", word)
}

// runSub runs another command of this program without words.
func runSub(ctx context.Context, cmd *cobra.Command) error {
	cmd.SetContext(ctx)
	return cmd.RunE(cmd, nil)
}

// stage leaves a file in the phone's memory.
func stage(ctx context.Context, c *loaderConn, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return c.Stage(ctx, f, st.Size())
}

// saved makes a new file of what write gives; a half-written one does not stay.
func saved(path string, write func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err = errors.Join(write(f), f.Close()); err != nil {
		_ = os.Remove(path) // the failure before it matters
	}
	return err
}
