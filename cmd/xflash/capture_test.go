package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCaptures plays back every trace in testdata/captures: NAME.pcap in the place of a
// phone, and NAME.txt with the words of a command in its first line and, in the others,
// what it must print.
func TestCaptures(t *testing.T) {
	names, err := filepath.Glob("testdata/captures/*.pcap")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d captures, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(strings.TrimSuffix(name, ".pcap") + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			path, err := filepath.Abs(name)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(text)), "\n")
			out, err := program(t, t.TempDir(), append(strings.Fields(lines[0]), "--device", "replay:"+path)...).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			for _, want := range lines[1:] {
				if !strings.Contains(string(out), want) {
					t.Errorf("%q is missing in:\n%s", want, out)
				}
			}
		})
	}
}
