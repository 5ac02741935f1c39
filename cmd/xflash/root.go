package main

import (
	"github.com/spf13/cobra"
)

// app is what the commands share: the terminal and the global flags.
type app struct {
	ui       *terminal
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
		Long: `xflash brings a Sony Xperia that does not start any more back to life.

It speaks Sony's flash mode over USB, checks every byte of a firmware bundle before
it touches the phone, writes only what a rescue needs, and explains what the phone
answers. Start with "xflash restore FILE.ftf --dry-run".`,
		Example: `  xflash devices
  xflash restore D5803_23.5.A.1.291.ftf
  xflash explain 'ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021";'`,
		Args:              args(cobra.NoArgs),
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.startTrace() },
		SilenceErrors:     true,
		SilenceUsage:      true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := root.PersistentFlags()
	flags.StringVar(&a.device, "device", "", "the phone: serial number, usb:BUS-PORT, sim:z3c[,KEY=VALUE…], bridge:HOST:PORT, tcp:HOST, udp:HOST or replay:TRACE.pcap")
	flags.StringVar(&a.simState, "sim-state", "", "folder that keeps the state of a simulated phone (default: a temporary one)")
	flags.BoolVar(&a.showIDs, "show-ids", false, "show serial number, IMEI and chip id instead of masking them")
	flags.StringVar(&a.trace.path, "trace", "", "write what goes over the cable into this file, or this folder with all that a report needs")
	flags.BoolVar(&a.trace.ids, "trace-ids", false, "keep serial number, IMEI and trim-area contents in the trace")
	flags.BoolVar(&a.small, "small-requests", false, "send data in small USB requests: slower, for hubs that break with large ones")
	flags.BoolVar(&a.ui.json, "json", false, "answer in JSON, one object a line on long jobs")
	flags.BoolVarP(&a.ui.quiet, "quiet", "q", false, "say only results, notes and errors")
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
	return root
}

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

// args wraps an argument check so that its errors count as wrong usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		if err := check(cmd, a); err != nil {
			return usageError{err}
		}
		return nil
	}
}
