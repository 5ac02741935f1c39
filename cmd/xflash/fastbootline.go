package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// laterOptions are options of Android's client that these phones have no use for.
var laterOptions = []string{"disable-verity", "disable-verification", "set-active", "a", "dtb", "dtb-offset", "header-version", "os-version", "os-patch-level",
	"fs-options", "disable-super-optimization", "exclude-dynamic-partitions", "disable-fastboot-info"}

// takeOptions reads the options, which may be anywhere on the line, and returns the words. The
// options that every command of this program has are options here too. The usage of an option
// is the value that it needs; one that Android's client has as a letter only is named by it.
func (l *fastbootLine) takeOptions(line []string) ([]string, error) {
	o := &l.options
	f := pflag.NewFlagSet("fastboot", pflag.ContinueOnError)
	f.BoolVarP(&l.help, "help", "h", false, "")
	f.BoolVar(&l.version, "version", false, "")
	f.StringVarP(&l.device, "s", "s", l.device, "a device")
	f.StringVar(&o.model, "model", "", "a model")
	f.FuncP("S", "S", "a size", func(value string) (err error) {
		o.limit, err = parseBytes(value)
		return err
	})
	f.BoolVarP(&l.wipe, "w", "w", false, "")
	f.BoolVar(&o.yes, "yes", false, "")
	f.BoolVar(&o.stay, "skip-reboot", false, "")
	f.StringVar(&o.slot, "slot", "", "a slot")
	f.StringVarP(&o.raw.cmdline, "cmdline", "c", "", "a command line")
	for _, n := range []struct {
		name, letter string
		field        *uint32
	}{{"base", "b", &o.raw.base}, {"kernel-offset", "", &o.raw.kernel}, {"ramdisk-offset", "", &o.raw.ramdisk},
		{"second-offset", "", &o.raw.second}, {"tags-offset", "", &o.raw.tags}, {"page-size", "n", &o.raw.page}} {
		f.FuncP(n.name, n.letter, "a number", func(value string) error {
			v, err := strconv.ParseUint(value, 0, 32)
			if err != nil {
				return fmt.Errorf("%q is not a 32-bit number", value)
			}
			*n.field = uint32(v)
			return nil
		})
	}
	f.FuncP("i", "i", "a vendor id", func(value string) error { // of old guides; this program knows Sony's
		if _, err := strconv.ParseUint(value, 0, 16); err != nil { // -wipe must not wipe
			return fmt.Errorf("%q is not a vendor id", value)
		}
		return nil
	})
	f.BoolP("verbose", "v", false, "")
	f.BoolP("unbuffered", "u", false, "")
	f.BoolP("l", "l", false, "")
	f.Bool("skip-secondary", false, "")
	refuse := func(why string, names ...string) {
		for _, name := range names {
			letter := ""
			if len(name) == 1 {
				letter = name
			}
			f.BoolFuncP(name, letter, "", func(string) error { return usageError{errors.New(dashed(name) + " " + why)} })
		}
	}
	refuse("is not safe on these phones, and xflash does not do it", "force", "wipe-and-use-fbe")
	refuse("chose among the products of old build trees; set ANDROID_PRODUCT_OUT to the folder with the images instead", "p")
	refuse("is for phones of 2016 and later, which work differently from those that xflash knows. Leave it out", laterOptions...)
	f.AddFlagSet(l.flags)

	err := f.Parse(line)
	var refused usageError
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var wrong *pflag.InvalidValueError
	switch {
	case errors.As(err, &refused):
		err = refused
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		err = fmt.Errorf("xflash knows no fastboot option -%s", unknown.GetSpecifiedShortnames())
	case errors.As(err, &unknown):
		err = fmt.Errorf("xflash knows no fastboot option --%s", unknown.GetSpecifiedName())
	case errors.As(err, &missing):
		what := missing.GetFlag().Usage
		if l.flags.Lookup(missing.GetFlag().Name) != nil {
			what = "a value"
		}
		err = fmt.Errorf("%s needs %s", dashed(missing.GetSpecifiedName()), what)
	case errors.As(err, &wrong):
		err = fmt.Errorf("%s: %w", dashed(wrong.GetFlag().Name), wrong.Unwrap())
	}
	return f.Args(), err
}

// dashed is an option as it is written.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// parseBytes reads a number of bytes with K, M or G after it.
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
		return 0, fmt.Errorf("%q is not a size", text)
	}
	return n << (10 * (shift + 1)), nil
}
