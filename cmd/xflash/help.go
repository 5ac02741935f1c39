package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"xflash/internal/text"
)

// help is a command's help for a terminal of this width. Examples stay as they are, because
// they are copied.
func help(cmd *cobra.Command, width int) string {
	cmd.InitDefaultHelpFlag()
	long := cmd.Long
	if long == "" {
		long = cmd.Short
	}
	parts := []string{reflow(long, width)}
	var usage []string
	if cmd.Runnable() {
		usage = append(usage, wrap("  "+cmd.UseLine(), width, "      "))
	}
	if cmd.HasAvailableSubCommands() {
		usage = append(usage, "  "+cmd.CommandPath()+" COMMAND")
	}
	parts = append(parts, "Usage:\n"+strings.Join(usage, "\n"))
	if cmd.HasExample() {
		parts = append(parts, "Examples:\n"+cmd.Example)
	}
	var commands []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" {
			commands = append(commands, text.Hanging(fmt.Sprintf("  %-12s", c.Name()), c.Short, width))
		}
	}
	if len(commands) > 0 {
		parts = append(parts, "Commands:\n"+strings.Join(commands, "\n"))
	}
	flags := func(title string, set *pflag.FlagSet) {
		if set.HasAvailableFlags() {
			parts = append(parts, title+":\n"+strings.TrimRight(set.FlagUsagesWrapped(width), "\n"))
		}
	}
	flags("Options", cmd.LocalFlags())
	hideUseless(cmd)
	flags("Global options", cmd.InheritedFlags())
	if len(commands) > 0 {
		parts = append(parts, wrap(fmt.Sprintf("%q says more about a command.", cmd.CommandPath()+" COMMAND --help"), width, ""))
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// reflow fits help text into width. Lines that start with a blank are a table: if a row is too
// wide, the second column of every row moves below the first.
func reflow(long string, width int) string {
	var out, paragraph, table []string
	end := func() {
		if len(paragraph) > 0 {
			out = append(out, text.Fold(strings.Join(paragraph, " "), width)...)
		}
		wide := slices.ContainsFunc(table, func(line string) bool { return text.Width(line) > width })
		for _, line := range table {
			row := strings.TrimLeft(line, " ")
			lead := line[:len(line)-len(row)]
			if first, second, ok := strings.Cut(row, "  "); wide && ok {
				out = append(out, wrap(lead+first, width, lead))
				lead += "    "
				row = strings.TrimLeft(second, " ")
			}
			if wide {
				line = wrap(lead+row, width, lead)
			}
			out = append(out, line)
		}
		paragraph, table = nil, nil
	}
	for line := range strings.SplitSeq(long, "\n") {
		switch {
		case line == "":
			end()
			out = append(out, "")
		case line[0] == ' ':
			if len(paragraph) > 0 {
				end()
			}
			table = append(table, line)
		default:
			if len(table) > 0 {
				end()
			}
			paragraph = append(paragraph, line)
		}
	}
	end()
	return strings.Join(out, "\n")
}

// offline are the commands that never speak to a phone.
var offline = []string{"bundle", "compare", "completion", "demo", "explain", "inspect", "list", "man", "sim", "udev", "unpack", "verify", "version"}

// hideUseless keeps the global options that a command refuses out of its help and its man page.
func hideUseless(cmd *cobra.Command) {
	cmd.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = changesNothing(cmd, f.Name) })
}

// changesNothing reports whether a global option has no meaning for a command. It is
// refused: whoever gives it expects that it does something.
func changesNothing(cmd *cobra.Command, option string) bool {
	switch option {
	case "device", "small-requests", "trace", "trace-ids":
	case "sim-state":
		if cmd.Name() == "sim" {
			return false
		}
	default:
		return false
	}
	isOffline := func(word string) bool { return slices.Contains(offline, word) }
	return slices.ContainsFunc(strings.Fields(cmd.CommandPath()), isOffline) && cmd.Flags().Lookup("imei") == nil // ta verify asks the phone
}
