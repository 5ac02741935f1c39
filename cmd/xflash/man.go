package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
	{exitNoPhone, "no phone in the right mode"},
	{exitNoAccess, "no permission to use the phone"},
	{exitBusy, "another program uses the phone"},
	{exitFile, "a file is damaged or not what it claims to be"},
	{exitPolicy, "refused, because it is not safe or not for this phone"},
	{exitRefused, "the phone said no"},
	{exitBroken, "the transfer broke; the same command with --resume continues"},
	{exitUnknown, "the state of the phone is unknown"},
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
			cmd.Root().DisableAutoGenTag = true
			return manTree(cmd.Root(), a[0])
		},
	}
}

// manTree writes the pages of a command and of those below it.
func manTree(cmd *cobra.Command, dir string) error {
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	hideUseless(cmd)
	var page bytes.Buffer
	if err := doc.GenMan(cmd, &doc.GenManHeader{Title: strings.ToUpper(name), Section: "1", Source: "xflash " + version, Manual: "User Commands"}, &page); err != nil {
		return err
	}
	text := manOptions(page.String())
	if !cmd.HasParent() {
		text = mainPage(cmd, text)
	}
	err := os.WriteFile(filepath.Join(dir, name+".1"), []byte(text), 0o644)
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			err = errors.Join(err, manTree(c, dir))
		}
	}
	return err
}

var (
	manOption = regexp.MustCompile(`(?m)^(?:\.PP\n)?(\\fB(?:-\w\\fP, \\fB)?--[a-z-]+\\fP)(\S*)\n\t`)
	manTitle  = regexp.MustCompile(`(?m)^\.SH EXAMPLE$`)
)

// manOptions gives the options of a page the form that readers of man pages know: a word for
// the value instead of cobra's default value, and the description indented below.
func manOptions(page string) string {
	page = manOption.ReplaceAllStringFunc(page, func(row string) string {
		m := manOption.FindStringSubmatch(row)
		if value := m[2]; value != "" && value != "[=false]" {
			m[1] += `=\fIVALUE\fP`
		}
		return ".TP\n" + strings.ReplaceAll(m[1], "-", `\-`) + "\n"
	})
	return manTitle.ReplaceAllString(page, ".SH EXAMPLES")
}

// mainPage adds to xflash(1) what cobra has no place for.
func mainPage(root *cobra.Command, page string) string {
	page = strings.Replace(page, "xflash [flags]", "xflash COMMAND [OPTIONS]", 1)
	var commands []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			commands = append(commands, c.Name(), c.Short)
		}
	}
	page = strings.Replace(page, ".SH OPTIONS\n", manSection("COMMANDS", commands...)+".SH OPTIONS\n", 1)
	return strings.Replace(page, ".SH SEE ALSO\n", manSections()+".SH SEE ALSO\n", 1)
}

// manSection is a section of rows: a word and what it means.
func manSection(name string, rows ...string) string {
	var b strings.Builder
	escape := strings.NewReplacer("-", `\-`, `\`, `\e`)
	fmt.Fprintf(&b, ".SH %s\n", name)
	for i := 0; i < len(rows); i += 2 {
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fP\n%s\n", escape.Replace(rows[i]), escape.Replace(rows[i+1]))
	}
	return b.String()
}

// manSections are the parts of the main page that are not help texts, in roff.
func manSections() string {
	var codes []string
	for _, e := range exitMeanings {
		codes = append(codes, fmt.Sprint(e.code), e.meaning)
	}
	return manSection("EXIT STATUS", codes...) +
		manSection("ENVIRONMENT",
			"XDG_STATE_HOME", "folder for the journals of unfinished restores, in its subfolder xflash (default ~/.local/state)",
			"ANDROID_SERIAL", "the phone for xflash fastboot, when neither -s nor --device is given",
			"ANDROID_PRODUCT_OUT", "folder with the images for xflash fastboot flashall",
			"SOURCE_DATE_EPOCH", "the time that a restore writes to the phone and that a new bundle carries, in seconds since 1970",
			"NO_COLOR", "no colour on the terminal",
			"CLICOLOR", "0: no colour on the terminal") +
		manSection("FILES",
			"~/.local/state/xflash/", "a journal for each phone with an unfinished restore; --resume reads it",
			"/etc/udev/rules.d/70-xflash.rules", "lets ordinary users open the phones; xflash udev --install writes it")
}
