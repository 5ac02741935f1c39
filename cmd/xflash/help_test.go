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
