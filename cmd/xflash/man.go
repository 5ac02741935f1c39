package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// exitMeanings says what each exit code of the program means. README and the man page list
// the same.
var exitMeanings = []struct {
	code    int
	meaning string
}{
	{exitOK, "success"},
	{exitOther, "another failure"},
	{exitUsage, "wrong usage; nothing happened"},
	{exitNoPhone, "no phone in the mode that is needed"},
	{exitNoAccess, "no permission to use the phone"},
	{exitBusy, "another program uses the phone"},
	{exitFile, "a file is damaged or not what it claims"},
	{exitPolicy, "refused, because it is not safe or not for this phone"},
	{exitRefused, "the phone said no"},
	{exitBroken, "the transfer broke; the same command with --resume continues"},
	{exitUnknown, "the state of the phone is not known"},
	{exitInterrupted, "stopped by Ctrl-C"},
	{exitTerminated, "stopped by SIGTERM"},
}

// newManCommand writes the man pages; packagers call it.
func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "write the man pages into a folder",
		Hidden: true,
		Args:   args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true
			if err := doc.GenManTree(root, &doc.GenManHeader{Title: "XFLASH", Section: "1", Source: "xflash " + version, Manual: "User Commands"}, a[0]); err != nil {
				return err
			}
			// cobra knows no sections of a person's own: the main page gets them here.
			path := filepath.Join(a[0], "xflash.1")
			page, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			before, after, found := strings.Cut(string(page), ".SH SEE ALSO")
			if !found {
				return fmt.Errorf("%s has no section SEE ALSO", path)
			}
			return os.WriteFile(path, []byte(strings.Replace(before, ".SH EXAMPLE\n", ".SH EXAMPLES\n", 1)+manSections()+".SH SEE ALSO"+after), 0o644)
		},
	}
}

// manSections are the parts of the main page that are not help texts, in roff.
func manSections() string {
	var b strings.Builder
	section := func(name string, rows ...string) {
		fmt.Fprintf(&b, ".SH %s\n", name)
		for i := 0; i < len(rows); i += 2 {
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fP\n%s\n", strings.ReplaceAll(rows[i], "-", "\\-"), strings.ReplaceAll(rows[i+1], "-", "\\-"))
		}
	}
	var codes []string
	for _, e := range exitMeanings {
		codes = append(codes, fmt.Sprint(e.code), e.meaning)
	}
	section("EXIT STATUS", codes...)
	section("ENVIRONMENT",
		"XDG_STATE_HOME", "where journals of unfinished restores are kept, in the folder xflash (default ~/.local/state)",
		"ANDROID_SERIAL", "the phone that xflash fastboot means, when neither \\-s nor --device is given",
		"SOURCE_DATE_EPOCH", "the time that a restore writes into the phone and a bundle carries, in seconds since 1970",
		"NO_COLOR", "no colour on the terminal",
		"CLICOLOR", "0: no colour on the terminal")
	section("FILES",
		"~/.local/state/xflash/", "one journal per phone whose restore is not finished; --resume reads it",
		"/etc/udev/rules.d/70-xflash.rules", "the right to use phones without being root, written by xflash udev --install")
	return b.String()
}
