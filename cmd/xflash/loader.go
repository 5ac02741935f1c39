package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"xflash/fastboot"
)

// loaderCommand is a command that says something to a phone in fastboot mode.
func (a *app) loaderCommand(use, short, long string, count cobra.PositionalArgs, run func(ctx context.Context, c *loaderConn, words []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Args: args(count),
		RunE: func(cmd *cobra.Command, words []string) (err error) {
			ctx, stop := firstStop(cmd.Context())
			defer stop()
			// What the loader says line by line is part of the answer and shown with it.
			c, err := a.fastbootMode(ctx, fastboot.Options{Log: a.loaderOptions("").Log})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.Close()) }()
			return run(ctx, c, words)
		},
	}
}

// loaderCommands are those that need no more than a line each.
func (a *app) loaderCommands() []*cobra.Command {
	return []*cobra.Command{
		a.loaderCommand("getvar NAME|all", "ask a phone in fastboot mode for a variable",
			"Asks the loader of a phone in fastboot mode for a variable, such as version-bootloader\nor max-download-size, or for all. The serial number is masked unless --show-ids is given.",
			cobra.ExactArgs(1), a.getvar),
		a.loaderCommand("reboot [bootloader|recovery|fastboot]", "start a phone in fastboot mode again",
			"Starts the phone again, into its system or into the mode that is named.",
			cobra.MaximumNArgs(1), func(ctx context.Context, c *loaderConn, words []string) error {
				target := strings.Join(words, "")
				if target != "" && target != "bootloader" && target != "recovery" && target != "fastboot" {
					return usageError{fmt.Errorf("%q is none of bootloader, recovery, fastboot", target)}
				}
				if err := c.Reboot(ctx, target); err != nil {
					return err
				}
				return a.done("The phone starts again.")
			}),
		a.loaderCommand("continue", "let a phone in fastboot mode start its system",
			"Lets the phone go on to start its system.",
			cobra.NoArgs, func(ctx context.Context, c *loaderConn, _ []string) error {
				if err := c.Continue(ctx); err != nil {
					return err
				}
				return a.done("The phone goes on.")
			}),
		a.loaderCommand("set-active a|b", "choose the slot that a phone with two of each partition starts from",
			"Chooses the slot that the phone starts from. Phones of the S1 time have no slots.",
			cobra.ExactArgs(1), func(ctx context.Context, c *loaderConn, words []string) error {
				if err := c.SetActive(ctx, words[0]); err != nil {
					return err
				}
				return a.done("Slot " + words[0] + " is active.")
			}),
		a.loaderCommand("stage FILE", "leave a file in the memory of a phone in fastboot mode",
			"Sends a file into the phone's memory, for the command of the maker's own that follows.",
			cobra.ExactArgs(1), func(ctx context.Context, c *loaderConn, words []string) error {
				if err := stage(ctx, c, words[0]); err != nil {
					return err
				}
				return a.done(words[0] + " is in the phone's memory.")
			}),
		a.loaderCommand("get-staged FILE", "take what a phone in fastboot mode has left in its memory",
			"Writes what the command before left in the phone's memory to a new file. Few loaders can\ndo that.",
			cobra.ExactArgs(1), func(ctx context.Context, c *loaderConn, words []string) error {
				if err := saved(words[0], func(f *os.File) error { _, err := c.Upload(ctx, f); return err }); err != nil {
					return err
				}
				return a.done(words[0] + " is written.")
			}),
		a.loaderCommand("fetch PARTITION FILE", "read a partition of a phone in fastboot mode",
			"Reads a partition into a new file. The loaders of Sony's phones refuse that, as most do;\nit is for userspace fastboot.",
			cobra.ExactArgs(2), func(ctx context.Context, c *loaderConn, words []string) error {
				if err := saved(words[1], func(f *os.File) error { _, err := c.Fetch(ctx, words[0], f); return err }); err != nil {
					return err
				}
				return a.done(words[1] + " is written.")
			}),
		a.oemCommand(), a.unlockCommand(),
	}
}

