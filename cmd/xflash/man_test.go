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
