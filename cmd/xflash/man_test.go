package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestExitCodesAreListedEverywhere: every exit constant of the program has its line in the
// man page, and README lists the same numbers.
func TestExitCodesAreListedEverywhere(t *testing.T) {
	source, err := os.ReadFile("fail.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`(?m)^\texit[A-Z]\w* += (\d+)$`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 10 || len(codes) != len(exitMeanings) {
		t.Fatalf("%d constants, %d meanings", len(codes), len(exitMeanings))
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(readme), "## Exit codes")
	for i, c := range codes {
		n, _ := strconv.Atoi(c[1])
		if exitMeanings[i].code != n {
			t.Errorf("%d is missing in the man page", n)
		}
		if !regexp.MustCompile(fmt.Sprintf(`\b%d\b`, n)).MatchString(list) {
			t.Errorf("README does not list exit code %d", n)
		}
	}
}

// TestManPage: the main page has the sections people look for and every command; options look
// like those of other man pages; a global option that a command refuses is not in its page.
func TestManPage(t *testing.T) {
	dir := t.TempDir()
	cmd := newManCommand()
	root := newRootCommand(&app{ui: newTerminal()})
	root.AddCommand(cmd)
	if err := cmd.RunE(cmd, []string{dir}); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(dir + "/xflash.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{".SH COMMANDS", ".SH OPTIONS", ".SH EXIT STATUS", ".SH ENVIRONMENT", ".SH FILES", ".SH EXAMPLES", `\fBrestore\fP`,
		"xflash COMMAND [OPTIONS]", ".TP\n\\fB\\-\\-device\\fP=\\fIVALUE\\fP\nthe phone", ".TP\n\\fB\\-\\-json\\fP\nanswer"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("xflash.1 does not contain %q", want)
		}
	}
	for name, listed := range map[string]bool{"restore": true, "ta-verify": true, "explain": false, "ta-list": false, "completion-bash": false} {
		page, err := os.ReadFile(dir + "/xflash-" + name + ".1")
		if err != nil || strings.Contains(string(page), `trace\-ids`) != listed {
			t.Errorf("xflash-%s.1: --trace-ids listed: %v, %v", name, !listed, err)
		}
	}
	restore, err := os.ReadFile(dir + "/xflash-restore.1")
	if err != nil || strings.Contains(string(restore), "=false") {
		t.Errorf("xflash-restore.1: %v\n%s", err, restore)
	}
}