func (a *app) getvar(ctx context.Context, c *loaderConn, words []string) error {
	type row struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	var rows []row
	add := func(name, value string) {
		if strings.HasPrefix(name, "serial") || strings.EqualFold(name, "imei") {
			value = a.masked(value)
		}
		rows = append(rows, row{name, value})
	}
	if words[0] == "all" {
		all, err := c.Variables(ctx)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			a.ui.warn("this loader does not list its variables; ask for single ones, such as version-bootloader, product, max-download-size")
		}
		for _, v := range all {
			add(v.Name, v.Value)
		}
	} else {
		v, err := c.Getvar(ctx, words[0])
		if err != nil {
			return err
		}
		add(words[0], v)
	}
	if a.ui.json {
		return a.ui.resultJSON(map[string]any{"type": "variables", "variables": rows})
	}
	for _, r := range rows {
		if r.Value == "" {
			r.Value = "(empty)"
		}
		a.ui.result("%s: %s\n", printable(r.Name), printable(r.Value))
	}
	return nil
}

func (a *app) oemCommand() *cobra.Command {
	cmd := a.loaderCommand("oem WORD…", "say a command of the maker's own to a phone in fastboot mode",
		"Sends a command of the maker's own, such as device-info, and shows what the loader says.\nUnlocking has a command of its own: xflash unlock.",
		cobra.MinimumNArgs(1), func(ctx context.Context, c *loaderConn, words []string) error {
			if words[0] == "unlock" || words[0] == "lock" {
				return &failure{exit: exitPolicy, code: "use-unlock", what: "oem " + words[0] + " changes the phone for good and is not sent by this command",
					hints: []string{`"xflash unlock CODE" says what is lost, and asks`}}
			}
			r, err := c.OEM(ctx, strings.Join(words, " "))
			if err != nil {
				return err
			}
			if a.ui.json {
				return a.ui.resultJSON(map[string]any{"type": "answer", "text": r.Text, "info": append([]string{}, r.Info...)})
			}
			for _, line := range append(r.Info, r.Text) {
				if line = strings.TrimSpace(line); line != "" {
					a.ui.result("%s\n", printable(line))
				}
			}
			return a.done("The loader says OKAY.")
		})
	return cmd
}

// unlockLoss is what a person must know before (device-rescue.md §3, boot-fastboot.md §8.4).
const unlockLoss = `Unlocking the boot loader cannot be taken back. It erases all user data, and the phone loses its DRM keys from the trim area for good: Sony's camera and sound improvements, protected films and some services stop working, also after locking it again. It is not needed for "xflash restore".`

func (a *app) unlockCommand() *cobra.Command {
	var yes bool
	cmd := a.loaderCommand("unlock CODE", "unlock the boot loader, after saying what is lost",
		"Unlocks the boot loader with the code that Sony gives for the phone's IMEI: 16\nhexadecimal digits. It says what is lost for good, and asks.",
		cobra.ExactArgs(1), func(ctx context.Context, c *loaderConn, words []string) error {
			code := strings.TrimPrefix(strings.ToUpper(words[0]), "0X")
			if _, err := strconv.ParseUint(code, 16, 64); err != nil || len(code) != 16 {
				return usageError{fmt.Errorf("a code has 16 hexadecimal digits; Sony's page for developers gives the one for your IMEI")}
			}
			a.ui.warn("%s", unlockLoss)
			if !yes {
				if !a.ui.inTTY || a.ui.json {
					return &failure{exit: exitPolicy, code: "not-confirmed", what: "nothing was done", hints: []string{"--yes says that you know what is lost"}}
				}
				answer, err := a.ui.ask(ctx, "Type UNLOCK to go on:")
				if err != nil {
					return err
				}
				if answer != "UNLOCK" {
					return &failure{exit: exitPolicy, code: "not-confirmed", what: "nothing was done"}
				}
			}
			if _, err := c.OEM(ctx, "unlock 0x"+code); err != nil {
				return err
			}
			return a.done("The boot loader is unlocked.")
		})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
