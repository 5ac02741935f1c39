package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and commit are set by the Makefile; "go install" leaves them to the module's own
// version, which names the commit too.
var version, commit string

func init() {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		version = info.Main.Version
	}
	version = cmp.Or(version, "development")
	commit = cmp.Or(commit, "unknown")
}

func versionText() string {
	return fmt.Sprintf("xflash %s (commit %.12s, %s, %s/%s)", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "show the version of the program",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if a.ui.json {
				return a.ui.resultJSON(map[string]string{"version": version, "commit": commit, "go": runtime.Version(), "system": runtime.GOOS + "/" + runtime.GOARCH})
			}
			a.ui.result("%s\n", versionText())
			return nil
		},
	}
}
