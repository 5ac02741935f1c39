package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// takeOptions reads the options, which may be anywhere on the line, and gives the words.
// Those of this program that every command has are options here too.
func (l *fastbootLine) takeOptions(line []string) (words []string, err error) {
	for len(line) > 0 {
		word := line[0]
		line = line[1:]
		if word == "--" {
			return append(words, line...), nil
		}
		if !strings.HasPrefix(word, "-") || word == "-" {
			words = append(words, word)
			continue
		}
		name, value, joined := strings.Cut(word, "=")
		// -sVALUE, as getopt reads it
		if !joined && len(name) > 2 && name[1] != '-' && strings.ContainsRune("sSibnc", rune(name[1])) {
			name, value, joined = name[:2], name[2:], true
		}
		take := func(what string) (string, error) {
			if joined {
				return value, nil
			}
			if len(line) == 0 {
				return "", fmt.Errorf("%s needs %s", name, what)
			}
			value, line = line[0], line[1:]
			return value, nil
		}
		if err := l.option(name, take); err != nil {
			return nil, err
		}
	}
	return words, nil
}

func (l *fastbootLine) option(name string, take func(what string) (string, error)) (err error) {
	o := &l.options
	var value string
	switch name {
	case "-h", "--help":
		l.help = true
	case "--version":
		l.version = true
	case "-s":
		l.device, err = take("a device")
	case "--model":
		o.model, err = take("a model")
	case "-S":
		if value, err = take("a size"); err == nil {
			o.limit, err = parseBytes(value)
		}
	case "-w":
		l.wipe = true
	case "--yes":
		o.yes = true
	case "-i": // the vendor id of old guides; this program knows Sony's
		_, err = take("a vendor id")
	case "--skip-reboot":
		o.stay = true
	case "-v", "--verbose", "-u", "--unbuffered", "--skip-secondary", "-l":
	case "--force", "--wipe-and-use-fbe":
		return fmt.Errorf("%s is not safe on these phones, and xflash does not do it", name)
	case "--slot":
		o.slot, err = take("a slot")
	case "--base", "--kernel-offset", "--ramdisk-offset", "--second-offset", "--tags-offset", "--page-size", "-b", "-n":
		if value, err = take("a number"); err != nil {
			return err
		}
		n, err := strconv.ParseUint(value, 0, 32)
		if err != nil {
			return fmt.Errorf("%s: %q is not a 32-bit number", name, value)
		}
		*o.raw.number(name) = uint32(n)
	case "--cmdline", "-c":
		o.raw.cmdline, err = take("a command line")
	case "-p":
		return errors.New("-p chose among the products of old build trees; set ANDROID_PRODUCT_OUT to the folder with the images instead")
	case "--disable-verity", "--disable-verification", "--set-active", "-a", "--dtb", "--dtb-offset", "--header-version", "--os-version", "--os-patch-level",
		"--fs-options", "--disable-super-optimization", "--exclude-dynamic-partitions", "--disable-fastboot-info":
		return fmt.Errorf("%s is for phones of 2016 and later, which work differently from those that xflash knows. Leave it out", name)
	default:
		return l.globalFlag(name, take)
	}
	return err
}

// globalFlag sets a flag that every command of this program has.
func (l *fastbootLine) globalFlag(name string, take func(what string) (string, error)) error {
	var flag *pflag.Flag
	if long, ok := strings.CutPrefix(name, "--"); ok {
		flag = l.flags.Lookup(long)
	} else if len(name) == 2 {
		flag = l.flags.ShorthandLookup(name[1:])
	}
	if flag == nil {
		return fmt.Errorf("xflash knows no fastboot option %s", name)
	}
	value := flag.NoOptDefVal
	if value == "" {
		var err error
		if value, err = take("a value"); err != nil {
			return err
		}
	}
	if err := flag.Value.Set(value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
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
