package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// app is what the commands share: the terminal and the global flags.
type app struct {
	ui       *terminal
	in       *interrupts
	device   string // --device
	simState string // --sim-state
	showIDs  bool   // --show-ids
	small    bool   // --small-requests
	trace    tracing
}

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "xflash",
		Short: "restore Sony Xperia phones from Linux",
		Long: `xflash brings a Sony Xperia that no longer starts back to life.

It speaks Sony's flash mode over USB, checks every byte that it will write before
it touches the phone, writes only what a rescue needs, and explains the phone's
answers. Start with "xflash restore FILE.ftf --dry-run".`,
		Example: `  xflash devices
  xflash restore D5803_23.5.A.1.291.ftf
  xflash explain 'ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021";'`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := unusable(cmd); err != nil {
				return err
			}
			return a.startTrace()
		},
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       versionText(),
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.Flags().Bool("version", false, "show the version of the program")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		fmt.Fprint(cmd.OutOrStdout(), help(cmd, a.ui.width()))
	})
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := root.PersistentFlags()
	flags.StringVar(&a.device, "device", "", "the phone: serial number, usb:BUS-PORT, sim:z3c[,KEY=VALUE…], bridge:HOST:PORT, tcp:HOST, udp:HOST or replay:TRACE.pcap")
	flags.StringVar(&a.simState, "sim-state", "", "folder for the state of a simulated phone (default: a temporary one)")
	flags.BoolVar(&a.showIDs, "show-ids", false, "show serial number, IMEI and chip id instead of masking them")
	flags.StringVar(&a.trace.path, "trace", "", "record the USB traffic in this file, or in this folder with everything that a report needs")
	flags.BoolVar(&a.trace.ids, "trace-ids", false, "keep serial number, IMEI and trim-area contents in the trace")
	flags.BoolVar(&a.small, "small-requests", false, "send data in small USB requests: slower, for hubs that break with large ones")
	flags.BoolVar(&a.ui.json, "json", false, "answer in JSON; long jobs print one object per line")
	flags.BoolVarP(&a.ui.quiet, "quiet", "q", false, "print only results, notes and errors")
	root.AddCommand(
		newDevicesCommand(a), newInfoCommand(a), newRestoreCommand(a), newExplainCommand(a),
		newSimCommand(a), newDemoCommand(a), newVersionCommand(a), newManCommand(),
	)
	root.AddCommand(newUnpackCommand(a), newBundleCommand(a))
	root.AddCommand(newVerifyCommand(a))
	root.AddCommand(newBootCommand(a), newFlashCommand(a), newEraseCommand(a), newFormatCommand(a), newFastbootCommand(a))
	root.AddCommand(newUnlockCommand(a))
	root.AddCommand(movedCommands()...)
	root.AddCommand(newDoctorCommand(a), newWaitCommand(a), newUdevCommand(a))
	root.AddCommand(newInspectCommand(a), newTACommand(a))
	a.complete(root)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Short = "show the help of a command"
		case "completion":
			c.Short = "write the completion script for a shell"
		}
	}
	return root
}

// unusable refuses a global option that would change nothing.
func unusable(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && changesNothing(cmd, f.Name) {
			err = usageError{fmt.Errorf("--%s: %s does not speak to a phone", f.Name, cmd.CommandPath())}
		}
	})
	return err
}

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

// args wraps an argument check: its errors count as wrong usage and name the argument as
// the command's usage line does.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		err := check(cmd, a)
		if err == nil {
			return nil
		}
		use := strings.TrimSuffix(cmd.UseLine(), " [flags]")
		switch words := arguments(cmd.Use); {
		case cmd.HasSubCommands(): // an unknown command
			cmd.SuggestionsMinimumDistance = 2
			if similar := cmd.SuggestionsFor(a[0]); len(similar) > 0 {
				err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(similar, " or "))
			}
		case len(a) < len(words):
			err = fmt.Errorf("%s is missing: %s", words[len(a)], use)
		default:
			err = fmt.Errorf("%q is one argument too many: %s", a[len(words)], use)
		}
		return usageError{err}
	}
}

// arguments are the positional arguments in a usage line; options come after them.
func arguments(use string) []string {
	words := strings.Fields(use)[1:]
	if i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(strings.TrimLeft(w, "["), "-") }); i >= 0 {
		words = words[:i]
	}
	return words
}
