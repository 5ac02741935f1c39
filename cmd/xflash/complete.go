package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"xflash/ftf"
	"xflash/internal/simphone"
	"xflash/usbproto/libusb"
)

// complete sets the words that the shell offers at each place of a command line.
func (a *app) complete(root *cobra.Command) {
	nothing := cobra.NoFileCompletions
	models := cobra.FixedCompletions(modelNames(), cobra.ShellCompDirectiveNoFileComp)
	args := map[string]cobra.CompletionFunc{
		"restore":   files("ftf"),
		"ta backup": files("ftf"),
		"unpack":    files("ftf", "sin", "img", "zip"),
		"boot":      files("img"),
		"flash":     then(fastbootTargets, files("img")),
		"erase":     then(fastbootTargets, nothing),
		"format":    then([]string{"cache", "userdata"}, nothing),
		"wait":      then([]string{"flashmode", "fastboot", "adb"}, nothing),
		"doctor":    then([]string{"flashmode", "fastboot"}, nothing),
		"sim":       then(simphone.Names(), nothing),
		"devices":   models,
		"fastboot":  fastbootCompletion,
		"bundle":    cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
	}
	for _, path := range []string{"info", "demo", "version", "udev", "unlock", "explain"} {
		args[path] = nothing
	}
	for path, f := range args {
		cmd, rest, err := root.Find(strings.Fields(path))
		if err != nil || len(rest) > 0 {
			panic("no command " + path) // a mistake in the table above, seen by every test
		}
		cmd.ValidArgsFunction = f
	}
	restore, _, _ := root.Find([]string{"restore"})
	for _, flag := range []string{"only", "skip"} {
		must(restore.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, words []string, part string) ([]string, cobra.ShellCompDirective) {
			return selectors(words, part), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}))
	}
	for _, path := range []string{"restore", "boot", "flash", "erase", "format", "bundle"} {
		cmd, _, _ := root.Find([]string{path})
		must(cmd.RegisterFlagCompletionFunc("model", models))
	}
	must(root.RegisterFlagCompletionFunc("device", func(cmd *cobra.Command, _ []string, part string) ([]string, cobra.ShellCompDirective) {
		return devicesFor(cmd.Context(), part), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}))
}

// must is for flags that exist.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// rebootTargets are the words that may follow reboot.
var rebootTargets = []string{"bootloader", "recovery", "fastboot"}

// fastbootTargets are the names that people give to what fastboot may write.
var fastbootTargets = []string{"boot", "recovery", "system", "cache", "userdata"}

func files(endings ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(endings, cobra.ShellCompDirectiveFilterFileExt)
}

// then offers words at the first place, and what next offers at the others.
func then(words []string, next cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, part string) ([]string, cobra.ShellCompDirective) {
		if len(given) == 0 {
			return words, cobra.ShellCompDirectiveNoFileComp
		}
		return next(cmd, given, part)
	}
}

// fastbootCompletion offers the words of fastboot, and after one of them what it accepts.
func fastbootCompletion(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		switch given[len(given)-1] {
		case "flash", "erase":
			return fastbootTargets, cobra.ShellCompDirectiveNoFileComp
		case "format":
			return []string{"cache", "userdata"}, cobra.ShellCompDirectiveNoFileComp
		case "reboot":
			return rebootTargets, cobra.ShellCompDirectiveNoFileComp
		case "getvar":
			return []string{"all", "product", "version", "version-bootloader", "serialno", "secure"}, cobra.ShellCompDirectiveNoFileComp
		case "boot", "update", "stage":
			return nil, cobra.ShellCompDirectiveDefault
		}
	}
	if len(given) > 1 && given[len(given)-2] == "flash" {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var words []string
	for _, w := range fastbootWords {
		if w.why == "" {
			words = append(words, w.name+"\t"+w.help)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// selectors are the names for --only and --skip that the bundle on the command line has,
// after those that are already there: kernel,fotakernel,…
func selectors(words []string, part string) []string {
	if len(words) == 0 {
		return nil
	}
	b, err := ftf.Open(words[0])
	if err != nil {
		return nil
	}
	defer b.Close()
	before := part[:strings.LastIndexByte(part, ',')+1]
	seen := map[string]bool{}
	var names []string
	for _, m := range b.Members {
		name := m.Short
		if m.Boot {
			name = "boot"
		}
		if (m.Kind == ftf.KindSIN || m.Kind == ftf.KindTA) && !seen[name] {
			seen[name] = true
			names = append(names, before+name)
		}
	}
	return names
}

// devicesFor are the phones on the bus, and the forms that --device has besides.
func devicesFor(ctx context.Context, part string) []string {
	if spec, ok := strings.CutPrefix(part, "sim:"); ok {
		var names []string
		before := spec[:strings.LastIndexByte(spec, ',')+1]
		if strings.Contains(spec[len(before):], "=") {
			return nil // the value is the user's
		}
		if before == "" {
			for _, n := range simphone.Names() {
				names = append(names, "sim:"+n)
			}
			return names
		}
		for _, k := range simphone.Keys() {
			names = append(names, "sim:"+before+k+"=")
		}
		return names
	}
	var names []string
	for _, kind := range notOnBus {
		names = append(names, kind+":")
	}
	bus, err := libusb.New(libusb.Options{})
	if err != nil {
		return names
	}
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	phones, err := bus.List(ctx)
	if err != nil {
		return names
	}
	for _, p := range phones {
		names = append(names, p.Path()+"\t"+p.Mode.String())
	}
	return names
}
