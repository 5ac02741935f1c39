package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAdviceNamesRealCommands: every command and option that an explanation names exists.
func TestAdviceNamesRealCommands(t *testing.T) {
	files, err := filepath.Glob("../../internal/explain/data/*.tsv")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`"(?:sudo )?xflash ([^"]+)"`)
	n := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(data), -1) {
			for _, part := range strings.Split(m[1], "&& xflash ") {
				n++
				words := strings.Fields(part)
				cmd, _, err := newRootCommand(&app{ui: newTerminal()}).Find(words)
				if err != nil || !cmd.HasParent() {
					t.Errorf("%s: %q: there is no such command", filepath.Base(file), m[0])
					continue
				}
				for _, w := range words {
					name, _, _ := strings.Cut(strings.TrimPrefix(w, "--"), "=")
					if strings.HasPrefix(w, "--") && cmd.Flag(name) == nil {
						t.Errorf("%s: %q: there is no --%s", filepath.Base(file), m[0], name)
					}
				}
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d commands", n)
	}
}
