package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"xflash/internal/text"
)

// TestHelpFits: the help of every command fits narrow terminals, all but the examples and
// words that are longer than a line, and says the same at every width.
func TestHelpFits(t *testing.T) {
	var each func(cmd *cobra.Command)
	each = func(cmd *cobra.Command) {
		words := strings.Join(strings.Fields(help(cmd, 1000)), " ")
		for _, width := range []int{40, 60, 80} {
			shown := help(cmd, width)
			if got := strings.Join(strings.Fields(shown), " "); got != words {
				t.Errorf("%s at %d columns says something else:\n%s", cmd.CommandPath(), width, shown)
			}
			for line := range strings.Lines(strings.ReplaceAll(shown, cmd.Example, "")) {
				if line = strings.TrimRight(line, "\n"); text.Width(line) > width && len(strings.Fields(line)) > 1 && width >= 60 {
					t.Errorf("%s at %d columns: %q", cmd.CommandPath(), width, line)
				}
			}
		}
		for _, c := range cmd.Commands() {
			each(c)
		}
	}
	each(newRootCommand(&app{ui: &terminal{}}))
}

// TestHelpListsWhatWorks: a global option that a command refuses is not in its help.
func TestHelpListsWhatWorks(t *testing.T) {
	for args, listed := range map[string]bool{"restore": true, "ta verify": true, "explain": false, "ta list": false, "sim": false, "completion bash": false} {
		var out bytes.Buffer
		root := newRootCommand(&app{ui: &terminal{}})
		root.SetArgs(append(strings.Fields(args), "--help"))
		root.SetOut(&out)
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "--trace-ids"); got != listed {
			t.Errorf("%s: --trace-ids listed: %v", args, got)
		}
	}
}

// TestVersionAndSuggestions: the two ways to the version are one, and a mistyped command names
// the one that was meant, also one level down.
func TestVersionAndSuggestions(t *testing.T) {
	_, want, _ := door(t, "version")
	if exit, out, talk := door(t, "--version"); exit != exitOK || out != want || talk != "" {
		t.Errorf("--version: exit %d, %q, %q", exit, out, talk)
	}
	for line, want := range map[string]string{"verfy x": "verify", "bot x": "boot", "ta verfy x": "verify"} {
		if exit, _, talk := door(t, strings.Fields(line)...); exit != exitUsage || !strings.Contains(talk, "did you mean "+want+"?") {
			t.Errorf("%s: exit %d, %s", line, exit, talk)
		}
	}
}
